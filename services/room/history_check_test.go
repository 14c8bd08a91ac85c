package room

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// checkHistory looks at what must hold of the plays after every commit.
func (w *world) checkHistory() {
	w.t.Helper()
	s, r := w.s, &w.s.Room
	plays := s.Plays()
	if len(plays) > subjects.PlayedKept || len(plays) > 0 && plays[len(plays)-1].N != s.LastPlay() {
		w.t.Fatalf("%d plays are kept, the last is %d", len(plays), s.LastPlay())
	}
	for i, p := range plays {
		if p.At >= p.EndedAt || p.Track.ID == "" || p.By == "" {
			w.t.Fatalf("play %+v", p)
		}
		if i > 0 && (p.N != plays[i-1].N+1 || p.At < plays[i-1].EndedAt) {
			w.t.Fatalf("play %+v follows on %+v", p, plays[i-1])
		}
	}
	last := plays[max(0, len(plays)-subjects.PlayedListed):]
	if listed := r.LastPlayed(); len(listed) != len(last) || len(last) > 0 && !reflect.DeepEqual(listed, slices.Clone(last)) {
		w.t.Fatalf("lists %v of %v", listed, last)
	}
	by, since := s.Sounding()
	if r.Current != nil && by == "" || r.Playback.Playing && since == 0 || r.Playback.Ended && since != 0 {
		w.t.Fatalf("on stage since %d by %q: %+v", since, by, r.Playback)
	}
}

// checkAsks looks at what must hold of the poll and the ready-check after every commit.
func (w *world) checkAsks() {
	w.t.Helper()
	s, r := w.s, &w.s.Room
	if p := r.Poll; p != nil {
		tally, sum := s.Tally(), 0
		if len(tally) != len(p.Options) || len(p.Counts) != len(p.Options) {
			w.t.Fatalf("%d options, %d counts, %d tallied", len(p.Options), len(p.Counts), len(tally))
		}
		for i, n := range tally {
			if sum += n; n < 0 || drifted(n, p.Counts[i]) || !p.Open() && n != p.Counts[i] {
				w.t.Fatalf("option %d has %d answers, shown as %d", i, n, p.Counts[i])
			}
		}
		if sum != s.Answers() {
			w.t.Fatalf("%d answers, %d tallied", s.Answers(), sum)
		}
	}
	c := r.ReadyCheck
	if !c.Running() || s.Closed() {
		return
	}
	voters := 0
	for _, id := range s.MemberIDs() {
		if s.Allows(id, subjects.VerbReady) {
			voters++
		} else if s.SaidReady(id) {
			w.t.Fatalf("%s is ready and does not count", id)
		}
	}
	total := s.ReadyTotal()
	if voters != s.ReadyVoters() || total > voters || voters > 0 && total == voters || drifted(total, c.Ready) || drifted(voters, c.Of) {
		w.t.Fatalf("%d of %d are ready, counted %d, shown as %d of %d", total, voters, s.ReadyVoters(), c.Ready, c.Of)
	}
	if len(c.Users) > 0 && !slices.Equal(c.Users, s.ReadyIDs()) {
		w.t.Fatalf("lists %v as ready, who are %v", c.Users, s.ReadyIDs())
	}
}

// checkUndoers looks at who can take back something else than before the last commit: an edge
// tells them, since they are among the Undoers, or since the commit speaks of them or of all.
func (w *world) checkUndoers() {
	w.t.Helper()
	s, moved, told := w.s, false, map[string]bool{}
	last := &w.log[len(w.log)-1]
	err := last.Each(func(e *subjects.Event, _ []string) error {
		var body struct {
			User string `json:"user"`
		}
		moved, told[e.By] = moved || subjects.MovesChanges(e.Type), true
		switch e.Type {
		case subjects.EventRoomCreated, subjects.EventRoomClosed, subjects.EventGrantsChanged:
			told["*"] = true
		}
		err := json.Unmarshal(e.Body, &body)
		told[body.User] = true
		return err
	})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	undoers := s.Undoers()
	now := map[string]subjects.Undoable{}
	for _, id := range s.MemberIDs() {
		if y := s.You(id, w.now); y.Undo != nil {
			now[id] = *y.Undo
		}
		if s.Allows(id, subjects.VerbUndo) && !slices.Contains(undoers, id) {
			w.t.Fatalf("%s may undo and is not listed", id)
		}
	}
	for _, of := range []map[string]subjects.Undoable{w.undoable, now} {
		for id := range of {
			if w.undoable[id] != now[id] && !told["*"] && !told[id] && !(moved && slices.Contains(undoers, id)) {
				w.t.Fatalf("%s could undo %+v, can undo %+v, and is not told of %+v", id, w.undoable[id], now[id], last.Public.Events)
			}
		}
	}
	w.undoable = now
}
