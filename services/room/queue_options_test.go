package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// order expects the queue's tracks in the order in which they will be played.
func (w *world) order(want ...string) {
	w.t.Helper()
	got := []string{}
	for _, e := range w.s.Room.Ordered() {
		got = append(got, e.Track.ID)
	}
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		w.t.Fatalf("queue %v, want %v", got, want)
	}
}

// history expects what was played, the newest last.
func (w *world) history(want ...string) {
	w.t.Helper()
	got := []string{}
	for _, p := range w.s.Plays() {
		got = append(got, p.Track.ID)
	}
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		w.t.Fatalf("played %v, want %v", got, want)
	}
}

func TestSetQueue(t *testing.T) {
	scenario(t, "changes what is named and leaves the rest", func(w *world) {
		w.open(nil)
		if w.s.Room.QueueOptions != nil || w.s.Room.Queueing() != subjects.DefaultQueueOptions() {
			w.t.Fatalf("begins with %+v", w.s.Room.QueueOptions)
		}
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "setQueue", body{"order": "fair", "perUser": 2})
		if got, want := w.s.Room.Queueing(), (subjects.QueueOptions{Order: "fair", Loop: true, PerUser: 2}); got != want {
			w.t.Fatalf("%+v, want %+v", got, want)
		}
		w.nothing("ana", "setQueue", body{"loop": true})
		w.ok("ben", "join")
		w.no(subjects.CodeForbidden, "ben", "setQueue", body{"loop": false})
		for _, b := range []body{
			{}, {"order": "random"}, {"perUser": -1}, {"perUser": subjects.MaxQueueLimit + 1}, {"perTrack": -1},
			{"perTrack": subjects.MaxPlayLimit + 1}, {"loop": "yes"}, {"shuffle": true},
		} {
			w.no(subjects.CodeInvalid, "ana", "setQueue", b)
		}
	})
}

func TestFairQueue(t *testing.T) {
	scenario(t, "plays the suggesters' best tracks in turn", func(w *world) {
		w.open(body{"minimumScore": 1})
		w.ok("ana", "setQueue", body{"order": "fair"})
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("ana", "suggest", tracks("a0", "a1", "a2", "a3"))
		w.ok("ben", "suggest", tracks("b1", "b2"))
		w.ok("cleo", "suggest", tracks("c1"))
		w.stage("a0 paused", 0) // which was ana's turn
		w.order("b1", "c1", "a1", "b2", "a2", "a3")
		w.ok("cleo", "vote", voteFor("a3"))
		w.ok("cleo", "vote", voteFor("b2"))
		w.order("b2", "c1", "a3", "b1", "a1", "a2")
		w.ok("ana", "play")
		w.later(lead)
		for _, want := range []string{"b2", "c1", "a3", "b1", "a1", "a2"} {
			w.later(trackLen)
			if w.s.Room.Current.ID != want {
				w.t.Fatalf("%s is played, want %s", w.s.Room.Current.ID, want)
			}
		}
	})
	scenario(t, "lets a newcomer come first and passes over what lacks the score", func(w *world) {
		w.open(body{"minimumScore": 2})
		w.ok("ana", "setQueue", body{"order": "fair"})
		w.ok("ben", "join")
		w.ok("ana", "suggest", tracks("a", "b"))
		w.ok("ben", "vote", voteFor("a"))
		w.stage("a paused", 0)
		w.ok("ben", "suggest", tracks("x"))
		w.order("x", "b")
		w.no(subjects.CodeNoEligibleTrack, "ana", "next")
		w.ok("ben", "vote", voteFor("b"))
		w.order("x", "b")
		w.ok("ana", "next")
		w.stage("b playing", 0)
	})
	scenario(t, "remembers a bounded number of turns", func(w *world) {
		w.quick = true
		w.open(body{"minimumScore": 1})
		w.ok("ana", "setQueue", body{"order": "fair"})
		for i := range subjects.MaxTurns + 3 {
			who := fmt.Sprint("p", i)
			w.ok(who, "join")
			w.ok(who, "suggest", tracks(fmt.Sprint("t", i)))
			if i > 0 {
				w.ok("ana", "next")
			}
		}
		if n := len(w.s.Room.Turns); n != subjects.MaxTurns {
			w.t.Fatalf("%d turns", n)
		}
		if w.s.Room.Turns[user("p0")] != 0 || w.s.Room.Turns[user("p3")] == 0 {
			w.t.Fatalf("the wrong ones were forgotten")
		}
		w.check()
	})
}

func TestLoop(t *testing.T) {
	scenario(t, "brings a track back to the end, with its suggester's vote", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("c"))
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "vote", voteFor("c"))
		w.ok("ana", "play")
		w.later(lead + trackLen)
		w.stage("c playing", 0)
		w.queue("b:1", "a:1")
		w.later(trackLen)
		w.stage("b playing", 0)
		w.queue("a:1", "c:1")
		w.history("a", "c")
		if !w.s.Voted(user("ben"), "c") || w.s.Voted(user("ana"), "c") {
			w.t.Fatalf("the votes were not begun anew")
		}
		w.ok("ana", "next")
		w.stage("a playing", 0)
		w.queue("c:1", "b:1")
		w.ok("ana", "remove", voteFor("c"))
		w.ok("ana", "remove", voteFor("b"))
		w.later(hour)
		w.queue()
		if w.s.Room.Current.ID != "a" || !w.s.Room.Playback.Playing {
			w.t.Fatalf("a lone track does not go on")
		}
	})
	scenario(t, "leaves the stage empty until a track has the score, and then plays it", func(w *world) {
		w.open(body{"minimumScore": 2, "tracks": []string{"a"}})
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("a"))
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "play")
		w.later(lead + trackLen)
		w.stage("nothing", 0)
		w.queue("a:1")
		if !w.s.Room.Playback.Ended || !w.s.Room.Waiting() {
			w.t.Fatalf("%+v", w.s.Room.Playback)
		}
		w.no(subjects.CodeNothingToPlay, "ana", "play")
		w.ok("ben", "vote", voteFor("a"))
		w.stage("a playing", 0)
		w.queue()
	})
	scenario(t, "brings it back without a vote if its suggester cannot vote", func(w *world) {
		w.open(tracks("a"))
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("b"))
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "next")
		w.stage("b playing", 0)
		w.ok("ben", "leave")
		w.ok("ana", "next")
		w.queue("b:0")
		w.stage("a playing", 0)
	})
	scenario(t, "brings a track back that was skipped before it sounded, and keeps it out of the history", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "next")
		w.ok("ana", "next") // before the first has begun
		w.stage("a playing", 0)
		w.history()
		w.queue("b:1")
	})
	scenario(t, "ends with the plays that a track may have", func(w *world) {
		w.open(tracks("a"))
		w.ok("ana", "setQueue", body{"loop": true, "perTrack": 3})
		w.ok("ana", "play")
		w.later(hour)
		w.stage("a ended", trackLen)
		w.history("a", "a", "a")
		w.queue()
	})
	scenario(t, "catches up on so many tracks after an outage, and goes on from there", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "play")
		w.outage(2 * catchUpMost * trackLen)
		w.ok("sys", "wake")
		if at, ok := w.s.Room.EndsAt(); !ok || at != w.now+lead+trackLen {
			w.t.Fatalf("the track ends at %d, now is %d", at, w.now)
		}
		if n := w.s.LastPlay(); n != catchUpMost+1 {
			w.t.Fatalf("%d plays", n)
		}
		if n := len(w.s.Plays()); n != subjects.PlayedKept {
			w.t.Fatalf("%d are kept", n)
		}
		if n := len(w.s.Room.Played); n != subjects.PlayedListed {
			w.t.Fatalf("%d are listed", n)
		}
	})
}

func TestQueueLimits(t *testing.T) {
	scenario(t, "so many tracks a user", func(w *world) {
		w.open(tracks("a"))
		w.ok("ana", "setQueue", body{"perUser": 2})
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("b", "c", "d"))
		w.told("ben", subjects.EventTracksRefused)
		w.queue("b:1", "c:1")
		w.no(subjects.CodeFull, "ben", "suggest", tracks("d"))
		w.ok("ana", "suggest", tracks("d")) // others have room
		w.ok("ben", "suggest", tracks("d")) // and a vote is no track
		w.queue("d:2", "b:1", "c:1")
		w.ok("ana", "remove", voteFor("b"))
		removal := w.canUndo("ana", "remove")
		w.ok("ben", "suggest", tracks("e"))
		w.ok("ana", "undo", body{"change": removal}) // brings b back, whoever is over the limit then
		w.no(subjects.CodeFull, "ben", "suggest", tracks("f"))
		w.ok("ana", "setQueue", body{"perUser": 0})
		w.ok("ben", "suggest", tracks("f"))
	})
	scenario(t, "so many plays a track", func(w *world) {
		w.open(tracks("a"))
		w.ok("ana", "setQueue", body{"perTrack": 2})
		w.ok("ana", "play")
		w.later(hour)
		w.ok("ana", "suggest", tracks("a", "b")) // the current one is ignored, at its end too
		w.stage("b playing", 0)
		w.ok("ana", "suggest", tracks("a"))
		w.later(hour)
		w.history("a", "b", "a")
		w.ok("ana", "suggest", tracks("c"))
		w.no(subjects.CodeFull, "ana", "suggest", tracks("a"))
		w.ok("ana", "setQueue", body{"perTrack": 3})
		w.ok("ana", "suggest", tracks("a"))
	})
}

func TestShuffle(t *testing.T) {
	scenario(t, "orders tracks of equal score by chance, and by what the command's id says", func(w *world) {
		w.open(nil)
		ids := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		w.ok("ana", "suggest", tracks(append([]string{"first"}, ids...)...))
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("e"))
		seen := map[string]bool{}
		for range 5 {
			w.ok("ana", "shuffle")
			order := []string{}
			for _, e := range w.s.Room.Ordered() {
				order = append(order, e.Track.ID)
			}
			if order[0] != "e" {
				w.t.Fatalf("%v: the votes count no more", order)
			}
			seen[fmt.Sprint(order)] = true
			slices.Sort(order)
			if !slices.Equal(order, ids) {
				w.t.Fatalf("%v are left of %v", order, ids)
			}
		}
		if len(seen) < 4 {
			w.t.Fatalf("five shuffles gave %d orders", len(seen))
		}
		w.ok("ana", "suggest", tracks("z"))
		if order := w.s.Room.Ordered(); order[len(order)-1].Track.ID != "z" {
			w.t.Fatalf("what comes later does not stand last: %v", order)
		}
		w.no(subjects.CodeForbidden, "ben", "shuffle")
	})
	scenario(t, "is nothing for fewer than two", func(w *world) {
		w.open(tracks("a", "b"))
		w.nothing("ana", "shuffle")
	})
}

func TestPlays(t *testing.T) {
	scenario(t, "tell when a track has sounded, and who suggested it", func(w *world) {
		w.open(tracks("a", "b"))
		w.later(minute)
		w.ok("ana", "play")
		begun := w.now + lead
		w.later(lead + 10*second)
		w.ok("ana", "pause")
		w.later(minute)
		w.ok("ana", "play")
		w.later(second)
		w.ok("ben", "join")
		w.ok("ana", "next")
		p := w.s.Plays()[0]
		if p.N != 1 || p.Track.ID != "a" || p.By != user("ana") || p.At != begun || p.EndedAt != w.now {
			w.t.Fatalf("%+v, began at %d", p, begun)
		}
		w.later(hour)
		w.stage("b ended", trackLen)
		w.history("a", "b")
		w.ok("ana", "close") // it has ended before
		w.history("a", "b")
	})
	scenario(t, "hold what was on when the room closed, and nothing that never sounded", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "next")
		w.history() // a was paused
		w.later(minute)
		w.ok("ana", "leave")
		w.history("b")
		if p := w.s.Plays()[0]; p.EndedAt != w.now {
			w.t.Fatalf("%+v", p)
		}
	})
}

// What is not accepted is said in words for people: titles where they are known, a reason once
// if it is that of all, and what is full.
func TestRefusedTracksAreNamed(t *testing.T) {
	scenario(t, "in a room", func(w *world) {
		says := func(want string, ids ...string) {
			w.t.Helper()
			if err := w.send("ana", "suggest", tracks(ids...)); err == nil || !strings.Contains(err.Error(), want) {
				w.t.Fatalf("%v, want %q", err, want)
			}
		}
		w.open(body{"tracks": []string{"now", "a", "b"}})
		says("no track was accepted: Title of now: it is the current track", "now")
		says("none of 2 tracks was accepted, each for the same reason: it is in the queue and you have voted for it", "a", "b")
		says("Title of a: it is in the queue and you have voted for it; missing: unknown track", "a", "missing")
		w.ok("ana", "remove", voteFor("b"))
		w.ok("ana", "setQueue", body{"perUser": 1, "perTrack": 1})
		says("Title of c: your part of the queue is full: one may have 1 track in it", "c")
		w.ok("ana", "setQueue", body{"perUser": 2})
		w.ok("ana", "suggest", tracks("c"))
		says("one may have 2 tracks in it", "d")
		w.ok("ana", "setQueue", body{"perUser": 0})
		w.ok("ana", "play")
		w.later(lead + trackLen)
		says("Title of now: its plays are full: lately a track may be played 1 time", "now")
		w.no(subjects.CodeFull, "ana", "suggest", tracks("now"))
		w.quick = true
		for i := 0; len(w.s.Room.Queue) < subjects.MaxQueue; i++ {
			w.ok("ana", "suggest", tracks(fmt.Sprint("t", i)))
		}
		says("Title of z: the queue is full: it holds at most 500 tracks", "z")
	})
}
