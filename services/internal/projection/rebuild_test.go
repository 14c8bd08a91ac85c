package projection_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// fill writes a log of n commits to some boxes, mixed.
func (w *world) fill(boxes, n int) {
	w.t.Helper()
	for i := range n {
		w.commit(fmt.Sprintf("b%d", rand.IntN(boxes)), put(fmt.Sprint(rand.IntN(4)), i), taken(fmt.Sprint(rand.IntN(4))))
	}
}

func (w *world) rebuild(f boxFold, opt projection.RebuildOptions) (projection.Report, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return projection.Rebuild(ctx, w.bus, w.db, specOf(f), opt)
}

func (w *world) mustRebuild(f boxFold, opt projection.RebuildOptions) projection.Report {
	w.t.Helper()
	r, err := w.rebuild(f, opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestRebuildMakesTheDocumentsOfTheLog(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		w.fill(30, 400)
		for _, opt := range []projection.RebuildOptions{
			{},
			{Drop: true, Workers: 1},
			{Drop: true, Workers: 3, Aggregates: 6}, // boxes do not fit and are loaded by themselves
		} {
			var last uint64
			opt.Progress = func(done, total uint64) {
				if done < last || total != 400 {
					t.Errorf("progress %d of %d after %d", done, total, last)
				}
				last = done
			}
			r := w.mustRebuild(boxFold{}, opt)
			if r.Commits != 400 || last != 400 || (r.Loads > 0) != (opt.Aggregates > 0) {
				t.Fatalf("%+v, progress %d", r, last)
			}
			w.converge(boxFold{})
		}
		r := w.mustRebuild(boxFold{}, projection.RebuildOptions{})
		if r.Written != 0 || r.Stale == 0 || r.Deleted != 0 {
			t.Fatalf("a rebuild of what is there: %+v", r)
		}
	})
}

func TestRebuildReplacesWhatAnOlderFoldWrote(t *testing.T) {
	w := newWorld(t)
	w.fill(10, 100)
	_, stop := w.start(w.db, specOf(boxFold{}), projection.Options{})
	w.converge(boxFold{})
	stop()
	corrected := boxFold{version: 2, doubled: true}
	w.mustRebuild(corrected, projection.RebuildOptions{})
	w.converge(corrected)
	// The old fold does not come back.
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	w.converge(corrected)
	for d := range w.documents("boxes") {
		if d.Version.Fold != 2 {
			t.Fatalf("%s is at %s", d.ID, d.Version)
		}
	}
}

func TestRebuildDeletesWhatTheLogDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	w.fill(5, 50)
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	for table, id := range map[string]string{"boxes": "ghost", "things": "9.b1"} {
		if err := w.db.Put(t.Context(), table, store.Document{ID: id, Version: store.Version{Epoch: 1, Fold: 1, Rev: 1}, Body: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.db.Put(t.Context(), "things", store.Document{ID: "no owner", Version: store.Version{Rev: 1}, Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	r := w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	if r.Deleted != 3 {
		t.Fatalf("%+v", r)
	}
	w.converge(boxFold{})
	// What was deleted at the box's version is there again when the box has it.
	w.commit("b1", put("9", 9))
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	w.converge(boxFold{})
}

func TestRebuildFromNothingMendsWhatWasChangedByHand(t *testing.T) {
	w := newWorld(t)
	w.fill(5, 50)
	p := openBoxes
	p.Public = func(d store.Document) (json.RawMessage, bool) { return d.Body, true }
	w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, w.db, p) })
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	for i, id := range []string{"b1", "b2", "ghost"} {
		if err := w.db.Put(t.Context(), "boxes", store.Document{ID: id, Version: store.Version{Epoch: 1, Fold: 1, Rev: uint64(1000 + i)}, Body: []byte(`{"sum":-1}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if !eventually(func() bool { return w.state()["ghost"] == `{"sum":-1}` }) {
		t.Fatal("the ghost is not published")
	}
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	if w.have()["boxes/b1"] != `{"sum":-1}` {
		t.Fatal("a document was overwritten by an older version")
	}
	w.mustRebuild(boxFold{}, projection.RebuildOptions{Drop: true})
	w.converge(boxFold{})
	if !eventually(func() bool { return w.state()["ghost"] == "deleted" }) {
		t.Fatalf("STATE is %v", w.state())
	}
}

func TestRebuildTellsOfBrokenAggregates(t *testing.T) {
	w := newWorld(t)
	w.fill(4, 40)
	w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	before := w.have()
	for id, data := range map[string]string{"b0": "garbage", "b1": "", "nobody": "\x00"} {
		if err := w.bus.Put(t.Context(), subjects.Events("box", id), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	newer := boxFold{version: 2}
	w.commit("b2", odd("box.shaken"))
	r, err := w.rebuild(newer, projection.RebuildOptions{})
	// What is no commit does no harm; an event that nobody can fold does.
	if !errors.Is(err, projection.ErrIncomplete) || r.BrokenCount != 1 || !slices.Equal(r.Broken, []string{"b2"}) || r.Deleted != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	after := w.have()
	for k, v := range before {
		if after[k] != v {
			t.Errorf("%s was %q, is %q", k, v, after[k])
		}
	}
}

func TestRebuildBesideAProjector(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		w.fill(8, 200)
		w.start(w.db, specOf(boxFold{}), projection.Options{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.fill(12, 400)
		}()
		for i := range 4 {
			if _, err := w.rebuild(boxFold{}, projection.RebuildOptions{Drop: i%2 == 1}); err != nil {
				t.Error(err)
			}
		}
		<-done
		w.converge(boxFold{})
	})
}

func TestRebuildWaitsForTheStoreAndStopsWhenToldTo(t *testing.T) {
	w := newWorld(t)
	w.fill(5, 50)
	db := &patient{Store: w.db}
	db.down.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := projection.Rebuild(ctx, w.bus, db, specOf(boxFold{}), projection.RebuildOptions{})
		ended <- err
	}()
	eventually(func() bool { return db.puts.Load() > 3 })
	cancel()
	if err := <-ended; err == nil {
		t.Fatal("it tells of success")
	}
	go func() {
		_, err := projection.Rebuild(t.Context(), w.bus, db, specOf(boxFold{}), projection.RebuildOptions{})
		ended <- err
	}()
	n := db.puts.Load()
	eventually(func() bool { return db.puts.Load() > n+3 })
	db.down.Store(false)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.converge(boxFold{})
}
