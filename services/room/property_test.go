package room

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

// TestHistories runs arbitrary histories. After every commit the world checks what must
// always hold (world.check); at the end log, snapshot and live state must agree.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		h := history{w, t}
		h.create()
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			h.step()
		}
		w.refold()
		h.sealed()
	})
}

type history struct {
	w *world
	t *rapid.T
}

var (
	people = []string{"ana", "ben", "cleo", "dan", "eve", "sys"}
	// hidden are invited and banned, and never do anything: no public byte names them.
	hidden = []string{"hid1", "hid2"}
	often  = []string{"join", "join", "vote", "vote", "suggest", "suggest", "undo", "undo", "play", "next", "later", "later", "outage", "crowd", "answer", "ready"}
	songs  = []string{"a", "b", "c", "d", "e", "f", "missing", "down"}
)

func (h history) person() string { return rapid.SampledFrom(people).Draw(h.t, "who") }
func (h history) song() string   { return rapid.SampledFrom(songs).Draw(h.t, "song") }
func (h history) songs() []string {
	return rapid.SliceOfN(rapid.SampledFrom(songs), 0, 4).Draw(h.t, "songs")
}

func (h history) create() {
	now := h.w.now
	b := body{
		"kind": "vote", "name": "Friday", "tracks": h.songs(),
		"open":         rapid.Bool().Draw(h.t, "open"),
		"minimumScore": rapid.IntRange(1, 3).Draw(h.t, "minimum"),
		"skipShare":    rapid.IntRange(1, 100).Draw(h.t, "share"),
	}
	if b["open"] == true {
		b["onlyInvitedVote"] = rapid.Bool().Draw(h.t, "only invited")
	}
	c := body{}
	if rapid.Bool().Draw(h.t, "place") {
		c["place"] = body{"lat": 10, "lng": 20, "radiusM": 1000}
	}
	if rapid.Bool().Draw(h.t, "time") {
		start := now + rapid.Int64Range(-hour, hour).Draw(h.t, "start")
		c["start"], c["end"] = start, now+hour+rapid.Int64Range(1, hour).Draw(h.t, "end")
	}
	if len(c) > 0 {
		b["constraints"] = c
	}
	h.try("ana", "create", b)
}

// try sends a command; any typed refusal will do, whatever else is a defect.
func (h history) try(who, verb string, body any) {
	before := len(h.w.log)
	err := h.w.send(who, verb, body)
	var r *subjects.Refusal
	if err != nil && (!errors.As(err, &r) || r.Code == subjects.CodeInternal || r.Message == "") {
		h.t.Fatalf("%s %s %v: %v", who, verb, body, err)
	}
	if err != nil && len(h.w.log) != before {
		h.t.Fatalf("%s %s is refused and has happened", who, verb)
	}
	if at, ok := h.w.m.NextTimer(h.w.s); ok && err == nil && len(h.w.log) > before && at <= h.w.now {
		h.t.Fatalf("%s %s left something due at %d, now is %d", who, verb, at, h.w.now)
	}
}

func (h history) step() {
	w, t := h.w, h.t
	who := h.person()
	someone := rapid.SampledFrom(append(people, hidden...)).Draw(t, "whom")
	switch verb := rapid.SampledFrom(append(subjects.RoomVerbs(), often...)).Draw(t, "verb"); verb {
	case "later":
		w.later(rapid.Int64Range(0, 8*minute).Draw(t, "ms"))
	case "outage":
		w.outage(rapid.Int64Range(0, 30*minute).Draw(t, "ms"))
	case "crowd":
		come := rapid.Bool().Draw(t, "come")
		for i := range 70 {
			if come {
				h.try(fmt.Sprintf("crowd%d", i), "join", struct{}{})
			} else {
				h.try(fmt.Sprintf("crowd%d", i), "leave", struct{}{})
			}
		}
	case "create":
		h.create()
	case "leave":
		if who == "ana" { // rarely: it ends the room
			who = "ben"
		}
		h.try(who, verb, struct{}{})
	case "close":
		h.try("ben", verb, struct{}{})
	case "suggest":
		h.try(who, verb, tracks(h.songs()...))
	case "vote", "remove":
		h.try(who, verb, voteFor(h.song()))
	case "seek":
		h.try(who, verb, body{"positionMs": rapid.Int64Range(-1, trackLen).Draw(t, "position")})
	case "position":
		h.try(who, verb, body{"lat": 10.0001234, "lng": rapid.SampledFrom([]float64{20.0004321, 21.0004321}).Draw(t, "lng")})
	case "setRole":
		h.try(who, verb, withRole(someone, rapid.SampledFrom([]string{"moderator", "speaker", "member", "guest"}).Draw(t, "role")))
	case "setGrants":
		h.try(who, verb, body{
			"role":  rapid.SampledFrom([]string{"moderator", "speaker", "member", "guest"}).Draw(t, "role"),
			"verbs": rapid.SliceOfN(rapid.SampledFrom(subjects.Grantable()), 0, 6).Draw(t, "verbs"),
		})
	case "invite", "ban", "unban":
		h.try(who, verb, about(someone))
	case "kick", "grantControl", "revokeControl":
		h.try(who, verb, about(someone))
	case "undo":
		h.undo(who)
	case "setQueue":
		h.try(who, verb, body{
			"order": rapid.SampledFrom([]string{"votes", "fair"}).Draw(t, "order"), "loop": rapid.Bool().Draw(t, "loop"),
			"perUser": rapid.IntRange(0, 3).Draw(t, "per user"), "perTrack": rapid.IntRange(0, 3).Draw(t, "per track"),
		})
	case "poll":
		b := question()
		if rapid.Bool().Draw(t, "timed") {
			b["seconds"] = rapid.IntRange(5, 600).Draw(t, "seconds")
		}
		h.try(who, verb, b)
	case "answer":
		h.try(who, verb, body{"poll": rapid.IntRange(1, 2).Draw(t, "poll"), "option": rapid.IntRange(0, 3).Draw(t, "option")})
	case "ready":
		h.try(who, verb, body{"ready": rapid.Bool().Draw(t, "ready")})
	default:
		h.try(who, verb, struct{}{})
	}
}

// undo takes a change back, most often right after it was made: then everything is as it was
// before.
func (h history) undo(who string) {
	w := h.w
	before := queueOf(w.s)
	n := len(w.log)
	made := rapid.SampledFrom([]string{"suggest", "remove", "shuffle", "setQueue", ""}).Draw(h.t, "made")
	switch made {
	case "suggest":
		h.try(who, made, tracks(h.songs()...))
	case "remove":
		h.try(who, made, voteFor(h.song()))
	case "shuffle":
		h.try(who, made, struct{}{})
	case "setQueue":
		h.try(who, made, body{"order": rapid.SampledFrom([]string{"votes", "fair"}).Draw(h.t, "order")})
	default:
		h.try(who, "undo", body{"change": rapid.IntRange(0, 30).Draw(h.t, "change")})
		return
	}
	if len(w.log) != n+1 || !w.s.IsMember(user(who)) || !onlyOfQueue(&w.log[n]) {
		return // refused, or nothing, or more came of it
	}
	c := w.s.NewestChange(user(who))
	if c == nil || c.At != w.now || c.Verb != made { // a suggest of what is queued, which is a vote
		return
	}
	w.ok(who, "undo", body{"change": c.N})
	if after := queueOf(w.s); after != before {
		h.t.Fatalf("%s was taken back and left\n%s\nwant\n%s", made, after, before)
	}
}

// queueOf gives the queue, its order, its options and the votes.
func queueOf(s *subjects.RoomState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", s.Room.Queueing())
	for _, e := range s.Room.Ordered() {
		fmt.Fprintf(&b, "%+v", e)
		for _, name := range people {
			fmt.Fprintf(&b, " %v", s.Voted(user(name), e.Track.ID))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// onlyOfQueue reports whether a commit has changed the queue and nothing else.
func onlyOfQueue(c *subjects.Commit) bool {
	for _, e := range c.Public.Events {
		switch e.Type {
		case subjects.EventTrackSuggested, subjects.EventTrackVoted, subjects.EventTrackRemoved, subjects.EventQueueShuffled, subjects.EventQueueSet:
		default:
			return false
		}
	}
	return true
}

// sealed checks that what is sealed reaches one user each and stays out of the rest.
func (h history) sealed() {
	for i := range h.w.log {
		c := &h.w.log[i]
		public, err := json.Marshal(c.Public)
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		all, _ := subjects.AppendCommit(nil, c)
		for _, s := range []string{"10.0001", "20.0004", "21.0004"} {
			if bytes.Contains(all, []byte(s)) {
				h.t.Fatalf("coordinates in %s", all)
			}
		}
		for _, name := range hidden {
			if bytes.Contains(public, []byte(user(name))) {
				h.t.Fatalf("%s is named in public: %s", name, public)
			}
		}
		for _, s := range c.Sealed {
			if len(s.To) != 1 || !bytes.Contains(s.Body, []byte(`"`+s.To[0]+`"`)) {
				h.t.Fatalf("sealed to %v: %s", s.To, s.Body)
			}
		}
		for _, e := range c.Public.Events {
			if strings.HasPrefix(e.Type, "invitation.") || strings.HasPrefix(e.Type, "position.") || strings.HasPrefix(e.Type, "user.") ||
				e.Type == subjects.EventTracksRefused || strings.HasSuffix(e.Type, ".answered") || strings.HasPrefix(e.Type, "history.") {
				h.t.Fatalf("%s is public", e.Type)
			}
		}
	}
}

// FuzzBodies sends arbitrary bytes to every verb of a living room: typed refusals, or
// events that keep what must hold.
func FuzzBodies(f *testing.F) {
	for i := range subjects.RoomVerbs() {
		f.Add(i, []byte(`{}`))
	}
	f.Add(3, []byte(`{"tracks":["a",{"id":"b"},{"url":"c"},{},null]}`))
	f.Add(0, []byte(`{"constraints":{"start":-1,"end":1e300}}`))
	f.Add(9, []byte(`{"user":"user_01KQHPHXG08JM0G05TK1VT3VQR"}`))
	f.Fuzz(func(t *testing.T, verb int, raw []byte) {
		w := newWorld(t)
		w.open(tracks("a", "b"))
		verbs := subjects.RoomVerbs()
		v := verbs[((verb%len(verbs))+len(verbs))%len(verbs)]
		for _, who := range []string{"ana", "ben", "sys"} {
			if !json.Valid(raw) {
				if _, err := subjects.DecodeRoomCommand(v, raw); err != nil && subjects.CodeOf(err) == subjects.CodeInternal {
					t.Fatalf("%v", err)
				}
				continue
			}
			if err := w.send(who, v, json.RawMessage(raw)); subjects.CodeOf(err) == subjects.CodeInternal {
				t.Fatalf("%s: %v", v, err)
			}
		}
		w.refold()
	})
}
