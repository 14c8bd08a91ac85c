package aggregate_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// natsRig is a follower on a real server.
type natsRig struct {
	testing.TB
	b *bus.Bus
	j aggregate.Journal
	w *tallyFollower
	// rev and seq of the last commit that add made, by aggregate
	rev, seq map[string]uint64
}

func onNATS(t testing.TB, opt aggregate.FollowOptions) *natsRig {
	t.Helper()
	b := startBus(t)
	r := &natsRig{TB: t, b: b, j: aggregate.NewJournal(b, "tally"), rev: map[string]uint64{}, seq: map[string]uint64{}}
	r.w = aggregate.NewFollower(b, aggregatetest.Tally{Name: "tally"}, opt)
	t.Cleanup(r.w.Close)
	return r
}

func (r *natsRig) add(id string) {
	r.Helper()
	seq, err := r.j.Append(context.Background(), id, entry(1, r.rev[id]+1, 3), r.seq[id])
	if err != nil {
		r.Fatal(err)
	}
	r.rev[id]++
	r.seq[id] = seq
}

func (r *natsRig) sync(n *aggregate.Following) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Sync(ctx); err != nil {
		r.Fatal(err)
	}
}

// told has a listener say on a channel which revisions it is given.
func told(l *listener) <-chan uint64 {
	c := make(chan uint64, 10_000)
	l.onCommit = func(f *tallyFolded) { c <- f.Rev }
	return c
}

// sees waits for a revision.
func (r *natsRig) sees(c <-chan uint64, rev uint64) {
	r.Helper()
	end := time.After(20 * time.Second)
	for {
		select {
		case got := <-c:
			if got >= rev {
				return
			}
		case <-end:
			r.Fatalf("revision %d does not come", rev)
		}
	}
}

func (r *natsRig) settled(l *listener, id string, resets, commits int) {
	r.Helper()
	if err := l.whole(r.j, id); err != nil {
		r.Error(err)
	}
	if got, n, losses := l.counts(); got != resets || n != commits || losses != 0 {
		r.Errorf("%d resets, %d commits, %d losses; want %d, %d, 0", got, n, losses, resets, commits)
	}
}

func TestFollowersHearWhatTheServerRepublishes(t *testing.T) {
	t.Parallel()
	r := onNATS(t, aggregate.FollowOptions{CheckEvery: time.Hour})
	l := &listener{}
	heard := told(l)
	n := r.w.Follow("a", l)
	r.sync(n)
	for range 50 {
		r.add("a")
	}
	r.sees(heard, 50)
	r.settled(l, "a", 1, 50)
	if s := r.w.Stats(); s.Gaps != 0 || s.Commits != 50 || s.LagMost > 10*time.Second {
		t.Errorf("%+v", s)
	}
	// A read right after a write.
	for i := range 200 {
		r.add("a")
		r.sync(n)
		if _, rev, _, _ := l.shows(); rev != uint64(51+i) {
			t.Fatalf("revision %d after %d was appended and synced", rev, 51+i)
		}
	}
	r.settled(l, "a", 1, 250)
}

func TestASlowSinkIsGivenEveryCommit(t *testing.T) {
	t.Parallel()
	r := onNATS(t, aggregate.FollowOptions{CheckEvery: time.Hour, Buffer: 2})
	l := &listener{}
	open, last := make(chan struct{}), make(chan struct{})
	l.onCommit = func(f *tallyFolded) {
		<-open
		if f.Rev == 30 {
			close(last)
		}
	}
	r.sync(r.w.Follow("a", l))
	for range 30 {
		r.add("a")
	}
	if err := r.b.Ready(t.Context()); err != nil { // all that the server sent has come
		t.Fatal(err)
	}
	close(open)
	select {
	case <-last:
	case <-time.After(20 * time.Second):
		t.Fatal("the last commit does not come")
	}
	r.settled(l, "a", 1, 30)
}

func TestALostConnectionIsMadeUpFor(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	cfg := bus.Defaults()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server, err := bus.Start(t.Context(), cfg, []string{"tally"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(context.Background())
	cfg.DataDir, cfg.Listen, cfg.URL = "", "", server.Address()
	far, err := bus.Start(t.Context(), cfg, []string{"tally"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close(context.Background())
	r := &natsRig{TB: t, b: server, j: aggregate.NewJournal(server, "tally"), rev: map[string]uint64{}, seq: map[string]uint64{}}
	w := aggregate.NewFollower(far, aggregatetest.Tally{Name: "tally"}, aggregate.FollowOptions{CheckEvery: time.Hour})
	defer w.Close()
	const rooms = 300 // more than one request asks for
	sinks, heard := make([]*listener, rooms), make([]<-chan uint64, rooms)
	for i := range rooms {
		sinks[i] = &listener{}
		heard[i] = told(sinks[i])
		r.sync(w.Follow(fmt.Sprint("room-", i), sinks[i]))
	}
	for round := range 3 {
		if err := far.Conn().ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		for i := range rooms {
			r.add(fmt.Sprint("room-", i))
		}
		for i := range rooms {
			r.sees(heard[i], uint64(round+1))
		}
	}
	for i := range rooms {
		r.settled(sinks[i], fmt.Sprint("room-", i), 1, 3)
	}
}

func TestALogThatAnOperatorCutIsGivenAnew(t *testing.T) {
	t.Parallel()
	r := onNATS(t, aggregate.FollowOptions{CheckEvery: 50 * time.Millisecond, FullEvery: 2})
	l := &listener{}
	heard := told(l)
	n := r.w.Follow("a", l)
	r.sync(n)
	for range 5 {
		r.add("a")
	}
	r.sees(heard, 5)
	stream, err := r.b.JetStream().Stream(t.Context(), subjects.StreamEvents("tally"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), r.seq["a"]); err != nil {
		t.Fatal(err)
	}
	r.rev["a"], r.seq["a"] = 4, r.seq["a"]-1
	r.sync(n)
	if _, rev, total, _ := l.shows(); rev != 4 || total != 12 {
		t.Errorf("revision %d, total %d", rev, total)
	}
	r.settled(l, "a", 2, 5)
	r.add("a")
	r.sees(heard, 5)
	r.settled(l, "a", 2, 6)

	// Nobody asks: the check finds it.
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resets, _, _ := l.counts(); resets == 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is given anew")
		}
	}
	if _, rev, _, _ := l.shows(); rev != 0 {
		t.Errorf("revision %d of nothing", rev)
	}
	clear(r.rev)
	clear(r.seq)
	r.add("a")
	r.sync(n)
	r.settled(l, "a", 3, 7)
}
