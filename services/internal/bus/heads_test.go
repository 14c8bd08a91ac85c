package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// fill stores one message for each of n subjects and gives their names and sequences.
func fill(t testing.TB, b *bus.Bus, n, size int) (names []string, heads map[string]uint64) {
	t.Helper()
	heads = map[string]uint64{}
	for i := range n {
		name := subjects.Events("toy", fmt.Sprintf("room-%d", i))
		seq, err := b.Append(t.Context(), name, bytes.Repeat([]byte("x"), size), 0)
		if err != nil {
			t.Fatal(err)
		}
		names, heads[name] = append(names, name), seq
	}
	return names, heads
}

func TestHeadsGivesTheLastSequenceOfEachSubject(t *testing.T) {
	b := start(t, config(t))
	stream := subjects.StreamEvents("toy")
	const n = 600 // more than two requests
	names, want := fill(t, b, n, 10)
	for i := 0; i < n; i += 7 {
		seq, err := b.Append(t.Context(), names[i], []byte("again"), want[names[i]])
		if err != nil {
			t.Fatal(err)
		}
		want[names[i]] = seq
	}
	none := []string{subjects.Events("toy", "none-1"), subjects.Events("toy", "none-2")}
	for _, c := range []struct {
		what  string
		names []string
		want  int
	}{
		{"all and some that are not there", append(append([]string{none[0]}, names...), none[1]), n},
		{"one request exactly", names[:256], 256},
		{"one", names[3:4], 1},
		{"none that is there", none, 0},
		{"nothing", nil, 0},
	} {
		got, err := b.Heads(t.Context(), stream, c.names)
		if err != nil || len(got) != c.want {
			t.Fatalf("%s: %d heads of %d, %v", c.what, len(got), c.want, err)
		}
		for name, seq := range got {
			if seq != want[name] {
				t.Errorf("%s: %s is at %d, want %d", c.what, name, seq, want[name])
			}
		}
	}

	// Only what has changed.
	upTo, err := b.LastEach(t.Context(), stream, names, 0, func(bus.Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{}
	look := func() {
		t.Helper()
		clear(changed)
		if upTo, err = b.LastEach(t.Context(), stream, names, upTo, func(e bus.Entry) { changed[e.Subject] = string(e.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	if look(); len(changed) != 0 {
		t.Errorf("nothing has changed, and it gives %v", changed)
	}
	for _, i := range []int{1, 599} {
		if _, err := b.Append(t.Context(), names[i], fmt.Append(nil, i), want[names[i]]); err != nil {
			t.Fatal(err)
		}
	}
	if look(); len(changed) != 2 || changed[names[1]] != "1" || changed[names[599]] != "599" {
		t.Errorf("changed: %v", changed)
	}
	if look(); len(changed) != 0 {
		t.Errorf("nothing has changed, and it gives %v", changed)
	}
}

func TestHeadsOfLargeMessagesComeInSeveralBatches(t *testing.T) {
	b := start(t, config(t))
	names, want := fill(t, b, 24, 1<<20) // 24 MiB of 4 a batch
	got, err := b.Heads(t.Context(), subjects.StreamEvents("toy"), names)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d heads of %d, %v", len(got), len(want), err)
	}
	for name, seq := range got {
		if seq != want[name] {
			t.Errorf("%s is at %d, want %d", name, seq, want[name])
		}
	}
}

func TestHeadsAsksTheLeaderWhereDirectGetsAreNotAllowed(t *testing.T) {
	b := start(t, config(t))
	stream := subjects.StreamEvents("toy")
	names, want := fill(t, b, 5, 10)
	s, err := b.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowDirect = false
	if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	got, err := b.Heads(t.Context(), stream, append(names, subjects.Events("toy", "none")))
	if err != nil || len(got) != 5 {
		t.Fatalf("%v, %v", got, err)
	}
	for name, seq := range got {
		if seq != want[name] {
			t.Errorf("%s is at %d, want %d", name, seq, want[name])
		}
	}
	late := 0
	if upTo, err := b.LastEach(t.Context(), stream, names, want[names[2]], func(bus.Entry) { late++ }); err != nil || upTo != 0 || late != 2 {
		t.Errorf("since the third: %d, up to %d, %v", late, upTo, err)
	}
}

func TestHeadsThatCannotBeReadAreUnavailable(t *testing.T) {
	b := start(t, config(t))
	names, _ := fill(t, b, 1, 10)
	if _, err := b.Heads(t.Context(), "EVENTS_NONE", names); err == nil {
		t.Error("the heads of no stream")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Heads(ctx, subjects.StreamEvents("toy"), names); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("without time: %v", err)
	}
	for _, bad := range []string{"", "a.*", "a.>", "a b"} {
		if _, err := b.Heads(t.Context(), subjects.StreamEvents("toy"), []string{bad}); err == nil || errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestListenHearsWhatWasStored(t *testing.T) {
	b := start(t, config(t))
	live, err := b.Listen(subjects.Feed("toy", "a"), 2)
	if err != nil {
		t.Fatal(err)
	}
	var after uint64
	for i := range 2 {
		seq, err := b.Append(t.Context(), subjects.Events("toy", "a"), fmt.Append(nil, i), after)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Append(t.Context(), subjects.Events("toy", "a"), []byte("fenced"), after); !errors.Is(err, bus.ErrFenced) {
			t.Fatal(err)
		}
		select {
		case m := <-live.C():
			e, ok := bus.ParseLive(m)
			if !ok || e.Seq != seq || e.Previous != after || string(e.Data) != fmt.Sprint(i) || e.Subject != subjects.Events("toy", "a") {
				t.Fatalf("%+v, %v; want sequence %d after %d", e, ok, seq, after)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is heard")
		}
		after = seq
	}
	for i := range 5 {
		if after, err = b.Append(t.Context(), subjects.Events("toy", "a"), fmt.Append(nil, i), after); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); live.Dropped() != 3; {
		if time.Now().After(end) {
			t.Fatalf("%d dropped of 5 for which there was room for 2", live.Dropped())
		}
		if err := b.Ready(t.Context()); err != nil { // a round trip
			t.Fatal(err)
		}
	}
	live.Close()
	for _, m := range []*nats.Msg{
		{Data: []byte("x")},
		{Header: nats.Header{"Nats-Sequence": {"0"}, "Nats-Last-Sequence": {"0"}}},
		{Header: nats.Header{"Nats-Sequence": {"7"}}},
		{Header: nats.Header{"Nats-Sequence": {"-7"}, "Nats-Last-Sequence": {"0"}}},
	} {
		if e, ok := bus.ParseLive(m); ok {
			t.Errorf("%v is read as %+v", m.Header, e)
		}
	}
}
