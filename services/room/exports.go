package room

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
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
			return beginning(&e)
		},
	}
}

func beginning(e *subjects.HistoryExported) ([]aggregate.Send, error) {
	var out []aggregate.Send
	send := func(verb string, body any) error {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("room: export to %s: %w", e.Playlist, err)
		}
		to := subjects.Command{Service: subjects.ServicePlaylist, ID: e.Playlist, Verb: verb, Principal: e.User}
		out = append(out, aggregate.Send{To: to, Body: raw, Refused: true})
		return nil
	}
	create, rest := e.Create, e.Tracks
	create.Tracks, rest = cut(rest)
	if err := send(subjects.VerbCreate, create); err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		var some []subjects.TrackRef
		some, rest = cut(rest)
		if err := send(subjects.VerbAdd, subjects.AddTracks{Tracks: some}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxRefBytes bounds the tracks of one command by their size, since addresses may be long:
// with its envelope it must stay below subjects.MaxCommandBytes.
const maxRefBytes = subjects.MaxCommandBytes / 2

// cut takes as many tracks as one command can name off the front.
func cut(refs []subjects.TrackRef) (some, rest []subjects.TrackRef) {
	n, size := 0, 0
	for n < len(refs) && n < subjects.MaxTracksPerCommand {
		size += len(refs[n]) + 3 // quotes and comma
		if n > 0 && size > maxRefBytes {
			break
		}
		n++
	}
	return refs[:n], refs[n:]
}
