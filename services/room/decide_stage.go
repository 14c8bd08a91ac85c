package room

import "github.com/tuttihq/tutti/subjects"

// leaveStage lets the current track go, at a time: if it has sounded it is history, and in a
// queue that loops it comes to the end of it, as if whoever suggested it did so now. What
// comes on stage instead is the caller's; it may be that very track.
func (d *decision) leaveStage(at int64) {
	loops := d.s.Room.Queueing().Loop && d.s.Room.Current != nil && !d.s.Room.Playback.Ended
	if loops {
		d.fork() // the next track is chosen from a queue that has this one
	}
	d.played(at)
	if !loops || len(d.s.Room.Queue) >= subjects.MaxQueue || d.playedOut(d.s.Room.Current.ID) {
		return
	}
	by, _ := d.s.Sounding()
	d.happen(&subjects.TrackRequeued{
		User: by, Track: d.s.Room.Current.ID, Seq: d.s.NextSeq(), Voted: d.s.CanVote(by, d.call.At) == nil,
	})
}

// played makes the current track history, if it has sounded.
func (d *decision) played(at int64) {
	by, since := d.s.Sounding()
	if since == 0 || at <= since || d.s.Room.Current == nil {
		return
	}
	d.happen(&subjects.TrackPlayed{PlayedTrack: subjects.PlayedTrack{
		N: d.s.LastPlay() + 1, Track: *d.s.Room.Current, By: by, At: since, EndedAt: at,
	}})
}

// playedOut reports whether a track has been played as often as the room lets it.
func (d *decision) playedOut(track string) bool {
	most := d.s.Room.Queueing().PerTrack
	return most > 0 && d.s.PlaysOf(track) >= most
}

// comesOn gives what follows on a track that has left the stage: the next eligible one, from
// a time on, or the waiting for one since the other's end.
func (d *decision) comesOn(from, end int64) subjects.RoomEvent {
	r := &d.s.Room
	if next, ok := r.NextEligible(); ok {
		return &subjects.TrackChosen{Track: next.Track.ID, Playing: true, AnchorAt: from}
	}
	e := &subjects.PlaybackEnded{AnchorAt: end}
	if r.Current != nil {
		e.PositionMs = r.Current.DurationMs
	}
	return e
}
