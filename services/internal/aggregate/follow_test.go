package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

type tallyFollower = aggregate.Follower[*aggregatetest.TallyState, aggregatetest.TallyEvent]

// listener is a Sink that checks what it is told.
type listener struct {
	sync.Mutex
	f               *tallyFolded
	epoch, rev      uint64
	resets, commits int
	lost            error
	losses          int
	faults          []string
	// onCommit, if set, is called with the lock held.
	onCommit func(f *tallyFolded)
}

func (l *listener) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

func (l *listener) Reset(f *tallyFolded) {
	if f.Rev == 0 && (f.Seq != 0 && f.State.Count != 0 || f.State.Total != 0) {
		l.fault("revision 0 with state %+v", f.State)
	}
	l.f, l.epoch, l.rev, l.lost = f, f.Epoch, f.Rev, nil
	l.resets++
}

func (l *listener) Commit(f *tallyFolded, data []byte, c *subjects.Commit) {
	got, err := subjects.DecodeCommit(data)
	switch {
	case f != l.f:
		l.fault("a commit to a state that was not given")
	case err != nil || got.Rev != c.Rev || got.Epoch != c.Epoch:
		l.fault("revision %d has the bytes of %d, %v", c.Rev, got.Rev, err)
	case c.Rev != l.rev+1:
		l.fault("revision %d after %d", c.Rev, l.rev)
	case f.Rev != c.Rev || l.rev > 0 && c.Epoch != l.epoch:
		l.fault("state at revision %d of epoch %d, commit %d of epoch %d", f.Rev, f.Epoch, c.Rev, c.Epoch)
	case errors.Is(l.lost, aggregate.ErrBrokenLog):
		l.fault("a commit on a broken state")
	}
	l.epoch, l.rev, l.lost = f.Epoch, f.Rev, nil
	l.commits++
	if l.onCommit != nil {
		l.onCommit(f)
	}
}

func (l *listener) Lost(err error) {
	if l.lost != nil && (errors.Is(l.lost, aggregate.ErrBrokenLog) || !errors.Is(err, aggregate.ErrBrokenLog)) {
		l.fault("lost again: %v after %v", err, l.lost)
	}
	if !errors.Is(err, aggregate.ErrUnavailable) && !errors.Is(err, aggregate.ErrBrokenLog) {
		l.fault("lost: %v", err)
	}
	l.lost = err
	l.losses++
}

// shows gives what the sink sees now.
func (l *listener) shows() (epoch, rev uint64, total int64, lost error) {
	l.Lock()
	defer l.Unlock()
	if l.f == nil {
		return 0, 0, 0, l.lost
	}
	return l.f.Epoch, l.f.Rev, l.f.State.Total, l.lost
}

func (l *listener) counts() (resets, commits, losses int) {
	l.Lock()
	defer l.Unlock()
	return l.resets, l.commits, l.losses
}

// whole tells how the sink's state differs from a refold of the log.
func (l *listener) whole(j aggregate.Journal, id string) error {
	f, err := aggregate.Load(context.Background(), j, aggregatetest.Tally{Name: "tally"}, id)
	if err != nil {
		return err
	}
	l.Lock()
	defer l.Unlock()
	switch {
	case len(l.faults) > 0:
		return errors.New(strings.Join(l.faults, "\n"))
	case l.f == nil:
		return errors.New("no state was given")
	case l.lost != nil:
		return fmt.Errorf("still lost: %w", l.lost)
	case l.f.Rev != f.Rev || l.f.Seq != f.Seq || l.f.State.Total != f.State.Total || l.f.State.Count != f.State.Count:
		return fmt.Errorf("state at revision %d, sequence %d is %+v; the log's is at %d, %d: %+v", l.f.Rev, l.f.Seq, *l.f.State, f.Rev, f.Seq, *f.State)
	}
	return nil
}

// entry encodes a commit that adds n.
func entry(epoch, rev uint64, n int) []byte {
	c := subjects.Commit{Epoch: epoch, Rev: rev, At: time.Now().UnixMilli()}
	c.Public.Events = []subjects.Event{{Type: "tally.added", By: "user_1", At: c.At, Cmd: newCommand(), Body: fmt.Appendf(nil, `{"n":%d,"k":1}`, n)}}
	c.Public.Patch = fmt.Appendf(nil, `{"count":%d}`, rev)
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		panic(err)
	}
	return data
}

// followRig is a feed in virtual time and a follower on it.
type followRig struct {
	*testing.T
	j     *aggregatetest.Feed
	w     *tallyFollower
	epoch uint64
	n     int
}

func following(t *testing.T, opt aggregate.FollowOptions, run func(r *followRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &followRig{T: t, j: aggregatetest.NewFeed(), epoch: 1}
		r.w = aggregate.NewFollowerOn(r.j, r.j, aggregatetest.Tally{Name: "tally"}, opt)
		t.Cleanup(func() {
			r.w.Close()
			if n := r.j.Listeners(); n != 0 {
				t.Errorf("%d channels are open after Close", n)
			}
			if s := r.w.Stats(); s.Followed != 0 || s.Lost != 0 {
				t.Errorf("after Close: %+v", s)
			}
		})
		run(r)
	})
}

// add appends n commits, each adding another number.
func (r *followRig) add(id string, n int) {
	r.Helper()
	for range n {
		var rev, after uint64
		for _, e := range r.j.Log(id) {
			if c, err := subjects.DecodeCommit(e.Data); err == nil {
				rev = c.Rev
			}
			after = e.Seq
		}
		r.n++
		if _, err := r.j.Append(context.Background(), id, entry(r.epoch, rev+1, r.n), after); err != nil {
			r.Fatal(err)
		}
	}
}

// settled checks that the sink shows the log.
func (r *followRig) settled(l *listener, id string) {
	r.Helper()
	synctest.Wait()
	if err := l.whole(r.j.Memory, id); err != nil {
		r.Error(err)
	}
}

func TestAFollowedAggregateShowsItsCommitsLive(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		r.add("a", 3)
		l, none := &listener{}, &listener{}
		r.w.Follow("a", l)
		r.w.Follow("b", none)
		r.settled(l, "a")
		r.settled(none, "b")
		if resets, commits, _ := l.counts(); resets != 1 || commits != 0 {
			t.Errorf("%d resets, %d commits at first", resets, commits)
		}
		_, before := r.j.Reads()
		r.add("a", 100)
		r.j.Put("a", []byte("garbage"))
		r.add("a", 1)
		r.add("b", 5)
		r.settled(l, "a")
		r.settled(none, "b")
		if _, after := r.j.Reads(); after != before+2 { // settled reads the head itself
			t.Errorf("the log was asked %d times", after-before-2)
		}
		for _, s := range []struct {
			l    *listener
			want int
		}{{l, 101}, {none, 5}} {
			if resets, commits, losses := s.l.counts(); resets != 1 || commits != s.want || losses != 0 {
				t.Errorf("%d resets, %d commits, %d losses; want %d commits", resets, commits, losses, s.want)
			}
		}
		if s := r.w.Stats(); s.Followed != 2 || s.Commits != 106 || s.Resets != 2 || s.Gaps != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAGapIsReadFromTheLog(t *testing.T) {
	for _, fate := range []aggregatetest.Fate{aggregatetest.Dropped, aggregatetest.Held, aggregatetest.Doubled, aggregatetest.Foreign} {
		t.Run(fmt.Sprint(fate), func(t *testing.T) {
			following(t, aggregate.FollowOptions{CheckEvery: time.Hour}, func(r *followRig) {
				l := &listener{}
				r.w.Follow("a", l)
				synctest.Wait()
				r.j.Fate = func(string) aggregatetest.Fate { return fate }
				r.add("a", 3)
				r.j.Fate = nil
				r.add("a", 1)
				r.settled(l, "a")
				if resets, commits, _ := l.counts(); resets != 1 || commits != 4 {
					t.Errorf("%d resets, %d commits", resets, commits)
				}
			})
		})
	}
}

func TestTheNewestCommitIsFoundByTheCheck(t *testing.T) {
	following(t, aggregate.FollowOptions{}, func(r *followRig) {
		l := &listener{}
		r.w.Follow("a", l)
		synctest.Wait()
		r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Dropped }
		for i := range 20 {
			r.add("a", 2)
			time.Sleep(5*time.Second + time.Millisecond)
			if _, rev, _, _ := l.shows(); rev != uint64(2*i+2) {
				t.Fatalf("revision %d after %d", rev, 2*i+2)
			}
		}
		r.add("a", 1)
		r.j.Reconnect()
		r.settled(l, "a")
		if resets, commits, _ := l.counts(); resets != 1 || commits != 41 {
			t.Errorf("%d resets, %d commits", resets, commits)
		}
	})
}

func TestMoreThanTheBufferHoldsIsReadFromTheLog(t *testing.T) {
	following(t, aggregate.FollowOptions{Buffer: 4, CheckEvery: time.Hour}, func(r *followRig) {
		slow := &listener{onCommit: func(*tallyFolded) { time.Sleep(time.Second) }}
		r.w.Follow("a", slow)
		synctest.Wait()
		r.add("a", 50)
		time.Sleep(time.Minute)
		r.settled(slow, "a")
		if resets, commits, _ := slow.counts(); resets != 1 || commits != 50 {
			t.Errorf("%d resets, %d commits", resets, commits)
		}
	})
}

func TestSyncShowsWhatWasInTheLog(t *testing.T) {
	following(t, aggregate.FollowOptions{CheckEvery: time.Hour}, func(r *followRig) {
		r.j.Fate = func(string) aggregatetest.Fate { return aggregatetest.Dropped }
		r.j.Delay = 10 * time.Millisecond
		l := &listener{}
		n := r.w.Follow("a", l)
		for range 5 {
			r.add("a", 2)
			_, before := r.j.Reads()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if err := n.Sync(r.Context()); err != nil {
						t.Error(err)
					}
					if err := l.whole(r.j.Memory, "a"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if _, after := r.j.Reads(); after-before > 100+2 { // whole reads the head itself
				t.Errorf("100 calls at once read %d heads", after-before-100)
			}
		}
		if resets, _, _ := l.counts(); resets != 1 {
			t.Errorf("%d resets", resets)
		}

		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Millisecond)
		defer cancel()
		if err := n.Sync(ctx); !errors.Is(err, aggregate.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sync that had no time: %v", err)
		}
		n.Stop()
		n.Stop()
		if err := n.Sync(r.Context()); !errors.Is(err, aggregate.ErrUnavailable) {
			t.Errorf("sync after stop: %v", err)
		}
		r.w.Close()
		late := r.w.Follow("a", l)
		if err := late.Sync(r.Context()); !errors.Is(err, aggregate.ErrUnavailable) {
			t.Errorf("sync after close: %v", err)
		}
		late.Stop()
	})
}
