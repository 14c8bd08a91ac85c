package aggregate_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
)

// What the feed has lost is found by comparing heads, whichever shard lost it, and the mark of
// one does not hide what another has.
func TestHeadsAreComparedInEveryShard(t *testing.T) {
	t.Parallel()
	b := startShards(t, 4)
	j, log := aggregate.NewJournal(b, "tally"), b.Log("tally")
	f := aggregate.NewFeed(b, "tally")
	const rooms = 20
	ids, seqs := make([]string, rooms), map[string]uint64{}
	grow := func(id string, rev uint64) {
		t.Helper()
		seq, err := j.Append(t.Context(), id, entry(1, rev, 1), seqs[id])
		if err != nil {
			t.Fatal(err)
		}
		seqs[id] = seq
	}
	for i := range ids {
		ids[i] = fmt.Sprint("room-", i)
		grow(ids[i], 1)
	}
	for range 30 { // one shard is far ahead of the others
		grow(ids[0], 1)
	}
	heads := func(since aggregate.Marks) (map[string]uint64, aggregate.Marks) {
		t.Helper()
		got := map[string]uint64{}
		upTo, err := f.Heads(t.Context(), ids, since, func(id string, e aggregate.Entry) { got[id] = e.Seq })
		if err != nil || len(upTo) != 4 {
			t.Fatalf("%d, %v", upTo, err)
		}
		return got, upTo
	}
	got, upTo := heads(nil)
	for _, id := range ids {
		if got[id] != seqs[id] {
			t.Errorf("%s is at %d, want %d", id, got[id], seqs[id])
		}
	}
	if got, _ := heads(upTo); len(got) > 0 {
		t.Errorf("nothing has changed, and %v is told", got)
	}
	for _, id := range ids { // one of each shard
		if log.Shard(id) != log.Shard(ids[0]) {
			grow(id, 2)
			got, next := heads(upTo)
			if len(got) != 1 || got[id] != seqs[id] {
				t.Errorf("%v, want %s at %d", got, id, seqs[id])
			}
			upTo = next
		}
	}
}

// A follower whose feed is dead gets everything from the checks alone.
func TestFollowersOfAllShardsLiveOnChecks(t *testing.T) {
	t.Parallel()
	b := startShards(t, 3)
	for _, name := range b.Log("tally").Streams() {
		s, err := b.JetStream().Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.RePublish = nil
		if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	j := aggregate.NewJournal(b, "tally")
	w := aggregate.NewFollower(b, aggregatetest.Tally{Name: "tally"}, aggregate.FollowOptions{CheckEvery: 30 * time.Millisecond, FullEvery: 1000})
	t.Cleanup(w.Close)
	seqs := map[string]uint64{}
	var all []*listener
	for i := range 9 {
		l := &listener{}
		all = append(all, l)
		w.Follow(fmt.Sprint("room-", i), l)
	}
	for rev := uint64(1); rev <= 3; rev++ {
		for i := range all {
			id := fmt.Sprint("room-", i)
			seq, err := j.Append(t.Context(), id, entry(1, rev, 1), seqs[id])
			if err != nil {
				t.Fatal(err)
			}
			seqs[id] = seq
		}
		for i, l := range all {
			waitFor(t, func() bool { _, got, _, _ := l.shows(); return got == rev })
			if err := l.whole(j, fmt.Sprint("room-", i)); err != nil {
				t.Error(err)
			}
		}
	}
}

// A reaction sees the events of every shard, those of one aggregate in order.
func TestReactionsSeeEveryShard(t *testing.T) {
	t.Parallel()
	b := startShards(t, 4)
	j := aggregate.NewJournal(b, "tally")
	const rooms, revs = 12, 10
	var mu sync.Mutex
	seen := map[string][]uint64{}
	done := make(chan struct{})
	stop := aggregate.StartReaction(b, aggregate.Reaction{
		Service: "tally", Name: "look",
		React: func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			mu.Lock()
			defer mu.Unlock()
			n := 0
			seen[c.ID] = append(seen[c.ID], c.Rev)
			for _, all := range seen {
				n += len(all)
			}
			if n == rooms*revs {
				close(done)
			}
			return nil, nil
		},
	}, slog.New(slog.DiscardHandler))
	defer stop()
	seqs := map[string]uint64{}
	for rev := range uint64(revs) {
		for i := range rooms {
			id := fmt.Sprint("room-", i)
			seq, err := j.Append(t.Context(), id, entry(1, rev+1, 1), seqs[id])
			if err != nil {
				t.Fatal(err)
			}
			seqs[id] = seq
		}
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
	}
	mu.Lock()
	defer mu.Unlock()
	for i := range rooms {
		id := fmt.Sprint("room-", i)
		if fmt.Sprint(seen[id]) != "[1 2 3 4 5 6 7 8 9 10]" {
			t.Errorf("of %s were seen %d", id, seen[id])
		}
	}
	for _, stream := range b.Log("tally").Streams() {
		if _, err := b.ConsumerWaiting(t.Context(), stream, "look"); err != nil {
			t.Error(err)
		}
	}
}
