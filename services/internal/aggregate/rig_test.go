package aggregate_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

type (
	tallyEngine = aggregate.Engine[*aggregatetest.TallyState, aggregatetest.TallyCommand, aggregatetest.TallyEvent]
	tallyFolded = aggregate.Folded[*aggregatetest.TallyState]
	body        = aggregatetest.TallyCommand
)

// rig is a journal in virtual time, engines on it, and what was asked of them. At the
// test's end every command must have been answered once.
type rig struct {
	*testing.T
	j *aggregatetest.Memory
	m aggregatetest.Tally

	mu  sync.Mutex
	all []*pending
}

// virtual runs a test in virtual time.
func virtual(t *testing.T, run func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, j: aggregatetest.NewMemory(), m: aggregatetest.Tally{Name: "tally"}}
		t.Cleanup(r.everyAnswerOnce)
		run(r)
	})
}

func (r *rig) everyAnswerOnce() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.all {
		if n := len(p.answers); n+p.taken != 1 {
			r.Errorf("%s %s of %s has %d answers", p.d.To.Verb, p.cmd, p.d.To.Principal, n+p.taken)
		}
	}
}

// engine starts an engine on the rig's journal, or on another that leads to it. It ends
// with the test.
func (r *rig) engine(opt aggregate.Options, j ...aggregate.Journal) *tallyEngine {
	var on aggregate.Journal = r.j
	if len(j) > 0 {
		on = j[0]
	}
	e := aggregate.NewEngine(r.m, on, opt)
	r.Cleanup(func() { r.close(e) })
	return e
}

func (r *rig) close(e *tallyEngine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		r.Errorf("close: %v", err)
	}
}

// pending is a command under way.
type pending struct {
	r       *rig
	d       aggregate.Delivery
	cmd     string
	answers chan subjects.Answer
	taken   int
}

type option func(*aggregate.Delivery)

func queued(d *aggregate.Delivery) { d.Queued = true }

func again(d *aggregate.Delivery) { d.Again = true }

func stale(f func() bool) option { return func(d *aggregate.Delivery) { d.Stale = f } }

// give submits a command with an id of its own.
func (r *rig) give(e *tallyEngine, id, principal, verb string, b body, opts ...option) *pending {
	return r.repeat(e, id, principal, verb, newCommand(), b, opts...)
}

// repeat submits a command under a given id.
func (r *rig) repeat(e *tallyEngine, id, principal, verb, cmd string, b body, opts ...option) *pending {
	r.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		r.Fatal(err)
	}
	payload, err := json.Marshal(subjects.Envelope{ID: cmd, Body: raw})
	if err != nil {
		r.Fatal(err)
	}
	p := &pending{r: r, cmd: cmd, answers: make(chan subjects.Answer, 8)}
	p.d = aggregate.Delivery{
		To:      subjects.Command{Service: "tally", ID: id, Verb: verb, Principal: principal},
		Payload: payload,
		Answer:  func(a subjects.Answer) { p.answers <- a },
	}
	for _, o := range opts {
		o(&p.d)
	}
	r.mu.Lock()
	r.all = append(r.all, p)
	r.mu.Unlock()
	e.Submit(p.d)
	return p
}

// wait gives the answer.
func (p *pending) wait() subjects.Answer {
	p.r.Helper()
	select {
	case a := <-p.answers:
		p.taken++
		if a.Command != p.cmd {
			p.r.Fatalf("%s was answered as %s", p.cmd, a.Command)
		}
		return a
	case <-time.After(time.Hour):
		p.r.Fatalf("%s %s of %s is not answered", p.d.To.Verb, p.cmd, p.d.To.Principal)
		return subjects.Answer{}
	}
}

// ok gives the answer of a command that must be accepted.
func (p *pending) ok() subjects.Answer {
	p.r.Helper()
	a := p.wait()
	if a.Refusal != nil {
		p.r.Fatalf("%s of %s: %v", p.d.To.Verb, p.d.To.Principal, a.Refusal)
	}
	return a
}

// refused gives the answer of a command that must be refused with a code.
func (p *pending) refused(code subjects.Code) subjects.Answer {
	p.r.Helper()
	a := p.wait()
	if subjects.CodeOf(a.Err()) != code {
		p.r.Fatalf("%s of %s: %v, want %s", p.d.To.Verb, p.d.To.Principal, a.Err(), code)
	}
	return a
}

// fold loads an aggregate as anybody may.
func (r *rig) fold(id string) *tallyFolded {
	r.Helper()
	f, err := aggregate.Load(context.Background(), r.j, r.m, id)
	if err != nil {
		r.Fatal(err)
	}
	return f
}

// events lists the events in an aggregate's log, by the sender's count.
func (r *rig) events(id string) (ks []int64) {
	r.Helper()
	for _, entry := range r.j.Log(id) {
		c, err := subjects.DecodeCommit(entry.Data)
		if err != nil {
			r.Fatal(err)
		}
		err = c.Each(func(e *subjects.Event, _ []string) error {
			var b body
			if err := json.Unmarshal(e.Body, &b); err != nil {
				return err
			}
			ks = append(ks, b.K)
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	return ks
}

// heads counts the reads of a log's head that f causes.
func (r *rig) heads(f func()) int {
	_, before := r.j.Reads()
	f()
	_, after := r.j.Reads()
	return after - before
}

// asleep waits until no aggregate is awake.
func (r *rig) asleep(e *tallyEngine) {
	r.Helper()
	for range 1000 {
		if e.Stats().Live == 0 {
			return
		}
		time.Sleep(time.Second)
	}
	r.Fatalf("%d aggregates are still awake", e.Stats().Live)
}
