package projection_test

import (
	"fmt"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
)

// inShards runs a test with the log in one stream, and spread over four.
func inShards(t *testing.T, f func(t *testing.T, w *world)) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d shards", n), func(t *testing.T) { f(t, newShards(t, n)) })
	}
}

func newShards(t testing.TB, n int) *world {
	t.Helper()
	dir := t.TempDir()
	cfg := busIn(dir)
	cfg.Shards = n
	return openWorldOn(t, dir, cfg)
}

// Every shard has a consumer of its own, and none of them holds back another.
func TestEveryShardIsProjected(t *testing.T) {
	w := newShards(t, 4)
	p, _ := w.start(w.db, specOf(boxFold{}), projection.Options{InFlight: 2}) // less than one for each
	w.fill(40, 400)
	w.converge(boxFold{})
	states, err := w.bus.LogState(t.Context(), "box")
	if err != nil {
		t.Fatal(err)
	}
	var all uint64
	for _, s := range states {
		all += s.Messages
		if _, err := w.bus.ConsumerWaiting(t.Context(), s.Name, projection.Consumer("box")); err != nil || s.Messages < 20 {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if len(states) != 4 || all != 400 {
		t.Errorf("%+v", states)
	}
	if !eventually(func() bool { n, err := p.Behind(t.Context()); return err == nil && n == 0 }) {
		t.Error("it stays behind")
	}
}

// A rebuild finds what is archived, and what is archived while it reads; a projector goes on
// with what is not.
func TestDocumentsOfAnArchivedLog(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		w.fill(20, 600)
		if err := w.bus.EnsureArchive(t.Context(), "box", bus.ArchiveOptions{}); err != nil {
			t.Fatal(err)
		}
		archive := func() uint64 {
			r, err := aggregate.Archive(t.Context(), w.bus, "box", aggregate.ArchiveOptions{Idle: -1, Settle: -1})
			if err != nil {
				t.Error(err)
			}
			return r.Purged
		}
		if n := archive(); n != 580 {
			t.Fatalf("%d were archived", n)
		}
		r := w.mustRebuild(boxFold{}, projection.RebuildOptions{Drop: true})
		w.converge(boxFold{})
		if r.Commits != 20 || r.Loads != 20 {
			t.Errorf("%+v", r)
		}
		w.fill(20, 600)
		half := false
		r, err := w.rebuild(boxFold{}, projection.RebuildOptions{Drop: true, Workers: 1, Progress: func(done, total uint64) {
			if !half && done > total/2 {
				half = true
				archive()
			}
		}})
		if err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		w.converge(boxFold{})
		// A projector that begins after all of this writes what the last commits touched; a
		// rebuild is for the rest.
		w.start(w.db, specOf(boxFold{}), projection.Options{})
		w.fill(20, 100)
		w.converge(boxFold{})
		if n := w.deadLetters(); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}
