package fault

import (
	"fmt"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// mostOps bounds a history. A trial sends a few thousand commands.
const mostOps = 50_000

// thing names a room, a playlist or a chat.
type thing struct{ service, id string }

func (t thing) String() string { return t.service + " " + t.id }

// outcome is what a sender knows of a command.
type outcome int

const (
	unknown  outcome = iota // no final answer came: it may have taken effect, or may yet
	accepted                // it was acknowledged
	refused                 // it was refused for good
)

func (o outcome) String() string { return [...]string{"unknown", "accepted", "refused"}[o] }

// op is one command, from its first sending to its final answer.
type op struct {
	client int
	user   string
	at     thing
	verb   string
	// track, from and to are what the verb takes, as far as a model looks at it.
	track    string
	from, to int
	// deck says that the room is one that plays.
	deck bool
	// silent says that it may be accepted and change nothing, and so leave no trace.
	silent bool

	cmd        string // the command's id
	sent, done time.Time
	outcome    outcome
	code       subjects.Code // of the refusal
	why        string        // of unknown
	epoch, rev uint64        // that the answer names
}

func (o *op) String() string {
	s := fmt.Sprintf("client %d: %s %s on %s: %s", o.client, o.verb, o.cmd, o.at, o.outcome)
	switch o.outcome {
	case refused:
		s += fmt.Sprintf(" (%s) at %d.%d", o.code, o.epoch, o.rev)
	case accepted:
		s += fmt.Sprintf(" at %d.%d", o.epoch, o.rev)
	}
	return s
}

// history is what clients did and heard. It is safe for use by many goroutines.
type history struct {
	mu     sync.Mutex
	ops    []*op
	sights []sight
	faults []string // what no client should meet
}

// sight is a revision that a client was shown.
type sight struct {
	client     int
	of         thing
	epoch, rev uint64
	at         time.Time
}

// mostFaults bounds the faults that are kept; the first are the telling ones.
const mostFaults = 20

// add notes a command; false once the history is full.
func (h *history) add(o *op) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ops) >= mostOps {
		return false
	}
	h.ops = append(h.ops, o)
	return true
}

// saw notes a revision that a client was shown. Past the bound it is dropped: sights are
// measured, not judged.
func (h *history) saw(s sight) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sights) < 8*mostOps {
		h.sights = append(h.sights, s)
	}
}

func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) < mostFaults {
		h.faults = append(h.faults, fmt.Sprintf(format, args...))
	}
}

// all gives what was noted so far.
func (h *history) all() (ops []*op, sights []sight, faults []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*op(nil), h.ops...), append([]sight(nil), h.sights...), append([]string(nil), h.faults...)
}

// pauses are how long clients waited.
type pauses struct {
	command  time.Duration // from a command's first sending to its final answer, the longest
	slowest  *op           // which that was
	delivery time.Duration // from an answer to when every follower had seen its revision, the longest
}

// measure gives the pauses of what was under way at or after a moment. A command without an
// answer has waited until its sender gave up.
func measure(ops []*op, sights []sight, since time.Time) pauses {
	var p pauses
	first := map[sightKey][]sight{}
	for _, s := range sights {
		k := sightKey{s.client, s.of}
		first[k] = append(first[k], s)
	}
	for _, o := range ops {
		if o.done.Before(since) {
			continue
		}
		if d := o.done.Sub(o.sent); d > p.command {
			p.command, p.slowest = d, o
		}
		if o.outcome != accepted || o.silent {
			continue
		}
		for k, seen := range first {
			if k.of != o.at {
				continue
			}
			// Sights come in order; the first at or past the revision shows the command.
			for _, s := range seen {
				if s.epoch > o.epoch || s.epoch == o.epoch && s.rev >= o.rev {
					p.delivery = max(p.delivery, s.at.Sub(o.done))
					break
				}
			}
		}
	}
	return p
}

type sightKey struct {
	client int
	of     thing
}
