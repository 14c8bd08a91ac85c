package subjects

import "slices"

// QueueChange is a change of the queue that can still be taken back, as long as the queue
// has not moved on (RoomState.CanUndo).
type QueueChange struct {
	// N counts the room's changes, from 1.
	N    int64  `json:"n"`
	Verb string `json:"verb"`
	By   string `json:"by"`
	At   int64  `json:"at"`
	// Added are, of a suggest, the tracks that it queued, and Voted those that it voted for.
	Added []AddedTrack `json:"added,omitempty"`
	Voted []AddedTrack `json:"voted,omitempty"`
	// Removed is what a remove took out. Its votes are kept aside under N.
	Removed *QueueEntry `json:"removed,omitempty"`
	// Before and After are the seqs that a shuffle dealt.
	Before map[string]int64 `json:"before,omitempty"`
	After  map[string]int64 `json:"after,omitempty"`
	// Was and Became are the options around a setQueue.
	Was    *QueueOptions `json:"was,omitempty"`
	Became *QueueOptions `json:"became,omitempty"`

	cmd string // to gather the events of one command; not known after a snapshot
}

// AddedTrack is a track that was queued at a time, by which it is told from the same one queued
// again.
type AddedTrack struct {
	Track string `json:"track"`
	At    int64  `json:"at"`
}

// queueState is what a RoomState knows of the queue and the stage beside the document.
type queueState struct {
	stage stage
	// plays are the last PlayedKept, the newest last; played is the number of the last.
	plays  []PlayedTrack
	played int64
	// changes are at most MaxChanges, the newest last; changed is the number of the last.
	changes []*QueueChange
	changed int64
	// dropped are whose changes the last event that took any from the stack has taken, at
	// droppedAt, and those of its time.
	dropped   []string
	droppedAt int64
	// exports are those whose playlists may still be refused, the oldest first, at most
	// MaxHistoryExports.
	exports []historyExport

	// Of commands that are being folded: the one that created the room, the one that takes a
	// change back, and the votes of one that may yet queue tracks. None outlives its commit.
	command, undoing string
	voting           QueueChange
}

// stage is whose the current track is, and since when it has sounded: 0 if it has not.
type stage struct {
	By string `json:"by"`
	At int64  `json:"at"`
}

type historyExport struct {
	User     string `json:"user"`
	Playlist string `json:"playlist"`
}

// Exporting reports whether somebody has exported the room's history to a playlist, as far as
// the room remembers.
func (s *RoomState) Exporting(user, playlist string) bool {
	return slices.Contains(s.exports, historyExport{user, playlist})
}

// Sounding tells who suggested the current track, and since when it has sounded: 0 if it
// has not yet, or has ended.
func (s *RoomState) Sounding() (by string, since int64) { return s.stage.By, s.stage.At }

// Plays gives the last plays, at most PlayedKept, the newest last. They must not be changed.
func (s *RoomState) Plays() []PlayedTrack { return s.plays }

// LastPlay is the number of the last play, 0 before the first.
func (s *RoomState) LastPlay() int64 { return s.played }

// PlaysOf counts how often a track is among Plays.
func (s *RoomState) PlaysOf(track string) int {
	n := 0
	for i := range s.plays {
		if s.plays[i].Track.ID == track {
			n++
		}
	}
	return n
}

// SuggestedBy counts the queued tracks that somebody suggested.
func (s *RoomState) SuggestedBy(user string) int {
	n := 0
	for _, e := range s.Room.Queue {
		if e.SuggestedBy == user {
			n++
		}
	}
	return n
}

// applyQueue folds what the document does not hold of the queue; it reports whether it had
// anything to do with the event.
func (s *RoomState) applyQueue(meta Meta, ev RoomEvent) bool {
	switch e := ev.(type) {
	case *TrackPlayed:
		s.plays = append(s.plays, e.PlayedTrack)
		s.plays = s.plays[max(0, len(s.plays)-PlayedKept):]
		s.played = max(s.played, e.N)
		s.stage.At = 0
	case *TrackRequeued:
		if e.Voted {
			s.votes.add(e.User, e.Track)
		}
		s.nextSeq = max(s.nextSeq, e.Seq+1)
		s.stage = stage{}
	case *TrackRestored:
		s.votes.unshelve(e.Change, e.Entry.Track.ID)
	case *TrackUnvoted:
		s.votes.remove(e.User, e.Track)
	case *QueueShuffled:
		if c := s.begin(meta, VerbShuffle, meta.By); c != nil {
			c.Before, c.After = make(map[string]int64, len(e.Seqs)), make(map[string]int64, len(e.Seqs))
			for track, seq := range e.Seqs {
				if was, queued := s.Room.Queue[track]; queued {
					c.Before[track], c.After[track] = was.Seq, seq
				}
			}
		}
	case *QueueSet:
		if c := s.begin(meta, VerbSetQueue, meta.By); c != nil {
			was, became := s.Room.Queueing(), e.QueueOptions
			c.Was, c.Became = &was, &became
		}
	case *ChangeUndone:
		s.undoing = meta.Cmd
		if c := s.Change(e.Change); c != nil {
			s.drop(c.By, meta.At)
			s.changes = slices.DeleteFunc(s.changes, func(c *QueueChange) bool { return c.N == e.Change })
		}
	case *HistoryExported:
		s.exports = append(s.exports, historyExport{e.User, e.Playlist})
		s.exports = s.exports[max(0, len(s.exports)-MaxHistoryExports):]
	case *HistoryFailed:
		s.exports = slices.DeleteFunc(s.exports, func(x historyExport) bool {
			return !e.Part && x == historyExport{e.User, e.Playlist}
		})
	default:
		return false
	}
	return true
}

// begin notes a change, and forgets the oldest past MaxChanges. It gives nil for what cannot
// be taken back: the tracks that a room is created with, and a taking back.
func (s *RoomState) begin(meta Meta, verb, by string) *QueueChange {
	if meta.Cmd == "" || meta.Cmd == s.command || meta.Cmd == s.undoing {
		return nil
	}
	s.changed++
	c := &QueueChange{N: s.changed, Verb: verb, By: by, At: meta.At, cmd: meta.Cmd}
	if s.voting.cmd == meta.Cmd {
		c.Voted = s.voting.Voted
	}
	s.voting = QueueChange{}
	s.changes = append(s.changes, c)
	if len(s.changes) > MaxChanges {
		s.votes.dropShelf(s.changes[0].N)
		s.drop(s.changes[0].By, meta.At)
		s.changes = slices.Delete(s.changes, 0, 1)
	}
	return c
}

// suggesting gives the suggest under way by the same command; nil if there is none.
func (s *RoomState) suggesting(meta Meta) *QueueChange {
	if n := len(s.changes); n > 0 && meta.Cmd != "" && s.changes[n-1].cmd == meta.Cmd && s.changes[n-1].Verb == VerbSuggest {
		return s.changes[n-1]
	}
	return nil
}

func (s *RoomState) noteSuggested(meta Meta, e *TrackSuggested) {
	c := s.suggesting(meta)
	if c == nil {
		c = s.begin(meta, VerbSuggest, e.User)
	}
	if c != nil {
		c.Added = append(c.Added, AddedTrack{Track: e.Track.ID, At: meta.At})
	}
}

// noteVoted notes a vote, which may be part of a suggest that is yet to queue tracks.
func (s *RoomState) noteVoted(meta Meta, e *TrackVoted) {
	vote := AddedTrack{Track: e.Track, At: s.Room.Queue[e.Track].SuggestedAt}
	if c := s.suggesting(meta); c != nil {
		c.Voted = append(c.Voted, vote)
		return
	}
	if s.voting.cmd != meta.Cmd || meta.Cmd == "" {
		s.voting.cmd, s.voting.Voted = meta.Cmd, s.voting.Voted[:0]
	}
	s.voting.Voted = append(s.voting.Voted, vote)
}

func (s *RoomState) noteRemoved(meta Meta, e *TrackRemoved) {
	entry, queued := s.Room.Queue[e.Track]
	if !queued {
		return
	}
	c := s.begin(meta, VerbRemove, meta.By)
	if c == nil {
		s.votes.drop(e.Track)
		return
	}
	c.Removed = &entry
	s.votes.shelve(c.N, e.Track)
}

func (s *RoomState) onStage(e *TrackChosen) {
	entry, queued := s.Room.Queue[e.Track]
	if !queued {
		return
	}
	s.stage = stage{By: entry.SuggestedBy}
	if e.Playing {
		s.stage.At = e.AnchorAt
	}
}

// queueStateJSON is a queueState in a snapshot.
type queueStateJSON struct {
	Stage   *stage          `json:"stage,omitempty"`
	Exports []historyExport `json:"exports,omitempty"`
	Plays   []PlayedTrack   `json:"plays,omitempty"`
	LastN   int64           `json:"lastPlay,omitempty"`
	Changes []*QueueChange  `json:"changes,omitempty"`
	Changed int64           `json:"changed,omitempty"`
}

func (q *queueState) encode() queueStateJSON {
	out := queueStateJSON{Plays: q.plays, LastN: q.played, Changes: q.changes, Changed: q.changed, Exports: q.exports}
	if q.stage != (stage{}) {
		at := q.stage
		out.Stage = &at
	}
	return out
}

func (in queueStateJSON) decode() queueState {
	q := queueState{plays: in.Plays, played: in.LastN, changes: in.Changes, changed: in.Changed, exports: in.Exports}
	if in.Stage != nil {
		q.stage = *in.Stage
	}
	return q
}
