package aggregatetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
)

// RunJournal tries the promises of aggregate.Journal. open gives an empty journal; it is
// called once for each part of the suite.
func RunJournal(t *testing.T, open func(t *testing.T) aggregate.Journal) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, j aggregate.Journal)
	}{
		{"an empty log has no head, entries or snapshot", journalEmpty},
		{"an append names the last entry", journalFence},
		{"logs do not touch each other", journalApart},
		{"one of many concurrent appends wins", journalRace},
		{"entries come in order from where one asks", journalRead},
		{"what was appended is not the caller's buffer", journalBuffer},
		{"an entry or snapshot that is too large is told", journalLarge},
		{"the last snapshot replaces the one before", journalSnapshot},
		{"an ended context is unavailability", journalEnded},
		{"timers are taken for the past and the future", journalSchedule},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

func mustAppend(t *testing.T, j aggregate.Journal, id, data string, after uint64) uint64 {
	t.Helper()
	seq, err := j.Append(t.Context(), id, []byte(data), after)
	if err != nil || seq <= after {
		t.Fatalf("append %q to %s after %d: %d, %v", data, id, after, seq, err)
	}
	return seq
}

func readAll(t *testing.T, j aggregate.Journal, id string, from uint64) []aggregate.Entry {
	t.Helper()
	var all []aggregate.Entry
	err := j.Read(t.Context(), id, from, func(e aggregate.Entry) error {
		e.Data = slices.Clone(e.Data)
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatalf("read %s from %d: %v", id, from, err)
	}
	return all
}

func journalEmpty(t *testing.T, j aggregate.Journal) {
	if e, err := j.Head(t.Context(), "none"); err != nil || e.Seq != 0 || len(e.Data) != 0 {
		t.Errorf("head: %+v, %v", e, err)
	}
	if s, err := j.LoadSnapshot(t.Context(), "none"); err != nil || s != nil {
		t.Errorf("snapshot: %q, %v", s, err)
	}
	if got := readAll(t, j, "none", 0); len(got) != 0 {
		t.Errorf("entries: %v", got)
	}
	if _, err := j.Append(t.Context(), "none", []byte("x"), 7); !errors.Is(err, aggregate.ErrFenced) {
		t.Errorf("append after an entry that is not there: %v", err)
	}
}

func journalFence(t *testing.T, j aggregate.Journal) {
	one := mustAppend(t, j, "a", "one", 0)
	two := mustAppend(t, j, "a", "two", one)
	for _, after := range []uint64{0, one, two + 1} {
		if _, err := j.Append(t.Context(), "a", []byte("three"), after); !errors.Is(err, aggregate.ErrFenced) {
			t.Errorf("append after %d of %d: %v, want ErrFenced", after, two, err)
		}
	}
	if e, err := j.Head(t.Context(), "a"); err != nil || e.Seq != two || string(e.Data) != "two" {
		t.Errorf("head: %+v, %v", e, err)
	}
	if got := readAll(t, j, "a", 0); len(got) != 2 {
		t.Errorf("a refused append left its trace: %v", got)
	}
}

func journalApart(t *testing.T, j aggregate.Journal) {
	a := mustAppend(t, j, "a", "a1", 0)
	b := mustAppend(t, j, "b", "b1", 0)
	mustAppend(t, j, "a", "a2", a)
	mustAppend(t, j, "b", "b2", b)
	for _, e := range readAll(t, j, "a", 0) {
		if e.Data[0] != 'a' {
			t.Errorf("%q in the log of a", e.Data)
		}
	}
	if e, err := j.Head(t.Context(), "b"); err != nil || string(e.Data) != "b2" {
		t.Errorf("head of b: %+v, %v", e, err)
	}
}

func journalRace(t *testing.T, j aggregate.Journal) {
	var after uint64
	for round := range 10 {
		var won, last atomic.Uint64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				seq, err := j.Append(t.Context(), "a", fmt.Append(nil, round, i), after)
				switch {
				case err == nil:
					won.Add(1)
					last.Store(seq)
				case !errors.Is(err, aggregate.ErrFenced):
					t.Errorf("append: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d appends took the same place", won.Load())
		}
		after = last.Load()
		if e, err := j.Head(t.Context(), "a"); err != nil || e.Seq != after {
			t.Fatalf("head after the race: %d, %v; want %d", e.Seq, err, after)
		}
	}
}

func journalRead(t *testing.T, j aggregate.Journal) {
	const n = 700 // more than what one request to a server brings
	seqs := make([]uint64, 0, n)
	var after, other uint64
	for i := range n {
		after = mustAppend(t, j, "a", fmt.Sprint(i), after)
		seqs = append(seqs, after)
		if i%7 == 0 {
			other = mustAppend(t, j, "b", "noise", other)
		}
	}
	for _, start := range []int{0, 1, n / 2, n - 1, n} {
		from := after + 1
		if start < n {
			from = seqs[start]
		}
		got := readAll(t, j, "a", from)
		if len(got) != n-start {
			t.Fatalf("from entry %d: %d entries, want %d", start, len(got), n-start)
		}
		for i, e := range got {
			if e.Seq != seqs[start+i] || string(e.Data) != fmt.Sprint(start+i) {
				t.Fatalf("from entry %d: number %d is %d %q", start, i, e.Seq, e.Data)
			}
		}
	}
	stop, seen := errors.New("stop"), 0
	err := j.Read(t.Context(), "a", 0, func(aggregate.Entry) error {
		if seen++; seen == 3 {
			return stop
		}
		return nil
	})
	if err != stop || seen != 3 { //nolint:errorlint // the very error, not one that wraps it
		t.Errorf("read went on to %d and returned %v", seen, err)
	}
}

func journalBuffer(t *testing.T, j aggregate.Journal) {
	buf := []byte("mine")
	if _, err := j.Append(t.Context(), "a", buf, 0); err != nil {
		t.Fatal(err)
	}
	if err := j.SaveSnapshot(t.Context(), "a", buf); err != nil {
		t.Fatal(err)
	}
	copy(buf, "XXXX")
	if got := readAll(t, j, "a", 0); string(got[0].Data) != "mine" {
		t.Errorf("the entry became %q", got[0].Data)
	}
	if s, err := j.LoadSnapshot(t.Context(), "a"); err != nil || string(s) != "mine" {
		t.Errorf("the snapshot became %q, %v", s, err)
	}
}

func journalLarge(t *testing.T, j aggregate.Journal) {
	one := mustAppend(t, j, "a", "one", 0)
	huge := bytes.Repeat([]byte("x"), 32<<20)
	if _, err := j.Append(t.Context(), "a", huge, one); !errors.Is(err, aggregate.ErrTooLarge) {
		t.Errorf("append: %v, want ErrTooLarge", err)
	}
	if err := j.SaveSnapshot(t.Context(), "a", huge); !errors.Is(err, aggregate.ErrTooLarge) {
		t.Errorf("snapshot: %v, want ErrTooLarge", err)
	}
	if s, err := j.LoadSnapshot(t.Context(), "a"); err != nil || s != nil {
		t.Errorf("a snapshot of %d bytes was kept, %v", len(s), err)
	}
	large := bytes.Repeat([]byte("y"), 2<<20)
	two, err := j.Append(t.Context(), "a", large, one)
	if err != nil {
		t.Fatalf("2 MiB: %v", err)
	}
	if e, err := j.Head(t.Context(), "a"); err != nil || e.Seq != two || !bytes.Equal(e.Data, large) {
		t.Errorf("head: %d, %d bytes, %v", e.Seq, len(e.Data), err)
	}
}

func journalSnapshot(t *testing.T, j aggregate.Journal) {
	for _, s := range []string{"one", "two", ""} {
		if err := j.SaveSnapshot(t.Context(), "a", []byte(s+"!")); err != nil {
			t.Fatal(err)
		}
		if got, err := j.LoadSnapshot(t.Context(), "a"); err != nil || string(got) != s+"!" {
			t.Errorf("stored %q, loaded %q, %v", s+"!", got, err)
		}
	}
	if got, err := j.LoadSnapshot(t.Context(), "b"); err != nil || got != nil {
		t.Errorf("another aggregate has it too: %q, %v", got, err)
	}
}

func journalEnded(t *testing.T, j aggregate.Journal) {
	mustAppend(t, j, "a", "one", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, appended := j.Append(ctx, "b", []byte("x"), 0)
	_, head := j.Head(ctx, "a")
	_, snapshot := j.LoadSnapshot(ctx, "a")
	for what, err := range map[string]error{
		"append": appended, "head": head, "load snapshot": snapshot,
		"read":          j.Read(ctx, "a", 0, func(aggregate.Entry) error { return nil }),
		"save snapshot": j.SaveSnapshot(ctx, "a", []byte("x")),
		"schedule":      j.Schedule(ctx, "a", time.Now().Add(time.Hour)),
	} {
		if !errors.Is(err, aggregate.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
}

func journalSchedule(t *testing.T, j aggregate.Journal) {
	for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond, time.Hour, 365 * 24 * time.Hour} {
		for range 2 { // the same again is no mistake
			if err := j.Schedule(t.Context(), "a", time.Now().Add(d)); err != nil {
				t.Errorf("in %v: %v", d, err)
			}
		}
	}
}
