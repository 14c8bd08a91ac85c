package projection

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newBarrier(ctx context.Context, hurry <-chan struct{}, sync func(context.Context) error) *barrier {
	return &barrier{
		owner: ctx, hurry: hurry, sync: sync, every: 200 * time.Millisecond, limit: time.Second,
		told: func(error) {}, fails: new(atomic.Uint64),
	}
}

func TestManyCrossTheBarrierWithOneSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs, running atomic.Int64
		var last atomic.Pointer[time.Time]
		b := newBarrier(t.Context(), nil, func(context.Context) error {
			if running.Add(1) > 1 {
				t.Error("two syncs at once")
			}
			defer running.Add(-1)
			now := time.Now()
			if before := last.Swap(&now); syncs.Add(1) > 1 && now.Sub(*before) < 200*time.Millisecond {
				t.Errorf("a sync %s after the last", now.Sub(*before))
			}
			time.Sleep(30 * time.Millisecond)
			return nil
		})
		var wg sync.WaitGroup
		for range 1000 {
			joined := time.Now()
			c := b.join(0)
			wg.Go(func() {
				<-c.done
				if began := *last.Load(); c.err != nil || began.Before(joined) {
					t.Errorf("joined at %s, synced from %s: %v", joined, began, c.err)
				}
			})
			time.Sleep(10 * time.Millisecond)
		}
		wg.Wait()
		b.wg.Wait()
		if n := syncs.Load(); n > 10_000/200+2 {
			t.Errorf("%d syncs in ten seconds", n)
		}
	})
}

// Whoever wrote before a sync failed fails with it, wherever he was on his way to the barrier.
func TestAFailedSyncIsOfAllWhoWroteBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		fail := true
		b := newBarrier(t.Context(), nil, func(context.Context) error {
			time.Sleep(50 * time.Millisecond)
			if fail {
				return broken
			}
			return nil
		})
		before := b.fails.Load()
		first := b.join(before)
		time.Sleep(10 * time.Millisecond)
		second := b.join(before) // while it is under way
		<-first.done
		<-second.done
		fail = false
		third := b.join(before) // afterwards
		<-third.done
		again := b.join(b.fails.Load())
		<-again.done
		b.wg.Wait()
		for _, c := range []*crossing{first, second} {
			if !errors.Is(c.err, broken) {
				t.Errorf("got %v", c.err)
			}
		}
		if !errors.Is(third.err, errMayBeLost) || again.err != nil {
			t.Errorf("afterwards: %v, written again: %v", third.err, again.err)
		}
	})
}

func TestWhoStopsDoesNotWaitForTheNextSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hurry := make(chan struct{})
		b := newBarrier(t.Context(), hurry, func(context.Context) error { return nil })
		b.every = time.Hour
		<-b.join(0).done
		c := b.join(0)
		began := time.Now()
		time.Sleep(time.Minute)
		select {
		case <-c.done:
			t.Error("synced before its time")
		default:
		}
		close(hurry)
		<-c.done
		b.wg.Wait()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
