package aggregatetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Sent is a command as its sender knows it.
type Sent struct {
	To      subjects.Command
	Command string
	Body    TallyCommand
	// Order says that the sender sent it only after the one before to the same aggregate
	// had its final answer, or was in the queue: K grows along the log.
	Order bool
	// Queued says that it was left in the queue, to a Tally that cannot refuse it: it must
	// be in the log although its sender has no answer.
	Queued bool
	// Answers are the final answers that the sender got, repeats among them.
	Answers []subjects.Answer
}

// changes reports whether the command has an event if it is accepted.
func (s *Sent) changes() bool { return s.To.Verb != "idle" && s.To.Verb != "boom" }

// History is what senders did. It is safe for use by many goroutines.
type History struct {
	mu   sync.Mutex
	sent []*Sent
	by   map[[2]string]*Sent // by principal and command
}

// Note adds a command that is about to be sent.
func (h *History) Note(s *Sent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[[2]string]*Sent{}
	}
	h.sent = append(h.sent, s)
	h.by[[2]string{s.To.Principal, s.Command}] = s
}

// Answer adds a final answer to a noted command.
func (h *History) Answer(s *Sent, a subjects.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Answers = append(s.Answers, a)
}

// Accepted lists the commands that were answered and not refused.
func (h *History) Accepted() []*Sent {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Sent
	for _, s := range h.sent {
		if len(s.Answers) > 0 && s.Answers[0].Refusal == nil {
			out = append(out, s)
		}
	}
	return out
}

// Figures sums a checked history up.
type Figures struct {
	Sent              int
	Accepted, Refused int // answered for good
	Queued            int // left in the queue
	Open              int // without an answer
	Commits, Events   int
	Missing           int // accepted or queued, and not in the log
	Doubled           int // more than once in the log
}

func (f Figures) String() string {
	return fmt.Sprintf("%d sent, %d accepted, %d refused, %d queued, %d without an answer; %d commits with %d events; %d missing, %d doubled",
		f.Sent, f.Accepted, f.Refused, f.Queued, f.Open, f.Commits, f.Events, f.Missing, f.Doubled)
}

type checker struct {
	*History
	m     Tally
	fig   Figures
	found map[*Sent]place
	last  map[[2]string]int64 // K by aggregate and principal
	errs  []error
}

type place struct {
	epoch, rev uint64
	at         int64
}

const mostErrors = 20

func (c *checker) fail(format string, args ...any) {
	if len(c.errs) < mostErrors {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// Check holds the logs of a Tally's aggregates against what its senders know:
//
//   - revisions are dense, epochs and times never run backwards, and the patches applied
//     one after the other give the state that the events fold to;
//   - every event is of a command that was sent, as it was sent, and none is there twice;
//   - an accepted command is in the log, at the place that its answer names; one that was
//     refused for good is not;
//   - all answers to one command are the same;
//   - each sender's commands to an aggregate stand in the order in which they were sent.
func (h *History) Check(m Tally, logs map[string][]aggregate.Entry) (Figures, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &checker{History: h, m: m, found: map[*Sent]place{}, last: map[[2]string]int64{}}
	for id, log := range logs {
		c.log(id, log)
	}
	for _, s := range h.sent {
		c.sender(s)
	}
	return c.fig, errors.Join(c.errs...)
}

func (c *checker) log(id string, log []aggregate.Entry) {
	s := c.m.New(id)
	doc, err := subjects.CanonicalOf(s)
	if err != nil {
		c.fail("%s: %v", id, err)
		return
	}
	var before subjects.Commit
	for _, entry := range log {
		commit, err := subjects.DecodeCommit(entry.Data)
		if err != nil {
			c.fail("%s at %d: %v", id, entry.Seq, err)
			return
		}
		c.fig.Commits++
		if commit.Rev != before.Rev+1 || commit.Epoch < before.Epoch || commit.At < before.At {
			c.fail("%s: epoch %d, rev %d, at %d follow epoch %d, rev %d, at %d", id,
				commit.Epoch, commit.Rev, commit.At, before.Epoch, before.Rev, before.At)
		}
		err = commit.Each(func(e *subjects.Event, to []string) error {
			c.event(id, &commit, e)
			ev, err := c.m.DecodeEvent(e.Type, e.Body)
			if err != nil {
				return err
			}
			return c.m.Evolve(s, subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}, ev, nil)
		})
		if err != nil {
			c.fail("%s: rev %d: %v", id, commit.Rev, err)
			return
		}
		if doc, err = subjects.ApplyPatch(doc, commit.Public.Patch); err != nil {
			c.fail("%s: rev %d: %v", id, commit.Rev, err)
			return
		}
		if state, err := subjects.CanonicalOf(s); err != nil || !bytes.Equal(doc, state) {
			c.fail("%s: rev %d: patches give %s, events %s, %v", id, commit.Rev, doc, state, err)
		}
		before = commit
	}
}

func (c *checker) event(id string, commit *subjects.Commit, e *subjects.Event) {
	c.fig.Events++
	if e.At != commit.At {
		c.fail("%s: rev %d is of %d, an event in it of %d", id, commit.Rev, commit.At, e.At)
	}
	if e.By == subjects.System {
		return // a timer
	}
	s, ok := c.by[[2]string{e.By, e.Cmd}]
	if !ok || s.To.ID != id {
		c.fail("%s: rev %d holds %s of %s, which was not sent", id, commit.Rev, e.Cmd, e.By)
		return
	}
	if at, twice := c.found[s]; twice {
		c.fig.Doubled++
		c.fail("%s: %s of %s is in revisions %d and %d", id, e.Cmd, e.By, at.rev, commit.Rev)
		return
	}
	c.found[s] = place{commit.Epoch, commit.Rev, commit.At}
	ev, err := c.m.DecodeEvent(e.Type, e.Body)
	if err != nil || ev.K != s.Body.K {
		c.fail("%s: rev %d: %s %s became %+v, %v", id, commit.Rev, s.To.Verb, e.Cmd, ev, err)
	}
	if s.Order {
		who := [2]string{id, e.By}
		if k := c.last[who]; s.Body.K <= k {
			c.fail("%s: rev %d: number %d of %s follows number %d", id, commit.Rev, s.Body.K, e.By, k)
		}
		c.last[who] = s.Body.K
	}
}

func (c *checker) sender(s *Sent) {
	c.fig.Sent++
	at, found := c.found[s]
	switch {
	case s.Queued:
		c.fig.Queued++
		if !found {
			c.fig.Missing++
			c.fail("%s %s %s of %s was queued and is not in the log", s.To.ID, s.To.Verb, s.Command, s.To.Principal)
		}
		return
	case len(s.Answers) == 0:
		c.fig.Open++
		return
	}
	first := s.Answers[0]
	for _, a := range s.Answers[1:] {
		same := a.Epoch == first.Epoch && a.Rev == first.Rev && a.At == first.At
		if s.changes() && first.Refusal == nil && !same || subjects.CodeOf(a.Err()) != subjects.CodeOf(first.Err()) {
			c.fail("%s %s of %s was answered %+v and then %+v", s.To.ID, s.Command, s.To.Principal, first, a)
		}
	}
	switch {
	case first.Refusal != nil:
		c.fig.Refused++
		if found {
			c.fail("%s %s of %s was refused (%v) and is in revision %d", s.To.ID, s.Command, s.To.Principal, first.Refusal, at.rev)
		}
	default:
		c.fig.Accepted++
		switch {
		case !s.changes():
		case !found:
			c.fig.Missing++
			c.fail("%s %s %s of %s was accepted at rev %d and is not in the log", s.To.ID, s.To.Verb, s.Command, s.To.Principal, first.Rev)
		case at != place{first.Epoch, first.Rev, first.At}:
			c.fail("%s %s of %s was answered rev %d.%d and is at rev %d.%d", s.To.ID, s.Command, s.To.Principal,
				first.Epoch, first.Rev, at.epoch, at.rev)
		}
	}
}
