package playlist

import (
	"encoding/json"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

// foldVersion is raised when a fold in package subjects is corrected. The chat service, which
// reads snapshots of playlists, has it too.
const foldVersion = 2

// Command is a command as it is decided: its body, and what Prepare added.
type Command struct {
	Body subjects.PlaylistCommand

	tracks []catalog.Result // for each track that the body names, in its order

	// host is set where Admit wants to know whether the sender follows them; follows is the
	// answer.
	host    string
	follows bool
}

// Out is an event that a decision lets happen.
type Out = aggregate.Out[subjects.PlaylistEvent]

// Fold is how a playlist's state follows from its log. It needs nothing from outside; edges
// and projections fold playlists with it.
type Fold struct{}

// Machine decides for playlists. Make it with New.
type Machine struct {
	Fold

	tracks  Catalog
	follows Follows
}

var (
	_ aggregate.Fold[*subjects.PlaylistState, subjects.PlaylistEvent]              = Fold{}
	_ aggregate.Machine[*subjects.PlaylistState, *Command, subjects.PlaylistEvent] = (*Machine)(nil)
)

// New gives a machine that looks tracks up in a catalogue and asks who follows whom. Both may
// be nil for a machine that never prepares: one that checks a log, for example.
func New(tracks Catalog, follows Follows) *Machine {
	return &Machine{tracks: tracks, follows: follows}
}

// Service is subjects.ServicePlaylist.
func (Fold) Service() string { return subjects.ServicePlaylist }

// FoldVersion is raised when the fold is corrected.
func (Fold) FoldVersion() uint64 { return foldVersion }

// New gives the state of a playlist whose log is empty.
func (Fold) New(id string) *subjects.PlaylistState { return subjects.NewPlaylistState(id) }

// DecodeEvent reads an event's body.
func (Fold) DecodeEvent(typ string, body []byte) (subjects.PlaylistEvent, error) {
	return subjects.DecodePlaylistEvent(typ, body)
}

// Evolve changes s by an event.
func (Fold) Evolve(s *subjects.PlaylistState, meta subjects.Meta, e subjects.PlaylistEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

// DecodeState reads a snapshot's state.
func (Fold) DecodeState(id string, data []byte) (*subjects.PlaylistState, error) {
	return subjects.DecodePlaylistState(id, data)
}

// DecodeCommand reads and validates a body.
func (*Machine) DecodeCommand(verb string, body []byte) (*Command, error) {
	c, err := subjects.DecodePlaylistCommand(verb, body)
	if err != nil {
		return nil, err
	}
	return &Command{Body: c}, nil
}

// Wake is the command of a due timer; a playlist sets none.
func (*Machine) Wake() *Command { return &Command{Body: &subjects.Wake{}} }

// NextTimer is never.
func (*Machine) NextTimer(*subjects.PlaylistState) (int64, bool) { return 0, false }

// EventType names an event in the log.
func (*Machine) EventType(e subjects.PlaylistEvent) string { return e.EventType() }

// Patch builds the merge patch of the playlist's document.
func (*Machine) Patch(s *subjects.PlaylistState, m *subjects.Marks) (json.RawMessage, error) {
	return m.Patch(s.Playlist.PatchValue)
}

// EncodeState writes a snapshot's state.
func (*Machine) EncodeState(s *subjects.PlaylistState) ([]byte, error) {
	return subjects.EncodePlaylistState(s)
}
