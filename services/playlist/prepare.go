package playlist

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

// Prepare looks up the tracks that a command names, and whether somebody who may only come in
// as a follower is one.
func (m *Machine) Prepare(ctx context.Context, call aggregate.Call, cmd *Command) (*Command, error) {
	if cmd.host != "" {
		follows, err := m.follows.Follows(ctx, call.Principal, cmd.host)
		if err != nil {
			return nil, fmt.Errorf("playlist: whether the sender follows the creator: %w", err)
		}
		return &Command{Body: cmd.Body, follows: follows}, nil
	}
	var refs []subjects.TrackRef
	switch body := cmd.Body.(type) {
	case *subjects.CreatePlaylist:
		refs = body.Tracks
	case *subjects.AddTracks:
		refs = body.Tracks
	}
	out := &Command{Body: cmd.Body}
	if len(refs) == 0 {
		return out, nil
	}
	texts := make([]string, len(refs))
	for i, r := range refs {
		texts[i] = string(r)
	}
	// What takes longer is unavailable to this command, and the rest of its tracks are
	// not: the sender is still there to be told.
	look, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	out.tracks = m.tracks.ResolveAll(look, texts)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("playlist: look up tracks: %w", err)
	}
	if len(out.tracks) != len(refs) {
		return nil, fmt.Errorf("playlist: asked for %d tracks, the catalogue answered for %d", len(refs), len(out.tracks))
	}
	for i := range out.tracks {
		t := &out.tracks[i].Track
		t.Title, t.Artist = strings.ToValidUTF8(t.Title, "\uFFFD"), strings.ToValidUTF8(t.Artist, "\uFFFD")
	}
	return out, nil
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
