package aggregate_test

import (
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

func TestADeposedOwnerFindsOutBeforeItRefuses(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.Limit = 10
		one, two := r.engine(aggregate.Options{}), r.engine(aggregate.Options{})
		r.give(one, "a", "user_1", "idle", body{}).ok()
		r.give(two, "a", "user_2", "add", body{N: 5}).ok()
		// One believes that the tally is at 0.
		r.give(one, "a", "user_1", "take", body{N: 3}).ok()
		// Two believes that it is at 5.
		if a := r.give(two, "a", "user_2", "add", body{N: 9}).refused(subjects.CodeFull); a.Rev != 2 {
			t.Errorf("refused at rev %d, the head is 2", a.Rev)
		}
		r.give(two, "a", "user_2", "add", body{N: 8}).ok()
		// The same for an acceptance without events.
		if a := r.give(one, "a", "user_1", "idle", body{}).ok(); a.Rev != 3 {
			t.Errorf("nothing to do at rev %d, the head is 3", a.Rev)
		}
		if f := r.fold("a"); f.State.Total != 10 || f.Rev != 3 {
			t.Errorf("total %d at rev %d", f.State.Total, f.Rev)
		}
	})
}

func TestARefusalNamesTheCommitThatItWasDecidedAfter(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Delay = time.Second
		r.m.Limit = 2
		e := r.engine(aggregate.Options{})
		first := r.give(e, "a", "user_1", "add", body{N: 1})
		time.Sleep(time.Millisecond)
		second, third := r.give(e, "a", "user_1", "add", body{N: 1}), r.give(e, "a", "user_2", "add", body{N: 1})
		first.ok()
		if a, b := second.ok(), third.refused(subjects.CodeFull); a.Rev != 2 || b.Rev != 2 || b.At != a.At {
			t.Errorf("accepted %+v, refused because of it %+v", a, b)
		}
	})
}

func TestABatchOfRefusalsCostsOneReadOfTheHead(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Delay = time.Second
		e := r.engine(aggregate.Options{})
		r.give(e, "a", "user_1", "add", body{N: 1}).ok()
		batch := func(verb string, with ...string) (heads int) {
			return r.heads(func() {
				under := r.give(e, "a", "user_1", "add", body{N: 1})
				time.Sleep(time.Millisecond) // its append is under way; the rest is a batch
				var all []*pending
				for range 50 {
					all = append(all, r.give(e, "a", "user_2", verb, body{N: 1000}))
				}
				for _, v := range with {
					all = append(all, r.give(e, "a", "user_3", v, body{N: 1}))
				}
				under.ok()
				for _, p := range all {
					p.wait()
				}
			})
		}
		if got := batch("take"); got != 1 {
			t.Errorf("%d reads for 50 refusals", got)
		}
		if got := batch("idle"); got != 1 {
			t.Errorf("%d reads for 50 times nothing", got)
		}
		if got := batch("take", "add"); got != 0 {
			t.Errorf("%d reads beside an append that proves the refusals", got)
		}
	})
}

func TestAFencedBatchIsDecidedAnew(t *testing.T) {
	virtual(t, func(r *rig) {
		r.m.Limit = 10
		one, two := r.engine(aggregate.Options{}), r.engine(aggregate.Options{})
		r.give(one, "a", "user_1", "add", body{N: 1}).ok()
		r.give(two, "a", "user_2", "add", body{N: 8}).ok()
		r.give(one, "a", "user_1", "add", body{N: 2}).refused(subjects.CodeFull)
		if a := r.give(one, "a", "user_1", "add", body{N: 1}).ok(); a.Rev != 3 {
			t.Errorf("accepted at rev %d", a.Rev)
		}
		if s := one.Stats(); s.Conflicts != 1 {
			t.Errorf("%d conflicts", s.Conflicts)
		}
	})
}

func TestAnAppendWithoutAnAnswerIsResolved(t *testing.T) {
	for name, fault := range map[string]aggregatetest.Fault{"stored": aggregatetest.Unanswered, "lost": aggregatetest.Lost} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				var faults []aggregatetest.Fault
				r.j.Fail = func(string) (f aggregatetest.Fault) {
					if len(faults) > 0 {
						f, faults = faults[0], faults[1:]
					}
					return f
				}
				e := r.engine(aggregate.Options{})
				faults = []aggregatetest.Fault{fault}
				if a := r.give(e, "a", "user_1", "add", body{N: 1}).ok(); a.Rev != 1 {
					t.Errorf("%+v", a)
				}
				faults = []aggregatetest.Fault{fault, fault, fault}
				second := r.give(e, "a", "user_1", "add", body{N: 1})
				a := second.ok()
				if b := r.repeat(e, "a", "user_1", "add", second.cmd, body{N: 1}).ok(); b != a || a.Rev != 2 {
					t.Errorf("%+v, then %+v", a, b)
				}
				if f := r.fold("a"); f.State.Total != 2 || len(r.j.Log("a")) != 2 {
					t.Errorf("total %d in %d entries", f.State.Total, len(r.j.Log("a")))
				}
			})
		})
	}
}

func TestAnAppendThatCannotBeResolvedIsUnavailableAndTheRepeatIsExact(t *testing.T) {
	for name, fault := range map[string]aggregatetest.Fault{"stored": aggregatetest.Unanswered, "lost": aggregatetest.Lost} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				down := false
				r.j.Down = func() bool { return down }
				r.j.Fail = func(string) aggregatetest.Fault {
					if down {
						return aggregatetest.None
					}
					down = true
					return fault
				}
				e := r.engine(aggregate.Options{Resolve: 5 * time.Second})
				p := r.give(e, "a", "user_1", "add", body{N: 1})
				start := time.Now()
				p.refused(subjects.CodeUnavailable)
				if took := time.Since(start); took < 5*time.Second || took > 7*time.Second {
					t.Errorf("gave up after %v", took)
				}
				down, r.j.Fail = false, nil
				if a := r.repeat(e, "a", "user_1", "add", p.cmd, body{N: 1}).ok(); a.Rev != 1 {
					t.Errorf("%+v", a)
				}
				if n := len(r.j.Log("a")); n != 1 {
					t.Errorf("%d entries", n)
				}
			})
		})
	}
}

func TestAnUnansweredAppendUnderAnotherOwnersIsFound(t *testing.T) {
	virtual(t, func(r *rig) {
		gate := &aggregatetest.Gate{Journal: r.j}
		one, two := r.engine(aggregate.Options{}, gate), r.engine(aggregate.Options{})
		r.give(one, "a", "user_1", "add", body{N: 1}).ok()
		r.j.Fail = func(string) aggregatetest.Fault {
			gate.Freeze() // it is stored, and then one stands still
			r.j.Fail = nil
			return aggregatetest.Unanswered
		}
		p := r.give(one, "a", "user_1", "add", body{N: 1})
		time.Sleep(time.Second)
		r.give(two, "a", "user_2", "add", body{N: 1}).ok()
		if a := r.repeat(two, "a", "user_1", "add", p.cmd, body{N: 1}).ok(); a.Rev != 2 {
			t.Errorf("the other owner: %+v", a)
		}
		gate.Thaw()
		if a := p.ok(); a.Rev != 2 {
			t.Errorf("the first owner: %+v", a)
		}
		if f := r.fold("a"); f.State.Total != 3 {
			t.Errorf("total %d", f.State.Total)
		}
	})
}

func TestAStaleDeliveryIsNotDecided(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		yes := stale(func() bool { return true })
		r.give(e, "a", "user_1", "add", body{N: 1}, yes).refused(subjects.CodeUnavailable)
		p := r.give(e, "a", "user_1", "add", body{N: 1})
		want := p.ok()
		if got := r.repeat(e, "a", "user_1", "add", p.cmd, body{N: 1}, yes).ok(); got != want {
			t.Errorf("what the log answers: %+v, first %+v", got, want)
		}

		// One that goes stale while its append is not answered is not appended again.
		tries, gone := 0, false
		r.j.Fail = func(string) aggregatetest.Fault {
			tries++
			gone = true
			return aggregatetest.Lost
		}
		r.give(e, "a", "user_1", "add", body{N: 1}, stale(func() bool { return gone })).refused(subjects.CodeUnavailable)
		if tries != 1 || r.fold("a").State.Total != 1 {
			t.Errorf("%d tries, total %d", tries, r.fold("a").State.Total)
		}
		// Its neighbour in the batch goes on alone.
		r.j.Fail, r.j.Delay, gone = nil, time.Second, false
		under := r.give(e, "a", "user_2", "add", body{N: 1})
		time.Sleep(time.Millisecond)
		asked := 0
		late := r.give(e, "a", "user_1", "add", body{N: 1}, stale(func() bool { asked++; return asked > 1 }))
		good := r.give(e, "a", "user_2", "add", body{N: 1})
		under.ok()
		late.refused(subjects.CodeUnavailable)
		good.ok()
		if total := r.fold("a").State.Total; total != 3 {
			t.Errorf("total %d", total)
		}
	})
}

func TestWhatIsRefusedOnARepeatCannotBeStoredLaterByAnotherOwner(t *testing.T) {
	for _, verb := range []string{"take", "idle"} {
		t.Run(verb, func(t *testing.T) {
			virtual(t, func(r *rig) {
				gate := &aggregatetest.Gate{Journal: r.j}
				cmd := newCommand()
				var once sync.Once
				r.m.OnDecide = func(_ *aggregatetest.TallyState, call aggregate.Call) error {
					if call.Command == cmd {
						once.Do(gate.Freeze)
					}
					return nil
				}
				one, two := r.engine(aggregate.Options{}, gate), r.engine(aggregate.Options{})
				r.j.Delay = time.Second
				first := r.give(one, "a", "user_1", "add", body{N: 1})
				time.Sleep(2500 * time.Millisecond) // it was loaded, and is being appended
				// One takes both into a batch, in which the second is fine, and freezes before
				// the batch is stored.
				under := r.give(one, "a", "user_2", "add", body{N: 5})
				began := time.Now()
				p := r.repeat(one, "a", "user_1", verb, cmd, body{N: 5}, stale(func() bool { return time.Since(began) > honoured }))
				first.ok()
				time.Sleep(attempt)
				// Its sender asks again and is told that it cannot be.
				answer := r.repeat(two, "a", "user_1", verb, p.cmd, body{N: 5}, again).wait()
				gate.Thaw()
				under.ok()
				late := p.wait()
				if answer.Refusal != nil && late.Refusal == nil {
					t.Errorf("refused with %v, and then stored at rev %d", answer.Refusal, late.Rev)
				}
				if f := r.fold("a"); f.State.Total != 6 {
					t.Errorf("total %d", f.State.Total)
				}
				r.give(two, "b", "user_1", verb, body{N: 5}, again).wait()
				if f := r.fold("b"); f.Rev != 0 {
					t.Error("a repeat of what comes to nothing brought an aggregate into being")
				}
			})
		})
	}
}
