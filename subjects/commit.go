package subjects

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ErrBadCommit is returned for bytes that are not a commit.
var ErrBadCommit = errors.New("subjects: not a commit")

// ErrUnknownEvent is wrapped by what decodes events, for a type that this release does
// not know.
var ErrUnknownEvent = errors.New("subjects: unknown event type")

// Event is one thing that happened, as it stands in a commit.
type Event struct {
	// Type names the event's kind, "<noun>.<past participle>".
	Type string `json:"type"`
	// By is the principal whose command caused it.
	By string `json:"by"`
	// At is when it was decided, by the log's clock; it never runs backwards in a log.
	At int64 `json:"at"`
	// Cmd is the id of the command that caused it.
	Cmd string `json:"cmd"`
	// Body's shape follows from Type.
	Body json.RawMessage `json:"body"`
}

// Sealed is an event that reaches its audience only.
type Sealed struct {
	// To lists user ids. AudienceService alone means that nobody outside the platform
	// sees it.
	To []string `json:"to"`
	Event
}

// AudienceService is the audience of facts that only services and edges read.
const AudienceService = "service"

// Public is the part of a commit that everyone who sees the aggregate receives.
type Public struct {
	Events []Event `json:"events"`
	// Patch is an RFC 7396 merge patch from the public document at the previous
	// revision to the one at this revision.
	Patch json.RawMessage `json:"patch"`
}

// Commit is one message of an EVENTS stream: the events of one command, or of several
// that were decided together, in order.
type Commit struct {
	// Epoch counts how often the log lost its tail (a restore, a power cut). Revisions
	// of different epochs must not be compared.
	Epoch uint64 `json:"epoch"`
	// Rev counts the commits of the aggregate, from 1, without a gap.
	Rev    uint64   `json:"rev"`
	At     int64    `json:"at"`
	Public Public   `json:"public"`
	Sealed []Sealed `json:"sealed,omitempty"`
	// Order tells how public and sealed events were interleaved: for each event in the
	// order decided, 'p' or 's'. Empty means all public events first, then the sealed.
	Order string `json:"order,omitempty"`
}

// AppendCommit encodes a commit onto buf. The public part stands in one piece, so that
// PublicPart can hand it on without decoding it.
func AppendCommit(buf []byte, c *Commit) ([]byte, error) {
	buf = append(buf, `{"epoch":`...)
	buf = strconv.AppendUint(buf, c.Epoch, 10)
	buf = append(buf, `,"rev":`...)
	buf = strconv.AppendUint(buf, c.Rev, 10)
	buf = append(buf, `,"at":`...)
	buf = strconv.AppendInt(buf, c.At, 10)
	buf = append(buf, `,"public":{"events":[`...)
	for i := range c.Public.Events {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendEvent(append(buf, '{'), &c.Public.Events[i])
	}
	buf = append(buf, `],"patch":`...)
	if len(c.Public.Patch) == 0 {
		buf = append(buf, '{', '}')
	} else {
		buf = append(buf, c.Public.Patch...)
	}
	buf = append(buf, '}')
	if len(c.Sealed) > 0 {
		buf = append(buf, `,"sealed":[`...)
		for i := range c.Sealed {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = append(buf, `{"to":`...)
			to, err := json.Marshal(c.Sealed[i].To)
			if err != nil {
				return nil, err
			}
			buf = append(append(buf, to...), ',')
			buf = appendEvent(buf, &c.Sealed[i].Event)
		}
		buf = append(buf, ']')
	}
	if c.Order != "" {
		buf = append(append(append(buf, `,"order":"`...), c.Order...), '"')
	}
	return append(buf, '}'), nil
}

// appendEvent writes an event's fields and the closing brace. Types, principals and
// command ids are checked tokens, so they need no escaping.
func appendEvent(buf []byte, e *Event) []byte {
	buf = append(append(append(buf, `"type":"`...), e.Type...), `","by":"`...)
	buf = append(append(append(buf, e.By...), `","at":`...), strconv.FormatInt(e.At, 10)...)
	buf = append(append(append(buf, `,"cmd":"`...), e.Cmd...), `","body":`...)
	if len(e.Body) == 0 {
		buf = append(buf, '{', '}')
	} else {
		buf = append(buf, e.Body...)
	}
	return append(buf, '}')
}

// DecodeCommit reads what AppendCommit wrote. It returns an error that wraps
// ErrBadCommit for anything else.
func DecodeCommit(data []byte) (Commit, error) {
	c, ok := scanCommit(data)
	if !ok {
		c = Commit{}
		if err := json.Unmarshal(data, &c); err != nil {
			return Commit{}, fmt.Errorf("%w: %w", ErrBadCommit, err)
		}
	}
	if c.Rev == 0 {
		return Commit{}, fmt.Errorf("%w: no rev", ErrBadCommit)
	}
	if p := c.Public.Patch; len(p) > 0 && p[0] != '{' {
		return Commit{}, fmt.Errorf("%w: the patch is not an object", ErrBadCommit)
	}
	for i := range c.Public.Events {
		if !c.Public.Events[i].plain() {
			return Commit{}, fmt.Errorf("%w: public event %d", ErrBadCommit, i)
		}
	}
	for i := range c.Sealed {
		// An audience of nobody would read as "public" to whoever looks at To alone.
		if !c.Sealed[i].plain() || len(c.Sealed[i].To) == 0 {
			return Commit{}, fmt.Errorf("%w: sealed event %d", ErrBadCommit, i)
		}
	}
	return c, nil
}

// plain reports whether the event's names may stand in JSON as they are.
func (e *Event) plain() bool {
	for _, s := range [...]string{e.Type, e.By, e.Cmd} {
		for i := range len(s) {
			if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
				return false
			}
		}
	}
	return true
}

// Each calls f for every event in the order it was decided; to is nil for a public one.
// It stops at the first error and returns it.
func (c *Commit) Each(f func(e *Event, to []string) error) error {
	p, s := 0, 0
	for i := range len(c.Order) {
		var err error
		switch {
		case c.Order[i] == 'p' && p < len(c.Public.Events):
			err = f(&c.Public.Events[p], nil)
			p++
		case c.Order[i] == 's' && s < len(c.Sealed):
			err = f(&c.Sealed[s].Event, c.Sealed[s].To)
			s++
		default:
			return fmt.Errorf("%w: order %q does not fit its events", ErrBadCommit, c.Order)
		}
		if err != nil {
			return err
		}
	}
	for ; p < len(c.Public.Events); p++ {
		if err := f(&c.Public.Events[p], nil); err != nil {
			return err
		}
	}
	for ; s < len(c.Sealed); s++ {
		if err := f(&c.Sealed[s].Event, c.Sealed[s].To); err != nil {
			return err
		}
	}
	return nil
}

// Meta is what an event's fold may know beside its body.
type Meta struct {
	By  string
	Cmd string
	At  int64
	// To is nil for a public event.
	To []string
}
