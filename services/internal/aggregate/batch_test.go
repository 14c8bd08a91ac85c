package aggregate_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// behind submits commands while an append is under way, so that they queue up, and gives
// the number of commits that they took.
func (r *rig) behind(e *tallyEngine, id string, submit func()) int {
	r.Helper()
	r.j.Delay = time.Second
	under := r.give(e, id, "user_0", "add", body{})
	for e.Stats().Live == 0 || r.fold(id).Rev == 0 {
		time.Sleep(time.Second)
	}
	under.ok()
	under = r.give(e, id, "user_0", "add", body{})
	time.Sleep(time.Millisecond)
	before := e.Stats().Commits
	submit()
	under.ok()
	r.idle(e)
	return int(e.Stats().Commits-before) - 1
}

// idle waits until every command was answered.
func (r *rig) idle(e *tallyEngine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := e.Release(ctx, func(string) bool { return true }); err != nil {
		r.Fatal(err)
	}
}

func TestWhatQueuedUpIsOneCommit(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		commits := r.behind(e, "a", func() {
			for k := range int64(300) {
				r.give(e, "a", fmt.Sprint("user_", k%7), "add", body{N: 1, K: k})
			}
		})
		if f := r.fold("a"); commits != 1 || f.State.Total != 300 {
			t.Errorf("%d commits, total %d", commits, f.State.Total)
		}
	})
}

func TestACommitIsBoundedByCommandsAndBytes(t *testing.T) {
	for _, c := range []struct {
		name    string
		opt     aggregate.Options
		text    int
		commits int
	}{
		{"commands", aggregate.Options{Batch: 10}, 1, 10},
		{"bytes", aggregate.Options{BatchBytes: 10_000}, 1900, 20},
		{"each past the bytes", aggregate.Options{BatchBytes: 1000}, 1900, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				e := r.engine(c.opt)
				var all []*pending
				commits := r.behind(e, "a", func() {
					for k := range int64(100) {
						all = append(all, r.give(e, "a", "user_1", "note", body{Text: strings.Repeat("x", c.text), K: k + 1}))
					}
				})
				for _, p := range all {
					p.ok()
				}
				if commits != c.commits {
					t.Errorf("%d commits, want %d", commits, c.commits)
				}
				if ks := r.events("a"); len(ks) != 102 || ks[101] != 100 {
					t.Errorf("%d events, the last number %d", len(ks), ks[len(ks)-1])
				}
			})
		})
	}
}

func TestWhatIsTooLargeIsRefusedAndTheRestGoesOn(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Largest = 3000
		e := r.engine(aggregate.Options{})
		text := strings.Repeat("x", 1000)
		var small []*pending
		var big, poor *pending
		r.behind(e, "a", func() {
			for range 5 { // more than fits in one commit, though each does
				small = append(small, r.give(e, "a", "user_1", "note", body{Text: text}))
			}
			big = r.give(e, "a", "user_2", "note", body{Text: text + text + text})
			poor = r.give(e, "a", "user_2", "take", body{N: 100})
			small = append(small, r.give(e, "a", "user_2", "add", body{N: 1}))
		})
		for _, p := range small {
			p.ok()
		}
		big.refused(subjects.CodeTooLarge)
		poor.refused(subjects.CodeConflict)
		r.repeat(e, "a", "user_2", "note", big.cmd, body{Text: text + text + text}).refused(subjects.CodeTooLarge)
		r.give(e, "a", "user_2", "add", body{N: 1}).ok()
		if f := r.fold("a"); f.State.Total != 2 || f.State.Count != 2+5+2 {
			t.Errorf("total %d, count %d", f.State.Total, f.State.Count)
		}
	})
}

func TestAFullQueueIsBusy(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{Queue: 5})
		var kept, sent []*pending
		r.behind(e, "a", func() {
			for range 5 {
				kept = append(kept, r.give(e, "a", "user_1", "add", body{N: 1}))
			}
			for range 3 {
				sent = append(sent, r.give(e, "a", "user_2", "add", body{N: 1}))
			}
			r.give(e, "b", "user_2", "add", body{N: 1}) // another's queue is another
		})
		for _, p := range kept {
			p.ok()
		}
		for _, p := range sent {
			p.refused(subjects.CodeBusy)
			r.repeat(e, "a", "user_2", "add", p.cmd, body{N: 1}).ok()
		}
		if total := r.fold("a").State.Total; total != 8 {
			t.Errorf("total %d", total)
		}
	})
}

func TestOnlySoManyAggregatesAreAwake(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{Live: 3})
		for i := range 10 { // idle ones make room
			r.give(e, fmt.Sprint("room-", i), "user_1", "add", body{N: 1}).ok()
			time.Sleep(time.Millisecond)
		}
		if live := e.Stats().Live; live != 3 {
			t.Errorf("%d are awake", live)
		}
		r.give(e, "room-8", "user_1", "add", body{N: 1}).ok()
		if s := e.Stats(); s.Loads != 10 {
			t.Errorf("%d loads: not the longest idle went to sleep", s.Loads)
		}
		time.Sleep(time.Millisecond) // until room-8 is idle again
		r.j.Delay = time.Second
		var work []*pending
		for i := range 3 {
			work = append(work, r.give(e, fmt.Sprint("room-", i), "user_1", "add", body{N: 1}))
		}
		more := r.give(e, "room-3", "user_1", "add", body{N: 1})
		more.refused(subjects.CodeBusy)
		for _, p := range work {
			p.ok()
		}
		time.Sleep(time.Millisecond) // until one of them is idle
		r.repeat(e, "room-3", "user_1", "add", more.cmd, body{N: 1}).ok()
	})
}

// counting tells how many loads are under way.
type counting struct {
	aggregate.Journal
	now, most atomic.Int64
}

func (c *counting) LoadSnapshot(ctx context.Context, id string) ([]byte, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(time.Second)
	return c.Journal.LoadSnapshot(ctx, id)
}

func TestOnlySoManyAggregatesAreLoadedAtOnce(t *testing.T) {
	virtual(t, func(r *rig) {
		c := &counting{Journal: r.j}
		e := r.engine(aggregate.Options{Loads: 4}, c)
		start := time.Now()
		var all []*pending
		for i := range 40 {
			all = append(all, r.give(e, fmt.Sprint("room-", i), "user_1", "add", body{N: 1}))
		}
		for _, p := range all {
			p.ok()
		}
		if most, took := c.most.Load(), time.Since(start); most != 4 || took != 10*time.Second {
			t.Errorf("%d at once, all in %v", most, took)
		}
	})
}

func TestReleaseAndCloseAnswerEverythingOnce(t *testing.T) {
	virtual(t, func(r *rig) {
		gate := &aggregatetest.Gate{Journal: r.j}
		r.m.OnPrepare = func(ctx context.Context, _ aggregate.Call) error {
			select {
			case <-ctx.Done():
			case <-time.After(3 * time.Second):
			}
			return ctx.Err()
		}
		e := r.engine(aggregate.Options{}, gate)
		load := func() (all []*pending) {
			for i := range 20 {
				for _, verb := range []string{"add", "slow", "take", "idle", "add"} {
					all = append(all, r.give(e, fmt.Sprint("room-", i), fmt.Sprint("user_", i%3), verb, body{N: 1}))
				}
			}
			return all
		}
		all := load()
		start := time.Now()
		if err := e.Release(r.Context(), func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 3*time.Second || e.Stats().Live != 0 {
			t.Errorf("released after %v with %d awake", took, e.Stats().Live)
		}
		for _, p := range all {
			p.wait()
		}

		gate.Freeze()
		all = load()
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := e.Release(ctx, func(string) bool { return true }); err == nil {
			t.Error("released while the journal stood still")
		}
		time.AfterFunc(time.Minute, gate.Thaw)
		if err := e.Close(ctx); err == nil {
			t.Error("closed in time while the journal stood still")
		}
		for _, p := range all {
			p.refused(subjects.CodeUnavailable)
		}
		r.give(e, "a", "user_1", "add", body{N: 1}).refused(subjects.CodeUnavailable)
	})
}
