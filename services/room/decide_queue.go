package room

import "github.com/tuttihq/tutti/subjects"

// vote adds the sender's vote to a queued track. If the room waits and the score now
// suffices, the track becomes current.
func (d *decision) vote(body *subjects.VoteTrack) error {
	if err := d.enter(subjects.VerbVote); err != nil {
		return err
	}
	who := d.call.Principal
	if r := d.s.CanVote(who, d.call.At); r != nil {
		return r
	}
	entry, ok := d.s.Room.Queue[body.Track]
	if !ok {
		return subjects.Refuse(subjects.CodeNoSuchTrack, "the track is not in the queue")
	}
	if d.s.Voted(who, body.Track) {
		return subjects.Refuse(subjects.CodeAlreadyVoted, "you have voted for this track")
	}
	d.emit(&subjects.TrackVoted{User: who, Track: body.Track})
	d.endWaiting(body.Track, entry.Score+1)
	return nil
}

// endWaiting makes a track current if the room waits and its score suffices.
func (d *decision) endWaiting(track string, score int) {
	r := &d.s.Room
	if !r.Waiting() || score < r.Options.MinimumScore {
		return
	}
	if r.Playback.Ended {
		d.emit(&subjects.TrackChosen{Track: track, Playing: true, AnchorAt: d.lead()})
		return
	}
	d.emit(&subjects.TrackChosen{Track: track, AnchorAt: d.call.At})
}

// suggest queues tracks that are new, with the sender's vote if that is allowed now, and
// counts as a vote for those that are queued. The current track is ignored. If nothing
// is accepted the whole is refused; otherwise the sender alone is told what was not.
func (d *decision) suggest(body *subjects.SuggestTracks, cmd *Command) error {
	if err := d.enter(subjects.VerbSuggest); err != nil {
		return err
	}
	who := d.call.Principal
	r := report{user: who}
	noVote := d.s.CanVote(who, d.call.At)
	done := make(map[string]bool, len(body.Tracks))
	size, seq := len(d.s.Room.Queue), d.s.NextSeq()
	options, own := d.s.Room.Queueing(), 0
	if options.PerUser > 0 {
		own = d.s.SuggestedBy(who)
	}
	best, bestScore := "", 0
	for i, ref := range body.Tracks {
		t, unknown := cmd.resolved(i)
		id := t.ID
		if unknown != nil {
			id = string(ref) // an id that the room knows needs no source
		}
		entry, queued := d.s.Room.Queue[id]
		title := d.titleOf(id, t.Title)
		score := 0
		switch {
		case done[id]:
			continue // named twice
		case d.s.Room.Current != nil && d.s.Room.Current.ID == id:
			r.add(ref, title, subjects.Refuse(subjects.CodeAlready, "it is the current track"))
			continue
		case queued && noVote != nil:
			r.add(ref, title, noVote)
			continue
		case queued && d.s.Voted(who, id):
			r.add(ref, title, subjects.Refuse(subjects.CodeAlreadyVoted, "it is in the queue and you have voted for it"))
			continue
		case queued:
			d.emit(&subjects.TrackVoted{User: who, Track: id})
			score = entry.Score + 1
		case unknown != nil:
			r.add(ref, title, unknown)
			continue
		case size >= subjects.MaxQueue:
			r.add(ref, title, subjects.Refuse(subjects.CodeFull, "the queue is full: it holds at most %d tracks", subjects.MaxQueue))
			continue
		case options.PerUser > 0 && own >= options.PerUser:
			r.add(ref, title, subjects.Refuse(subjects.CodeFull, "your part of the queue is full: one may have %s in it",
				subjects.Counted(options.PerUser, "track", "tracks")))
			continue
		case d.playedOut(id):
			r.add(ref, title, subjects.Refuse(subjects.CodeFull, "its plays are full: lately a track may be played %s",
				subjects.Counted(options.PerTrack, "time", "times")))
			continue
		default:
			d.emit(&subjects.TrackSuggested{User: who, Track: t, Seq: seq, Voted: noVote == nil})
			size++
			seq++
			own++
			if noVote == nil {
				score = 1
			}
		}
		done[id] = true
		if score > bestScore || score == bestScore && best != "" && queued && entry.Seq < d.seqOf(best) {
			best, bestScore = id, score
		}
	}
	if len(done) == 0 {
		return r.refusal()
	}
	if best != "" {
		d.endWaiting(best, bestScore)
	}
	d.tell(r)
	return nil
}

// seqOf gives a queued track's seq; one that is new has none yet and comes last.
func (d *decision) seqOf(track string) int64 {
	if e, ok := d.s.Room.Queue[track]; ok {
		return e.Seq
	}
	return d.s.NextSeq()
}

// titleOf gives the title of a track that the room has, and otherwise what its source says.
func (d *decision) titleOf(track, resolved string) string {
	if e, ok := d.s.Room.Queue[track]; ok {
		return e.Track.Title
	}
	if c := d.s.Room.Current; c != nil && c.ID == track {
		return c.Title
	}
	return resolved
}

// remove takes a track and its votes out of the queue.
func (d *decision) remove(body *subjects.RemoveTrack) error {
	if err := d.enter(subjects.VerbRemove); err != nil {
		return err
	}
	if _, ok := d.s.Room.Queue[body.Track]; !ok {
		return subjects.Refuse(subjects.CodeNoSuchTrack, "the track is not in the queue")
	}
	d.emit(&subjects.TrackRemoved{Track: body.Track})
	return nil
}

// report collects what was not accepted of several tracks.
type report struct {
	user    string
	refused []subjects.RefusedTrack
	titles  []string // of each; "" if it is not known
}

func (r *report) add(ref subjects.TrackRef, title string, why *subjects.Refusal) {
	r.titles = append(r.titles, title)
	r.refused = append(r.refused, subjects.RefusedTrack{Ref: string(ref), Code: why.Code, Reason: why.Message})
}

// tell lets the one who suggested know.
func (d *decision) tell(r report) {
	if len(r.refused) > 0 {
		d.seal(r.user, &subjects.TracksRefused{User: r.user, Tracks: r.refused})
	}
}

// refusal is the answer where nothing was accepted: the sources' own, or full, where it was
// the same for all, nothing_accepted otherwise.
func (r *report) refusal() *subjects.Refusal {
	code := subjects.CodeNothingAccepted
	switch c := r.refused[0].Code; c {
	case subjects.CodeNoSuchTrack, subjects.CodeTrackUnavailable, subjects.CodeFull:
		code = c
		for _, t := range r.refused {
			if t.Code != c {
				code = subjects.CodeNothingAccepted
			}
		}
	}
	return subjects.RefuseTracks(code, r.refused, r.titles)
}
