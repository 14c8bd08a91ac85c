package aggregatetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Tally is an aggregate that adds numbers up.
//
//	add  {n, k}    adds n if the total stays within Limit, else refused as full; k is
//	               the sender's own count of its commands
//	slow {n, k}    the same, after a preparation
//	ring {at}      has the aggregate ring at a time
//	idle {}        is accepted and does nothing
//	boom {}        panics while it is decided
type Tally struct {
	Name  string
	Limit int64
	// OnPrepare runs in Prepare; nil does nothing.
	OnPrepare func(ctx context.Context, call aggregate.Call) error
}

// TallyState is the state of a Tally; all of it is public.
type TallyState struct {
	ID    string `json:"id"`
	Total int64  `json:"total"`
	Count int64  `json:"count"`
	// RingAt is when to ring next, 0 for never; Rings lists when it has.
	RingAt int64   `json:"ringAt"`
	Rings  []int64 `json:"rings"`
}

// TallyCommand is a decoded command.
type TallyCommand struct {
	verb string
	N    int64 `json:"n"`
	K    int64 `json:"k"`
	At   int64 `json:"at"`
}

// TallyEvent is a decoded event.
type TallyEvent struct {
	typ string
	N   int64 `json:"n,omitempty"`
	K   int64 `json:"k,omitempty"`
	At  int64 `json:"at,omitempty"`
}

// Service implements aggregate.Fold.
func (t Tally) Service() string { return t.Name }

// FoldVersion implements aggregate.Fold.
func (t Tally) FoldVersion() uint64 { return 1 }

// New implements aggregate.Fold.
func (t Tally) New(id string) *TallyState { return &TallyState{ID: id, Rings: []int64{}} }

// DecodeEvent implements aggregate.Fold.
func (t Tally) DecodeEvent(typ string, body []byte) (TallyEvent, error) {
	switch typ {
	case "tally.added", "tally.set", "tally.rung":
		e := TallyEvent{typ: typ}
		return e, json.Unmarshal(body, &e)
	}
	return TallyEvent{}, fmt.Errorf("%w: %q", aggregate.ErrUnknownEvent, typ)
}

// Evolve implements aggregate.Fold.
func (t Tally) Evolve(s *TallyState, _ subjects.Meta, e TallyEvent, m *subjects.Marks) error {
	switch e.typ {
	case "tally.added":
		s.Total += e.N
		s.Count++
		m.Mark("total")
		m.Mark("count")
	case "tally.set":
		s.RingAt = e.At
		m.Mark("ringAt")
	case "tally.rung":
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
	return s, json.Unmarshal(data, s)
}

// EncodeState implements aggregate.Machine.
func (t Tally) EncodeState(s *TallyState) ([]byte, error) { return json.Marshal(s) }

// DecodeCommand implements aggregate.Machine.
func (t Tally) DecodeCommand(verb string, body []byte) (TallyCommand, error) {
	c := TallyCommand{verb: verb}
	switch verb {
	case "add", "slow", "ring", "idle", "boom":
		if err := subjects.DecodeBody(body, &c); err != nil {
			return c, err
		}
		if c.N < 0 {
			return c, subjects.RefuseField("n", "n is at least 0")
		}
		return c, nil
	}
	return c, subjects.Refuse(subjects.CodeUnknownVerb, "a tally has no command %q", verb)
}

// Wake implements aggregate.Machine.
func (t Tally) Wake() TallyCommand { return TallyCommand{verb: subjects.VerbWake} }

// Admit implements aggregate.Machine.
func (t Tally) Admit(_ *TallyState, _ aggregate.Call, c TallyCommand) (bool, error) {
	return c.verb == "slow", nil
}

// Prepare implements aggregate.Machine.
func (t Tally) Prepare(ctx context.Context, call aggregate.Call, c TallyCommand) (TallyCommand, error) {
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
	switch c.verb {
	case "add", "slow":
		if t.Limit > 0 && s.Total+c.N > t.Limit {
			return nil, subjects.Refuse(subjects.CodeFull, "the tally is at %d of %d", s.Total, t.Limit)
		}
		return one(TallyEvent{typ: "tally.added", N: c.N, K: c.K})
	case "ring":
		return one(TallyEvent{typ: "tally.set", At: c.At})
	case subjects.VerbWake:
		if s.RingAt == 0 || s.RingAt > call.At {
			return nil, nil
		}
		return one(TallyEvent{typ: "tally.rung", At: call.At})
	case "boom":
		panic("boom")
	}
	return nil, nil
}

// EventType implements aggregate.Machine.
func (t Tally) EventType(e TallyEvent) string { return e.typ }

// Patch implements aggregate.Machine.
func (t Tally) Patch(s *TallyState, m *subjects.Marks) (json.RawMessage, error) {
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
