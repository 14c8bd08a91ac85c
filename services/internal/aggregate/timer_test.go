package aggregate_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

func in(d time.Duration) int64 { return time.Now().Add(d).UnixMilli() }

// deliver brings wakes as the server does: it gives every schedule to whom the test says,
// early by as much as it may be.
func (r *rig) deliver(to func() *tallyEngine, early time.Duration) (count func() int) {
	n := 0
	r.j.OnSchedule = func(id string, at time.Time) {
		r.mu.Lock()
		n++
		r.mu.Unlock()
		if at.Nanosecond() != 0 {
			r.Errorf("scheduled at %v, which is not a whole second", at)
		}
		cmd := subjects.DeriveID(subjects.PrefixCommand, at, id, subjects.VerbWake)
		time.AfterFunc(time.Until(at)-early, func() {
			if e := to(); e != nil {
				r.repeat(e, id, subjects.System, subjects.VerbWake, cmd, body{}, queued)
			}
		})
	}
	return func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return n
	}
}

// redeliver gives another owner what the first has not answered.
func (r *rig) redeliver(e *tallyEngine) {
	r.mu.Lock()
	all := slices.Clone(r.all)
	r.mu.Unlock()
	for _, p := range all {
		if p.d.To.Verb == subjects.VerbWake && len(p.answers) == 0 {
			r.repeat(e, p.d.To.ID, p.d.To.Principal, p.d.To.Verb, p.cmd, body{}, queued)
		}
	}
}

func (r *rig) rings(id string) []int64 { return r.fold(id).State.Rings }

func TestTimersAreExactWhileTheOwnerLives(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		for i, d := range []time.Duration{time.Millisecond, 2 * time.Millisecond, 777 * time.Millisecond, 1001 * time.Millisecond, 25 * time.Second} {
			id, at := fmt.Sprint("room-", i), in(d)
			r.give(e, id, "user_1", "ring", body{At: at}).ok()
			for len(r.rings(id)) == 0 && in(0) <= at+1000 {
				time.Sleep(time.Millisecond)
			}
			// Two wakes are at least two milliseconds apart.
			if rang := r.rings(id); len(rang) != 1 || rang[0] < at || rang[0] > at+2 {
				t.Errorf("due in %v at %d, rang at %v", d, at, rang)
			}
		}
	})
}

func TestATimerIsExactInABusyRoom(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		at := in(1500 * time.Millisecond)
		r.give(e, "a", "user_1", "ring", body{At: at}).ok()
		for range 3000 {
			r.give(e, "a", "user_1", "add", body{N: 1}).ok()
			time.Sleep(time.Millisecond)
		}
		if rang := r.rings("a"); len(rang) != 1 || rang[0] > at+3 {
			t.Errorf("due at %d, rang at %v", at, rang)
		}
	})
}

func TestASaturatedRoomStillRings(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Delay = 10 * time.Millisecond
		e := r.engine(aggregate.Options{Batch: 1})
		at := in(time.Second)
		r.give(e, "a", "user_1", "ring", body{At: at})
		for range 200 { // so that the queue is never empty until long after
			for range 2 {
				r.give(e, "a", "user_1", "add", body{N: 1})
			}
			time.Sleep(10 * time.Millisecond)
		}
		r.idle(e)
		rang := r.rings("a")
		if len(rang) != 1 || rang[0]-at > 3000 {
			t.Errorf("due at %d, rang at %v", at, rang)
		}
	})
}

func TestAScheduleIsMadeBeforeTheCommitThatNeedsIt(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		due := in(10*time.Second + time.Millisecond)
		var scheduled []time.Time
		commits := -1
		r.j.OnSchedule = func(id string, at time.Time) {
			scheduled = append(scheduled, at)
			commits = len(r.j.Log(id))
		}
		r.give(e, "a", "user_1", "ring", body{At: due}).ok()
		if len(scheduled) != 1 || commits != 0 || scheduled[0].UnixMilli() < due || scheduled[0].UnixMilli() > due+1000 {
			t.Errorf("scheduled at %v after %d commits", scheduled, commits)
		}
		r.give(e, "a", "user_1", "add", body{N: 1}).ok()
		if len(scheduled) != 1 {
			t.Error("scheduled again though nothing changed")
		}
		// A commit whose timer cannot be scheduled does not happen.
		r.j.Down = func() bool { return len(r.j.Log("a")) == 2 }
		r.give(e, "a", "user_1", "ring", body{At: due + 5000}).refused(subjects.CodeUnavailable)
		r.j.Down = nil
		if f := r.fold("a"); f.Rev != 2 {
			t.Errorf("rev %d", f.Rev)
		}
	})
}

func TestATimerOutlivesItsOwner(t *testing.T) {
	for name, d := range map[string]time.Duration{
		"overdue at once": -time.Second, "soon": 300 * time.Millisecond, "later": 10 * time.Second, "much later": time.Hour,
	} {
		for _, early := range []time.Duration{0, time.Second} {
			for _, dies := range []time.Duration{0, 100 * time.Millisecond, 9500 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s, %v early, owner dies after %v", name, early, dies), func(t *testing.T) {
					virtual(t, func(r *rig) {
						gate := &aggregatetest.Gate{Journal: r.j}
						defer gate.Thaw()
						dead, alive := r.engine(aggregate.Options{}, gate), r.engine(aggregate.Options{})
						var to atomic.Pointer[tallyEngine]
						to.Store(dead)
						count := r.deliver(to.Load, early)
						at := in(d)
						r.give(dead, "a", "user_1", "ring", body{At: at}).ok()
						// Not amid a delivery: one that goes to the dead owner without being known
						// as such would never come again, as it does from a stream.
						time.Sleep(dies + time.Microsecond)
						gate.Freeze()
						to.Store(alive)
						r.redeliver(alive)
						died := in(0)
						time.Sleep(max(d, 0) + 5*time.Second)
						rang := r.rings("a")
						if len(rang) != 1 || rang[0] < at {
							t.Fatalf("due at %d, rang at %v", at, rang)
						}
						if late := rang[0] - max(at, died); late > 2000 {
							t.Errorf("%d ms late", late)
						}
						if n := count(); n > 3 {
							t.Errorf("%d schedules", n)
						}
					})
				})
			}
		}
	}
}

func TestAWakeThatFailsIsOwed(t *testing.T) {
	virtual(t, func(r *rig) {
		var down atomic.Bool
		r.j.Down = down.Load
		e := r.engine(aggregate.Options{Idle: 3 * time.Second, Resolve: 2 * time.Second})
		r.give(e, "a", "user_1", "ring", body{At: in(time.Second)}).ok()
		down.Store(true)
		time.Sleep(time.Minute)
		if e.Stats().Live != 1 {
			t.Error("it went to sleep with a wake owed")
		}
		down.Store(false)
		time.Sleep(3 * time.Second)
		if rang := r.rings("a"); len(rang) != 1 {
			t.Errorf("rang at %v", rang)
		}
		r.asleep(e)

		// A failure of something else leaves the timer as it is.
		at := in(4 * time.Second)
		r.give(e, "a", "user_1", "ring", body{At: at}).ok()
		down.Store(true)
		r.give(e, "a", "user_1", "add", body{N: 1}).refused(subjects.CodeUnavailable)
		down.Store(false)
		time.Sleep(6 * time.Second)
		if rang := r.rings("a"); len(rang) != 2 || rang[1] > at+1000 {
			t.Errorf("due at %d, rang at %v", at, rang)
		}
	})
}

func TestAnAggregateStaysUpForANearTimer(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{Idle: 10 * time.Second})
		r.deliver(func() *tallyEngine { return e }, 0)
		at := in(5*time.Minute) + 137
		r.give(e, "a", "user_1", "ring", body{At: at}).ok()
		time.Sleep(6 * time.Minute)
		if rang := r.rings("a"); len(rang) != 1 || rang[0] != at {
			t.Errorf("due at %d, rang at %v", at, rang)
		}
		if live := e.Stats().Live; live != 0 {
			t.Errorf("%d awake with no timer left", live)
		}
	})
}

func TestIdleAggregatesSleepAndWake(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{Idle: 10 * time.Second, StayUp: time.Minute})
		count := r.deliver(func() *tallyEngine { return e }, 0)
		at := in(5 * time.Minute)
		for i := range 50 {
			r.give(e, fmt.Sprint("room-", i), "user_1", "ring", body{At: at}).ok()
		}
		if live := e.Stats().Live; live != 50 {
			t.Errorf("%d awake", live)
		}
		time.Sleep(15 * time.Second)
		if live := e.Stats().Live; live != 0 {
			t.Errorf("%d awake after they had nothing to do", live)
		}
		time.Sleep(5 * time.Minute)
		for i := range 50 {
			if rang := r.rings(fmt.Sprint("room-", i)); len(rang) != 1 || rang[0] < at || rang[0] > at+1000 {
				t.Errorf("due at %d, rang at %v", at, rang)
			}
		}
		if count() != 50 || e.Stats().Live != 0 {
			t.Errorf("%d schedules for 50 timers, %d awake", count(), e.Stats().Live)
		}
	})
}
