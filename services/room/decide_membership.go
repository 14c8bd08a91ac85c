package room

import "github.com/tuttihq/tutti/subjects"

// join lets the sender in: into an open room, or as one who was invited. Joining again
// changes nothing; it is noted, because who joined another room meanwhile is then here
// and not there.
func (d *decision) join() error {
	who := d.call.Principal
	if err := d.visible(); err != nil {
		return err
	}
	switch {
	case d.call.System():
		return subjects.Refuse(subjects.CodeForbidden, "join needs a person")
	case d.s.IsMember(who) && d.s.Closed():
		return nil
	case d.s.IsMember(who):
		d.seal(who, &subjects.MemberReturned{User: who})
		return nil
	case d.s.Banned(who):
		return subjects.Refuse(subjects.CodeBanned, "you are banned from this room")
	case !d.s.Allows(who, subjects.VerbJoin):
		return subjects.Refuse(subjects.CodeForbidden, "the room lets nobody in but the invited")
	case d.s.MemberTotal() >= subjects.MaxMembers:
		return subjects.Refuse(subjects.CodeFull, "the room holds at most %d members", subjects.MaxMembers)
	}
	d.letIn(who)
	return nil
}

// letIn emits what a join is: named in a small room, counted in a big one.
func (d *decision) letIn(user string) {
	joined := &subjects.MemberJoined{User: user, Role: subjects.RoleMember}
	total := d.s.MemberTotal() + 1
	switch {
	case d.s.Room.Roster == subjects.ListedInline && total <= subjects.RosterInline:
		d.emit(joined)
	case d.s.Room.Roster == subjects.ListedInline:
		d.emit(&subjects.RosterUnlisted{})
		d.unlisted = true
		fallthrough
	default:
		d.seal(user, joined)
		d.recount(total)
	}
	if votes := d.s.SkipVotes(); votes > 0 {
		voters := d.s.SkipVoters()
		if d.s.Room.Grants.Allows(subjects.RoleMember, subjects.VerbSkip) &&
			(!d.s.Room.Options.OnlyInvitedVote || d.s.Invited(user)) {
			voters++
		}
		d.recountSkip(votes, voters)
	}
	d.readyWith(joined.Role)
}

// leave takes the sender out; the platform names whom it takes out. The creator's
// leaving closes the room. Who is not in the room has left.
func (d *decision) leave(body *subjects.LeaveRoom) error {
	who, reason := d.call.Principal, subjects.LeftByChoice
	switch {
	case d.call.System() && body.User == "":
		return subjects.RefuseField("user", "name who leaves")
	case d.call.System():
		who, reason = body.User, subjects.LeftMoved
	case body.JoinedBefore != 0:
		return subjects.RefuseField("joinedBefore", "only the platform says since when")
	case body.User != "" && body.User != who:
		return subjects.RefuseField("user", "you can only leave yourself; see kick")
	}
	if !d.s.CanSee(d.call.Principal) {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such room")
	}
	if d.s.Closed() || !d.s.IsMember(who) {
		return nil
	}
	if body.JoinedBefore != 0 && d.s.Since(who) >= body.JoinedBefore {
		return nil // came back since
	}
	if who == d.s.Room.Creator {
		d.putOut(who, reason)
		d.played(d.call.At)
		d.emit(&subjects.RoomClosed{Reason: subjects.ClosedCreatorLeft})
		return nil
	}
	d.takeOut(who, reason)
	return nil
}

// takeOut emits what a member's leaving is, and what follows for the votes to skip.
func (d *decision) takeOut(user, reason string) {
	d.putOut(user, reason)
	d.readyWithout(user)
	votes := d.s.SkipVotes()
	if votes == 0 {
		return
	}
	voters := d.s.SkipVoters()
	if d.s.VotedToSkip(user) {
		votes--
	}
	if d.s.CanSkip(user) {
		voters--
	}
	d.recountSkip(votes, voters)
}

func (d *decision) putOut(user, reason string) {
	member, _ := d.s.Member(user)
	left := &subjects.MemberLeft{User: user, Reason: reason, From: member.JoinedAt, To: d.call.At}
	if d.s.Room.Roster == subjects.ListedInline {
		d.emit(left)
		return
	}
	d.seal(user, left)
	total := d.s.MemberTotal() - 1
	if total > subjects.RosterInline/2 {
		d.recount(total)
		return
	}
	members := make(map[string]subjects.Member, total)
	for _, id := range d.s.MemberIDs() {
		if m, ok := d.s.Member(id); ok && id != user {
			members[id] = m
		}
	}
	d.emit(&subjects.RosterListed{Members: members})
}

// recount moves the public member count of a big room once it is off by enough.
func (d *decision) recount(total int) {
	if drifted(total, d.s.Room.MemberCount) {
		d.emit(&subjects.RoomCounted{Count: total})
	}
}

// drifted reports whether a shown number is off by a sixty-fourth of the exact one, and
// by one at least.
func drifted(exact, shown int) bool {
	off := exact - shown
	if off < 0 {
		off = -off
	}
	return off >= max(1, exact/64)
}

// invite tells a user that they may come in, see the room and, where only the invited
// do, vote. Inviting again is nothing.
func (d *decision) invite(body *subjects.InviteUser) error {
	if err := d.enter(subjects.VerbInvite); err != nil {
		return err
	}
	switch user := body.User; {
	case user == d.call.Principal:
		return subjects.RefuseField("user", "this is you")
	case d.s.IsMember(user):
		return subjects.Refuse(subjects.CodeAlready, "the user is in the room")
	case d.s.Banned(user):
		return subjects.Refuse(subjects.CodeBanned, "the user is banned from this room: unban them first")
	case d.s.Invited(user):
		return nil
	case d.s.Invitations() >= subjects.MaxInvitations:
		return subjects.Refuse(subjects.CodeFull, "a room has at most %d invitations", subjects.MaxInvitations)
	default:
		d.seal(user, &subjects.InvitationSent{User: user, Kind: d.s.Room.Kind, Name: d.s.Room.Name})
		return nil
	}
}

// close closes the room for good.
func (d *decision) close() error {
	if err := d.enter(subjects.VerbClose); err != nil {
		return err
	}
	d.played(d.call.At)
	d.emit(&subjects.RoomClosed{Reason: subjects.ClosedByRequest})
	return nil
}
