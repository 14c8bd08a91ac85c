package playlist

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// Who follows the creator comes in, is in it like anybody else, and stays whatever becomes of
// the following; who does not is told what a stranger is told.
func TestFollowersComeIn(t *testing.T) {
	scenario(t, "who follows joins, and the log says afterwards who may see", func(w *world) {
		w.open(body{"visibility": "followers"}, "a", "b")
		w.no(subjects.CodeNotFound, "dan", "join")
		w.fans["dan"] = true
		if !w.s.FollowersMaySee() || w.s.CanSee(user("dan")) {
			w.t.Fatalf("followers may see: %v", w.s.FollowersMaySee())
		}
		if y := w.s.FollowerYou(user("dan")); !slices.Equal(y.May, []string{subjects.VerbJoin}) || y.CannotEdit != subjects.CodeNotMember {
			w.t.Fatalf("%+v", y)
		}
		w.no(subjects.CodeNotFound, "dan", "add", tracks("x")) // nobody asks whom he follows
		w.ok("dan", "join")
		var let subjects.PlaylistAdmitted
		w.told("dan", subjects.EventPlaylistAdmitted, &let)
		if let.User != user("dan") || !w.s.CanSee(user("dan")) || w.s.Invited(user("dan")) {
			w.t.Fatalf("%+v", let)
		}
		w.nothing("dan", "join")
		w.ok("dan", "add", tracks("c"))

		w.fans["dan"] = false // what he is in he stays in
		w.nothing("dan", "join")
		w.ok("dan", "move", moving("c", 2, 0))
		w.ok("dan", "leave")
		w.no(subjects.CodeNotFound, "dan", "join")
		w.no(subjects.CodeNotFound, "dan", "leave")
		w.fans["dan"] = true
		w.ok("dan", "join")
	})
	scenario(t, "whoever was taken out needs an invitation", func(w *world) {
		w.open(body{"visibility": "followers"}, "a")
		w.fans["dan"] = true
		w.ok("dan", "join")
		w.no(subjects.CodeForbidden, "dan", "withdraw", about("dan"))
		w.ok("ana", "withdraw", about("dan"))
		if w.s.IsMember(user("dan")) || w.s.CanSee(user("dan")) {
			w.t.Fatalf("still in it")
		}
		w.nothing("ana", "withdraw", about("dan"))
		w.nothing("ana", "withdraw", about("ana"))
		w.no(subjects.CodeNotInvited, "dan", "join")
		if y := w.s.FollowerYou(user("dan")); len(y.May) != 0 || y.CannotEdit != subjects.CodeNotInvited {
			w.t.Fatalf("%+v", y)
		}
		w.ok("ana", "invite", about("dan"))
		w.ok("dan", "join")
		w.ok("dan", "leave")
		w.fans["dan"] = false
		w.ok("dan", "join") // the invitation stands
	})
	scenario(t, "where only the invited edit they look on", func(w *world) {
		w.open(body{"visibility": "followers", "onlyInvitedEdit": true}, "a")
		w.fans["dan"] = true
		w.ok("dan", "join")
		w.no(subjects.CodeNotInvited, "dan", "add", tracks("x"))
		w.ok("ana", "invite", about("dan"))
		w.ok("dan", "add", tracks("x"))
		w.ok("ana", "setVisibility", shown("followers", false))
		if !w.s.IsMember(user("dan")) {
			w.t.Fatalf("taken out by nothing")
		}
	})
	scenario(t, "what becomes narrower keeps the invited, what becomes wider all", func(w *world) {
		w.open(body{"visibility": "followers"}, "a")
		w.fans["dan"], w.fans["eve"] = true, true
		for _, who := range []string{"dan", "eve"} {
			w.ok(who, "join")
		}
		w.ok("ana", "invite", about("dan"))
		w.ok("ana", "setVisibility", shown("private", false))
		if !w.s.IsMember(user("dan")) || w.s.IsMember(user("eve")) {
			w.t.Fatalf("%+v", w.s.Playlist.Members)
		}
		w.no(subjects.CodeNotFound, "eve", "join")
		w.ok("ana", "setVisibility", shown("followers", false))
		w.ok("eve", "join")
		w.ok("ana", "setVisibility", shown("public", false))
		if !w.s.IsMember(user("eve")) {
			w.t.Fatalf("taken out by showing it to all")
		}
		w.ok("fay", "join")
		w.ok("ana", "setVisibility", shown("followers", false)) // nobody knows who of them follows
		if w.s.IsMember(user("eve")) || w.s.IsMember(user("fay")) || !w.s.IsMember(user("dan")) {
			w.t.Fatalf("%+v", w.s.Playlist.Members)
		}
		w.ok("eve", "join")
		w.no(subjects.CodeNotFound, "fay", "join")
		w.ok("ana", "delete")
		w.no(subjects.CodeNotFound, "fay", "join")
		w.no(subjects.CodeClosed, "dan", "delete")
	})
	scenario(t, "a deleted one lets nobody in, a full one neither", func(w *world) {
		w.open(body{"visibility": "followers"})
		w.bulk = true
		for i := range subjects.MaxPlaylistMembers - 1 {
			clear(w.fans)
			w.fans[fmt.Sprint("p", i)] = true
			w.ok(fmt.Sprint("p", i), "join")
		}
		w.bulk = false
		w.fans["dan"] = true
		w.no(subjects.CodeFull, "dan", "join")
		w.ok("ana", "delete")
		w.no(subjects.CodeClosed, "dan", "join")
	})
	scenario(t, "nobody is let in while nobody can say who follows whom", func(w *world) {
		w.open(body{"visibility": "followers"}, "a")
		w.fans["dan"], w.deaf = true, errors.New("nobody answers")
		if err := w.send("dan", "join", body{}); !errors.Is(err, w.deaf) || w.s.IsMember(user("dan")) {
			w.t.Fatalf("%v", err)
		}
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join") // who is invited waits for nothing
	})
}

// A follower whose joining is under way when the playlist is hidden does not come in.
func TestHiddenWhileAFollowerJoins(t *testing.T) {
	w := newWorld(t)
	w.open(body{"visibility": "followers"}, "a")
	w.fans["dan"] = true
	call := w.call("dan", "join")
	cmd, err := w.m.DecodeCommand("join", nil)
	if err != nil {
		t.Fatal(err)
	}
	if prepare, err := w.m.Admit(w.s, call, cmd); err != nil || !prepare {
		t.Fatalf("%v, %v", prepare, err)
	}
	if cmd, err = w.m.Prepare(t.Context(), call, cmd); err != nil {
		t.Fatal(err)
	}
	w.ok("ana", "setVisibility", shown("private", false))
	if err := w.decide(call, cmd); subjects.CodeOf(err) != subjects.CodeNotFound || w.s.IsMember(user("dan")) {
		t.Fatalf("%v", err)
	}
}

// Of those who were taken out the first is forgotten when they are too many.
func TestTheTakenOutAreBounded(t *testing.T) {
	w := newWorld(t)
	w.open(body{"visibility": "followers"})
	w.bulk = true
	for i := range subjects.MaxPlaylistInvitations + 1 {
		w.now++
		w.ok("ana", "invite", about(fmt.Sprint("p", i)))
		w.ok("ana", "withdraw", about(fmt.Sprint("p", i)))
	}
	if w.s.Withdrawn(user("p0")) || !w.s.Withdrawn(user("p1")) || !w.s.Withdrawn(user(fmt.Sprint("p", subjects.MaxPlaylistInvitations))) {
		t.Fatal("not the first was forgotten")
	}
	w.refold()
}
