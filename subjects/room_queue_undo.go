package subjects

import (
	"maps"
	"slices"
)

// MayUndo reports whether somebody may take a change back: their own, or any if the grant
// table lets them.
func (s *RoomState) MayUndo(principal string, c *QueueChange) bool {
	return s.IsMember(principal) && c.By == principal || s.Allows(principal, VerbUndo)
}

// Change gives the change with a number; nil if it cannot be taken back any more.
func (s *RoomState) Change(n int64) *QueueChange {
	for _, c := range s.changes {
		if c.N == n {
			return c
		}
	}
	return nil
}

// NewestChange gives the last change that somebody may take back, be it that the queue has
// moved on or not; nil if there is none.
func (s *RoomState) NewestChange(principal string) *QueueChange {
	for _, c := range slices.Backward(s.changes) {
		if s.MayUndo(principal, c) {
			return c
		}
	}
	return nil
}

// LastChange gives the last change that somebody may take back and that can be; nil if there
// is none.
func (s *RoomState) LastChange(principal string) *QueueChange {
	for _, c := range slices.Backward(s.changes) {
		if s.MayUndo(principal, c) && s.CanUndo(c) == nil {
			return c
		}
	}
	return nil
}

// CanUndo returns why a change cannot be taken back as the queue is now: a CodeConflict. Nil
// if it can.
func (s *RoomState) CanUndo(c *QueueChange) *Refusal {
	queue := s.Room.Queue
	for _, a := range c.Added {
		e, queued := queue[a.Track]
		if !queued || e.SuggestedAt != a.At || e.SuggestedBy != c.By {
			return Refuse(CodeConflict, "%s is not in the queue any more", s.titled(a.Track))
		}
		own := 0
		if s.Voted(c.By, a.Track) {
			own = 1
		}
		if e.Score > own {
			return Refuse(CodeConflict, "others have voted for %s", s.titled(a.Track))
		}
	}
	for _, v := range c.Voted {
		e, queued := queue[v.Track]
		if !queued || e.SuggestedAt != v.At || !s.Voted(c.By, v.Track) {
			return Refuse(CodeConflict, "%s was taken out of the queue since", s.titled(v.Track))
		}
	}
	if c.Removed != nil {
		id, title := c.Removed.Track.ID, c.Removed.Track.Title
		switch _, queued := queue[id]; {
		case queued:
			return Refuse(CodeConflict, "%s is in the queue again", title)
		case s.Room.Current != nil && s.Room.Current.ID == id:
			return Refuse(CodeConflict, "%s is the current track", title)
		case len(queue) >= MaxQueue:
			return Refuse(CodeConflict, "the queue is full")
		}
	}
	if c.After != nil {
		left := 0
		for track, seq := range c.After {
			e, queued := queue[track]
			if !queued {
				continue
			}
			if left++; e.Seq != seq {
				return Refuse(CodeConflict, "the queue was reordered since")
			}
		}
		if left == 0 {
			return Refuse(CodeConflict, "nothing is left of what was shuffled")
		}
	}
	if c.Became != nil && s.Room.Queueing() != *c.Became {
		return Refuse(CodeConflict, "the queue was set otherwise since")
	}
	return nil
}

// titled gives the title of a track that the room knows, the id of another.
func (s *RoomState) titled(track string) string {
	if e, queued := s.Room.Queue[track]; queued {
		return e.Track.Title
	}
	if c := s.Room.Current; c != nil && c.ID == track {
		return c.Title
	}
	for i := range s.plays {
		if s.plays[i].Track.ID == track {
			return s.plays[i].Track.Title
		}
	}
	return track
}

// MovesChanges reports whether an event of this type may move what can be taken back: the
// changes of the queue that RoomState keeps, or whether one of them can be still.
func MovesChanges(eventType string) bool {
	switch eventType {
	case EventTrackSuggested, EventTrackVoted, EventTrackRemoved, EventTrackChosen, EventTrackRequeued,
		EventTrackRestored, EventTrackUnvoted, EventQueueShuffled, EventQueueSet, EventChangeUndone:
		return true
	}
	return false
}

// Undoers lists, sorted, whose You.Undo may be another since an event that MovesChanges: whoever
// has made a change that is kept, or that the last commit has dropped, and whoever may take
// others' changes back. It must be asked after each commit. Its cost is the number of those:
// members are counted only if the table lets every member, or every guest, undo.
func (s *RoomState) Undoers() []string {
	users := map[string]struct{}{}
	for _, c := range s.changes {
		users[c.By] = struct{}{}
	}
	for _, user := range s.dropped {
		users[user] = struct{}{}
	}
	for role, holders := range s.raised {
		if s.roleMay(role, VerbUndo) {
			maps.Copy(users, holders)
		}
	}
	for _, role := range []Role{RoleMember, RoleGuest} {
		if s.inRoles[role] == 0 || !s.roleMay(role, VerbUndo) {
			continue
		}
		for user, m := range s.members {
			if m.Role == role {
				users[user] = struct{}{}
			}
		}
	}
	delete(users, System)
	return slices.Sorted(maps.Keys(users))
}

// drop notes whose changes leave the stack.
func (s *RoomState) drop(by string, at int64) {
	if s.droppedAt != at {
		s.dropped = nil
	}
	s.dropped, s.droppedAt = append(s.dropped, by), at
}
