package room

import (
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// kick takes a member out. From an open room they may come back; to a private one they
// need a new invitation.
func (d *decision) kick(body *subjects.KickUser) error {
	if err := d.enter(subjects.VerbKick); err != nil {
		return err
	}
	if err := d.inside(body.User); err != nil {
		return err
	}
	if err := d.over(body.User); err != nil {
		return err
	}
	d.takeOut(body.User, subjects.LeftKicked)
	if !d.s.Room.Options.Open {
		d.withdraw(body.User)
	}
	return nil
}

// ban keeps a user out, in the room or not. Banning again is nothing.
func (d *decision) ban(body *subjects.BanUser) error {
	if err := d.enter(subjects.VerbBan); err != nil {
		return err
	}
	if d.s.Banned(body.User) {
		return nil
	}
	if err := d.over(body.User); err != nil {
		return err
	}
	if d.s.Bans() >= subjects.MaxBans {
		return subjects.Refuse(subjects.CodeFull, "a room has at most %d bans", subjects.MaxBans)
	}
	if d.s.IsMember(body.User) {
		d.takeOut(body.User, subjects.LeftBanned)
	}
	d.withdraw(body.User)
	d.seal(body.User, &subjects.UserBanned{User: body.User})
	return nil
}

func (d *decision) withdraw(user string) {
	if d.s.Invited(user) {
		d.seal(user, &subjects.InvitationWithdrawn{User: user})
	}
}

// unban lifts a ban; where there is none it is nothing.
func (d *decision) unban(body *subjects.UnbanUser) error {
	if err := d.enter(subjects.VerbUnban); err != nil {
		return err
	}
	if d.s.Banned(body.User) {
		d.seal(body.User, &subjects.UserUnbanned{User: body.User})
	}
	return nil
}

// grantControl lets a member play, pause, seek and go to the next track. Granting it
// again, or to the creator, is nothing.
func (d *decision) grantControl(body *subjects.GrantControl) error {
	if err := d.enter(subjects.VerbGrantControl); err != nil {
		return err
	}
	if err := d.inside(body.User); err != nil {
		return err
	}
	if m, _ := d.s.Member(body.User); !m.Control && m.Role != subjects.RoleCreator {
		d.emit(&subjects.ControlGranted{User: body.User})
	}
	return nil
}

// revokeControl takes the permission back; the creator's cannot be taken.
func (d *decision) revokeControl(body *subjects.RevokeControl) error {
	if err := d.enter(subjects.VerbRevokeControl); err != nil {
		return err
	}
	if body.User == d.s.Room.Creator {
		return subjects.Refuse(subjects.CodeForbidden, "the creator is in control")
	}
	if err := d.inside(body.User); err != nil {
		return err
	}
	if m, _ := d.s.Member(body.User); m.Control {
		d.emit(&subjects.ControlRevoked{User: body.User})
	}
	return nil
}

// setRole gives a member another role; the creator's cannot be changed.
func (d *decision) setRole(body *subjects.SetRole) error {
	if err := d.enter(subjects.VerbSetRole); err != nil {
		return err
	}
	if body.User == d.s.Room.Creator {
		return subjects.Refuse(subjects.CodeForbidden, "the room's creator stays what they are")
	}
	if err := d.inside(body.User); err != nil {
		return err
	}
	if d.s.RoleOf(body.User) != body.Role {
		votes, voters := d.s.SkipAfterRole(body.User, body.Role)
		d.emit(&subjects.RoleChanged{User: body.User, Role: body.Role})
		d.readyInRole(body.User, body.Role)
		d.recountSkip(votes, voters)
	}
	return nil
}

// setGrants replaces a role's row in the grant table.
func (d *decision) setGrants(body *subjects.SetGrants) error {
	if err := d.enter(subjects.VerbSetGrants); err != nil {
		return err
	}
	if !slices.Equal(d.s.Room.Grants[body.Role], body.Verbs) {
		votes, voters := d.s.SkipAfterGrants(body.Role, body.Verbs)
		d.emit(&subjects.GrantsChanged{Role: body.Role, Verbs: body.Verbs})
		d.readyGranted(body.Role, body.Verbs)
		d.recountSkip(votes, voters)
	}
	return nil
}
