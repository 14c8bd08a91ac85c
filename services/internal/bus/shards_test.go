package bus_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func TestShardsAreStreamsOfTheirOwn(t *testing.T) {
	cfg := config(t)
	cfg.Shards = 3
	b := start(t, cfg)
	l := b.Log("toy")
	live, err := b.Listen(subjects.Feed("toy", "room-0"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	want := map[string]uint64{}
	for i := range 60 {
		id := fmt.Sprint("room-", i)
		seq, err := b.Append(t.Context(), l.Subject(id), []byte(id), 0)
		if err != nil {
			t.Fatal(err)
		}
		stream := l.Stream(l.Shard(id))
		if want[stream]++; seq != want[stream] {
			t.Errorf("%s has sequence %d in %s, want %d", id, seq, stream, want[stream])
		}
		if e, err := b.Head(t.Context(), stream, l.Subject(id)); err != nil || string(e.Data) != id {
			t.Errorf("%s: %+v, %v", id, e, err)
		}
	}
	states, err := b.LogState(t.Context(), "toy")
	if err != nil || len(states) != 3 {
		t.Fatalf("%+v, %v", states, err)
	}
	for _, s := range states {
		if s.Messages != want[s.Name] || s.Messages == 0 {
			t.Errorf("%+v, want %d messages", s, want[s.Name])
		}
	}
	select {
	case m := <-live.C():
		if e, ok := bus.ParseLive(m); !ok || e.Subject != l.Subject("room-0") || string(e.Data) != "room-0" {
			t.Errorf("%+v", e)
		}
	case <-time.After(10 * time.Second):
		t.Error("the live message does not come")
	}
}

// Their number is fixed, as that of the partitions is.
func TestAnotherNumberOfShardsIsRefused(t *testing.T) {
	dir := t.TempDir()
	run := func(shards int, check bool) error {
		cfg := bus.Defaults()
		cfg.DataDir, cfg.Shards, cfg.Check = dir, shards, check
		b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
		if err == nil {
			b.Close(t.Context())
		}
		return err
	}
	if err := run(4, false); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 3, 8} {
		if err := run(n, false); !errors.Is(err, bus.ErrShards) {
			t.Errorf("%d shards: %v", n, err)
		}
	}
	if err := run(4, true); err != nil {
		t.Error(err)
	}
	for _, n := range []int{-1, subjects.MaxShards + 1} {
		cfg := bus.Defaults()
		if cfg.Shards = n; cfg.Validate() == nil {
			t.Errorf("%d shards are valid", n)
		}
	}
}

// Who dials and does not know asks.
func TestDialFindsTheShards(t *testing.T) {
	for _, n := range []int{1, 5} {
		cfg := config(t)
		cfg.Shards, cfg.Listen = n, "127.0.0.1:0"
		b := start(t, cfg)
		d, err := bus.Dial(t.Context(), bus.Config{URL: b.Address(), Name: "tool"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Log("toy").Len(); got != n {
			t.Errorf("%d shards were found, there are %d", got, n)
		}
		d.Close(t.Context())
	}
}

func TestTheArchiveIsMadeOnce(t *testing.T) {
	b := start(t, config(t))
	for range 2 {
		if err := b.EnsureArchive(t.Context(), "toy", bus.ArchiveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Append(t.Context(), subjects.Archived("toy", "room"), []byte("x"), 0); err != nil {
		t.Error(err)
	}
	if _, err := b.Append(t.Context(), subjects.Archived("toy", "room"), []byte("x"), 0); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("a second archiver: %v", err)
	}
	if _, err := b.Head(t.Context(), subjects.StreamArchive("none"), "x"); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
}
