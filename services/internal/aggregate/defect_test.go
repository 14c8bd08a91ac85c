package aggregate_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

func TestADefectIsItsCommandsAlone(t *testing.T) {
	for _, where := range []string{"decode", "admit", "prepare", "decide", "evolve", "patch"} {
		t.Run(where, func(t *testing.T) {
			virtual(t, func(r *rig) {
				e := r.engine(aggregate.Options{})
				var good, bad []*pending
				commits := r.behind(e, "a", func() {
					for k := range int64(30) { // more than a command may be in conflicts
						good = append(good, r.give(e, "a", "user_1", "add", body{N: 1, K: 2 * k}))
						bad = append(bad, r.give(e, "a", "user_2", "boom", body{Where: where}))
					}
				})
				for _, p := range good {
					p.ok()
				}
				for _, p := range bad {
					p.refused(subjects.CodeInternal)
				}
				r.repeat(e, "a", "user_2", "boom", bad[0].cmd, body{Where: where}).refused(subjects.CodeInternal)
				r.give(e, "a", "user_2", "add", body{N: 1}).ok()
				if f := r.fold("a"); f.State.Total != 31 {
					t.Errorf("total %d", f.State.Total)
				}
				if where != "patch" && commits > 2 {
					t.Errorf("%d commits", commits)
				}
			})
		})
	}
}

func TestAWakeWithADefectLeavesTheRoomUsable(t *testing.T) {
	virtual(t, func(r *rig) {
		var broken atomic.Bool
		broken.Store(true)
		r.m.OnDecide = func(_ *aggregatetest.TallyState, call aggregate.Call) error {
			if broken.Load() && call.Verb == subjects.VerbWake {
				panic("boom")
			}
			return nil
		}
		e := r.engine(aggregate.Options{})
		r.give(e, "a", "user_1", "ring", body{At: time.Now().Add(time.Second).UnixMilli()}).ok()
		time.Sleep(time.Second)
		before := e.Stats()
		for range 100 {
			r.give(e, "a", "user_1", "add", body{N: 1}).ok()
			time.Sleep(100 * time.Millisecond)
		}
		// Each try costs a load: at first soon, then once a second.
		if loads := e.Stats().Loads - before.Loads; loads < 5 || loads > 50 {
			t.Errorf("%d loads in 10 s", loads)
		}
		broken.Store(false)
		time.Sleep(2 * time.Second)
		if f := r.fold("a"); len(f.State.Rings) != 1 || f.State.Total != 100 {
			t.Errorf("rings %v, total %d", f.State.Rings, f.State.Total)
		}
	})
}
