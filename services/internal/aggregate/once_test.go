package aggregate_test

import (
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func TestARepeatGetsTheFirstAnswerFromEveryOwner(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{SnapshotEvery: 3})
		first := r.give(e, "a", "user_1", "add", body{N: 4, K: 1})
		want := first.ok()
		for k := range int64(5) {
			r.give(e, "a", "user_2", "add", body{N: 1, K: k}).ok()
		}
		again := func(where string, e *tallyEngine, opts ...option) {
			t.Helper()
			if got := r.repeat(e, "a", "user_1", "add", first.cmd, body{N: 4, K: 1}, opts...).ok(); got != want {
				t.Errorf("%s: %+v, first %+v", where, got, want)
			}
		}
		again("at once", e)
		again("through the queue", e, queued)
		r.asleep(e)
		again("after it slept", e)
		if r.j.Snapshot("a") == nil {
			t.Fatal("no snapshot")
		}
		again("from another owner, with a snapshot", r.engine(aggregate.Options{}))
		r.j.PutSnapshot("a", nil)
		again("from another owner, from the log", r.engine(aggregate.Options{}))
		if f := r.fold("a"); f.State.Total != 9 || f.Rev != 6 {
			t.Errorf("total %d at rev %d", f.State.Total, f.Rev)
		}
	})
}

func TestARepeatInTheSameBatchGetsTheSameAnswer(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Delay = time.Second
		r.m.Limit = 10
		e := r.engine(aggregate.Options{})
		r.give(e, "a", "user_1", "add", body{N: 1}).ok()
		other := r.give(e, "a", "user_1", "add", body{N: 1})
		time.Sleep(time.Millisecond) // its append is under way now
		var checks []func()
		for verb, b := range map[string]body{"add": {N: 2}, "take": {N: 100}, "idle": {}} {
			cmd := newCommand()
			one, two := r.repeat(e, "a", "user_2", verb, cmd, b), r.repeat(e, "a", "user_2", verb, cmd, b)
			checks = append(checks, func() {
				a, b := one.wait(), two.wait()
				if a.Rev != b.Rev || subjects.CodeOf(a.Err()) != subjects.CodeOf(b.Err()) {
					t.Errorf("%s: %+v and %+v", verb, a, b)
				}
				if total := r.fold("a").State.Total; total != 4 {
					t.Errorf("total is %d", total)
				}
			})
		}
		other.ok()
		for _, check := range checks {
			check()
		}
	})
}

func TestAnOwnerRepeatsWhatLeftNoTrace(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		poor := r.give(e, "a", "user_1", "take", body{N: 5})
		refusal := poor.refused(subjects.CodeConflict)
		idle := r.give(e, "a", "user_1", "idle", body{})
		nothing := idle.ok()
		r.give(e, "a", "user_2", "add", body{N: 9}).ok()
		if got := r.repeat(e, "a", "user_1", "take", poor.cmd, body{N: 5}).refused(subjects.CodeConflict); got != refusal {
			t.Errorf("%+v, first %+v", got, refusal)
		}
		if got := r.repeat(e, "a", "user_1", "idle", idle.cmd, body{}).ok(); got != nothing {
			t.Errorf("%+v, first %+v", got, nothing)
		}
	})
}

func TestAnIdIsAPrincipalsOwn(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		cmd := newCommand()
		one := r.repeat(e, "a", "user_1", "add", cmd, body{N: 1}).ok()
		two := r.repeat(e, "a", "user_2", "add", cmd, body{N: 1}).ok()
		if one.Rev == two.Rev || r.fold("a").State.Total != 2 {
			t.Errorf("%+v and %+v", one, two)
		}
		if got := r.repeat(e, "b", "user_1", "add", cmd, body{N: 1}).ok(); got.Rev != 1 {
			t.Errorf("the same id to another aggregate: %+v", got)
		}
	})
}

func TestIdsAreRefusedByAge(t *testing.T) {
	virtual(t, func(r *rig) {
		time.Sleep(24 * time.Hour)
		e := r.engine(aggregate.Options{})
		id := func(age time.Duration) string { return subjects.NewID(subjects.PrefixCommand, time.Now().Add(-age)) }
		add := func(age time.Duration, opts ...option) *pending {
			return r.repeat(e, "a", "user_1", "add", id(age), body{N: 1}, opts...)
		}
		add(subjects.CommandHorizon - time.Second).ok()
		add(subjects.CommandHorizon + time.Second).refused(subjects.CodeExpired)
		add(-subjects.CommandSkew + time.Second).ok()
		add(-subjects.CommandSkew - time.Second).refused(subjects.CodeInvalid)
		add(-subjects.CommandSkew-time.Second, queued).refused(subjects.CodeInvalid)

		// What waited in the queue is as good as new, and so is its neighbour of the same
		// millisecond; both are remembered.
		old, older := id(5*time.Hour), id(6*time.Hour)
		for _, cmd := range []string{old, id(5 * time.Hour), older} {
			r.repeat(e, "b", "user_1", "add", cmd, body{N: 1}, queued).ok()
		}
		before := r.fold("b")
		time.Sleep(subjects.CommandHorizon - time.Second)
		r.give(e, "b", "user_2", "idle", body{}).ok()
		for _, cmd := range []string{old, older} {
			r.repeat(e, "b", "user_1", "add", cmd, body{N: 1}, queued).ok()
			r.repeat(e, "b", "user_1", "add", cmd, body{N: 1}).ok()
		}
		if after := r.fold("b"); after.Rev != before.Rev || after.State.Total != 3 {
			t.Errorf("rev %d and total %d after the repeats, %d before", after.Rev, after.State.Total, before.Rev)
		}

		// Ten minutes and a commit later they are forgotten, and refused rather than done
		// again.
		time.Sleep(2 * time.Second)
		r.give(e, "b", "user_2", "add", body{N: 0}).ok()
		r.repeat(e, "b", "user_1", "add", older, body{N: 1}, queued).refused(subjects.CodeExpired)
		r.repeat(r.engine(aggregate.Options{}), "b", "user_1", "add", old, body{N: 1}, queued).refused(subjects.CodeExpired)
	})
}
