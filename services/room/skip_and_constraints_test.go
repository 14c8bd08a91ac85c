package room

import (
	"bytes"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestSkip(t *testing.T) {
	people := []string{"ben", "cleo", "dan"}
	scenario(t, "more than half of the members skip a track", func(w *world) {
		w.open(tracks("a", "b"))
		for _, p := range people {
			w.ok(p, "join")
		}
		w.no(subjects.CodeNothingToPlay, "ben", "skip")
		w.ok("ana", "play")
		w.later(lead + second)
		w.no(subjects.CodeNotMember, "eve", "skip")
		w.ok("ben", "skip")
		w.no(subjects.CodeAlreadyVoted, "ben", "skip")
		w.ok("cleo", "skip")
		if got := w.s.Room.Skip; got != (subjects.Skip{Votes: 2, Needed: 3}) {
			w.t.Fatalf("%+v", got)
		}
		w.stage("a playing", second)
		w.ok("ana", "skip")
		w.stage("b playing", 0)
		if w.s.Room.Skip.Votes != 0 || w.s.VotedToSkip(user("ben")) {
			w.t.Fatalf("the votes stay")
		}
		w.ok("ben", "skip")
	})
	scenario(t, "without an eligible track the room waits", func(w *world) {
		w.open(body{"tracks": []string{"a"}, "skipShare": 1})
		w.ok("ana", "play")
		w.later(minute)
		w.ok("ana", "skip")
		w.stage("a ended", trackLen)
		w.no(subjects.CodeNothingToPlay, "ana", "skip")
		w.ok("ana", "suggest", tracks("b"))
		w.stage("b playing", 0)
	})
	scenario(t, "who leaves counts no more, on either side", func(w *world) {
		w.open(tracks("a", "b"))
		for _, p := range people {
			w.ok(p, "join")
		}
		w.ok("ana", "play")
		w.ok("ben", "skip")
		w.ok("cleo", "skip")
		w.ok("ben", "leave")
		if got := w.s.Room.Skip; got != (subjects.Skip{Votes: 1, Needed: 2}) {
			w.t.Fatalf("%+v", got)
		}
		w.ok("ben", "join")
		if got := w.s.Room.Skip; got != (subjects.Skip{Votes: 1, Needed: 3}) {
			w.t.Fatalf("%+v", got)
		}
		w.ok("ben", "skip")
		w.ok("ana", "kick", about("dan"))
		w.stage("b playing", 0)
	})
	scenario(t, "who leaves while it is paused lets it be skipped on play", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("ana", "play")
		w.ok("ana", "skip")
		w.ok("ana", "pause")
		w.ok("ben", "leave")
		w.stage("a paused", 0)
		w.ok("ana", "play")
		w.stage("b playing", 0)
	})
	scenario(t, "all are needed at a hundred percent, and only the invited where only they vote", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "skipShare": 100, "onlyInvitedVote": true})
		w.ok("ben", "join")
		w.ok("ana", "invite", about("cleo"))
		w.ok("cleo", "join")
		w.ok("ana", "play")
		w.no(subjects.CodeNotInvited, "ben", "skip")
		w.ok("cleo", "skip")
		w.stage("a playing", 0)
		w.ok("ana", "skip")
		w.stage("b playing", 0)
	})
}

func TestConstraints(t *testing.T) {
	now := dawn.UnixMilli()
	paris := body{"lat": 48.8566, "lng": 2.3522, "radiusM": 1000}
	near, far := body{"lat": 48.8570, "lng": 2.3530}, body{"lat": 48.90, "lng": 2.3522}
	scenario(t, "time gates votes and nothing else", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "minimumScore": 1,
			"constraints": body{"start": now + hour, "end": now + 2*hour}})
		w.ok("ben", "join")
		w.no(subjects.CodeOutsideTime, "ben", "vote", voteFor("b"))
		w.ok("ana", "play")
		w.ok("ben", "suggest", tracks("c"))
		w.queue("b:1", "c:0")
		w.ok("ana", "pause")
		w.window("before")
		w.later(hour)
		w.window("open")
		w.ok("ben", "vote", voteFor("b"))
		w.later(hour - 1)
		w.ok("ben", "vote", voteFor("c"))
		w.later(1)
		w.window("over")
		w.no(subjects.CodeOutsideTime, "ana", "vote", voteFor("c"))
		if _, ok := w.m.NextTimer(w.s); ok {
			w.t.Fatalf("wants to be woken once more")
		}
		w.ok("ana", "play")
	})
	scenario(t, "a window that nobody saw is over", func(w *world) {
		w.open(body{"constraints": body{"start": now + hour, "end": now + 2*hour}})
		w.outage(3 * hour)
		w.ok("sys", "wake")
		w.window("over")
		w.nothing("sys", "wake")
	})
	scenario(t, "a vote that overtakes the wake is taken", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "constraints": body{"start": now + hour, "end": now + 2*hour}})
		w.ok("ben", "join")
		w.outage(hour)
		w.ok("ben", "vote", voteFor("b"))
		w.window("open")
	})
	scenario(t, "place: a position counts for a day", func(w *world) {
		w.open(body{"tracks": []string{"a", "b", "c", "d"}, "constraints": body{"place": paris}})
		w.ok("ben", "join")
		w.no(subjects.CodeOutsidePlace, "ben", "vote", voteFor("b"))
		w.ok("ben", "position", far)
		w.no(subjects.CodeOutsidePlace, "ben", "vote", voteFor("b"))
		w.ok("ben", "position", near)
		w.ok("ben", "vote", voteFor("b"))
		w.ok("ben", "position", far)
		w.no(subjects.CodeOutsidePlace, "ben", "vote", voteFor("c"))
		w.ok("ben", "position", near)
		w.nothing("ben", "position", near)
		w.later(2 * minute)
		w.ok("ben", "position", near)
		w.ok("ben", "leave")
		w.later(24*hour - 1)
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("c"))
		w.later(1)
		w.no(subjects.CodeOutsidePlace, "ben", "vote", voteFor("d"))
	})
	scenario(t, "coordinates are nowhere, positions reach their owner alone", func(w *world) {
		w.open(body{"tracks": []string{"a"}, "constraints": body{"place": paris}})
		w.ok("ben", "join")
		w.ok("ben", "position", near)
		w.told("ben", subjects.EventPositionJudged)
		raw, err := subjects.AppendCommit(nil, &w.log[len(w.log)-1])
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		state, _ := w.m.EncodeState(w.s)
		for _, b := range [][]byte{raw, state} {
			if bytes.Contains(b, []byte("48.857")) || bytes.Contains(b, []byte("2.353")) {
				w.t.Fatalf("coordinates in %s", b)
			}
		}
	})
	scenario(t, "no place, no positions", func(w *world) {
		w.open(tracks("a"))
		w.no(subjects.CodeNotMember, "ben", "position", near)
		w.nothing("ana", "position", near)
		w.no(subjects.CodeInvalid, "ana", "position", body{"lat": 1})
		w.no(subjects.CodeInvalid, "ana", "position", body{"lat": 1, "lng": 181})
	})
}

// window expects the constraints' time to be before, open or over.
func (w *world) window(want string) {
	w.t.Helper()
	if got := w.s.Room.Constraints.Window; got != want {
		w.t.Fatalf("window %q, want %q", got, want)
	}
}
