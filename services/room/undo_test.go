package room

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// canUndo expects what somebody's view names as the change that they can take back; "" for
// none.
func (w *world) canUndo(name, verb string) int64 {
	w.t.Helper()
	y := w.s.You(user(name), w.now)
	switch {
	case y.Undo == nil && verb == "":
		return 0
	case y.Undo == nil || y.Undo.Verb != verb:
		w.t.Fatalf("%s can undo %+v, want %q", name, y.Undo, verb)
	}
	return y.Undo.Change
}

func TestUndo(t *testing.T) {
	scenario(t, "gives a removed track its votes and its place back", func(w *world) {
		w.open(tracks("a", "b", "c", "d"))
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("ben", "vote", voteFor("c"))
		w.ok("cleo", "vote", voteFor("c"))
		w.ok("cleo", "leave")
		w.queue("c:3", "b:1", "d:1")
		w.ok("ana", "remove", voteFor("b"))
		w.ok("ana", "remove", voteFor("c"))
		w.queue("d:1")
		if w.s.Voted(user("ben"), "c") {
			w.t.Fatalf("a vote stands for what is gone")
		}
		w.canUndo("ana", "remove")
		w.canUndo("ben", "")
		w.ok("ana", "undo")
		w.queue("c:3", "d:1")
		w.ok("ana", "undo") // and then the one before
		w.queue("c:3", "b:1", "d:1")
		if !w.s.Voted(user("ben"), "c") || !w.s.Voted(user("cleo"), "c") {
			w.t.Fatalf("votes are lost")
		}
		w.no(subjects.CodeAlreadyVoted, "ben", "vote", voteFor("c"))
		w.canUndo("ana", "")
		w.no(subjects.CodeNotFound, "ana", "undo")
	})
	scenario(t, "takes a suggestion back, with what it had voted for", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("c", "b", "d"))
		w.queue("b:2", "c:1", "d:1")
		n := w.canUndo("ben", "suggest")
		w.ok("ben", "undo", body{"change": n})
		w.queue("b:1")
		w.no(subjects.CodeConflict, "ben", "undo", body{"change": n})
		w.no(subjects.CodeNotFound, "ben", "undo")
		w.ok("ben", "suggest", tracks("b")) // is a vote: no change of the queue
		w.canUndo("ben", "")
	})
	scenario(t, "says so when the queue has moved on", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("ben", "suggest", tracks("c"))
		w.ok("cleo", "vote", voteFor("c"))
		w.no(subjects.CodeConflict, "ben", "undo") // others have voted
		w.canUndo("ben", "")
		w.ok("ana", "next")
		w.stage("c playing", 0)
		w.no(subjects.CodeConflict, "ben", "undo") // it is on
		w.ok("ana", "remove", voteFor("b"))
		n := w.canUndo("ana", "remove")
		w.ok("ben", "suggest", tracks("b"))
		w.no(subjects.CodeConflict, "ana", "undo", body{"change": n}) // it is back
		w.canUndo("ana", "suggest")                                   // others' can be taken back by those who may
		w.ok("ana", "shuffle")
		w.ok("ana", "setQueue", body{"loop": true})
		n = w.canUndo("ana", "setQueue")
		w.ok("ana", "setQueue", body{"loop": false})
		w.no(subjects.CodeConflict, "ana", "undo", body{"change": n})
	})
	scenario(t, "is for one's own changes, and for others' where the table lets one", func(w *world) {
		w.open(tracks("a"))
		w.no(subjects.CodeNotMember, "ben", "undo")
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("ben", "suggest", tracks("b"))
		w.ok("cleo", "suggest", tracks("c"))
		w.no(subjects.CodeForbidden, "ben", "undo", body{"change": w.canUndo("cleo", "suggest")})
		w.ok("ben", "undo") // one's own, though another came after it
		w.queue("c:1")
		w.ok("ana", "undo")
		w.queue()
		w.ok("ben", "suggest", tracks("b"))
		w.ok("ben", "leave")
		w.no(subjects.CodeNotMember, "ben", "undo")
		w.no(subjects.CodeInvalid, "ana", "undo", body{"change": -1})
	})
	scenario(t, "undoes a shuffle for what is left of it, and what was set", func(w *world) {
		w.open(nil)
		w.ok("ana", "suggest", tracks("now", "a", "b", "c", "d", "e"))
		w.ok("ana", "shuffle")
		w.ok("ana", "setQueue", body{"order": "fair", "perUser": 9})
		w.ok("ana", "remove", voteFor("c"))
		w.ok("ana", "suggest", tracks("z"))
		w.ok("ana", "undo")
		shuffled := int64(2)
		w.ok("ana", "undo", body{"change": shuffled})
		w.order("a", "b", "d", "e")
		w.ok("ana", "undo")
		w.ok("ana", "undo")
		if w.s.Room.Queueing() != subjects.DefaultQueueOptions() {
			w.t.Fatalf("%+v", w.s.Room.Queueing())
		}
	})
	scenario(t, "lets a track play whose return ends the waiting", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "play")
		w.ok("ana", "remove", voteFor("b"))
		w.later(hour)
		w.stage("a ended", trackLen)
		w.ok("ana", "undo")
		w.stage("b playing", 0)
	})
	scenario(t, "remembers a bounded number of changes", func(w *world) {
		w.open(tracks("a"))
		w.ok("ben", "join")
		for i := range subjects.MaxChanges + 5 {
			w.ok("ana", "suggest", tracks(fmt.Sprint("t", i)))
			w.ok("ben", "vote", voteFor(fmt.Sprint("t", i)))
			w.ok("ana", "remove", voteFor(fmt.Sprint("t", i)))
		}
		w.ok("ana", "undo")
		w.queue(fmt.Sprintf("t%d:2", subjects.MaxChanges+4))
		w.no(subjects.CodeConflict, "ana", "undo") // ben has voted for what was suggested
		if w.s.Change(1) != nil || w.s.Change(int64(2*(subjects.MaxChanges+5))) != nil {
			w.t.Fatalf("the wrong changes are kept")
		}
	})
	scenario(t, "does not take back what the room was created with", func(w *world) {
		w.open(tracks("a", "b"))
		w.no(subjects.CodeNotFound, "ana", "undo")
	})
	scenario(t, "puts nothing back into a full queue", func(w *world) {
		w.quick = true
		w.open(tracks("a", "b"))
		w.ok("ana", "remove", voteFor("b"))
		for i := 0; len(w.s.Room.Queue) < subjects.MaxQueue; i++ {
			ids := make([]string, 100)
			for j := range ids {
				ids[j] = fmt.Sprintf("t%d-%d", i, j)
			}
			w.ok("ana", "suggest", tracks(ids...))
		}
		w.no(subjects.CodeConflict, "ana", "undo", body{"change": 1})
	})
}

// A change takes back what it did, and not what was done again since.
func TestUndoLeavesLaterVotes(t *testing.T) {
	scenario(t, "for the same track, suggested anew", func(w *world) {
		w.open(body{"minimumScore": 2, "tracks": []string{"x", "y"}})
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("cleo", "vote", voteFor("x")) // x is on
		w.ok("ben", "suggest", tracks("y", "n"))
		n := w.canUndo("ben", "suggest")
		w.ok("ana", "next")
		w.ok("cleo", "suggest", tracks("z"))
		w.ok("ana", "vote", voteFor("z"))
		w.ok("ana", "next") // y is over
		w.now += second
		w.ok("cleo", "suggest", tracks("y"))
		w.ok("ben", "vote", voteFor("y"))
		w.no(subjects.CodeConflict, "ben", "undo", body{"change": n})
		w.canUndo("ben", "")
		if !w.s.Voted(user("ben"), "y") {
			w.t.Fatalf("the later vote is gone")
		}
	})
}

// In whatever order a shuffle and what came after it are taken back, no two tracks come to
// stand at one place.
func TestUndoOutOfOrder(t *testing.T) {
	for try := range 40 {
		scenario(t, fmt.Sprint(try), func(w *world) {
			w.sent = try * 1000
			w.open(body{"minimumScore": 5})
			w.ok("ana", "suggest", tracks("a", "b", "c", "d"))
			w.ok("ana", "shuffle")
			shuffled := w.canUndo("ana", "shuffle")
			w.ok("ana", "remove", voteFor("a"))
			removed := w.canUndo("ana", "remove")
			w.ok("ana", "undo", body{"change": shuffled})
			w.order("b", "c", "d")
			w.ok("ana", "undo", body{"change": removed})
			seen := map[int64]string{}
			for id, e := range w.s.Room.Queue {
				if other, twice := seen[e.Seq]; twice {
					w.t.Fatalf("%s and %s have seq %d", id, other, e.Seq)
				}
				seen[e.Seq] = id
			}
		})
	}
}

func TestUndoers(t *testing.T) {
	are := func(w *world, want ...string) {
		w.t.Helper()
		ids := []string{}
		for _, name := range want {
			ids = append(ids, user(name))
		}
		slices.Sort(ids)
		if got := w.s.Undoers(); !slices.Equal(got, ids) {
			w.t.Fatalf("%v may undo, want %v (%v)", got, want, ids)
		}
	}
	scenario(t, "are the authors, and those whom the table lets", func(w *world) {
		w.open(nil)
		for _, name := range []string{"ben", "cleo", "mo", "sam"} {
			w.ok(name, "join")
		}
		are(w, "ana")
		w.ok("ana", "setRole", withRole("mo", "moderator"))
		w.ok("ana", "setRole", withRole("sam", "speaker"))
		are(w, "ana", "mo")
		w.ok("ben", "suggest", tracks("a", "b"))
		are(w, "ana", "mo", "ben")
		w.now += second
		w.ok("ben", "suggest", tracks("c"))
		w.now += second
		w.ok("mo", "undo")
		w.ok("mo", "remove", voteFor("b"))
		w.now += second
		for range subjects.MaxChanges {
			w.now += second
			w.ok("ana", "setQueue", body{"loop": !w.s.Room.Queueing().Loop})
		}
		are(w, "ana", "mo")
		w.now += second
		w.ok("ana", "setRole", withRole("mo", "member"))
		are(w, "ana")
		w.ok("ana", "setGrants", body{"role": "member", "verbs": []string{"undo", "suggest"}})
		are(w, "ana", "ben", "cleo", "mo")
		w.ok("mo", "leave")
		are(w, "ana", "ben", "cleo")
		w.ok("ana", "setGrants", body{"role": "member", "verbs": []string{"suggest"}})
		w.ok("ben", "suggest", tracks("d"))
		for w.s.NewestChange(user("ben")) != nil {
			w.now += second
			w.ok("ana", "setQueue", body{"loop": !w.s.Room.Queueing().Loop})
		}
		are(w, "ana", "ben") // whose change the last one has dropped
		w.now += second
		w.ok("ana", "setQueue", body{"loop": !w.s.Room.Queueing().Loop})
		are(w, "ana")
	})
}
