package aggregatetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Tally is an aggregate that adds numbers up. In every body, k is the sender's own count
// of its commands, which the event repeats.
//
//	add  {n, k}     adds n if the total stays within Limit, else refused as full
//	take {n, k}     takes n away if the total is as large, else refused as conflict
//	hush {n, k}     as add, with an event that only its sender may see
//	slow {n, k}     as add, after a preparation
//	note {text, k}  has an event as large as the text
//	ring {at, k}    has the aggregate ring at a time
//	idle {}         is accepted and does nothing
//	boom {where}    panics there: decode, admit, prepare, decide, evolve or patch
type Tally struct {
	Name  string
	Limit int64
	// Version is the fold's; 0 counts as 1.
	Version uint64
	// Knows tells which event types this release knows; nil means all.
	Knows func(typ string) bool
	// OnPrepare runs in Prepare; nil does nothing.
	OnPrepare func(ctx context.Context, call aggregate.Call) error
	// OnDecide runs in Decide, and refuses with its error; nil does nothing.
	OnDecide func(s *TallyState, call aggregate.Call) error
	// Slow says which commands are prepared; nil means those with the verb slow.
	Slow func(s *TallyState, call aggregate.Call) bool
}

const (
	eventAdded       = "tally.added"
	eventTaken       = "tally.taken"
	eventNoted       = "tally.noted"
	eventSet         = "tally.set"
	eventRung        = "tally.rung"
	eventUnfoldable  = "tally.unfoldable"
	eventUnpatchable = "tally.unpatchable"
)

// TallyState is the state of a Tally; all of it is public.
type TallyState struct {
	ID    string `json:"id"`
	Total int64  `json:"total"`
	Count int64  `json:"count"`
	// RingAt is when to ring next, 0 for never; Rings lists when it has.
	RingAt int64   `json:"ringAt"`
	Rings  []int64 `json:"rings"`

	unpatchable bool
}

// TallyCommand is a decoded command.
type TallyCommand struct {
	verb string
	N    int64 `json:"n"`
	K    int64 `json:"k"`
	At   int64 `json:"at"`

	Text  string `json:"text"`
	Where string `json:"where"`
}

// TallyEvent is a decoded event.
type TallyEvent struct {
	typ string
	N   int64 `json:"n,omitempty"`
	K   int64 `json:"k,omitempty"`
	At  int64 `json:"at,omitempty"`

	Text string `json:"text,omitempty"`
}

// Service implements aggregate.Fold.
func (t Tally) Service() string { return t.Name }

// FoldVersion implements aggregate.Fold.
func (t Tally) FoldVersion() uint64 { return max(t.Version, 1) }

// New implements aggregate.Fold.
func (t Tally) New(id string) *TallyState { return &TallyState{ID: id, Rings: []int64{}} }

// DecodeEvent implements aggregate.Fold.
func (t Tally) DecodeEvent(typ string, body []byte) (TallyEvent, error) {
	switch typ {
	case eventAdded, eventTaken, eventNoted, eventSet, eventRung, eventUnfoldable, eventUnpatchable:
		if t.Knows != nil && !t.Knows(typ) {
			break
		}
		e := TallyEvent{typ: typ}
		err := json.Unmarshal(body, &e)
		return e, err
	}
	return TallyEvent{}, fmt.Errorf("%w: %q", aggregate.ErrUnknownEvent, typ)
}

// Evolve implements aggregate.Fold.
func (t Tally) Evolve(s *TallyState, _ subjects.Meta, e TallyEvent, m *subjects.Marks) error {
	switch e.typ {
	case eventAdded, eventTaken:
		s.Total += e.N
		s.Count++
		m.Mark("total")
		m.Mark("count")
	case eventNoted:
		s.Count++
		m.Mark("count")
	case eventUnfoldable:
		panic("boom")
	case eventUnpatchable:
		s.unpatchable = true
		m.Mark("total")
	case eventSet:
		s.RingAt = e.At
		m.Mark("ringAt")
	case eventRung:
		s.RingAt = 0
		s.Rings = append(s.Rings, e.At)
		m.Mark("ringAt")
		m.Mark("rings")
	default:
		return errors.New("no such event")
	}
	return nil
}

// DecodeState implements aggregate.Fold.
func (t Tally) DecodeState(_ string, data []byte) (*TallyState, error) {
	s := &TallyState{}
	err := json.Unmarshal(data, s)
	return s, err
}

// EncodeState implements aggregate.Machine.
func (t Tally) EncodeState(s *TallyState) ([]byte, error) { return json.Marshal(s) }

// DecodeCommand implements aggregate.Machine.
func (t Tally) DecodeCommand(verb string, body []byte) (TallyCommand, error) {
	c := TallyCommand{verb: verb}
	switch verb {
	case "add", "take", "hush", "slow", "note", "ring", "idle", "boom":
		if err := subjects.DecodeBody(body, &c); err != nil {
			return c, err
		}
		if c.N < 0 {
			return c, subjects.RefuseField("n", "n is at least 0")
		}
		if c.Where == "decode" {
			panic("boom")
		}
		return c, nil
	}
	return c, subjects.Refuse(subjects.CodeUnknownVerb, "a tally has no command %q", verb)
}

// Wake implements aggregate.Machine.
func (t Tally) Wake() TallyCommand { return TallyCommand{verb: subjects.VerbWake} }

// Admit implements aggregate.Machine.
func (t Tally) Admit(s *TallyState, call aggregate.Call, c TallyCommand) (bool, error) {
	if c.Where == "admit" {
		panic("boom")
	}
	if t.Slow != nil {
		return t.Slow(s, call), nil
	}
	return c.verb == "slow" || c.Where == "prepare", nil
}

// Prepare implements aggregate.Machine.
func (t Tally) Prepare(ctx context.Context, call aggregate.Call, c TallyCommand) (TallyCommand, error) {
	if c.Where == "prepare" {
		panic("boom")
	}
	if t.OnPrepare == nil {
		return c, nil
	}
	return c, t.OnPrepare(ctx, call)
}

// Decide implements aggregate.Machine.
func (t Tally) Decide(s *TallyState, call aggregate.Call, c TallyCommand) ([]aggregate.Out[TallyEvent], error) {
	one := func(e TallyEvent) ([]aggregate.Out[TallyEvent], error) {
		return []aggregate.Out[TallyEvent]{{Event: e}}, nil
	}
	if t.OnDecide != nil {
		if err := t.OnDecide(s, call); err != nil {
			return nil, err
		}
	}
	switch c.verb {
	case "add", "slow", "hush":
		if t.Limit > 0 && s.Total+c.N > t.Limit {
			return nil, subjects.Refuse(subjects.CodeFull, "the tally is at %d of %d", s.Total, t.Limit)
		}
		out := aggregate.Out[TallyEvent]{Event: TallyEvent{typ: eventAdded, N: c.N, K: c.K}}
		if c.verb == "hush" {
			out.To = []string{call.Principal}
		}
		return []aggregate.Out[TallyEvent]{out}, nil
	case "take":
		if s.Total < c.N {
			return nil, subjects.Refuse(subjects.CodeConflict, "the tally is at %d", s.Total)
		}
		return one(TallyEvent{typ: eventTaken, N: -c.N, K: c.K})
	case "note":
		return one(TallyEvent{typ: eventNoted, K: c.K, Text: c.Text})
	case "ring":
		return one(TallyEvent{typ: eventSet, At: c.At, K: c.K})
	case subjects.VerbWake:
		if s.RingAt == 0 || s.RingAt > call.At {
			return nil, nil
		}
		return one(TallyEvent{typ: eventRung, At: call.At})
	case "boom":
		switch c.Where {
		case "evolve":
			return one(TallyEvent{typ: eventUnfoldable})
		case "patch":
			return one(TallyEvent{typ: eventUnpatchable})
		}
		panic("boom")
	}
	return nil, nil
}

// EventType implements aggregate.Machine.
func (t Tally) EventType(e TallyEvent) string { return e.typ }

// Patch implements aggregate.Machine.
func (t Tally) Patch(s *TallyState, m *subjects.Marks) (json.RawMessage, error) {
	if s.unpatchable {
		panic("boom")
	}
	return m.Patch(func(path []string) (any, bool) {
		switch path[0] {
		case "total":
			return s.Total, true
		case "count":
			return s.Count, true
		case "ringAt":
			return s.RingAt, true
		}
		return s.Rings, true
	})
}

// NextTimer implements aggregate.Machine.
func (t Tally) NextTimer(s *TallyState) (int64, bool) { return s.RingAt, s.RingAt != 0 }
