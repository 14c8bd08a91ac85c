package aggregate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

func TestALogThatLostItsTailIsGivenAnew(t *testing.T) {
	for _, c := range []struct {
		name  string
		lost  int
		again int
		epoch uint64
		learn func(r *followRig, n *aggregate.Following)
	}{
		{"by the check", 2, 0, 1, func(*followRig, *aggregate.Following) { time.Sleep(61 * time.Second) }},
		{"by a sync", 2, 0, 1, func(r *followRig, n *aggregate.Following) { _ = n.Sync(r.Context()) }},
		{"all of it", 5, 0, 1, func(r *followRig, n *aggregate.Following) { _ = n.Sync(r.Context()) }},
		{"after a reconnection", 2, 0, 1, func(r *followRig, _ *aggregate.Following) { r.j.Reconnect(); time.Sleep(time.Second) }},
		{"as long as it was", 2, 2, 1, func(*followRig, *aggregate.Following) { time.Sleep(6 * time.Second) }},
		{"longer than it was", 2, 4, 1, func(r *followRig, n *aggregate.Following) { _ = n.Sync(r.Context()) }},
		{"longer, after a reconnection", 2, 4, 1, func(r *followRig, _ *aggregate.Following) { r.j.Reconnect(); time.Sleep(time.Second) }},
		{"by the next commit of another epoch", 2, 2, 2, func(r *followRig, _ *aggregate.Following) { r.j.Fate = nil; r.add("a", 1) }},
		{"by the next commit", 2, 0, 1, func(r *followRig, _ *aggregate.Following) { r.j.Fate = nil; r.add("a", 3); time.Sleep(6 * time.Second) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			following(t, aggregate.FollowOptions{}, func(r *followRig) {
				l := &listener{}
				r.add("a", 5)
				n := r.w.Follow("a", l)
				r.settled(l, "a")
				r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Dropped }
				r.j.Truncate("a", c.lost)
				r.epoch = c.epoch
				r.add("a", c.again)
				c.learn(r, n)
				r.settled(l, "a")
				if resets, _, losses := l.counts(); resets != 2 || losses != 0 {
					t.Errorf("%d resets, %d losses", resets, losses)
				}
				r.j.Fate = nil
				r.add("a", 2)
				r.settled(l, "a")
			})
		})
	}
}

func TestAReplicaThatLagsResetsNothing(t *testing.T) {
	following(t, aggregate.FollowOptions{FullEvery: 1}, func(r *followRig) {
		lag := 0
		r.j.Behind = func() int { lag++; return lag % 5 }
		l := &listener{}
		r.w.Follow("a", l)
		synctest.Wait()
		for range 50 {
			r.add("a", 1)
			time.Sleep(time.Second)
		}
		r.settled(l, "a")
		if resets, commits, losses := l.counts(); resets != 1 || commits != 50 || losses != 0 {
			t.Errorf("%d resets, %d commits, %d losses", resets, commits, losses)
		}
	})
}

func TestARaisedEpochIsGivenAnew(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		l := &listener{}
		r.w.Follow("a", l)
		synctest.Wait()
		r.add("a", 3)
		synctest.Wait()
		r.epoch = 2
		r.add("a", 2)
		r.settled(l, "a")
		if epoch, rev, _, _ := l.shows(); epoch != 2 || rev != 5 {
			t.Errorf("epoch %d, revision %d", epoch, rev)
		}
		if resets, _, _ := l.counts(); resets != 2 {
			t.Errorf("%d resets", resets)
		}
	})
}

func TestAnOutageIsToldOnceAndItsEndToo(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		var down atomic.Bool
		down.Store(true)
		r.j.Down = down.Load
		r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Dropped }
		l := &listener{}
		n := r.w.Follow("a", l)
		time.Sleep(time.Minute)
		if _, _, _, lost := l.shows(); !errors.Is(lost, aggregate.ErrUnavailable) {
			t.Errorf("lost: %v", lost)
		}
		if err := n.Sync(r.Context()); !errors.Is(err, aggregate.ErrUnavailable) {
			t.Errorf("sync: %v", err)
		}
		if s := r.w.Stats(); s.Lost != 1 || s.Losses != 1 {
			t.Errorf("%+v", s)
		}
		down.Store(false)
		if err := n.Sync(r.Context()); err != nil {
			t.Errorf("sync after the outage: %v", err)
		}
		r.settled(l, "a")

		// An outage that nothing was missed in is nobody's business.
		down.Store(true)
		time.Sleep(time.Minute)
		if err := n.Sync(r.Context()); !errors.Is(err, aggregate.ErrUnavailable) {
			t.Errorf("sync: %v", err)
		}
		down.Store(false)
		time.Sleep(time.Minute)
		if resets, _, losses := l.counts(); resets != 1 || losses != 1 {
			t.Errorf("%d resets, %d losses", resets, losses)
		}

		// One with something to read is.
		r.add("a", 1)
		down.Store(true)
		r.j.Fate = nil
		r.j.Put("a", []byte("garbage")) // it shows the gap
		synctest.Wait()
		if _, _, _, lost := l.shows(); !errors.Is(lost, aggregate.ErrUnavailable) {
			t.Errorf("lost: %v", lost)
		}
		down.Store(false)
		r.j.Reconnect()
		r.settled(l, "a")
		if resets, commits, losses := l.counts(); resets != 1 || commits != 1 || losses != 2 {
			t.Errorf("%d resets, %d commits, %d losses", resets, commits, losses)
		}

		// What was missed turns out to be no commit: the sink is told that all is well.
		r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Foreign }
		down.Store(true)
		r.j.Put("a", []byte("garbage"))
		time.Sleep(time.Second)
		if _, _, _, lost := l.shows(); lost == nil {
			t.Error("not lost")
		}
		down.Store(false)
		time.Sleep(time.Minute)
		r.settled(l, "a")
		if resets, _, losses := l.counts(); resets != 2 || losses != 3 {
			t.Errorf("%d resets, %d losses", resets, losses)
		}
		if s := r.w.Stats(); s.Lost != 0 || s.FailedChecks == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestALogThatCannotBeFoldedIsTold(t *testing.T) {
	for name, data := range map[string][]byte{
		"a gap": entry(1, 9, 1),
		"a defect": []byte(strings.Replace(string(entry(1, 4, 1)), `"body":{"n":1,"k":1}`,
			`"body":"x"`, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			following(t, aggregate.FollowOptions{}, func(r *followRig) {
				l, other := &listener{}, &listener{}
				n := r.w.Follow("a", l)
				r.w.Follow("b", other)
				r.add("a", 3)
				synctest.Wait()
				r.j.Put("a", data)
				synctest.Wait()
				if _, _, _, lost := l.shows(); !errors.Is(lost, aggregate.ErrBrokenLog) {
					t.Errorf("lost: %v", lost)
				}
				reads, _ := r.j.Reads()
				for range 100 {
					if err := n.Sync(r.Context()); !errors.Is(err, aggregate.ErrBrokenLog) {
						t.Errorf("sync: %v", err)
					}
				}
				if now, _ := r.j.Reads(); now > reads {
					t.Errorf("%d entries were read for nothing", now-reads)
				}
				r.add("b", 3)
				time.Sleep(time.Minute)
				r.settled(other, "b")
				if _, _, losses := l.counts(); losses != 1 {
					t.Errorf("%d losses", losses)
				}
				if now, _ := r.j.Reads(); now > reads+15*5 {
					t.Errorf("%d entries were read in a minute", now-reads)
				}
				r.j.Truncate("a", 1) // an operator mends it
				time.Sleep(15 * time.Second)
				r.settled(l, "a")
				r.add("a", 1)
				r.settled(l, "a")
			})
		})
	}
}

func TestCommitsGoOnAfterAnEventOfANewerRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := aggregatetest.NewFeed()
		m := aggregatetest.Tally{Name: "tally", Knows: func(typ string) bool { return !strings.Contains(typ, "taken") }}
		w := aggregate.NewFollowerOn(j, j, m, aggregate.FollowOptions{})
		defer w.Close()
		l := &listener{}
		w.Follow("a", l)
		synctest.Wait()
		newer := []byte(strings.Replace(string(entry(1, 2, -1)), "tally.added", "tally.taken", 1))
		for i, data := range [][]byte{entry(1, 1, 5), newer, entry(1, 3, 7)} {
			if _, err := j.Append(t.Context(), "a", data, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		_, rev, total, lost := l.shows()
		if rev != 3 || total != 5 || lost != nil || l.f.Unknown == nil {
			t.Errorf("revision %d, total %d, lost %v, unknown %v", rev, total, lost, l.f.Unknown)
		}
		if resets, commits, _ := l.counts(); resets != 1 || commits != 3 {
			t.Errorf("%d resets, %d commits", resets, commits)
		}
	})
}

// An owner finds that the log has lost its tail, by a snapshot, while somebody follows.
func TestFollowersGoWithAnOwnerThatRaisesTheEpoch(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		m := aggregatetest.Tally{Name: "tally"}
		l := &listener{}
		r.w.Follow("a", l)
		synctest.Wait()
		give := func(e *tallyEngine) subjects.Answer {
			t.Helper()
			raw, err := json.Marshal(subjects.Envelope{ID: newCommand(), Body: []byte(`{"n":3}`)})
			if err != nil {
				t.Fatal(err)
			}
			answers := make(chan subjects.Answer, 1)
			e.Submit(aggregate.Delivery{
				To:      subjects.Command{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"},
				Payload: raw, Answer: func(a subjects.Answer) { answers <- a },
			})
			a := <-answers
			if a.Refusal != nil {
				t.Fatal(a.Refusal)
			}
			return a
		}
		end := func(e *tallyEngine) {
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		one := aggregate.NewEngine(m, r.j, aggregate.Options{SnapshotEvery: 5})
		for range 12 {
			give(one)
			time.Sleep(time.Millisecond)
		}
		end(one)
		r.settled(l, "a")
		r.j.Truncate("a", 4)
		two := aggregate.NewEngine(m, r.j, aggregate.Options{SnapshotEvery: 5})
		defer end(two)
		if a := give(two); a.Epoch != 2 || a.Rev != 9 {
			t.Fatalf("the owner answers %+v", a)
		}
		time.Sleep(time.Second)
		r.settled(l, "a")
		if epoch, rev, total, _ := l.shows(); epoch != 2 || rev != 9 || total != 27 {
			t.Errorf("epoch %d, revision %d, total %d", epoch, rev, total)
		}
		for range 10 {
			give(two)
		}
		r.settled(l, "a")
		if s := fmt.Sprint(l.counts()); s != "2 22 0" {
			t.Errorf("resets, commits, losses: %s", s)
		}
	})
}

// whileAsked is a journal of which somebody else does something each time its head was read.
type whileAsked struct {
	aggregate.Journal
	do func()
}

func (j *whileAsked) Head(ctx context.Context, id string) (aggregate.Entry, error) {
	e, err := j.Journal.Head(ctx, id)
	j.do()
	return e, err
}

func TestWhatIsHeardWhileTheLogIsReadIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &followRig{T: t, j: aggregatetest.NewFeed(), epoch: 1}
		then := func() {}
		j := &whileAsked{Journal: r.j, do: func() { then() }}
		w := aggregate.NewFollowerOn(j, r.j, aggregatetest.Tally{Name: "tally"}, aggregate.FollowOptions{CheckEvery: time.Hour})
		defer w.Close()
		l := &listener{}
		n := w.Follow("a", l)
		r.add("a", 1)
		if err := n.Sync(r.Context()); err != nil {
			t.Fatal(err)
		}
		r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Dropped }
		r.add("a", 1)
		r.j.Fate = nil
		then = func() {
			// A commit comes that does not follow, and the replica that is read lacks it.
			then = func() { r.j.Behind = nil }
			r.j.Behind = func() int { return 1 }
			r.add("a", 1)
		}
		if err := n.Sync(r.Context()); err != nil {
			t.Fatal(err)
		}
		r.settled(l, "a")
	})
}

// strict is a sink that looks at the state whenever the follower lets go of it.
type strict struct{ listener }

func (s *strict) Unlock() {
	if s.f != nil && s.lost == nil && s.f.State.Count != int64(s.f.Rev) {
		s.fault("%d events at revision %d", s.f.State.Count, s.f.Rev)
	}
	s.listener.Unlock()
}

func TestAStateThatIsHalfChangedIsNotShown(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		s := &strict{}
		r.w.Follow("a", s)
		synctest.Wait()
		r.add("a", 2)
		half := string(entry(1, 3, 1))
		i, k := strings.Index(half, "[")+1, strings.Index(half, "]")
		r.j.Put("a", []byte(half[:k]+","+strings.Replace(half[i:k], `"body":{"n":1,"k":1}`, `"body":"x"`, 1)+half[k:]))
		time.Sleep(time.Minute)
		s.Lock()
		if !errors.Is(s.lost, aggregate.ErrBrokenLog) || s.f.State.Count != 3 || s.losses != 1 {
			t.Errorf("lost %v, %d events, %d losses: the test is of no use", s.lost, s.f.State.Count, s.losses)
		}
		s.Unlock()
		r.j.Truncate("a", 1)
		time.Sleep(time.Minute)
		r.settled(&s.listener, "a")
	})
}
