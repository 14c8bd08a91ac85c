package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// takes has preparations take a while, each as long as given, then the last one.
func takes(ds ...time.Duration) func(context.Context, aggregate.Call) error {
	var n atomic.Int64
	return func(ctx context.Context, _ aggregate.Call) error {
		d := ds[min(int(n.Add(1)), len(ds))-1]
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
}

func TestNobodyOvertakesHisOwnPreparation(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.OnPrepare = takes(10*time.Second, time.Second)
		e := r.engine(aggregate.Options{})
		var mine []*pending
		for k, verb := range []string{"add", "slow", "add", "slow", "idle", "add"} {
			mine = append(mine, r.give(e, "a", "user_1", verb, body{N: 1, K: int64(k + 1)}))
		}
		for k := range int64(5) { // others go on
			r.give(e, "a", "user_2", "add", body{N: 1, K: 100 + k}).ok()
		}
		if got := r.events("a"); !slices.Equal(got, []int64{1, 100, 101, 102, 103, 104}) {
			t.Errorf("while it is prepared: %v", got)
		}
		for _, p := range mine {
			p.ok()
		}
		if got := r.events("a"); !slices.Equal(got[6:], []int64{2, 3, 4, 6}) {
			t.Errorf("after it was prepared: %v", got)
		}
	})
}

func TestAConflictDoesNotLetACommandFallBehindALaterPreparation(t *testing.T) {
	for name, prepare := range map[string]time.Duration{
		"prepared before the conflict shows": 100 * time.Millisecond,
		"prepared while it is decided again": 2500 * time.Millisecond,
		"prepared long after":                14 * time.Second,
	} {
		for _, again := range []bool{false, true} { // the first must now be prepared too
			t.Run(fmt.Sprint(name, ", ", again), func(t *testing.T) {
				virtual(t, func(r *rig) {
					r.m.OnPrepare = takes(prepare, time.Second)
					r.m.Slow = func(s *aggregatetest.TallyState, call aggregate.Call) bool {
						return call.Verb == "slow" || again && s.Total >= 100 && call.Principal == "user_1"
					}
					one, two := r.engine(aggregate.Options{}), r.engine(aggregate.Options{})
					r.give(one, "a", "user_1", "add", body{N: 1, K: 1}).ok()
					r.give(two, "a", "user_2", "add", body{N: 100, K: 100}).ok()
					r.j.Delay = time.Second
					// The first of these is fenced, while the second is prepared and the third
					// waits behind it.
					var mine []*pending
					for k, verb := range []string{"add", "slow", "add", "slow", "add"} {
						mine = append(mine, r.give(one, "a", "user_1", verb, body{N: 1, K: int64(k + 2)}))
					}
					for _, p := range mine {
						p.ok()
					}
					if got := r.events("a"); !slices.Equal(got, []int64{1, 100, 2, 3, 4, 5, 6}) {
						t.Errorf("the log has %v", got)
					}
					if one.Stats().Conflicts == 0 {
						t.Error("there was no conflict")
					}
				})
			})
		}
	}
}

func TestWhatIsPreparedDuringABatchIsNotOvertakenInIt(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.OnPrepare = takes(5 * time.Second)
		one, two := r.engine(aggregate.Options{}), r.engine(aggregate.Options{})
		r.give(one, "a", "user_1", "add", body{N: 1, K: 1}).ok()
		r.give(two, "a", "user_2", "add", body{N: 1, K: 100}).ok()
		r.j.Delay = time.Second
		slow := r.give(one, "a", "user_1", "slow", body{N: 1, K: 2})
		time.Sleep(100 * time.Millisecond)
		fenced := r.give(one, "a", "user_3", "add", body{N: 1, K: 200})
		time.Sleep(time.Second)
		// This is in the batch that is decided anew, and that waits for a load while the
		// preparation ends.
		next := r.give(one, "a", "user_1", "add", body{N: 1, K: 3})
		slow.ok()
		fenced.ok()
		next.ok()
		if got := r.events("a"); !slices.Equal(got, []int64{1, 100, 200, 2, 3}) {
			t.Errorf("the log has %v", got)
		}
	})
}

func TestAPreparationThatFailsIsTriedAgain(t *testing.T) {
	virtual(t, func(r *rig) {
		var fail error
		r.m.OnPrepare = func(context.Context, aggregate.Call) error { return fail }
		e := r.engine(aggregate.Options{})
		fail = errors.New("no route")
		p := r.give(e, "a", "user_1", "slow", body{N: 1})
		p.refused(subjects.CodeUnavailable)
		fail = nil
		r.repeat(e, "a", "user_1", "slow", p.cmd, body{N: 1}).ok()
		fail = subjects.Refuse(subjects.CodeNoSuchTrack, "no such thing")
		p = r.give(e, "a", "user_1", "slow", body{N: 1})
		p.refused(subjects.CodeNoSuchTrack)
		fail = nil
		r.repeat(e, "a", "user_1", "slow", p.cmd, body{N: 1}).refused(subjects.CodeNoSuchTrack)
		r.give(e, "a", "user_1", "boom", body{Where: "prepare"}).refused(subjects.CodeInternal)
		if total := r.fold("a").State.Total; total != 1 {
			t.Errorf("total %d", total)
		}
	})
}

func TestAPreparedCommandIsDecidedOnTheStateOfThen(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.Limit = 5
		r.m.OnPrepare = takes(time.Second)
		e := r.engine(aggregate.Options{})
		p := r.give(e, "a", "user_1", "slow", body{N: 3})
		r.give(e, "a", "user_2", "add", body{N: 4}).ok()
		p.refused(subjects.CodeFull)
	})
}

func TestPreparationsAreBoundedInNumberAndTime(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.OnPrepare = takes(time.Second)
		e := r.engine(aggregate.Options{Prepares: 5})
		start := time.Now()
		var all []*pending
		for i := range 50 {
			all = append(all, r.give(e, fmt.Sprint("room-", i%3), fmt.Sprint("user_", i), "slow", body{N: 1}))
		}
		for _, p := range all {
			p.ok()
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("50 of a second, 5 at a time, took %v", took)
		}
		r.m.OnPrepare = takes(time.Hour) // an engine keeps the machine that it was made with
		slow := r.engine(aggregate.Options{PrepareTimeout: 7 * time.Second})
		start = time.Now()
		r.give(slow, "room-0", "user_1", "slow", body{N: 1}).refused(subjects.CodeUnavailable)
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}
