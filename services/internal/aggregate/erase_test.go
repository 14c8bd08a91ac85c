package aggregate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
)

// wiper is a tally whose takings away must leave no trace in a snapshot.
type wiper struct{ aggregatetest.Tally }

func (wiper) Erases(eventType string) bool { return eventType == "tally.taken" }

// stiff is a journal whose snapshots can be held up, and refused.
type stiff struct {
	aggregate.Journal
	mu   sync.Mutex
	took time.Duration
	err  error
}

func (j *stiff) set(took time.Duration, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.took, j.err = took, err
}

func (j *stiff) SaveSnapshot(ctx context.Context, id string, data []byte) error {
	j.mu.Lock()
	took, err := j.took, j.err
	j.mu.Unlock()
	time.Sleep(took)
	if err != nil {
		return err
	}
	return j.Journal.SaveSnapshot(ctx, id, data)
}

// wiping starts an engine for wipers that makes snapshots seldom.
func (r *rig) wiping(j aggregate.Journal, every int) *tallyEngine {
	e := aggregate.NewEngine(wiper{r.m}, j, aggregate.Options{SnapshotEvery: every})
	r.Cleanup(func() { r.close(e) })
	return e
}

// kept gives the revision of the snapshot that is stored, 0 if there is none.
func (r *rig) kept(id string) uint64 {
	r.Helper()
	raw := r.j.Snapshot(id)
	if raw == nil {
		return 0
	}
	var s aggregate.Snapshot
	if err := json.Unmarshal(raw, &s); err != nil {
		r.Fatal(err)
	}
	return s.Rev
}

func (r *rig) keeps(id string, rev uint64) {
	r.Helper()
	synctest.Wait()
	if got := r.kept(id); got != rev {
		r.Errorf("the snapshot is of revision %d, want %d", got, rev)
	}
}

func TestWhatIsErasedLeavesTheSnapshot(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.wiping(r.j, 3)
		r.adds(e, "a", 4)
		r.keeps("a", 3)
		r.give(e, "a", "user_1", "take", body{N: 1}).ok()
		r.keeps("a", 5)
		r.adds(e, "a", 2)
		r.keeps("a", 5) // the others count from there
		r.adds(e, "a", 1)
		r.keeps("a", 8)
	})
}

func TestWhatIsErasedWhileASnapshotIsStoredLeavesItToo(t *testing.T) {
	virtual(t, func(r *rig) {
		j := &stiff{Journal: r.j}
		j.set(time.Second, nil)
		e := r.wiping(j, 2)
		r.adds(e, "a", 3) // the one of revision 2 is under way
		for range 3 {
			r.give(e, "a", "user_1", "take", body{N: 1}).ok()
		}
		r.keeps("a", 0)
		time.Sleep(1100 * time.Millisecond)
		r.keeps("a", 2)
		time.Sleep(time.Second)
		r.keeps("a", 6)
		time.Sleep(time.Hour) // and that was the last
		r.keeps("a", 6)
		if n := e.Stats().Snapshots; n != 2 {
			t.Errorf("%d snapshots were stored", n)
		}
	})
}

func TestASnapshotThatWasNotStoredIsMadeAgain(t *testing.T) {
	virtual(t, func(r *rig) {
		j := &stiff{Journal: r.j}
		e := r.wiping(j, 3)
		r.adds(e, "a", 3)
		j.set(0, fmt.Errorf("%w: not now", aggregate.ErrUnavailable))
		r.give(e, "a", "user_1", "take", body{N: 1}).ok()
		r.keeps("a", 3)
		j.set(0, nil)
		r.adds(e, "a", 1)
		r.keeps("a", 5)
	})
}

func TestStoppingWaitsForTheSnapshot(t *testing.T) {
	virtual(t, func(r *rig) {
		j := &stiff{Journal: r.j}
		j.set(time.Second, nil)
		e := aggregate.NewEngine(wiper{r.m}, j, aggregate.Options{})
		r.adds(e, "a", 2)
		r.give(e, "a", "user_1", "take", body{N: 1}).ok()
		r.close(e)
		r.keeps("a", 3)
	})
}

// An owner that dies between the commit and the snapshot leaves it to the next.
func TestTheNextOwnerErases(t *testing.T) {
	virtual(t, func(r *rig) {
		dies := r.engine(aggregate.Options{SnapshotEvery: 2}) // it does not know what erasing is
		r.adds(dies, "a", 2)
		r.give(dies, "a", "user_1", "take", body{N: 1}).ok()
		r.keeps("a", 2)
		r.asleep(dies)
		next := r.wiping(r.j, 100)
		r.give(next, "a", "user_1", "idle", body{}).ok()
		r.keeps("a", 3)
		r.asleep(next)
		third := r.wiping(r.j, 100)
		r.give(third, "a", "user_1", "idle", body{}).ok()
		if n := third.Stats().Snapshots; n != 0 {
			t.Errorf("%d more snapshots", n)
		}
	})
}
