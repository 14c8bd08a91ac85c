package room

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestMembership(t *testing.T) {
	scenario(t, "joining and leaving again is nothing", func(w *world) {
		w.no(subjects.CodeNotFound, "ben", "join")
		w.no(subjects.CodeNotFound, "ben", "leave")
		w.open(nil)
		w.ok("ben", "join")
		before := w.s.Room
		w.later(second)
		w.ok("ben", "join") // noted, and nothing changes
		if !reflect.DeepEqual(w.s.Room, before) || w.s.Since(user("ben")) != w.now {
			w.t.Fatalf("%+v became %+v", before, w.s.Room)
		}
		if m, _ := w.s.Member(user("ben")); m.Role != subjects.RoleMember || m.Control {
			w.t.Fatalf("%+v", m)
		}
		w.ok("ben", "leave")
		w.nothing("ben", "leave")
		w.no(subjects.CodeForbidden, "sys", "join")
	})
	scenario(t, "a leave that the platform sends late spares who came back since", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.later(second)
		elsewhere := w.now // when both joined another room
		w.later(second)
		w.ok("ben", "join")
		for _, who := range []string{"ben", "cleo"} {
			body := map[string]any{"user": user(who), "joinedBefore": elsewhere}
			if who == "ben" {
				w.nothing("sys", "leave", body)
			} else {
				w.ok("sys", "leave", body)
			}
		}
		if !w.s.IsMember(user("ben")) || w.s.IsMember(user("cleo")) {
			w.t.Fatalf("%v", w.s.MemberIDs())
		}
		w.no(subjects.CodeInvalid, "ben", "leave", map[string]any{"joinedBefore": 1})
	})
	scenario(t, "votes to skip are counted anew when a role or its verbs change", func(w *world) {
		w.open(tracks("a", "b"))
		for _, who := range []string{"ben", "cleo", "dan", "eve"} {
			w.ok(who, "join")
		}
		w.ok("ana", "play")
		w.later(lead + second)
		w.ok("ben", "skip")
		w.ok("cleo", "skip")
		w.ok("ana", "setRole", map[string]any{"user": user("ben"), "role": "guest"})
		if got := w.s.Room.Skip.Votes; got != 1 || w.s.SkipVotes() != 1 {
			w.t.Fatalf("a guest's vote counts: %d, %d", got, w.s.SkipVotes())
		}
		w.ok("ana", "setRole", map[string]any{"user": user("dan"), "role": "guest"})
		if w.s.Room.Current.ID != track("a").ID {
			w.t.Fatalf("1 of 3 does not skip")
		}
		w.ok("ana", "setRole", map[string]any{"user": user("eve"), "role": "guest"})
		w.ok("cleo", "leave")
		w.ok("ana", "skip") // alone with a say
		if w.s.Room.Current.ID != track("b").ID {
			w.t.Fatalf("still %s", w.s.Room.Current.ID)
		}
		w.ok("ana", "setRole", map[string]any{"user": user("ben"), "role": "member"})
		w.later(lead + second)
		w.ok("ben", "skip")
		w.ok("ana", "setGrants", body{"role": "member", "verbs": []string{"vote"}})
		if w.s.SkipVotes() != 0 || w.s.Room.Skip != (subjects.Skip{}) {
			w.t.Fatalf("%d votes of members who may not skip, %+v", w.s.SkipVotes(), w.s.Room.Skip)
		}
	})
	scenario(t, "what is missing is refused and not guessed", func(w *world) {
		w.open(tracks("a"))
		w.no(subjects.CodeInvalid, "ana", "seek")
		w.no(subjects.CodeInvalid, "ana", "seek", map[string]any{"positionMs": nil})
		w.no(subjects.CodeInvalid, "ana", "setGrants", map[string]any{"role": "member"})
	})
	scenario(t, "the creator's leaving closes the room", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("ana", "play")
		w.later(lead + second)
		w.ok("ana", "leave")
		if r := w.s.Room; r.Phase != subjects.PhaseClosed || r.ClosedReason != subjects.ClosedCreatorLeft {
			w.t.Fatalf("%+v", r)
		}
		w.stage("a paused", second)
		if _, ok := w.m.NextTimer(w.s); ok {
			w.t.Fatalf("a closed room wants to be woken")
		}
		for _, verb := range []string{"join", "play", "pause", "next", "skip", "close"} {
			w.no(subjects.CodeClosed, "ben", verb)
		}
		w.no(subjects.CodeClosed, "ben", "suggest", tracks("c"))
		w.no(subjects.CodeClosed, "ben", "vote", voteFor("b"))
		w.no(subjects.CodeClosed, "ana", "invite", about("cleo"))
		w.no(subjects.CodeClosed, "cleo", "join")
		w.nothing("ben", "leave")
		w.nothing("ana", "leave")
		w.nothing("sys", "wake")
	})
	scenario(t, "a room is closed on request by who may", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.no(subjects.CodeForbidden, "ben", "close")
		w.ok("sys", "close")
		w.no(subjects.CodeClosed, "ana", "close")
	})
	scenario(t, "the platform takes out who went elsewhere", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.no(subjects.CodeInvalid, "ana", "leave", about("ben"))
		w.no(subjects.CodeInvalid, "sys", "leave")
		w.nothing("sys", "leave", about("cleo"))
		w.ok("sys", "leave", about("ben"))
		if w.s.IsMember(user("ben")) {
			w.t.Fatalf("still there")
		}
		w.ok("sys", "leave", about("ana"))
		w.no(subjects.CodeClosed, "ben", "join")
	})
}

func TestPrivate(t *testing.T) {
	private := body{"open": false, "tracks": []string{"a", "b"}}
	scenario(t, "does not exist for the uninvited", func(w *world) {
		w.open(private)
		bodies := map[string]any{
			"suggest": tracks("c"), "vote": voteFor("b"), "remove": voteFor("b"), "seek": body{"positionMs": 1},
			"position": body{"lat": 1, "lng": 1}, "setRole": withRole("ana", "member"),
			"setGrants": body{"role": "guest", "verbs": []string{"join"}},
			"setQueue":  body{"loop": true}, "poll": question(), "answer": body{"poll": 1, "option": 0}, "ready": body{"ready": true},
		}
		for _, verb := range []string{"invite", "grantControl", "revokeControl", "kick", "ban", "unban"} {
			bodies[verb] = about("ana")
		}
		for _, verb := range subjects.RoomVerbs() {
			if verb == "create" || verb == "wake" || verb == "refused" {
				continue
			}
			b, ok := bodies[verb]
			if !ok {
				b = struct{}{}
			}
			w.no(subjects.CodeNotFound, "ben", verb, b)
		}
		if w.s.CanSee(user("ben")) || !w.s.CanSee(user("ana")) || !w.s.CanSee(subjects.System) {
			w.t.Fatalf("seen by the wrong")
		}
	})
	scenario(t, "is joined by the invited, who are told", func(w *world) {
		w.open(private)
		w.ok("ana", "invite", about("ben"))
		if e := w.told("ben", subjects.EventInvitationSent); !bytes.Contains(e.Body, []byte(`"Friday"`)) {
			w.t.Fatalf("%s", e.Body)
		}
		w.nothing("ana", "invite", about("ben"))
		if !w.s.CanSee(user("ben")) {
			w.t.Fatalf("the invited cannot see it")
		}
		w.no(subjects.CodeNotMember, "ben", "vote", voteFor("b"))
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("b"))
		w.no(subjects.CodeForbidden, "ben", "invite", about("cleo"))
		w.no(subjects.CodeAlready, "ana", "invite", about("ben"))
		w.no(subjects.CodeInvalid, "ana", "invite", about("ana"))
		w.ok("ben", "leave")
		w.ok("ben", "join") // an invitation stands until it is withdrawn
	})
	scenario(t, "a kick takes the invitation back", func(w *world) {
		w.open(private)
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join")
		w.ok("ana", "kick", about("ben"))
		w.told("ben", subjects.EventInvitationWithdrawn)
		w.no(subjects.CodeNotFound, "ben", "join")
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join")
	})
	scenario(t, "a ban hides it, and only a new invitation brings it back", func(w *world) {
		w.open(private)
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join")
		w.ok("ana", "ban", about("ben"))
		w.no(subjects.CodeNotFound, "ben", "join")
		w.no(subjects.CodeBanned, "ana", "invite", about("ben"))
		w.ok("ana", "unban", about("ben"))
		w.nothing("ana", "unban", about("ben"))
		w.no(subjects.CodeNotFound, "ben", "join")
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join")
	})
}

func TestModeration(t *testing.T) {
	scenario(t, "who is kicked from an open room may come back, who is banned may not", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		w.ok("ben", "vote", voteFor("b"))
		w.ok("ana", "kick", about("ben"))
		w.queue("b:2")
		w.no(subjects.CodeNotMember, "ben", "vote", voteFor("b"))
		w.no(subjects.CodeNotFound, "ana", "kick", about("ben"))
		w.ok("ben", "join")
		w.ok("ana", "ban", about("ben"))
		w.told("ben", subjects.EventUserBanned)
		w.nothing("ana", "ban", about("ben"))
		w.no(subjects.CodeBanned, "ben", "join")
		w.no(subjects.CodeBanned, "ben", "vote", voteFor("b"))
		w.ok("ana", "unban", about("ben"))
		w.ok("ben", "join")
		w.ok("ana", "ban", about("cleo")) // who was never there
		w.no(subjects.CodeBanned, "cleo", "join")
	})
	scenario(t, "needs a role above the other's", func(w *world) {
		w.open(nil)
		for _, name := range []string{"ben", "cleo", "dan"} {
			w.ok(name, "join")
		}
		w.no(subjects.CodeForbidden, "ben", "kick", about("cleo"))
		w.no(subjects.CodeForbidden, "ben", "setRole", withRole("ben", "moderator"))
		w.ok("ana", "setRole", withRole("ben", "moderator"))
		w.nothing("ana", "setRole", withRole("ben", "moderator"))
		w.ok("ana", "setRole", withRole("cleo", "moderator"))
		w.no(subjects.CodeForbidden, "ben", "kick", about("cleo"))
		w.no(subjects.CodeForbidden, "ben", "kick", about("ana"))
		w.no(subjects.CodeForbidden, "ben", "ban", about("ana"))
		w.no(subjects.CodeInvalid, "ben", "kick", about("ben"))
		w.no(subjects.CodeForbidden, "ben", "setRole", withRole("dan", "moderator"))
		w.ok("ben", "ban", about("dan"))
		w.ok("ben", "unban", about("dan"))
		w.ok("ana", "kick", about("cleo"))
		w.no(subjects.CodeInvalid, "ana", "setRole", withRole("ben", "creator"))
		w.no(subjects.CodeForbidden, "ana", "setRole", withRole("ana", "member"))
		w.no(subjects.CodeNotFound, "ana", "setRole", withRole("cleo", "member"))
		w.no(subjects.CodeForbidden, "sys", "ban", about("ana"))
		w.ok("sys", "ban", about("ben"))
	})
	scenario(t, "the creator edits what each role may do", func(w *world) {
		w.open(tracks("a", "b"))
		w.ok("ben", "join")
		grant := func(role string, verbs ...string) body {
			return body{"role": role, "verbs": append([]string{}, verbs...)}
		}
		w.no(subjects.CodeForbidden, "ben", "setGrants", grant("member", "play"))
		w.no(subjects.CodeInvalid, "ana", "setGrants", grant("creator", "play"))
		w.no(subjects.CodeInvalid, "ana", "setGrants", grant("king", "play"))
		w.no(subjects.CodeInvalid, "ana", "setGrants", grant("member", "fly"))
		for _, verb := range []string{"grantControl", "revokeControl", "setRole", "setGrants"} {
			w.no(subjects.CodeInvalid, "ana", "setGrants", grant("member", verb))
		}
		w.ok("ana", "setGrants", grant("member", "play", "invite", "play"))
		w.nothing("ana", "setGrants", grant("member", "invite", "play"))
		w.ok("ben", "play")
		w.ok("ben", "invite", about("cleo"))
		w.no(subjects.CodeForbidden, "ben", "vote", voteFor("b"))
		w.no(subjects.CodeForbidden, "ben", "suggest", tracks("c"))
		w.no(subjects.CodeForbidden, "ben", "skip")
		w.ok("ana", "setGrants", grant("guest"))
		w.no(subjects.CodeForbidden, "dan", "join") // nobody comes in now
		w.ok("cleo", "join")                        // but the invited
	})
	scenario(t, "every verb obeys the table, for every role", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.ok("ben", "join")
		bodies := map[string]any{
			"suggest": tracks("a"), "vote": voteFor("b"), "remove": voteFor("zzz"), "seek": body{"positionMs": 1},
			"invite": about("zoe"), "kick": about("zoe"), "ban": about("ana"), "unban": about("zoe"),
			"setQueue": body{"loop": true}, "poll": question(), "answer": body{"poll": 1, "option": 0}, "ready": body{"ready": true},
		}
		for _, role := range []string{"moderator", "speaker", "member", "guest"} {
			if role != "member" {
				w.ok("ana", "setRole", withRole("ben", role))
			} else {
				w.ok("ana", "setRole", withRole("ben", "member"))
			}
			for _, verb := range subjects.Grantable() {
				if subjects.CreatorOnly(verb) || verb == "join" || verb == "close" || verb == "undo" || !slices.Contains(subjects.RoomVerbs(), verb) {
					continue
				}
				b, ok := bodies[verb]
				if !ok {
					b = struct{}{}
				}
				w.ok("ana", "setGrants", body{"role": role, "verbs": []string{"close"}})
				w.no(subjects.CodeForbidden, "ben", verb, b)
				w.ok("ana", "setGrants", body{"role": role, "verbs": []string{verb}})
				if err := w.send("ben", verb, b); subjects.CodeOf(err) == subjects.CodeForbidden && verb != "ban" {
					w.t.Fatalf("%s may %s and is refused: %v", role, verb, err)
				}
			}
		}
	})
}

func TestBigRoom(t *testing.T) {
	scenario(t, "names are listed up to a limit, then counted", func(w *world) {
		w.open(tracks("a", "b"))
		name := func(i int) string { return fmt.Sprintf("p%d", i) }
		for i := 1; i < subjects.RosterInline; i++ {
			w.ok(name(i), "join")
		}
		if w.s.Room.Roster != subjects.ListedInline || len(w.s.Room.Members) != subjects.RosterInline {
			w.t.Fatalf("%s %d", w.s.Room.Roster, len(w.s.Room.Members))
		}
		const most = 400
		for i := subjects.RosterInline; i < most; i++ {
			before := w.s.Room.MemberCount
			w.ok(name(i), "join")
			w.told(name(i), subjects.EventMemberJoined)
			if public := w.log[len(w.log)-1].Public; i > subjects.RosterInline && w.s.Room.MemberCount == before && len(public.Events) != 0 {
				w.t.Fatalf("everybody is told: %+v", public)
			}
		}
		if w.s.MemberTotal() != most || w.s.Room.Roster != subjects.ListedByPage {
			w.t.Fatalf("%d members, %s", w.s.MemberTotal(), w.s.Room.Roster)
		}
		if bytes.Contains(w.doc, []byte(user(name(3)))) {
			w.t.Fatalf("somebody is named in the document")
		}
		w.ok("ana", "setRole", withRole(name(3), "moderator"))
		w.ok(name(3), "kick", about(name(4)))
		w.ok(name(5), "vote", voteFor("b"))
		w.queue("b:2")
		for i := 5; i < most; i++ {
			w.ok(name(i), "leave")
		}
		if w.s.Room.Roster != subjects.ListedInline || w.s.Room.MemberCount != 4 || w.s.Room.Members[user(name(3))].Role != subjects.RoleModerator {
			w.t.Fatalf("%+v", w.s.Room.Members)
		}
	})
}

func TestYou(t *testing.T) {
	w := newWorld(t)
	w.open(body{"tracks": []string{"a", "b"}, "constraints": body{"place": body{"lat": 1, "lng": 1, "radiusM": 10}}})
	w.ok("ben", "join")
	y := w.s.You(user("ben"), w.now)
	if !y.Member || y.Role != subjects.RoleMember || y.Fit != subjects.FitUnknown || y.CannotVote != subjects.CodeOutsidePlace ||
		slices.Contains(y.May, "play") || !slices.Contains(y.May, "vote") {
		t.Fatalf("%+v", y)
	}
	w.ok("ana", "grantControl", about("ben"))
	w.ok("ben", "position", body{"lat": 1, "lng": 1})
	w.ok("ben", "vote", voteFor("b"))
	y = w.s.You(user("ben"), w.now)
	if !y.Control || y.Fit != subjects.FitInside || y.CannotVote != "" || !slices.Equal(y.Voted, []string{"b"}) || !slices.Contains(y.May, "play") {
		t.Fatalf("%+v", y)
	}
	y = w.s.You(user("cleo"), w.now)
	if y.Member || y.Role != subjects.RoleGuest || !slices.Equal(y.May, []string{"join"}) || y.CannotVote != subjects.CodeNotMember {
		t.Fatalf("%+v", y)
	}
}
