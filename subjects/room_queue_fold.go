package subjects

import "fmt"

// applyQueue folds the public events of the queue's options, the history, polls and
// ready-checks into the document.
func (r *Room) applyQueue(meta Meta, ev RoomEvent, m *Marks) error {
	switch e := ev.(type) {
	case *TrackPlayed:
		if r.Played == nil {
			r.Played = map[string]PlayedTrack{}
		}
		r.Played[playKey(e.N)] = e.PlayedTrack
		m.Mark("played", playKey(e.N))
		if old := playKey(e.N - PlayedListed); len(r.Played) > PlayedListed {
			delete(r.Played, old)
			m.Mark("played", old)
		}
	case *TrackRequeued:
		r.requeue(meta, e, m)
	case *TrackRestored:
		r.Queue[e.Entry.Track.ID] = e.Entry
		m.Mark("queue", e.Entry.Track.ID)
	case *TrackUnvoted:
		if entry, ok := r.Queue[e.Track]; ok {
			entry.Score--
			r.Queue[e.Track] = entry
			m.Mark("queue", e.Track, "score")
		}
	case *QueueShuffled:
		for track, seq := range e.Seqs {
			if entry, ok := r.Queue[track]; ok && entry.Seq != seq {
				entry.Seq = seq
				r.Queue[track] = entry
				m.Mark("queue", track, "seq")
			}
		}
	case *QueueSet:
		o := e.QueueOptions
		r.QueueOptions = &o
		m.Mark("queueOptions")
	case *ChangeUndone:
		// The events that follow say what that means.
	default:
		return r.applyAsks(meta, ev, m)
	}
	return nil
}

// requeue takes the current track off the stage. The next track, or the waiting for one,
// follows as an event of its own.
func (r *Room) requeue(meta Meta, e *TrackRequeued, m *Marks) {
	if r.Current == nil || r.Current.ID != e.Track {
		return
	}
	entry := QueueEntry{Track: *r.Current, SuggestedBy: e.User, SuggestedAt: meta.At, Seq: e.Seq}
	if e.Voted {
		entry.Score = 1
	}
	r.Queue[e.Track] = entry
	m.Mark("queue", e.Track)
	r.Current = nil
	m.Mark("current")
	r.Playback.TrackID = ""
	r.setPlayback(0, meta.At, false, false, m)
	r.setSkip(Skip{}, m)
}

// applyAsks folds polls and ready-checks. What a fork of the state may share is replaced.
func (r *Room) applyAsks(meta Meta, ev RoomEvent, m *Marks) error {
	switch e := ev.(type) {
	case *PollOpened:
		r.Poll = &Poll{
			ID: e.Poll, Question: e.Question, Options: listed(e.Options), Counts: make([]int, len(e.Options)),
			By: meta.By, At: meta.At, EndsAt: e.EndsAt,
		}
		m.Mark("poll")
	case *PollCounted:
		r.setPoll(e.Poll, e.Counts, 0, m)
	case *PollClosed:
		r.setPoll(e.Poll, e.Counts, e.At, m)
	case *ReadyAsked:
		r.ReadyCheck = &ReadyCheck{ID: e.Check, By: meta.By, At: meta.At, EndsAt: e.EndsAt, Of: e.Of, Users: []string{}}
		m.Mark("readyCheck")
	case *ReadyCounted:
		r.setReady(e.Check, e.Ready, e.Of, e.Users, 0, m)
	case *ReadyFinished:
		r.setReady(e.Check, e.Ready, e.Of, e.Users, e.At, m)
	default:
		return fmt.Errorf("%w: %T is not a public event of a room", ErrUnknownEvent, ev)
	}
	return nil
}

func (r *Room) setPoll(id int64, counts []int, closedAt int64, m *Marks) {
	if r.Poll == nil || r.Poll.ID != id {
		return
	}
	p := *r.Poll
	p.Counts, p.ClosedAt = listed(counts), closedAt
	r.Poll = &p
	m.Mark("poll", "counts")
	m.Mark("poll", "closedAt")
}

func (r *Room) setReady(id int64, ready, of int, users []string, endedAt int64, m *Marks) {
	if r.ReadyCheck == nil || r.ReadyCheck.ID != id {
		return
	}
	c := *r.ReadyCheck
	c.Ready, c.Of, c.Users, c.EndedAt = ready, of, listed(users), endedAt
	r.ReadyCheck = &c
	m.Mark("readyCheck")
}

// hideReady empties the list of who is ready: the roster is paged now.
func (r *Room) hideReady(m *Marks) {
	if r.ReadyCheck != nil && len(r.ReadyCheck.Users) > 0 {
		c := *r.ReadyCheck
		c.Users = []string{}
		r.ReadyCheck = &c
		m.Mark("readyCheck")
	}
}

// listed gives a list that is no null in JSON.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// queueValue is PatchValue for paths below the keys of this file.
func (r *Room) queueValue(path []string) (any, bool) {
	if len(path) != 2 {
		return nil, false
	}
	switch path[0] {
	case "played":
		p, ok := r.Played[path[1]]
		return p, ok
	case "turns":
		turn, ok := r.Turns[path[1]]
		return turn, ok
	case "poll":
		if r.Poll != nil && path[1] == "counts" {
			return r.Poll.Counts, true
		}
		if r.Poll != nil && path[1] == "closedAt" {
			return r.Poll.ClosedAt, true
		}
	}
	return nil, false
}
