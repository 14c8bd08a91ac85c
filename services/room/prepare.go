package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

// Catalog is where tracks come from; *catalog.Catalog is one.
type Catalog interface {
	// ResolveAll looks up each text and gives the outcomes in the same order. Errors
	// wrap the sentinels of package catalog, or are ctx's.
	ResolveAll(ctx context.Context, refs []string) []catalog.Result
}

// lookupWait bounds looking up the tracks of one command. It is less than whoever sent it
// waits for the answer.
const lookupWait = 6 * time.Second

// Names makes the names of rooms unique; *Claims is one.
type Names interface {
	// Claim reserves a name for a room and gives the name it got: the wanted one or,
	// where another room has it, one made of it and its creator's. The same room asking
	// again gets the same answer. An error is worth another try.
	Claim(ctx context.Context, roomID, wanted, creator string) (string, error)
}

// Prepare looks up the tracks that a command names and claims the name of a new room.
func (m *Machine) Prepare(ctx context.Context, call aggregate.Call, cmd *Command) (*Command, error) {
	out := &Command{Body: cmd.Body}
	var err error
	switch body := cmd.Body.(type) {
	case *subjects.CreateRoom:
		if out.tracks, err = m.resolve(ctx, body.Tracks); err != nil {
			return nil, err
		}
		// No name for a room that would be refused: a claim outlives it for a minute.
		if err := out.someResolved(body.Tracks); err != nil {
			return nil, err
		}
		if out.name, err = m.names.Claim(ctx, call.ID, body.Name, call.Principal); err != nil {
			return nil, fmt.Errorf("room: claim the name of %s: %w", call.ID, err)
		}
	case *subjects.SuggestTracks:
		if out.tracks, err = m.resolve(ctx, body.Tracks); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (m *Machine) resolve(ctx context.Context, refs []subjects.TrackRef) ([]catalog.Result, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	texts := make([]string, len(refs))
	for i, r := range refs {
		texts[i] = string(r)
	}
	// What takes longer is unavailable to this command, and the rest of its tracks are
	// not: the sender is still there to be told.
	look, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	out := m.tracks.ResolveAll(look, texts)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("room: look up tracks: %w", err)
	}
	if len(out) != len(refs) {
		return nil, fmt.Errorf("room: asked for %d tracks, the catalogue answered for %d", len(refs), len(out))
	}
	for i := range out {
		t := &out[i].Track
		t.Title, t.Artist = strings.ToValidUTF8(t.Title, "\uFFFD"), strings.ToValidUTF8(t.Artist, "\uFFFD")
	}
	return out, nil
}

func (c *Command) someResolved(refs []subjects.TrackRef) error {
	r := report{}
	for i, ref := range refs {
		_, refusal := c.resolved(i)
		if refusal == nil {
			return nil
		}
		r.add(ref, "", refusal)
	}
	if len(refs) == 0 {
		return nil
	}
	return r.refusal()
}

// resolved gives what the i-th named track turned out to be, or why it cannot be taken.
func (c *Command) resolved(i int) (subjects.Track, *subjects.Refusal) {
	if i >= len(c.tracks) {
		return subjects.Track{}, subjects.Refuse(subjects.CodeTrackUnavailable, "it was not looked up")
	}
	switch r := c.tracks[i]; {
	case errors.Is(r.Err, catalog.ErrUnknown):
		return subjects.Track{}, subjects.Refuse(subjects.CodeNoSuchTrack, "%s", r.Err)
	case r.Err != nil:
		return subjects.Track{}, subjects.Refuse(subjects.CodeTrackUnavailable, "%s", r.Err)
	case !subjects.TrackIDValid(r.Track.ID) || r.Track.Title == "" || r.Track.DurationMs <= 0 || r.Track.DurationMs > subjects.MaxTrackMs:
		return subjects.Track{}, subjects.Refuse(subjects.CodeTrackUnavailable, "its source does not say what it is")
	default:
		return r.Track, nil
	}
}
