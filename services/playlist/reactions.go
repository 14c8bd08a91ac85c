package playlist

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/export"
	"github.com/tuttihq/tutti/subjects"
)

// exports opens the rooms that playlists are exported to: a command that creates the room
// with the first tracks, and one that suggests them for each further
// subjects.MaxTracksPerCommand, all in the exporter's name. They are carried out one after
// the other, each once, since one sender's commands to one room are, and their ids follow
// from the event. Of each that the room's owner refuses for good the playlist is told, and
// tells the exporter.
func exports() aggregate.Reaction {
	return aggregate.Reaction{
		Service: subjects.ServicePlaylist, Name: "playlist-exports",
		React: func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			if c.Event.Type != subjects.EventPlaylistExported {
				return nil, nil
			}
			var e subjects.PlaylistExported
			if err := json.Unmarshal(c.Event.Body, &e); err != nil {
				return nil, fmt.Errorf("playlist: %s: %w", c.Event.Type, err)
			}
			return export.Commands(export.Target{
				Service: subjects.ServiceRoom, ID: e.Room, User: e.User,
				Create: func(first []subjects.TrackRef) any { create := e.Create; create.Tracks = first; return create },
				Verb:   subjects.VerbSuggest,
				More:   func(some []subjects.TrackRef) any { return subjects.SuggestTracks{Tracks: some} },
			}, e.Tracks)
		},
	}
}
