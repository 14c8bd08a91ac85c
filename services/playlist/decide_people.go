package playlist

import "github.com/tuttihq/tutti/subjects"

// join lets the sender in. Joining again changes nothing.
func (d *decision) join() error {
	if err := d.visible(); err != nil {
		return err
	}
	if err := d.person(subjects.VerbJoin); err != nil {
		return err
	}
	who := d.call.Principal
	switch {
	case d.s.IsMember(who):
		return nil
	case len(d.s.Playlist.Members) >= subjects.MaxPlaylistMembers:
		return subjects.Refuse(subjects.CodeFull, "a playlist has at most %d members", subjects.MaxPlaylistMembers)
	}
	d.emit(&subjects.PlaylistJoined{User: who})
	return nil
}

// leave takes the sender out. Who is not in the playlist has left; the creator stays.
func (d *decision) leave() error {
	who := d.call.Principal
	if !d.s.CanSee(who) {
		return d.visible()
	}
	switch {
	case d.s.Deleted() || !d.s.IsMember(who):
		return nil
	case who == d.s.Playlist.Creator:
		return subjects.Refuse(subjects.CodeForbidden, "the creator stays: delete the playlist instead")
	}
	d.emit(&subjects.PlaylistLeft{User: who, Reason: subjects.LeftByChoice})
	return nil
}

// invite tells a user that they may see the playlist, join it, and edit it where only the
// invited do. Who is in a public playlist may be invited too. Inviting again is nothing.
func (d *decision) invite(body *subjects.InviteUser) error {
	if err := d.own(subjects.VerbInvite); err != nil {
		return err
	}
	if err := d.person(subjects.VerbInvite); err != nil {
		return err
	}
	switch user := body.User; {
	case user == d.call.Principal:
		return subjects.RefuseField("user", "this is you")
	case d.s.Invited(user):
		return nil
	case d.s.Invitations() >= subjects.MaxPlaylistInvitations:
		return subjects.Refuse(subjects.CodeFull, "a playlist has at most %d invitations", subjects.MaxPlaylistInvitations)
	default:
		d.seal(user, &subjects.PlaylistInvited{User: user, Name: d.s.Playlist.Name})
		return nil
	}
}

// withdraw takes an invitation back. In a playlist that is not public the user goes with
// it. Withdrawing what does not stand is nothing.
func (d *decision) withdraw(body *subjects.WithdrawInvitation) error {
	if err := d.own(subjects.VerbWithdraw); err != nil {
		return err
	}
	user := body.User
	if !d.s.Invited(user) {
		return nil
	}
	d.seal(user, &subjects.PlaylistUninvited{User: user})
	if d.s.Playlist.Visibility != subjects.VisibilityPublic && d.s.IsMember(user) {
		d.emit(&subjects.PlaylistLeft{User: user, Reason: subjects.LeftUninvited})
	}
	return nil
}

// setVisibility shows or hides the playlist and says who edits it. When it ceases to be
// public, whoever is in it uninvited goes.
func (d *decision) setVisibility(body *subjects.SetVisibility) error {
	if err := d.own(subjects.VerbSetVisibility); err != nil {
		return err
	}
	p := &d.s.Playlist
	options := subjects.PlaylistOptions{OnlyInvitedEdit: body.OnlyInvitedEdit}
	if p.Visibility == body.Visibility && p.Options == options {
		return nil
	}
	d.emit(&subjects.VisibilityChanged{Visibility: body.Visibility, Options: options})
	if body.Visibility == subjects.VisibilityPublic {
		return nil
	}
	for _, user := range d.s.MemberIDs() {
		if user != p.Creator && !d.s.Invited(user) {
			d.emit(&subjects.PlaylistLeft{User: user, Reason: subjects.LeftHidden})
		}
	}
	return nil
}
