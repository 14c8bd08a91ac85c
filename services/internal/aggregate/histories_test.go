package aggregate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// plan is a history that rapid has drawn: owners, senders, and what goes wrong when.
type plan struct {
	Seed                    uint64
	Engines, Rooms, Senders int
	Commands                int // of each sender
	Limit                   int64
	Faults                  int // per cent of appends that are lost, and as many unanswered
	Delay                   time.Duration
	Opt                     aggregate.Options
	Freezes, Downs          []phase
}

// phase is a stretch of time in which an engine stands still, or the journal is away.
type phase struct {
	Engine   int
	At, Long time.Duration
}

func drawPlan(t *rapid.T) plan {
	phases := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) phase {
		return phase{
			Engine: rapid.IntRange(0, 2).Draw(t, "engine"),
			At:     time.Duration(rapid.IntRange(0, 20_000).Draw(t, "at")) * time.Millisecond,
			Long:   time.Duration(rapid.IntRange(1, 8000).Draw(t, "long")) * time.Millisecond,
		}
	}), 0, 4)
	return plan{
		Seed:     rapid.Uint64().Draw(t, "seed"),
		Engines:  rapid.IntRange(1, 3).Draw(t, "engines"),
		Rooms:    rapid.IntRange(1, 2).Draw(t, "rooms"),
		Senders:  rapid.IntRange(1, 6).Draw(t, "senders"),
		Commands: rapid.IntRange(1, 25).Draw(t, "commands"),
		Limit:    rapid.Int64Range(1, 12).Draw(t, "limit"),
		Faults:   rapid.SampledFrom([]int{0, 0, 5, 20}).Draw(t, "faults"),
		Delay:    rapid.SampledFrom([]time.Duration{0, time.Millisecond, 200 * time.Millisecond}).Draw(t, "delay"),
		Opt: aggregate.Options{
			Queue:         rapid.SampledFrom([]int{2, 100}).Draw(t, "queue"),
			Batch:         rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "batch"),
			BatchBytes:    rapid.SampledFrom([]int{1, 1000, 100_000}).Draw(t, "bytes"),
			Idle:          rapid.SampledFrom([]time.Duration{50 * time.Millisecond, 5 * time.Second}).Draw(t, "idle"),
			SnapshotEvery: rapid.SampledFrom([]int{1, 4, 1000}).Draw(t, "snapshot"),
			Live:          rapid.SampledFrom([]int{1, 100}).Draw(t, "live"),
			Resolve:       rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second}).Draw(t, "resolve"),
		},
		Freezes: phases.Draw(t, "freezes"),
		Downs:   phases.Draw(t, "downs"),
	}
}

func TestHistories(t *testing.T) {
	var sum struct{ accepted, refused, commits int }
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var fig aggregatetest.Figures
		var err error
		if !t.Run("history", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fig, err = p.run(t) })
		}) {
			rt.FailNow()
		}
		if err != nil {
			rt.Fatalf("%v: %v", fig, err)
		}
		if fig.Open > 0 {
			rt.Fatalf("%v", fig)
		}
		sum.accepted += fig.Accepted
		sum.refused += fig.Refused
		sum.commits += fig.Commits
	})
	t.Logf("%d accepted, %d refused, %d commits", sum.accepted, sum.refused, sum.commits)
}

const (
	// attempt is how long a sender waits before it asks again, perhaps another owner.
	attempt = 3 * time.Second
	// honoured is how long an owner still decides what was asked.
	honoured = attempt * 9 / 10
)

type world struct {
	plan
	*rig
	engines []*tallyEngine
	history aggregatetest.History

	rmu  sync.Mutex
	rand *rand.Rand
}

func (w *world) n(n int) int {
	w.rmu.Lock()
	defer w.rmu.Unlock()
	return w.rand.IntN(n)
}

func (p plan) run(t *testing.T) (aggregatetest.Figures, error) {
	w := &world{
		plan: p, rand: rand.New(rand.NewPCG(p.Seed, 1)),
		rig: &rig{T: t, j: aggregatetest.NewMemory(), m: aggregatetest.Tally{Name: "tally", Limit: p.Limit}},
	}
	w.m.OnPrepare = func(ctx context.Context, _ aggregate.Call) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(w.n(4000)) * time.Millisecond):
			return nil
		}
	}
	w.j.Delay = p.Delay
	w.j.Fail = func(string) aggregatetest.Fault {
		switch d := w.n(100); {
		case d < p.Faults:
			return aggregatetest.Lost
		case d < 2*p.Faults:
			return aggregatetest.Unanswered
		}
		return aggregatetest.None
	}
	start := time.Now()
	w.j.Down = func() bool {
		for _, d := range p.Downs {
			if since := time.Since(start); since >= d.At && since < d.At+d.Long {
				return true
			}
		}
		return false
	}
	var wg sync.WaitGroup
	for i := range p.Engines {
		gate := &aggregatetest.Gate{Journal: w.j}
		w.engines = append(w.engines, aggregate.NewEngine(w.m, gate, p.Opt))
		for _, f := range p.Freezes {
			if f.Engine == i {
				wg.Go(func() {
					time.Sleep(f.At)
					gate.Freeze()
					time.Sleep(f.Long)
					gate.Thaw()
				})
			}
		}
	}
	for s := range p.Senders {
		wg.Go(func() { w.sender(fmt.Sprint("user_", s)) })
	}
	wg.Wait()
	for _, e := range w.engines {
		w.close(e)
	}
	w.everyAnswerOnce()
	return w.history.Check(w.m, w.j.Logs())
}

// sender sends its commands one after the other, each until it has a final answer.
func (w *world) sender(name string) {
	verbs := []string{"add", "add", "take", "take", "hush", "slow", "idle", "ring"}
	for k := range w.Commands {
		verb := verbs[w.n(len(verbs))]
		s := &aggregatetest.Sent{
			To:      subjects.Command{Service: "tally", ID: fmt.Sprint("room-", w.n(w.Rooms)), Verb: verb, Principal: name},
			Command: newCommand(), Order: true,
			Body: body{N: int64(w.n(5)), K: int64(k + 1)},
		}
		if verb == "ring" {
			s.Body.At = in(time.Duration(w.n(5000)) * time.Millisecond)
		}
		w.history.Note(s)
		w.history.Answer(s, w.ask(s))
		if w.n(5) == 0 && s.Answers[0].Refusal == nil && verb != "idle" {
			w.history.Answer(s, w.ask(s))
		}
		if w.n(3) == 0 {
			time.Sleep(time.Duration(w.n(2000)) * time.Millisecond)
		}
	}
}

// ask asks one owner after another until one gives a final answer.
func (w *world) ask(s *aggregatetest.Sent) subjects.Answer {
	raw, err := json.Marshal(s.Body)
	if err != nil {
		w.Fatal(err)
	}
	payload, err := json.Marshal(subjects.Envelope{ID: s.Command, Body: raw})
	if err != nil {
		w.Fatal(err)
	}
	for try := 1; ; try++ {
		until := time.Now().Add(honoured)
		p := &pending{r: w.rig, cmd: s.Command, answers: make(chan subjects.Answer, 8)}
		p.d = aggregate.Delivery{
			To: s.To, Payload: payload, Again: try > 1,
			Stale:  func() bool { return time.Now().After(until) },
			Answer: func(a subjects.Answer) { p.answers <- a },
		}
		w.mu.Lock()
		w.all = append(w.all, p)
		w.mu.Unlock()
		w.engines[w.n(len(w.engines))].Submit(p.d)
		select {
		case a := <-p.answers:
			p.taken++
			if a.Refusal == nil || a.Refusal.Code.Final() {
				return a
			}
			time.Sleep(time.Duration(w.n(500)) * time.Millisecond)
		case <-time.After(attempt):
		}
		if try == 2000 {
			w.Fatalf("%s %s of %s has no final answer", s.To.Verb, s.Command, s.To.Principal)
		}
	}
}
