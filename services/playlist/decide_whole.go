package playlist

import "github.com/tuttihq/tutti/subjects"

// mayCreate refuses a playlist that is there already.
func (d *decision) mayCreate() error {
	if err := d.person(subjects.VerbCreate); err != nil {
		return err
	}
	if err := subjects.CheckID(subjects.PrefixPlaylist, d.call.ID); err != nil {
		return subjects.RefuseField("playlist", "not a playlist id")
	}
	if d.s.Exists() {
		return subjects.Refuse(subjects.CodeExists, "there is a playlist with this id")
	}
	return nil
}

// create begins the playlist with its creator in it and the first tracks. If none of the
// tracks named can be had, there is no playlist.
func (d *decision) create(body *subjects.CreatePlaylist, cmd *Command) error {
	if err := d.mayCreate(); err != nil {
		return err
	}
	who := d.call.Principal
	d.emit(&subjects.PlaylistCreated{
		Name: body.Name, Creator: who, Visibility: body.Visibility,
		Options: subjects.PlaylistOptions{OnlyInvitedEdit: body.OnlyInvitedEdit},
	})
	d.emit(&subjects.PlaylistJoined{User: who})
	if len(body.Tracks) == 0 {
		return nil
	}
	return d.append(body.Tracks, cmd)
}

// rename gives the playlist another name.
func (d *decision) rename(body *subjects.RenamePlaylist) error {
	if err := d.own(subjects.VerbRename); err != nil {
		return err
	}
	if body.Name != d.s.Playlist.Name {
		d.emit(&subjects.PlaylistRenamed{Name: body.Name})
	}
	return nil
}

// delete ends the playlist. To delete again is nothing.
func (d *decision) delete() error {
	if d.s.Deleted() && (d.call.System() || d.call.Principal == d.s.Playlist.Creator) {
		return nil
	}
	if err := d.own(subjects.VerbDelete); err != nil {
		return err
	}
	d.emit(&subjects.PlaylistDeleted{})
	return nil
}

// export has a room made of the playlist as it is now; see reactions.go.
func (d *decision) export(body *subjects.ExportPlaylist) error {
	if err := d.visible(); err != nil {
		return err
	}
	if err := d.person(subjects.VerbExport); err != nil {
		return err
	}
	who := d.call.Principal
	if !d.s.IsMember(who) {
		return subjects.Refuse(subjects.CodeNotMember, "join the playlist first")
	}
	// The rest of what a room asks for was checked with the body.
	if c := body.Constraints; c != nil && c.End != 0 {
		if c.End <= d.call.At {
			return subjects.RefuseField("constraints.end", "end lies in the future")
		}
		if c.End-d.call.At > subjects.MaxScheduleAhead.Milliseconds() {
			return subjects.RefuseField("constraints.end", "end lies at most %d days ahead", int(subjects.MaxScheduleAhead.Hours())/24)
		}
	}
	e := &subjects.PlaylistExported{
		User: who, Create: body.Room(d.s.Playlist.Name), Tracks: []subjects.TrackRef{},
		Room: subjects.ExportedRoomID(d.call.ID, who, d.call.Command, d.call.At),
	}
	for _, t := range d.s.Playlist.Ordered() {
		e.Tracks = append(e.Tracks, t.Track.Ref())
	}
	d.seal(who, e)
	return nil
}

// refused tells an exporter that the room's owner has refused what the export had sent. That
// the playlist has sent it is known from the export alone: it names the room. Of what it does
// not remember, nobody is told.
func (d *decision) refused(body *subjects.CommandRefused) error {
	if !d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "refused is the platform's")
	}
	if body.Service != subjects.ServiceRoom || !d.s.Exporting(body.Principal, body.ID) {
		return nil
	}
	d.seal(body.Principal, &subjects.ExportFailed{
		User: body.Principal, Room: body.ID, Part: body.Asked != subjects.VerbCreate,
		Code: body.Code, Reason: body.Message,
	})
	return nil
}
