package room

import (
	"encoding/json"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

// foldVersion is raised when a fold in package subjects is corrected.
const foldVersion = 3

// Command is a command as it is decided: its body, and what Prepare added.
type Command struct {
	Body subjects.RoomCommand

	name   string           // the name that was claimed for a new room
	tracks []catalog.Result // for each track that the body names, in its order
}

// Out is an event that a decision lets happen.
type Out = aggregate.Out[subjects.RoomEvent]

// Fold is how a room's state follows from its log. It needs nothing from outside; edges
// and projections fold rooms with it.
type Fold struct{}

// Machine decides for rooms. Make it with New.
type Machine struct {
	Fold

	tracks Catalog
	names  Names
}

var (
	_ aggregate.Fold[*subjects.RoomState, subjects.RoomEvent]              = Fold{}
	_ aggregate.Machine[*subjects.RoomState, *Command, subjects.RoomEvent] = (*Machine)(nil)
)

// New gives a machine that looks tracks up in a catalogue and claims names. Both may be
// nil for a machine that never prepares: one that checks a log, for example.
func New(tracks Catalog, names Names) *Machine { return &Machine{tracks: tracks, names: names} }

// Service is subjects.ServiceRoom.
func (Fold) Service() string { return subjects.ServiceRoom }

// FoldVersion is raised when the fold is corrected.
func (Fold) FoldVersion() uint64 { return foldVersion }

// New gives the state of a room whose log is empty.
func (Fold) New(id string) *subjects.RoomState { return subjects.NewRoomState(id) }

// DecodeEvent reads an event's body.
func (Fold) DecodeEvent(typ string, body []byte) (subjects.RoomEvent, error) {
	return subjects.DecodeRoomEvent(typ, body)
}

// Evolve changes s by an event.
func (Fold) Evolve(s *subjects.RoomState, meta subjects.Meta, e subjects.RoomEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

// DecodeState reads a snapshot's state.
func (Fold) DecodeState(id string, data []byte) (*subjects.RoomState, error) {
	return subjects.DecodeRoomState(id, data)
}

// DecodeCommand reads and validates a body.
func (*Machine) DecodeCommand(verb string, body []byte) (*Command, error) {
	c, err := subjects.DecodeRoomCommand(verb, body)
	if err != nil {
		return nil, err
	}
	return &Command{Body: c}, nil
}

// Wake is the command of a due timer.
func (*Machine) Wake() *Command { return &Command{Body: &subjects.Wake{}} }

// EventType names an event in the log.
func (*Machine) EventType(e subjects.RoomEvent) string { return e.EventType() }

// Patch builds the merge patch of the room's document.
func (*Machine) Patch(s *subjects.RoomState, m *subjects.Marks) (json.RawMessage, error) {
	return m.Patch(s.Room.PatchValue)
}

// EncodeState writes a snapshot's state.
func (*Machine) EncodeState(s *subjects.RoomState) ([]byte, error) {
	return subjects.EncodeRoomState(s)
}
