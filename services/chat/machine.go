package chat

import (
	"encoding/json"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// foldVersion is raised when a fold in package subjects, or the archive's, is corrected.
const foldVersion = 1

// Command is a command as it is decided: its body, and what Prepare added.
type Command struct {
	Body subjects.ChatCommand

	// prepared says that Prepare ran; found is the message that it found in the history,
	// nil if there is none with the id.
	prepared bool
	found    *subjects.ChatEntry
}

// Out is an event that a decision lets happen.
type Out = aggregate.Out[subjects.ChatEvent]

// Fold is how a chat's state follows from its log. It needs nothing from outside.
type Fold struct{}

// Machine decides for chats. Make it with New.
type Machine struct {
	Fold

	past  Past
	rooms Rooms
}

var (
	_ aggregate.Eraser                                                     = Fold{}
	_ aggregate.Fold[*subjects.ChatState, subjects.ChatEvent]              = Fold{}
	_ aggregate.Machine[*subjects.ChatState, *Command, subjects.ChatEvent] = (*Machine)(nil)
)

// New gives a machine that looks old messages up and waits for news of rooms. Both may be
// nil for a machine that never prepares: one that checks a log, for example.
func New(past Past, rooms Rooms) *Machine { return &Machine{past: past, rooms: rooms} }

// Service is subjects.ServiceChat.
func (Fold) Service() string { return subjects.ServiceChat }

// FoldVersion is raised when the fold is corrected.
func (Fold) FoldVersion() uint64 { return foldVersion }

// New gives the state of a chat whose log is empty.
func (Fold) New(id string) *subjects.ChatState { return subjects.NewChatState(id) }

// DecodeEvent reads an event's body.
func (Fold) DecodeEvent(typ string, body []byte) (subjects.ChatEvent, error) {
	return subjects.DecodeChatEvent(typ, body)
}

// Evolve changes s by an event.
func (Fold) Evolve(s *subjects.ChatState, meta subjects.Meta, e subjects.ChatEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

// DecodeState reads a snapshot's state.
func (Fold) DecodeState(id string, data []byte) (*subjects.ChatState, error) {
	return subjects.DecodeChatState(id, data)
}

// Erases is true of a deletion: the snapshot with the text is replaced at once.
func (Fold) Erases(eventType string) bool { return eventType == subjects.EventMessageDeleted }

// DecodeCommand reads and validates a body.
func (*Machine) DecodeCommand(verb string, body []byte) (*Command, error) {
	c, err := subjects.DecodeChatCommand(verb, body)
	if err != nil {
		return nil, err
	}
	return &Command{Body: c}, nil
}

// Wake is no command of a chat: it has no timers.
func (*Machine) Wake() *Command { return &Command{} }

// EventType names an event in the log.
func (*Machine) EventType(e subjects.ChatEvent) string { return e.EventType() }

// Patch builds the merge patch of the chat's document.
func (*Machine) Patch(s *subjects.ChatState, m *subjects.Marks) (json.RawMessage, error) {
	return m.Patch(s.Chat.PatchValue)
}

// NextTimer is never: nothing follows from time alone.
func (*Machine) NextTimer(*subjects.ChatState) (int64, bool) { return 0, false }

// EncodeState writes a snapshot's state.
func (*Machine) EncodeState(s *subjects.ChatState) ([]byte, error) {
	return subjects.EncodeChatState(s)
}
