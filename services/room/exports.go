package room

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/export"
	"github.com/tuttihq/tutti/subjects"
)

// exports begins the playlists that rooms' histories are exported to: a command that creates
// the playlist with the first tracks, and one that adds them for each further
// subjects.MaxTracksPerCommand, all in the exporter's name. They are carried out one after the
// other, each once, since one sender's commands to one playlist are, and their ids follow from
// the event. Of each that the playlist's owner refuses for good the room is told, and tells the
// exporter.
func exports() aggregate.Reaction {
	return aggregate.Reaction{
		Service: subjects.ServiceRoom, Name: "room-exports",
		React: func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			if c.Event.Type != subjects.EventHistoryExported {
				return nil, nil
			}
			var e subjects.HistoryExported
			if err := json.Unmarshal(c.Event.Body, &e); err != nil {
				return nil, fmt.Errorf("room: %s: %w", c.Event.Type, err)
			}
			return export.Commands(export.Target{
				Service: subjects.ServicePlaylist, ID: e.Playlist, User: e.User,
				Create: func(first []subjects.TrackRef) any { create := e.Create; create.Tracks = first; return create },
				Verb:   subjects.VerbAdd,
				More:   func(some []subjects.TrackRef) any { return subjects.AddTracks{Tracks: some} },
			}, e.Tracks)
		},
	}
}
