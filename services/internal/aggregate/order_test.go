package aggregate_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// step is a command that is submitted after a pause, without waiting for an answer.
type step struct {
	Pause   time.Duration
	Sender  int
	Verb    string
	Prepare time.Duration
	Other   bool // another owner commits, so that this one is fenced
}

// Whatever is under way, one sender's commands are decided in the order in which they
// arrived.
func TestOrderHoldsWithManyOutstanding(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				Pause:   time.Duration(rapid.SampledFrom([]int{0, 0, 0, 10, 100, 400, 1000}).Draw(t, "pause")) * time.Millisecond,
				Sender:  rapid.IntRange(1, 2).Draw(t, "sender"),
				Verb:    rapid.SampledFrom([]string{"add", "slow", "hush", "take", "boom"}).Draw(t, "verb"),
				Prepare: time.Duration(rapid.SampledFrom([]int{0, 1, 300, 1000, 2500, 6000}).Draw(t, "prepare")) * time.Millisecond,
				Other:   rapid.IntRange(0, 4).Draw(t, "other") == 0,
			}
		}), 1, 30).Draw(rt, "steps")
		delay := time.Duration(rapid.SampledFrom([]int{0, 1, 100, 1000}).Draw(rt, "delay")) * time.Millisecond
		flip := rapid.Bool().Draw(rt, "flip")
		opt := aggregate.Options{
			Batch:      rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(rt, "batch"),
			BatchBytes: rapid.SampledFrom([]int{1, 500, 100_000}).Draw(rt, "bytes"),
			Prepares:   rapid.SampledFrom([]int{1, 100}).Draw(rt, "prepares"),
		}
		var wrong error
		if !t.Run("steps", func(t *testing.T) {
			virtual(t, func(r *rig) { wrong = runSteps(r, steps, delay, flip, opt) })
		}) {
			rt.FailNow()
		}
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func runSteps(r *rig, steps []step, delay time.Duration, flip bool, opt aggregate.Options) error {
	prepare := map[string]time.Duration{}
	r.m.OnPrepare = func(_ context.Context, call aggregate.Call) error {
		time.Sleep(prepare[call.Command])
		return nil
	}
	if flip { // what needed no preparation may need it when it is decided again
		r.m.Slow = func(s *aggregatetest.TallyState, call aggregate.Call) bool {
			return call.Verb == "slow" || call.Principal != "other" && s.Count%3 == 1
		}
	}
	one, two := r.engine(opt), r.engine(aggregate.Options{})
	r.give(one, "a", "other", "hush", body{N: 10}).ok()
	cmds := make([]string, len(steps))
	for k, s := range steps {
		cmds[k] = newCommand()
		prepare[cmds[k]] = s.Prepare
	}
	r.j.Delay = delay
	for k, s := range steps {
		time.Sleep(s.Pause)
		if s.Other {
			r.give(two, "a", "other", "add", body{N: 1})
		}
		r.repeat(one, "a", fmt.Sprint("user_", s.Sender), s.Verb, cmds[k], body{N: 1, K: int64(k + 1)})
	}
	r.idle(one)
	r.idle(two)
	synctest.Wait()
	last := map[string]int64{}
	for _, entry := range r.j.Log("a") {
		c, err := subjects.DecodeCommit(entry.Data)
		if err != nil {
			return err
		}
		err = c.Each(func(e *subjects.Event, _ []string) error {
			ev, err := r.m.DecodeEvent(e.Type, e.Body)
			if err != nil || e.By == "other" {
				return err
			}
			if ev.K <= last[e.By] {
				return fmt.Errorf("rev %d: number %d of %s follows number %d", c.Rev, ev.K, e.By, last[e.By])
			}
			last[e.By] = ev.K
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
