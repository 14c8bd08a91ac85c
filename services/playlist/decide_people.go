package playlist

import "github.com/tuttihq/tutti/subjects"

// needsFollowing reports whether the sender may only be let in as a follower of the creator.
func (d *decision) needsFollowing() bool {
	return d.s.FollowersMaySee() && !d.s.CanSee(d.call.Principal)
}

// join lets the sender in. Joining again changes nothing. Who may only come in as a follower
// is told the same as everybody else who may not see the playlist, unless they follow.
func (d *decision) join(cmd *Command) error {
	follower := d.needsFollowing() && cmd.follows
	if err := d.visible(); err != nil && !follower {
		return err
	}
	if err := d.person(subjects.VerbJoin); err != nil {
		return err
	}
	who := d.call.Principal
	switch {
	case d.s.IsMember(who):
		return nil
	case d.s.Deleted():
		return subjects.Refuse(subjects.CodeClosed, "the playlist was deleted")
	case follower && d.s.Withdrawn(who):
		return subjects.Refuse(subjects.CodeNotInvited, "you were taken out: only an invitation lets you in again")
	case len(d.s.Playlist.Members) >= subjects.MaxPlaylistMembers:
		return subjects.Refuse(subjects.CodeFull, "a playlist has at most %d members", subjects.MaxPlaylistMembers)
	}
	if follower {
		d.seal(who, &subjects.PlaylistAdmitted{User: who})
	}
	d.emit(&subjects.PlaylistJoined{User: who})
	return nil
}

// leave takes the sender out. Who is not in the playlist has left, and gives back an invitation
// that stands; the creator, who stays, hears of it.
func (d *decision) leave() error {
	who := d.call.Principal
	if !d.s.CanSee(who) {
		return d.visible()
	}
	switch {
	case d.s.Deleted():
		return nil
	case !d.s.IsMember(who) && d.s.Invited(who):
		d.outs = append(d.outs, Out{Event: &subjects.PlaylistDeclined{User: who}, To: []string{who, d.s.Playlist.Creator}})
		return nil
	case !d.s.IsMember(who):
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
// it, and so does one who was let in as a follower. Withdrawing what does not stand is nothing.
func (d *decision) withdraw(body *subjects.WithdrawInvitation) error {
	if err := d.own(subjects.VerbWithdraw); err != nil {
		return err
	}
	user := body.User
	inside := d.s.Playlist.Visibility != subjects.VisibilityPublic && d.s.IsMember(user)
	if !d.s.Invited(user) && (!inside || user == d.s.Playlist.Creator) {
		return nil
	}
	d.seal(user, &subjects.PlaylistUninvited{User: user})
	if inside {
		d.emit(&subjects.PlaylistLeft{User: user, Reason: subjects.LeftUninvited})
	}
	return nil
}

// setVisibility shows or hides the playlist and says who edits it. When it becomes narrower,
// whoever is in it uninvited goes: of a public one's members nobody knows whether they follow
// the creator, and who does comes back.
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
	if body.Visibility == subjects.VisibilityPublic || body.Visibility == p.Visibility {
		return nil
	}
	for _, user := range d.s.MemberIDs() {
		if user != p.Creator && !d.s.Invited(user) {
			d.emit(&subjects.PlaylistLeft{User: user, Reason: subjects.LeftHidden})
		}
	}
	return nil
}
