package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// fillUp appends to new subjects until that is refused.
func fillUp(t *testing.T, b *bus.Bus, size int) (stored int, err error) {
	t.Helper()
	data := make([]byte, size)
	for i := range 20_000 {
		if _, err := b.Append(t.Context(), subjects.Events("toy", fmt.Sprint("r", i)), data, 0); err != nil && !errors.Is(err, bus.ErrFenced) {
			return i, err
		}
	}
	return 0, errors.New("it does not get full")
}

func events(t *testing.T, b *bus.Bus) jetstream.Stream {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), subjects.StreamEvents("toy"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever runs out, an append is refused, nothing that was stored goes, and it goes on with
// room again.
func TestAppendIsRefusedWhereThereIsNoRoom(t *testing.T) {
	for name, bound := range map[string]func(t *testing.T) *bus.Bus{
		"a stream's limit": func(t *testing.T) *bus.Bus {
			b := start(t, config(t))
			cfg := events(t, b).CachedInfo().Config
			cfg.MaxBytes = 200_000
			if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			return b
		},
		"a stream's number of messages": func(t *testing.T) *bus.Bus {
			b := start(t, config(t))
			cfg := events(t, b).CachedInfo().Config
			cfg.MaxMsgs = 200
			if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			return b
		},
		"the server's limit": func(t *testing.T) *bus.Bus {
			if testing.Short() {
				t.Skip("writes 256 MiB: what the dead letters have reserved, and the least that a server may have")
			}
			cfg := config(t)
			cfg.MaxStore = 257 << 20
			return start(t, cfg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := bound(t)
			size := 1000
			if name == "the server's limit" {
				size = 7 << 20
			}
			n, err := fillUp(t, b, size)
			if !errors.Is(err, bus.ErrFull) || n < 10 {
				t.Fatalf("after %d: %v", n, err)
			}
			if _, err := b.Head(t.Context(), subjects.StreamEvents("toy"), subjects.Events("toy", "r0")); err != nil {
				t.Errorf("the first: %v", err)
			}
			if s, err := b.StreamState(t.Context(), subjects.StreamEvents("toy")); err != nil || s.Messages != uint64(n) {
				t.Errorf("%+v, %v; want %d messages", s, err, n)
			}
			if err := events(t, b).Purge(t.Context(), jetstream.WithPurgeSubject(subjects.Events("toy", "r0"))); err != nil {
				t.Fatal(err)
			}
			if err := events(t, b).Purge(t.Context(), jetstream.WithPurgeSubject(subjects.Events("toy", "r1"))); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Append(t.Context(), subjects.Events("toy", "again"), make([]byte, 100), 0); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}

// What an operator sets stays when a process starts, and a log that older releases made
// refuses what is new from then on.
func TestAStartKeepsWhatAnOperatorSet(t *testing.T) {
	cfg := config(t)
	b := start(t, cfg)
	have := events(t, b).CachedInfo().Config
	have.MaxBytes, have.Discard, have.Compression = 1<<20, jetstream.DiscardOld, jetstream.S2Compression
	if _, err := b.JetStream().UpdateStream(t.Context(), have); err != nil {
		t.Fatal(err)
	}
	b.Close(t.Context())
	b = start(t, cfg)
	have = events(t, b).CachedInfo().Config
	if have.MaxBytes != 1<<20 || have.Discard != jetstream.DiscardNew || have.Compression != jetstream.S2Compression {
		t.Errorf("%+v", have)
	}
}
