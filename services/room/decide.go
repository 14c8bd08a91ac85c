package room

import (
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Decide gives the events that a command lets happen. It begins with those that the
// clock has let happen since the room was last looked at (clock.go); they are kept only
// if the command is accepted, since a wake brings them anyhow.
func (*Machine) Decide(s *subjects.RoomState, call aggregate.Call, cmd *Command) ([]Out, error) {
	d := decision{s: s, call: call}
	d.catchUp()
	if err := d.decide(cmd); err != nil {
		return nil, err
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.outs, nil
}

// decision is one command under decision. s is only read: where the clock has let
// something happen, or a track left the stage for a queue that loops, it is a fork that this
// has been folded into.
type decision struct {
	s    *subjects.RoomState
	call aggregate.Call
	outs []Out

	forked   bool
	unlisted bool  // the roster is no longer listed after this
	err      error // of folding into the fork: a defect
}

// lead is when what is heard by all takes effect.
func (d *decision) lead() int64 { return d.call.At + subjects.PlaybackLead.Milliseconds() }

func (d *decision) emit(e subjects.RoomEvent) { d.outs = append(d.outs, Out{Event: e}) }

// fork makes the decision go on with a copy of the state.
func (d *decision) fork() {
	if !d.forked {
		d.s, d.forked = d.s.Fork(), true
	}
}

// happen emits an event and folds it into the fork, if there is one, as the kernel will into
// the state.
func (d *decision) happen(e subjects.RoomEvent) {
	d.emit(e)
	if !d.forked || d.err != nil {
		return
	}
	meta := subjects.Meta{By: d.call.Principal, Cmd: d.call.Command, At: d.call.At}
	d.err = d.s.Apply(meta, e, nil)
}

// seal lets an event happen that only one user hears of.
func (d *decision) seal(to string, e subjects.RoomEvent) {
	d.outs = append(d.outs, Out{Event: e, To: []string{to}})
}

func (d *decision) decide(cmd *Command) error {
	switch body := cmd.Body.(type) {
	case *subjects.CreateRoom:
		return d.create(body, cmd)
	case *subjects.JoinRoom:
		return d.join()
	case *subjects.LeaveRoom:
		return d.leave(body)
	case *subjects.SuggestTracks:
		return d.suggest(body, cmd)
	case *subjects.VoteTrack:
		return d.vote(body)
	case *subjects.VoteSkip:
		return d.skip()
	case *subjects.Play:
		return d.play()
	case *subjects.Pause:
		return d.pause()
	case *subjects.Seek:
		return d.seek(body)
	case *subjects.Next:
		return d.next()
	case *subjects.RemoveTrack:
		return d.remove(body)
	case *subjects.InviteUser:
		return d.invite(body)
	case *subjects.ReportPosition:
		return d.position(body)
	case *subjects.GrantControl:
		return d.grantControl(body)
	case *subjects.RevokeControl:
		return d.revokeControl(body)
	case *subjects.SetRole:
		return d.setRole(body)
	case *subjects.SetGrants:
		return d.setGrants(body)
	case *subjects.KickUser:
		return d.kick(body)
	case *subjects.BanUser:
		return d.ban(body)
	case *subjects.UnbanUser:
		return d.unban(body)
	case *subjects.CloseRoom:
		return d.close()
	case *subjects.Undo:
		return d.undo(body)
	case *subjects.Shuffle:
		return d.shuffle()
	case *subjects.SetQueue:
		return d.setQueue(body)
	case *subjects.OpenPoll:
		return d.poll(body)
	case *subjects.AnswerPoll:
		return d.answer(body)
	case *subjects.ClosePoll:
		return d.closePoll()
	case *subjects.AskReady:
		return d.readyCheck(body)
	case *subjects.AnswerReady:
		return d.ready(body)
	case *subjects.ExportHistory:
		return d.exportHistory(body)
	case *subjects.CommandRefused:
		return d.refused(body)
	case *subjects.Wake:
		return d.wake()
	default:
		return subjects.Refuse(subjects.CodeUnknownVerb, "a room has no command %q", d.call.Verb)
	}
}

// Admit refuses what can be refused before tracks are looked up and a name is claimed,
// and asks for both where the command needs them.
func (*Machine) Admit(s *subjects.RoomState, call aggregate.Call, cmd *Command) (bool, error) {
	d := decision{s: s, call: call}
	switch body := cmd.Body.(type) {
	case *subjects.CreateRoom:
		if err := d.mayCreate(body); err != nil {
			return false, err
		}
		return true, nil
	case *subjects.SuggestTracks:
		if err := d.enter(subjects.VerbSuggest); err != nil {
			return false, err
		}
		return true, nil
	default:
		return false, nil
	}
}

// visible refuses a room that is not there for the sender, and a closed one.
func (d *decision) visible() error {
	if !d.s.CanSee(d.call.Principal) {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such room")
	}
	if d.s.Closed() {
		return subjects.Refuse(subjects.CodeClosed, "the room is closed")
	}
	return nil
}

// enter refuses whoever is not in the room, or is in a role that may not use the verb.
func (d *decision) enter(verb string) error {
	if err := d.visible(); err != nil {
		return err
	}
	who := d.call.Principal
	switch {
	case d.call.System():
		if !d.s.Allows(who, verb) {
			return subjects.Refuse(subjects.CodeForbidden, "%s needs a person", verb)
		}
	case !d.s.IsMember(who):
		if d.s.Banned(who) {
			return subjects.Refuse(subjects.CodeBanned, "you are banned from this room")
		}
		return subjects.Refuse(subjects.CodeNotMember, "join the room first")
	case !d.s.Allows(who, verb):
		if subjects.IsControl(verb) {
			return subjects.Refuse(subjects.CodeForbidden, "%s needs the control permission, which the creator grants", verb)
		}
		return subjects.Refuse(subjects.CodeForbidden, "the room does not let a %s use %s", d.s.RoleOf(who), verb)
	}
	return nil
}

// over refuses to act on a user whose role is not below the sender's.
func (d *decision) over(user string) error {
	switch {
	case user == d.s.Room.Creator:
		return subjects.Refuse(subjects.CodeForbidden, "the room's creator stays")
	case user == d.call.Principal:
		return subjects.RefuseField("user", "this is you: leave the room instead")
	case d.call.System():
		return nil
	case d.s.RoleOf(user).Rank() >= d.s.RoleOf(d.call.Principal).Rank():
		return subjects.Refuse(subjects.CodeForbidden, "the user's role is not below yours")
	}
	return nil
}

func (d *decision) inside(user string) error {
	if !d.s.IsMember(user) {
		return subjects.Refuse(subjects.CodeNotFound, "the user is not in the room")
	}
	return nil
}
