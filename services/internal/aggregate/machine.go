package aggregate

import (
	"context"
	"encoding/json"

	"github.com/tuttihq/tutti/subjects"
)

// ErrUnknownEvent is what Fold.DecodeEvent wraps for a type it does not know: an event of
// a newer release. The kernel keeps such an event in the log and passes it on, but
// decides nothing on top of it.
var ErrUnknownEvent = subjects.ErrUnknownEvent

// Call is who asks for what, when, of which aggregate.
type Call struct {
	// ID is the aggregate's.
	ID   string
	Verb string
	// Principal is a user id, or subjects.System.
	Principal string
	// Command is the command's id.
	Command string
	// At is the present of the log's clock in Unix milliseconds; it never runs backwards
	// from one call to the next of the same aggregate.
	At int64
}

// System reports whether the platform itself asks: a timer, a reaction, an operator.
func (c Call) System() bool { return c.Principal == subjects.System }

// Out is an event that a decision lets happen.
type Out[E any] struct {
	Event E
	// To is the audience; nil makes the event public.
	To []string
}

// Fold is how one kind of aggregate changes: what is needed to rebuild its state from the
// log. S is the state (a pointer, changed in place by Evolve), E a decoded event.
//
// All methods are pure: no clock, no randomness, no I/O, so that a refold gives the same
// state on every machine and in every year.
type Fold[S, E any] interface {
	// Service is the service's name in subjects.
	Service() string
	// FoldVersion is raised when Evolve is corrected, so that older snapshots and
	// documents are folded anew.
	FoldVersion() uint64
	// New gives the state of an aggregate whose log is empty.
	New(id string) S
	// DecodeEvent reads an event's body; it wraps ErrUnknownEvent for an unknown type.
	DecodeEvent(typ string, body []byte) (E, error)
	// Evolve changes s by an event and marks what it touched in the public document. It
	// never refuses: an error means that the log cannot be folded by this release.
	Evolve(s S, meta subjects.Meta, e E, m *subjects.Marks) error
	// DecodeState reads a snapshot's state, public and private.
	DecodeState(id string, data []byte) (S, error)
}

// Eraser is what a Fold is besides if some of its events take away what must not be kept. The
// commit that holds one is followed by a snapshot at once, in place of the one before, which
// still holds what is gone; so does loading an aggregate whose log holds one since its
// snapshot. A snapshot that could not be stored is made again with the next commit.
type Eraser interface {
	// Erases reports whether events of a type take something away.
	Erases(eventType string) bool
}

// erases reports whether an event takes away what must not be kept.
func erases(fold any, eventType string) bool {
	e, ok := fold.(Eraser)
	return ok && e.Erases(eventType)
}

// Machine is what a service gives the kernel: how one kind of aggregate decides and
// changes. C is a decoded command. All methods but Prepare are pure.
type Machine[S, C, E any] interface {
	Fold[S, E]

	// DecodeCommand reads and validates a body. Errors are *subjects.Refusal.
	DecodeCommand(verb string, body []byte) (C, error)
	// Wake gives the command that a due timer stands for; the kernel sends it as
	// subjects.System.
	Wake() C
	// Admit looks at a command before Prepare: it refuses early what Decide would refuse
	// anyhow, and says whether Prepare must run. Decide decides again afterwards.
	Admit(s S, call Call, cmd C) (prepare bool, err error)
	// Prepare does what a decision needs from outside: it asks a catalogue, claims a
	// name. It runs beside the aggregate, which goes on with others' commands meanwhile
	// (not with the same principal's). It may run more than once for a command.
	// A *subjects.Refusal refuses the command; any other error is answered as
	// unavailable and tried again.
	Prepare(ctx context.Context, call Call, cmd C) (C, error)
	// Decide gives the events that the command lets happen, or a *subjects.Refusal. No
	// events and no error means: accepted, nothing to do. It does not change s.
	Decide(s S, call Call, cmd C) ([]Out[E], error)

	// EventType names an event in the log.
	EventType(e E) string
	// Patch builds the merge patch of the public document from the marks.
	Patch(s S, m *subjects.Marks) (json.RawMessage, error)
	// NextTimer is when the aggregate next wants to be woken, in Unix milliseconds; ok is
	// false if never.
	NextTimer(s S) (at int64, ok bool)
	// EncodeState writes a snapshot's state, public and private.
	EncodeState(s S) ([]byte, error)
}
