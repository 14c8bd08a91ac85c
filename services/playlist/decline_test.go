package playlist

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// An invitation can be given back, and then stands no more; it can be sent again.
func TestDecline(t *testing.T) {
	invited := func(w *world, want ...string) {
		w.t.Helper()
		ids := []string{}
		for _, name := range want {
			ids = append(ids, user(name))
		}
		slices.Sort(ids)
		if y := w.s.You(user("ana")); !slices.Equal(y.InvitedUsers, ids) || y.InvitedUsers == nil {
			w.t.Fatalf("the creator is shown %v as invited, want %v", y.InvitedUsers, ids)
		}
		if y := w.s.You(user("ben")); len(y.InvitedUsers) != 0 || y.InvitedUsers == nil {
			w.t.Fatalf("ben is shown %v as invited", y.InvitedUsers)
		}
	}
	scenario(t, "an invitation to a private playlist", func(w *world) {
		w.open(body{"visibility": "private"}, "a")
		invited(w)
		w.ok("ana", "invite", about("ben"))
		w.ok("ana", "invite", about("cleo"))
		invited(w, "ben", "cleo")
		if y := w.s.You(user("ben")); !slices.Contains(y.May, subjects.VerbLeave) {
			w.t.Fatalf("%+v", y)
		}
		w.ok("ben", "leave")
		for _, name := range []string{"ben", "ana"} {
			var e subjects.PlaylistDeclined
			if s := w.log[len(w.log)-1].Sealed; len(s) != 1 || !slices.Contains(s[0].To, user(name)) || s[0].Type != subjects.EventPlaylistDeclined ||
				json.Unmarshal(s[0].Body, &e) != nil || e.User != user("ben") {
				w.t.Fatalf("%s was not told: %+v", name, s)
			}
		}
		invited(w, "cleo")
		if w.s.CanSee(user("ben")) || w.s.Withdrawn(user("ben")) {
			w.t.Fatalf("declined, and sees it or is kept out")
		}
		w.no(subjects.CodeNotFound, "ben", "leave")
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "join")
		w.ok("ben", "leave") // who is in it keeps the invitation, and may give it back then
		invited(w, "ben", "cleo")
		w.ok("ben", "leave")
		invited(w, "cleo")
		w.ok("ana", "delete")
		invited(w)
		w.nothing("cleo", "leave")
	})
	scenario(t, "and come back as a follower", func(w *world) {
		w.open(body{"visibility": "followers"}, "a")
		w.fans["ben"] = true
		w.ok("ana", "invite", about("ben"))
		w.ok("ben", "leave")
		w.ok("ben", "join")
	})
}

// What is not taken is said in words for people: titles where they are known, a reason once if
// it is that of all, and what is full.
func TestRefusedTracksAreNamed(t *testing.T) {
	scenario(t, "in a playlist", func(w *world) {
		says := func(want string, ids ...string) {
			w.t.Helper()
			if err := w.send("ana", "add", tracks(ids...)); err == nil || !strings.Contains(err.Error(), want) {
				w.t.Fatalf("%v, want %q", err, want)
			}
		}
		w.open(nil, "a", "b")
		says("no track was accepted: Title of a: it is in the playlist", "a")
		says("none of 2 tracks was accepted, each for the same reason: it is in the playlist", "a", "/b")
		says("Title of a: it is in the playlist; missing: unknown track", "a", "missing")
		w.ok("ana", "remove", tracks("b"))
		if err := w.send("ana", "move", moving("a", 0, 1)); err == nil || !strings.Contains(err.Error(), "the playlist has 1 track:") {
			w.t.Fatalf("%v", err)
		}
		w.bulk = true
		for i := 0; len(w.s.Playlist.Tracks) < subjects.MaxPlaylistTracks; i++ {
			w.ok("ana", "add", tracks(fmt.Sprint("t", i)))
		}
		says("Title of z: the playlist is full: it holds at most 500 tracks", "z")
		w.no(subjects.CodeFull, "ana", "add", tracks("z"))
	})
}
