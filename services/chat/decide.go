package chat

import (
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Decide gives the events that a command lets happen.
func (*Machine) Decide(s *subjects.ChatState, call aggregate.Call, cmd *Command) ([]Out, error) {
	d := decision{s: s, call: call, cmd: cmd}
	if err := d.decide(); err != nil {
		return nil, err
	}
	return d.outs, nil
}

// Admit asks for Prepare where the chat does not know enough: of a message that has left
// the last page, and of somebody whose joining it may not have heard of yet. It refuses
// early what Decide would refuse anyhow.
func (*Machine) Admit(s *subjects.ChatState, call aggregate.Call, cmd *Command) (bool, error) {
	d := decision{s: s, call: call, cmd: cmd}
	if d.unheard() {
		return true, nil
	}
	var id string
	switch body := cmd.Body.(type) {
	case *subjects.EditMessage:
		id = body.Message
	case *subjects.DeleteMessage:
		id = body.Message
	default:
		return false, nil
	}
	if err := d.enter(); err != nil {
		return false, err
	}
	_, known, err := d.lookUp(id)
	return !known && err == nil, err
}

// decision is one command under decision. s is only read.
type decision struct {
	s    *subjects.ChatState
	call aggregate.Call
	cmd  *Command
	outs []Out
}

func (d *decision) emit(e subjects.ChatEvent) { d.outs = append(d.outs, Out{Event: e}) }

// seal lets an event happen that only one user hears of.
func (d *decision) seal(to string, e subjects.ChatEvent) {
	d.outs = append(d.outs, Out{Event: e, To: []string{to}})
}

// utter lets something happen that the sender said: for everybody, or for the sender
// alone.
func (d *decision) utter(e subjects.ChatEvent, alone bool) {
	if alone {
		d.seal(d.call.Principal, e)
		return
	}
	d.emit(e)
}

func (d *decision) decide() error {
	switch body := d.cmd.Body.(type) {
	case *subjects.SendMessage:
		return d.send(body)
	case *subjects.EditMessage:
		return d.edit(body)
	case *subjects.DeleteMessage:
		return d.delete(body)
	case *subjects.React:
		return d.react(body)
	case *subjects.Unreact:
		return d.unreact(body)
	case *subjects.SetSlowMode:
		return d.setSlowMode(body)
	case *subjects.MuteUser:
		return d.mute(body)
	case *subjects.UnmuteUser:
		return d.unmute(body)
	case *subjects.ShadowMuteUser:
		return d.shadowMute(body)
	case *subjects.UnshadowUser:
		return d.unshadow(body)
	case *subjects.ChatFact:
		return d.follow(body)
	case nil: // a wake: a chat has no timers, so there is nothing to do
		return nil
	default:
		return subjects.Refuse(subjects.CodeUnknownVerb, "a chat has no command %q", d.call.Verb)
	}
}

// unheard reports whether the room may know the sender better than the chat does.
func (d *decision) unheard() bool {
	who := d.call.Principal
	return !d.call.System() && !d.s.IsMember(who) && !d.s.Closed()
}

// enter refuses whoever is not in the room.
func (d *decision) enter() error {
	who := d.call.Principal
	switch {
	case !d.s.CanSee(who):
		return subjects.Refuse(subjects.CodeNotFound, "there is no such chat")
	case d.s.Closed():
		return subjects.Refuse(subjects.CodeClosed, "the chat is closed")
	case d.call.System():
		return nil
	case d.s.Banned(who):
		return subjects.Refuse(subjects.CodeBanned, "you are banned from this %s", d.place())
	case !d.s.IsMember(who):
		return subjects.Refuse(subjects.CodeNotMember, "join the %s first", d.place())
	}
	return nil
}

// place is what the chat belongs to, in words.
func (d *decision) place() string {
	if ofPlaylist(d.call.ID) {
		return "playlist"
	}
	return "room"
}

// speak refuses whoever may not say anything now.
func (d *decision) speak() error {
	if err := d.enter(); err != nil {
		return err
	}
	who := d.call.Principal
	switch {
	case d.call.System():
		return subjects.Refuse(subjects.CodeForbidden, "%s needs a person", d.call.Verb)
	case !d.s.Allows(who, subjects.VerbChat):
		return subjects.Refuse(subjects.CodeForbidden, "the %s does not let a %s chat", d.place(), d.s.RoleOf(who))
	case d.s.Muted(who):
		return subjects.Refuse(subjects.CodeMuted, "you are muted in this chat")
	}
	return nil
}

// moderate refuses whoever does not keep order here.
func (d *decision) moderate() error {
	if err := d.enter(); err != nil {
		return err
	}
	if !d.s.Allows(d.call.Principal, subjects.VerbModerateChat) {
		return subjects.Refuse(subjects.CodeForbidden, "the %s does not let a %s moderate the chat", d.place(), d.s.RoleOf(d.call.Principal))
	}
	return nil
}

// over refuses to act on a user whose role is not below the sender's.
func (d *decision) over(user string) error {
	switch {
	case d.call.System():
		return nil
	case user == d.call.Principal:
		return subjects.RefuseField("user", "this is you")
	case user == d.s.Creator():
		return subjects.Refuse(subjects.CodeForbidden, "nobody moderates the %s's creator", d.place())
	case d.s.RoleOf(user).Rank() >= d.s.RoleOf(d.call.Principal).Rank():
		return subjects.Refuse(subjects.CodeForbidden, "the user's role is not below yours")
	}
	return nil
}
