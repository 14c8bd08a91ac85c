package room

import (
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestCreate(t *testing.T) {
	scenario(t, "votes for the initial tracks and puts the first on, paused", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.stage("a paused", 0)
		w.queue("b:1", "c:1")
		w.later(hour)
		w.stage("a paused", 0)
		if !w.s.Voted(user("ana"), "b") {
			w.t.Fatalf("the creator has not voted")
		}
	})
	scenario(t, "leaves the stage empty where one vote is not enough", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "minimumScore": 2})
		w.stage("nothing", 0)
		w.queue("a:1", "b:1")
		w.no(subjects.CodeNothingToPlay, "ana", "play")
		w.no(subjects.CodeNoEligibleTrack, "ana", "next")
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("b"))
		w.stage("b paused", 0)
		w.queue("a:1")
	})
	scenario(t, "trims the name and keeps a room without tracks", func(w *world) {
		w.open(body{"name": "  Friday  "})
		if w.s.Room.Name != "Friday" {
			w.t.Fatalf("name %q", w.s.Room.Name)
		}
		w.stage("nothing", 0)
	})
	scenario(t, "names each track once", func(w *world) {
		w.open(tracks("a", "b", "a", "b"))
		w.queue("b:1")
	})
	scenario(t, "tells the creator which tracks were not found", func(w *world) {
		w.open(tracks("missing1", "a", "down1"))
		w.stage("a paused", 0)
		w.told("ana", subjects.EventTracksRefused)
	})
	scenario(t, "is once", func(w *world) {
		w.open(nil)
		w.no(subjects.CodeExists, "ana", "create", body{"kind": "vote", "name": "x"})
		w.no(subjects.CodeExists, "ben", "create", body{"kind": "vote", "name": "x"})
	})
	now := dawn.UnixMilli()
	place := body{"lat": 48.86, "lng": 2.35, "radiusM": 500}
	for name, tc := range map[string]struct {
		body body
		code subjects.Code
	}{
		"no name":                 {body{"name": " \t"}, subjects.CodeInvalid},
		"a control character":     {body{"name": "a\nb"}, subjects.CodeInvalid},
		"a long name":             {body{"name": string(make([]rune, 101))}, subjects.CodeInvalid},
		"no kind":                 {body{"kind": ""}, subjects.CodeInvalid},
		"another kind":            {body{"kind": "watch"}, subjects.CodeInvalid},
		"a score below one":       {body{"minimumScore": 0}, subjects.CodeInvalid},
		"only invited, private":   {body{"open": false, "onlyInvitedVote": true}, subjects.CodeInvalid},
		"another mode":            {body{"mode": "shuffle"}, subjects.CodeInvalid},
		"a share above all":       {body{"skipShare": 101}, subjects.CodeInvalid},
		"an unknown option":       {body{"minScore": 2}, subjects.CodeInvalid},
		"empty constraints":       {body{"constraints": body{}}, subjects.CodeInvalid},
		"start without end":       {body{"constraints": body{"start": now + hour}}, subjects.CodeInvalid},
		"end without start":       {body{"constraints": body{"end": now + hour}}, subjects.CodeInvalid},
		"start after end":         {body{"constraints": body{"start": now + hour, "end": now + minute}}, subjects.CodeInvalid},
		"start at end":            {body{"constraints": body{"start": now + hour, "end": now + hour}}, subjects.CodeInvalid},
		"end in the past":         {body{"constraints": body{"start": now - hour, "end": now}}, subjects.CodeInvalid},
		"end in two years":        {body{"constraints": body{"start": now, "end": now + 2*366*24*hour}}, subjects.CodeInvalid},
		"off the globe":           {body{"constraints": body{"place": body{"lat": 91, "lng": 0, "radiusM": 5}}}, subjects.CodeInvalid},
		"a radius of nothing":     {body{"constraints": body{"place": body{"lat": 1, "lng": 0, "radiusM": 0}}}, subjects.CodeInvalid},
		"a track without name":    {tracks(""), subjects.CodeInvalid},
		"too many tracks":         {tracks(make([]string, 101)...), subjects.CodeTooLarge},
		"no track known":          {tracks("missing1", "missing2"), subjects.CodeNoSuchTrack},
		"no source answering":     {tracks("down1"), subjects.CodeTrackUnavailable},
		"no track, mixed reasons": {tracks("down1", "missing1"), subjects.CodeNothingAccepted},
		"":                        {body{"constraints": body{"place": place, "start": now, "end": now + hour}}, ""},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			w := newWorld(t)
			b := body{"kind": "vote", "name": "Friday", "open": true}
			for k, v := range tc.body {
				b[k] = v
			}
			if tc.code == "" {
				w.ok("ana", "create", b)
				return
			}
			w.no(tc.code, "ana", "create", b)
			if w.s.Exists() {
				t.Fatal("and yet it exists")
			}
		})
	}
}

func TestVote(t *testing.T) {
	scenario(t, "orders by score, then by the earliest suggestion", func(w *world) {
		w.open(tracks("a", "b", "c", "d"))
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("c"))
		w.queue("c:2", "b:1", "d:1")
		w.ok("ben", "vote", voteFor("d"))
		w.queue("c:2", "d:2", "b:1")
		w.ok("ben", "vote", voteFor("b"))
		w.queue("b:2", "c:2", "d:2")
	})
	scenario(t, "is once a member and track", func(w *world) {
		w.open(tracks("a", "b"))
		w.no(subjects.CodeAlreadyVoted, "ana", "vote", voteFor("b"))
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("b"))
		w.no(subjects.CodeAlreadyVoted, "ben", "vote", voteFor("b"))
		w.ok("ben", "leave")
		w.queue("b:2") // votes stay when their voter goes
		w.ok("ben", "join")
		w.no(subjects.CodeAlreadyVoted, "ben", "vote", voteFor("b"))
	})
	scenario(t, "needs a queued track and a member", func(w *world) {
		w.open(tracks("a", "b"))
		w.no(subjects.CodeNotMember, "ben", "vote", voteFor("b"))
		w.ok("ben", "join")
		w.no(subjects.CodeNoSuchTrack, "ben", "vote", voteFor("a")) // it is current
		w.no(subjects.CodeNoSuchTrack, "ben", "vote", voteFor("z"))
		w.no(subjects.CodeInvalid, "ben", "vote", voteFor("no id"))
	})
	scenario(t, "needs an invitation where only the invited vote", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "onlyInvitedVote": true})
		w.ok("ben", "join")
		w.no(subjects.CodeNotInvited, "ben", "vote", voteFor("b"))
		w.ok("ana", "invite", about("cleo"))
		w.ok("cleo", "join")
		w.ok("cleo", "vote", voteFor("b"))
		w.ok("ana", "suggest", tracks("c"))
		w.queue("b:2", "c:1")
	})
	scenario(t, "is gone when the track becomes current", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "next")
		w.stage("b playing", 0)
		w.ok("ana", "suggest", tracks("a"))
		w.ok("ana", "next")
		w.queue()
		w.ok("ana", "suggest", tracks("b")) // it may be suggested again
		w.queue("b:1")
	})
}

func TestSuggest(t *testing.T) {
	scenario(t, "appends what is new and votes for it", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.later(second)
		w.ok("ben", "suggest", body{"tracks": []any{"c", body{"id": "d"}, body{"url": "e"}}})
		w.queue("b:1", "c:1", "d:1", "e:1")
		if e := w.s.Room.Queue["c"]; e.SuggestedBy != user("ben") || e.SuggestedAt != w.now {
			w.t.Fatalf("%+v", e)
		}
		w.no(subjects.CodeAlreadyVoted, "ben", "vote", voteFor("c"))
	})
	scenario(t, "counts as a vote for what is queued", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("c", "c"))
		w.queue("c:2", "b:1")
		w.no(subjects.CodeNothingAccepted, "ben", "suggest", tracks("c"))
	})
	scenario(t, "ignores the current track", func(w *world) {
		w.open(tracks("a"))
		w.ok("ben", "join")
		w.no(subjects.CodeNothingAccepted, "ben", "suggest", tracks("a"))
		w.ok("ben", "suggest", tracks("a", "b"))
		w.queue("b:1")
		w.told("ben", subjects.EventTracksRefused)
	})
	scenario(t, "says why nothing was accepted", func(w *world) {
		w.open(tracks("a"))
		w.no(subjects.CodeNoSuchTrack, "ana", "suggest", tracks("missing"))
		w.no(subjects.CodeTrackUnavailable, "ana", "suggest", tracks("down1", "down2"))
		w.no(subjects.CodeNothingAccepted, "ana", "suggest", tracks("missing", "down"))
		w.no(subjects.CodeInvalid, "ana", "suggest", tracks())
	})
	scenario(t, "needs membership", func(w *world) {
		w.open(tracks("a"))
		w.no(subjects.CodeNotMember, "ben", "suggest", tracks("b"))
	})
	scenario(t, "queues without the vote of who may not vote now", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "onlyInvitedVote": true})
		w.ok("ben", "join")
		w.ok("ben", "suggest", tracks("c"))
		w.queue("b:1", "c:0")
		w.no(subjects.CodeNothingAccepted, "ben", "suggest", tracks("b"))
	})
	scenario(t, "stops at a full queue", func(w *world) {
		w.quick = true
		w.open(tracks("a"))
		n := 0
		for len(w.s.Room.Queue) < subjects.MaxQueue {
			ids := make([]string, 100)
			for i := range ids {
				n++
				ids[i] = "t" + string(rune('a'+n/26/26%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n%26))
			}
			w.ok("ana", "suggest", tracks(ids...))
		}
		w.no(subjects.CodeFull, "ana", "suggest", tracks("z"))
		w.quick = false
		w.ok("ana", "remove", voteFor("taab"))
	})
	scenario(t, "removes what the grants allow to remove", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.no(subjects.CodeForbidden, "ben", "remove", voteFor("b"))
		w.ok("ana", "remove", voteFor("b"))
		w.no(subjects.CodeNoSuchTrack, "ana", "remove", voteFor("b"))
		w.ok("ana", "suggest", tracks("b"))
		w.queue("b:1")
	})
}

func TestPlayback(t *testing.T) {
	scenario(t, "play, pause and seek take effect a moment ahead", func(w *world) {
		w.open(tracks("a", "b"))
		w.no(subjects.CodeAlready, "ana", "pause")
		w.ok("ana", "play")
		w.stage("a playing", 0)
		w.later(lead)
		w.stage("a playing", 0)
		w.later(10 * second)
		w.stage("a playing", 10*second)
		w.no(subjects.CodeAlready, "ana", "play")
		w.ok("ana", "pause")
		w.stage("a paused", 10*second+lead)
		w.later(hour)
		w.stage("a paused", 10*second+lead)
		w.ok("ana", "seek", body{"positionMs": minute})
		w.stage("a paused", minute)
		w.ok("ana", "play")
		w.later(lead + second)
		w.stage("a playing", minute+second)
		w.ok("ana", "seek", body{"positionMs": 0})
		w.later(lead + second)
		w.stage("a playing", second)
		w.no(subjects.CodeInvalid, "ana", "seek", body{"positionMs": trackLen})
		w.no(subjects.CodeInvalid, "ana", "seek", body{"positionMs": -1})
	})
	scenario(t, "at a track's end the next plays", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.ok("ana", "play")
		w.later(lead + trackLen - 1)
		w.stage("a playing", trackLen-1)
		w.later(1)
		w.stage("b playing", 0)
		w.later(trackLen)
		w.stage("c playing", 0)
		w.queue()
		w.later(trackLen)
		w.stage("c ended", trackLen)
	})
	scenario(t, "without an eligible track the room waits, and starts by itself", func(w *world) {
		w.open(body{"tracks": []string{"a", "b"}, "minimumScore": 2})
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("a"))
		w.stage("a paused", 0)
		w.ok("ana", "play")
		w.later(lead + trackLen + hour)
		w.stage("a ended", trackLen)
		w.no(subjects.CodeNothingToPlay, "ana", "play")
		w.no(subjects.CodeNothingToPlay, "ana", "pause")
		w.no(subjects.CodeNothingToPlay, "ana", "seek", body{"positionMs": 1})
		w.no(subjects.CodeNoEligibleTrack, "ana", "next")
		w.ok("ben", "suggest", tracks("c"))
		w.stage("a ended", trackLen)
		w.ok("ben", "vote", voteFor("b"))
		w.stage("b playing", 0)
		w.later(lead + second)
		w.stage("b playing", second)
		w.queue("c:1")
	})
	scenario(t, "one suggestion ends the waiting where one vote is enough", func(w *world) {
		w.open(tracks("a"))
		w.ok("ana", "play")
		w.later(hour)
		w.stage("a ended", trackLen)
		w.ok("ana", "suggest", tracks("b", "c"))
		w.stage("b playing", 0)
		w.queue("c:1")
	})
	scenario(t, "after an outage the music is where it would have been", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.ok("ana", "play")
		w.outage(lead + 2*trackLen + 7*second)
		w.ok("sys", "wake")
		w.stage("c playing", 7*second)
		if n := len(w.log[len(w.log)-1].Public.Events); n != 4 { // two tracks are history, two came on
			w.t.Fatalf("%d events", n)
		}
		w.outage(hour)
		w.ok("sys", "wake")
		w.stage("c ended", trackLen)
		w.nothing("sys", "wake")
	})
	scenario(t, "a command that overtakes the wake finds the track ended", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "play")
		w.outage(lead + trackLen + second)
		w.ok("ana", "pause")
		w.stage("b paused", second+lead)
		w.nothing("sys", "wake")
	})
	scenario(t, "next plays even if paused, and needs an eligible track", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "next")
		w.later(lead + second)
		w.stage("b playing", second)
		w.no(subjects.CodeNoEligibleTrack, "ana", "next")
		w.stage("b playing", second)
	})
	scenario(t, "a paused track at its very end goes on to the next", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ana", "play")
		w.later(trackLen)
		w.ok("ana", "pause")
		w.stage("a paused", trackLen)
		w.ok("ana", "play")
		w.later(lead + second)
		w.stage("b playing", second)
	})
	scenario(t, "needs the control permission", func(w *world) {
		w.open(tracks("a", "b"))
		w.no(subjects.CodeNotMember, "ben", "play")
		w.ok("ben", "join")
		for _, verb := range []string{"play", "pause", "next"} {
			w.no(subjects.CodeForbidden, "ben", verb)
		}
		w.no(subjects.CodeForbidden, "ben", "seek", body{"positionMs": 1})
		w.no(subjects.CodeForbidden, "ben", "grantControl", about("ben"))
		w.no(subjects.CodeNotFound, "ana", "grantControl", about("cleo"))
		w.ok("ana", "grantControl", about("ben"))
		w.nothing("ana", "grantControl", about("ben"))
		w.nothing("ana", "grantControl", about("ana"))
		w.ok("ben", "play")
		w.ok("ben", "next")
		w.ok("cleo", "join")
		w.no(subjects.CodeForbidden, "ben", "grantControl", about("cleo"))
		w.ok("ana", "revokeControl", about("ben"))
		w.nothing("ana", "revokeControl", about("ben"))
		w.no(subjects.CodeForbidden, "ana", "revokeControl", about("ana"))
		w.no(subjects.CodeForbidden, "ben", "pause")
		w.ok("ana", "grantControl", about("ben"))
		w.ok("ben", "leave")
		w.ok("ben", "join")
		w.no(subjects.CodeForbidden, "ben", "pause")
	})
	scenario(t, "wake is the platform's", func(w *world) {
		w.nothing("sys", "wake")
		w.open(nil)
		w.no(subjects.CodeForbidden, "ana", "wake")
	})
}
