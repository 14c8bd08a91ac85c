package playlist

import (
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Decide gives the events that a command lets happen.
func (*Machine) Decide(s *subjects.PlaylistState, call aggregate.Call, cmd *Command) ([]Out, error) {
	d := decision{s: s, call: call}
	if err := d.decide(cmd); err != nil {
		return nil, err
	}
	return d.outs, nil
}

// decision is one command under decision. s is only read.
type decision struct {
	s    *subjects.PlaylistState
	call aggregate.Call
	outs []Out
}

func (d *decision) emit(e subjects.PlaylistEvent) { d.outs = append(d.outs, Out{Event: e}) }

// seal lets an event happen that only one user hears of.
func (d *decision) seal(to string, e subjects.PlaylistEvent) {
	d.outs = append(d.outs, Out{Event: e, To: []string{to}})
}

func (d *decision) decide(cmd *Command) error {
	switch body := cmd.Body.(type) {
	case *subjects.CreatePlaylist:
		return d.create(body, cmd)
	case *subjects.JoinPlaylist:
		return d.join(cmd)
	case *subjects.LeavePlaylist:
		return d.leave()
	case *subjects.AddTracks:
		return d.add(body, cmd)
	case *subjects.RemoveTracks:
		return d.remove(body)
	case *subjects.MoveTrack:
		return d.move(body)
	case *subjects.InviteUser:
		return d.invite(body)
	case *subjects.WithdrawInvitation:
		return d.withdraw(body)
	case *subjects.RenamePlaylist:
		return d.rename(body)
	case *subjects.SetVisibility:
		return d.setVisibility(body)
	case *subjects.ExportPlaylist:
		return d.export(body)
	case *subjects.DeletePlaylist:
		return d.delete()
	case *subjects.CommandRefused:
		return d.refused(body)
	case *subjects.Wake:
		return d.wake()
	default:
		return subjects.Refuse(subjects.CodeUnknownVerb, "a playlist has no command %q", d.call.Verb)
	}
}

// Admit refuses what can be refused before tracks are looked up, and asks for that where
// the command needs it. Of somebody who asks to join and would be let in as a follower it
// notes, in the command, whom they would have to follow.
func (*Machine) Admit(s *subjects.PlaylistState, call aggregate.Call, cmd *Command) (bool, error) {
	d := decision{s: s, call: call}
	switch body := cmd.Body.(type) {
	case *subjects.CreatePlaylist:
		return len(body.Tracks) > 0, d.mayCreate()
	case *subjects.AddTracks:
		if err := d.edit(subjects.VerbAdd); err != nil {
			return false, err
		}
		return true, d.allKnown(body.Tracks)
	case *subjects.JoinPlaylist:
		if !d.needsFollowing() {
			return false, nil
		}
		cmd.host = s.Playlist.Creator
		return true, nil
	default:
		return false, nil
	}
}

// visible refuses a playlist that is not there for the sender, and a deleted one.
func (d *decision) visible() error {
	if !d.s.CanSee(d.call.Principal) {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such playlist")
	}
	if d.s.Deleted() {
		return subjects.Refuse(subjects.CodeClosed, "the playlist was deleted")
	}
	return nil
}

// person refuses the platform where somebody must be meant.
func (d *decision) person(verb string) error {
	if d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "%s needs a person", verb)
	}
	return nil
}

// edit refuses whoever may not change the tracks. The platform may take them out.
func (d *decision) edit(verb string) error {
	if err := d.visible(); err != nil {
		return err
	}
	if d.call.System() {
		if verb == subjects.VerbRemove {
			return nil
		}
		return d.person(verb)
	}
	if r := d.s.CannotEdit(d.call.Principal); r != nil {
		return r
	}
	return nil
}

// own refuses whoever has not made the playlist. The platform may do it too.
func (d *decision) own(verb string) error {
	if err := d.visible(); err != nil {
		return err
	}
	if !d.call.System() && d.call.Principal != d.s.Playlist.Creator {
		return subjects.Refuse(subjects.CodeForbidden, "%s is the creator's", verb)
	}
	return nil
}

// wake does nothing: time changes nothing in a playlist.
func (d *decision) wake() error {
	if !d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "wake is the platform's")
	}
	return nil
}
