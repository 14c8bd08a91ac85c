package room

import "github.com/tuttihq/tutti/subjects"

// exportHistory has a playlist made of what the room has played; see reactions.go.
func (d *decision) exportHistory(body *subjects.ExportHistory) error {
	if err := d.enter(subjects.VerbExportHistory); err != nil {
		return err
	}
	who := d.call.Principal
	e := &subjects.HistoryExported{
		User: who, Create: subjects.CreatePlaylist{Name: body.Name, Visibility: body.Visibility}, Tracks: []subjects.TrackRef{},
		Playlist: subjects.ExportedPlaylistID(d.call.ID, who, d.call.Command, d.call.At),
	}
	if e.Create.Name == "" {
		e.Create.Name = d.s.Room.Name
	}
	named := map[string]bool{}
	for _, p := range d.s.Plays() {
		if !named[p.Track.ID] {
			named[p.Track.ID] = true
			e.Tracks = append(e.Tracks, p.Track.Ref())
		}
	}
	if len(e.Tracks) == 0 {
		return subjects.Refuse(subjects.CodeNotFound, "the room has not played anything yet")
	}
	d.seal(who, e)
	return nil
}

// refused tells an exporter that the playlist's owner has refused what the export had sent. Of
// an export that the room does not remember, nobody is told.
func (d *decision) refused(body *subjects.CommandRefused) error {
	if !d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "refused is the platform's")
	}
	if body.Service != subjects.ServicePlaylist || !d.s.Exporting(body.Principal, body.ID) {
		return nil
	}
	d.seal(body.Principal, &subjects.HistoryFailed{
		User: body.Principal, Playlist: body.ID, Part: body.Asked != subjects.VerbCreate,
		Code: body.Code, Reason: body.Message,
	})
	return nil
}
