package room

import "github.com/tuttihq/tutti/subjects"

// onStage refuses where there is no current track, or it is at its end.
func (d *decision) onStage() error {
	switch {
	case d.s.Room.Current == nil:
		return subjects.Refuse(subjects.CodeNothingToPlay, "there is no current track: a track needs a score of %d", d.s.Room.Options.MinimumScore)
	case d.s.Room.Playback.Ended:
		return subjects.Refuse(subjects.CodeNothingToPlay, "the track is at its end: the next starts by itself once its score is %d", d.s.Room.Options.MinimumScore)
	}
	return nil
}

// play starts or resumes the current track, a moment ahead so that all start together.
func (d *decision) play() error {
	if err := d.enter(subjects.VerbPlay); err != nil {
		return err
	}
	if err := d.onStage(); err != nil {
		return err
	}
	if d.s.Room.Playback.Playing {
		return subjects.Refuse(subjects.CodeAlready, "it plays already")
	}
	if v := d.s.SkipVotes(); v > 0 && v >= d.s.Room.Options.SkipNeeded(d.s.SkipVoters()) {
		d.advance() // who was against skipping left while the room was paused
		return nil
	}
	d.emit(&subjects.PlaybackStarted{PositionMs: d.s.Room.Playback.PositionMs, AnchorAt: d.lead()})
	return nil
}

// pause stops the current track where it will be when all hear of it.
func (d *decision) pause() error {
	if err := d.enter(subjects.VerbPause); err != nil {
		return err
	}
	if err := d.onStage(); err != nil {
		return err
	}
	if !d.s.Room.Playback.Playing {
		return subjects.Refuse(subjects.CodeAlready, "it is paused already")
	}
	d.emit(&subjects.PlaybackPaused{PositionMs: d.s.Room.PositionAt(d.lead()), AnchorAt: d.lead()})
	return nil
}

// seek moves within the current track, which goes on playing or being paused.
func (d *decision) seek(body *subjects.Seek) error {
	if err := d.enter(subjects.VerbSeek); err != nil {
		return err
	}
	if err := d.onStage(); err != nil {
		return err
	}
	if body.PositionMs >= d.s.Room.Current.DurationMs {
		return subjects.RefuseField("positionMs", "the track is %d ms long", d.s.Room.Current.DurationMs)
	}
	d.emit(&subjects.PlaybackSought{PositionMs: body.PositionMs, AnchorAt: d.lead()})
	return nil
}

// next plays the next eligible track, also if the room is paused.
func (d *decision) next() error {
	if err := d.enter(subjects.VerbNext); err != nil {
		return err
	}
	if _, ok := d.s.Room.NextEligible(); !ok {
		return subjects.Refuse(subjects.CodeNoEligibleTrack, "no queued track has a score of %d", d.s.Room.Options.MinimumScore)
	}
	d.advance()
	return nil
}

// skip votes to skip the current track while it plays.
func (d *decision) skip() error {
	if err := d.enter(subjects.VerbSkip); err != nil {
		return err
	}
	who := d.call.Principal
	if !d.s.CanSkip(who) {
		return subjects.Refuse(subjects.CodeNotInvited, "only the invited vote in this room")
	}
	if err := d.onStage(); err != nil {
		return err
	}
	if !d.s.Room.Playback.Playing {
		return subjects.Refuse(subjects.CodeNothingToPlay, "the track is paused: there is nothing to skip")
	}
	if d.s.VotedToSkip(who) {
		return subjects.Refuse(subjects.CodeAlreadyVoted, "you have voted to skip this track")
	}
	votes, needed := d.s.SkipVotes()+1, d.s.Room.Options.SkipNeeded(d.s.SkipVoters())
	d.emit(&subjects.SkipVoted{User: who, Votes: votes, Needed: needed})
	if votes >= needed {
		d.advance()
	}
	return nil
}

// advance leaves the current track for the next eligible one, or for waiting at its end.
func (d *decision) advance() {
	d.leaveStage(d.call.At)
	d.happen(d.comesOn(d.lead(), d.call.At))
}

// recountSkip corrects the votes to skip, and how many are needed, after somebody came or
// went: votes and voters are those after it. If the votes now suffice the track is
// skipped.
func (d *decision) recountSkip(votes, voters int) {
	r := &d.s.Room
	if votes == 0 {
		if r.Skip != (subjects.Skip{}) {
			d.emit(&subjects.SkipCounted{})
		}
		return
	}
	needed := r.Options.SkipNeeded(voters)
	if votes >= needed && r.Playback.Playing {
		d.advance()
		return
	}
	if votes != r.Skip.Votes || drifted(needed, r.Skip.Needed) {
		d.emit(&subjects.SkipCounted{Votes: votes, Needed: needed})
	}
}
