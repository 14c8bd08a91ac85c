package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// Joining a vote room leaves the one before; what its creator leaves is closed.
func TestOneVoteRoomAPerson(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, eve := p.register("ann"), p.register("bob"), p.register("eve")
	one, two := ann.open("One", nil), bob.open("Two", nil)
	eve.do(one, "join", nil)
	eve.do(two, "join", nil)
	eventually(t, func() string {
		if eve.see(one).You.Member {
			return "still in the first room"
		}
		return ""
	})
	equal(t, "in the second room", eve.see(two).You.Member, true)
	moved := false
	for _, e := range events(t, p.log(one)) {
		if e.Type == subjects.EventMemberLeft {
			moved = true
			equal(t, "who took eve out", e.By, subjects.System)
		}
	}
	equal(t, "a trace in the log", moved, true)

	ann.do(two, "join", nil) // and so leaves what she made
	eventually(t, func() string {
		if ann.see(one).State.Phase != subjects.PhaseClosed {
			return "the first room is open without its creator"
		}
		return ""
	})
	equal(t, "why", ann.see(one).State.ClosedReason, subjects.ClosedCreatorLeft)
	eve.refused(subjects.CodeClosed, one, "join", nil)
	ann.refused(subjects.CodeClosed, one, "suggest", body{"tracks": []string{"demo:aurora"}})
	ann.do(one, "leave", nil) // again is nothing

	// To open a room is to join it.
	three := eve.open("Three", nil)
	eventually(t, func() string {
		if eve.see(two).You.Member {
			return "still in the second room"
		}
		return ""
	})
	equal(t, "in the third room", eve.see(three).You.Role, subjects.RoleCreator)
	bob.do(two, "leave", nil)
	equal(t, "phase", bob.see(two).State.Phase, subjects.PhaseClosed)
}

// Of two rooms with one name the second carries its creator's as well; a name that was
// given up is free again.
func TestNamesOfRooms(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob := p.register("ann"), p.register("bob")
	ann.profileArrives(t)
	bob.profileArrives(t)
	p.nicknames(subjects.TableProfiles, 2) // what a room reads a nickname from
	one, two := ann.open("Jazz", nil), bob.open("  jAZZ ", nil)
	equal(t, "the first name", ann.see(one).State.Name, "Jazz")
	equal(t, "the second name", ann.see(two).State.Name, "jAZZ (bob)")
	three := bob.open("Jazz", nil)
	name := bob.see(three).State.Name
	if name == "Jazz" || name == "Jazz (bob)" {
		t.Fatalf("a third room is called %q too", name)
	}
	ann.do(one, "leave", nil)
	eventually(t, func() string {
		if got := ann.see(ann.open("Jazz", nil)).State.Name; got != "Jazz" {
			return "the name was given up and is still taken: the new room is called " + got
		}
		return ""
	})
	for _, bad := range []string{"", "   ", "line\nbreak", fmt.Sprintf("%0101d", 0)} {
		err := ann.post("/v1/rooms", body{"kind": "vote", "name": bad}, nil)
		equal(t, fmt.Sprintf("a room called %q", bad), codeOf(err), subjects.CodeInvalid)
	}
}

// blind fails unless to this viewer the room is one that there never was.
func (w *person) blind(t *testing.T, room, name string) {
	t.Helper()
	nowhere := subjects.NewID(subjects.PrefixRoom, time.Now())
	for _, path := range []string{"", "/members", "/queue"} {
		equal(t, w.nickname+" reads"+path, codeOf(w.get("/v1/rooms/"+room+path, nil)), subjects.CodeNotFound)
		_, _, hidden, err := w.send(http.MethodGet, "/v1/rooms/"+room+path, nil, http.Header{"X-Request-Id": {"r"}})
		must(t, err)
		_, _, missing, err := w.send(http.MethodGet, "/v1/rooms/"+nowhere+path, nil, http.Header{"X-Request-Id": {"r"}})
		must(t, err)
		equal(t, "what tells a hidden room from none", masked(hidden, room), masked(missing, nowhere))
	}
	if slices.Contains(w.find(name[:3], 10), name) {
		t.Fatalf("%s finds a room that is hidden", w.nickname)
	}
	if w.access == "" {
		_, err := w.command(room, "join", nil)
		equal(t, "a command without a token", codeOf(err), subjects.CodeUnauthenticated)
		return
	}
	commands := map[string]body{"join": nil, "leave": nil, "vote": {"track": "demo:aurora"}, "suggest": {"tracks": []string{"demo:aurora"}},
		"play": nil, "kick": {"user": w.id}, "invite": {"user": w.id}, "unban": {"user": w.id}, "close": nil, "position": {"lat": 1, "lng": 1}}
	for verb, in := range commands {
		_, hidden := w.command(room, verb, in)
		_, missing := w.command(nowhere, verb, in)
		equal(t, w.nickname+": "+verb, codeOf(hidden), subjects.CodeNotFound)
		equal(t, verb+" in no room", codeOf(missing), subjects.CodeNotFound)
		var a, b *problem
		if !errors.As(hidden, &a) || !errors.As(missing, &b) {
			t.Fatalf("%s: %v, %v", verb, hidden, missing)
		}
		equal(t, "what tells a hidden room from none", fmt.Sprint(a.Detail, a.Epoch, a.Rev), fmt.Sprint(b.Detail, b.Epoch, b.Rev))
	}
}

// A private room is there for those it invited, and for nobody else there is none.
func TestPrivateRooms(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, eve := p.register("ann"), p.register("bob"), p.register("eve")
	name := "Secret society"
	room := ann.open(name, body{"open": false, "tracks": []string{"demo:aurora"}, "minimumScore": 2})
	eve.blind(t, room, name)
	bob.blind(t, room, name)
	p.nobody().blind(t, room, name)
	eventually(t, func() string {
		if !slices.Contains(ann.find("secret", 10), name) {
			return "the creator does not find her own room"
		}
		return ""
	})

	ann.refused(subjects.CodeInvalid, room, "invite", body{"user": ann.id})
	ann.do(room, "invite", body{"user": bob.id})
	equal(t, "again is nothing", ann.do(room, "invite", body{"user": bob.id}).Rev, ann.see(room).Rev)
	equal(t, "bob's invitation", bob.see(room).You.Invited, true)
	eventually(t, func() string {
		if !slices.Contains(bob.find("SECRET S", 10), name) {
			return "the invited does not find the room"
		}
		return ""
	})
	bob.do(room, "join", nil)
	bob.do(room, "vote", body{"track": "demo:aurora"})
	bob.refused(subjects.CodeForbidden, room, "invite", body{"user": eve.id})
	for id := range p.published(subjects.TableRooms) {
		equal(t, "a public document of the private room", id == room, false)
	}
	ann.refused(subjects.CodeAlready, room, "invite", body{"user": bob.id})
	eve.blind(t, room, name)

	// Who is thrown out of a private room does not see it any more.
	ann.do(room, "kick", body{"user": bob.id})
	gone := func() string {
		if slices.Contains(bob.find("secret", 10), name) {
			return "still found"
		}
		return ""
	}
	eventually(t, gone)
	bob.blind(t, room, name)
	ann.do(room, "invite", body{"user": bob.id})
	bob.do(room, "join", nil)
	ann.do(room, "ban", body{"user": bob.id})
	eventually(t, gone)
	bob.blind(t, room, name)
	ann.refused(subjects.CodeBanned, room, "invite", body{"user": bob.id})

	// In an open room the banned read, and that is all.
	open := ann.open("Open house", nil)
	bob.do(open, "join", nil)
	ann.do(open, "ban", body{"user": bob.id})
	bob.refused(subjects.CodeBanned, open, "join", nil)
	bob.refused(subjects.CodeBanned, open, "suggest", body{"tracks": []string{"demo:aurora"}})
	equal(t, "banned", bob.see(open).You.Banned, true)
	ann.do(open, "unban", body{"user": bob.id})
	bob.do(open, "join", nil)

	// Only the invited vote.
	picky := bob.open("Picky", body{"onlyInvitedVote": true, "minimumScore": 5, "tracks": []string{"demo:aurora"}})
	eve.do(picky, "join", nil)
	eve.refused(subjects.CodeNotInvited, picky, "vote", body{"track": "demo:aurora"})
	err := bob.post("/v1/rooms", body{"kind": "vote", "name": "Odd", "onlyInvitedVote": true}, nil)
	equal(t, "only the invited, in a private room", codeOf(err), subjects.CodeInvalid)
}

// published gives the ids of a table's public documents.
func (p *program) published(table string) map[string]bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := p.jetstream().Stream(ctx, subjects.StreamState)
	must(p.t, err)
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subjects.StateWildcard(table)))
	must(p.t, err)
	out := map[string]bool{}
	for subject := range info.State.Subjects {
		_, id, err := subjects.ParseState(subject)
		must(p.t, err)
		out[id] = true
	}
	return out
}

// Rooms are found by the beginning of their name, page by page.
func TestSearchingRooms(t *testing.T) {
	t.Parallel()
	p := start(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("Salon %d", i)
		p.register(fmt.Sprint("host", i)).open(name, nil)
		want = append(want, name)
	}
	other := p.register("other")
	closing := other.open("Salon closing", nil)
	other.open("Attic", nil) // and so Salon closing has no creator any more
	nobody := p.nobody()
	eventually(t, func() string {
		if got := nobody.find("salon", 3); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("found %v, want %v", got, want)
		}
		return ""
	})
	equal(t, "the closed room", other.see(closing).State.Phase, subjects.PhaseClosed)
	same(t, "in other letters", nobody.find("SALON 3", 3), []string{"Salon 3"})
	same(t, "of nothing", nobody.find("salons", 3), []string{})
	equal(t, "all", len(nobody.find("", 100)), len(want)+1)
	equal(t, "a cursor from elsewhere", codeOf(nobody.get("/v1/rooms?cursor=@@@", nil)), subjects.CodeInvalid)
	equal(t, "too long a page", codeOf(nobody.get("/v1/rooms?limit=100000", nil)), subjects.CodeInvalid)

	list := p.tutti("rooms", "list", "Salon", "--json", "--nats-url", "nats://"+p.nats)
	equal(t, "rooms list", list.code, 0)
}

// masked takes the room's own id out of an answer.
func masked(answer []byte, room string) string {
	return strings.ReplaceAll(string(answer), room, "ROOM")
}
