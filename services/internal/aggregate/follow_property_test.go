package aggregate_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
)

// followPlan is what happens to a log, its feed and its followers.
type followPlan struct {
	Seed   uint64
	Faulty int // per cent of the live messages that meet a fault
	Lag    int // entries that a replica may lack
	Delay  time.Duration
	Opt    aggregate.FollowOptions
	Steps  []followStep
	// End is how the followers come to show the log in the end: by a "sync", by the
	// "check", or by the next "commit" and nothing else.
	End string
}

type followStep struct {
	Do   string
	N    int
	Wait time.Duration
}

func drawFollowPlan(t *rapid.T) followPlan {
	return followPlan{
		Seed:   rapid.Uint64().Draw(t, "seed"),
		Faulty: rapid.SampledFrom([]int{0, 10, 60, 100}).Draw(t, "faulty"),
		Lag:    rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "lag"),
		Delay:  rapid.SampledFrom([]time.Duration{0, time.Millisecond, 300 * time.Millisecond}).Draw(t, "delay"),
		Opt: aggregate.FollowOptions{
			Buffer:    rapid.SampledFrom([]int{1, 4, 256}).Draw(t, "buffer"),
			Loads:     rapid.SampledFrom([]int{1, 64}).Draw(t, "loads"),
			FullEvery: rapid.SampledFrom([]int{1, 3}).Draw(t, "full"),
		},
		Steps: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) followStep {
			return followStep{
				Do: rapid.SampledFrom([]string{
					"add", "add", "add", "add", "garbage", "truncate", "down", "up", "reconnect", "sync", "restart",
				}).Draw(t, "do"),
				N:    rapid.IntRange(0, 5).Draw(t, "n"),
				Wait: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 700, 6000}).Draw(t, "ms")) * time.Millisecond,
			}
		}), 1, 30).Draw(t, "steps"),
		End: rapid.SampledFrom([]string{"sync", "check", "commit"}).Draw(t, "end"),
	}
}

func TestASinkSeesEveryCommitOnceInOrder(t *testing.T) {
	var sum aggregate.FollowStats
	rapid.Check(t, func(rt *rapid.T) {
		p := drawFollowPlan(rt)
		var s aggregate.FollowStats
		if !t.Run("history", func(t *testing.T) { s = p.run(t) }) {
			rt.FailNow()
		}
		sum.Commits += s.Commits
		sum.Gaps += s.Gaps
		sum.Resets += s.Resets
		sum.Losses += s.Losses
	})
	// The few histories of -short need not hold everything.
	if sum.Commits == 0 || !testing.Short() && (sum.Gaps == 0 || sum.Resets == 0 || sum.Losses == 0) {
		t.Errorf("the histories had %+v: they prove little", sum)
	}
}

func (p followPlan) run(t *testing.T) (stats aggregate.FollowStats) {
	if p.End == "commit" {
		p.Opt.CheckEvery = time.Hour
	}
	following(t, p.Opt, func(r *followRig) {
		var mu sync.Mutex
		down := false
		rnd := rand.New(rand.NewPCG(p.Seed, 1))
		r.j.Delay = p.Delay
		r.j.Down = func() bool { mu.Lock(); defer mu.Unlock(); return down }
		r.j.Behind = func() int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(p.Lag + 1) }
		r.j.Fate = func(string) aggregatetest.Fate {
			mu.Lock()
			defer mu.Unlock()
			if rnd.IntN(100) >= p.Faulty {
				return aggregatetest.Delivered
			}
			return aggregatetest.Fate(1 + rnd.IntN(int(aggregatetest.Foreign)))
		}
		ids := []string{"a", "b"}
		sinks, all := map[string]*listener{}, []*listener{}
		followed := map[string]*aggregate.Following{}
		start := func(id string) {
			sinks[id] = &listener{}
			all = append(all, sinks[id])
			followed[id] = r.w.Follow(id, sinks[id])
		}
		for _, id := range ids {
			start(id)
		}
		setDown := func(is bool) { mu.Lock(); defer mu.Unlock(); down = is }
		var wg sync.WaitGroup
		defer wg.Wait()
		for i, s := range p.Steps {
			id := ids[i%len(ids)]
			switch s.Do {
			case "add":
				mu.Lock()
				is := down
				mu.Unlock()
				if !is {
					r.add(id, s.N)
				}
			case "garbage":
				r.j.Put(id, []byte("garbage"))
			case "truncate":
				r.j.Truncate(id, min(s.N, len(r.j.Log(id))))
				r.epoch++
			case "down":
				setDown(true)
			case "up":
				setDown(false)
			case "reconnect":
				r.j.Reconnect()
			case "sync":
				n := followed[id]
				wg.Go(func() { _ = n.Sync(r.Context()) })
			case "restart":
				followed[id].Stop()
				start(id)
			}
			if s.Wait > 0 {
				time.Sleep(s.Wait)
			}
		}
		setDown(false)
		switch p.End {
		case "sync":
			mu.Lock()
			p.Lag = 0 // a replica that lags for long is an outage
			mu.Unlock()
			time.Sleep(p.Delay) // a call that was made while all was down has ended
			for _, id := range ids {
				if err := followed[id].Sync(r.Context()); err != nil {
					r.Errorf("sync of %s: %v", id, err)
				}
			}
		case "check":
			time.Sleep(2 * time.Minute)
		case "commit":
			r.j.Fate = nil
			for _, id := range ids {
				r.add(id, 1)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		for _, id := range ids {
			if err := sinks[id].whole(r.j.Memory, id); err != nil {
				r.Errorf("%s: %v", id, err)
			}
		}
		for i, l := range all {
			l.Lock()
			for _, f := range l.faults {
				r.Errorf("sink %d: %s", i, f)
			}
			l.Unlock()
		}
		stats = r.w.Stats()
	})
	return stats
}
