package playlist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestCreate(t *testing.T) {
	scenario(t, "with first tracks, each once", func(w *world) {
		w.open(nil, "a", "b", "/a", "c")
		w.list("abc")
		p := w.s.Playlist
		if p.Creator != user("ana") || p.TotalMs != 3*trackLen || p.CreatedAt != w.now || !w.s.IsMember(user("ana")) {
			w.t.Fatalf("%+v", p)
		}
	})
	scenario(t, "without", func(w *world) {
		w.ok("ana", "create", body{"name": "Empty"})
		w.list("")
		if w.s.Playlist.Visibility != subjects.VisibilityPrivate {
			w.t.Fatalf("is %s", w.s.Playlist.Visibility)
		}
	})
	scenario(t, "with some that cannot be had", func(w *world) {
		w.open(nil, "missing", "a", "down", "odd")
		w.list("a")
		var r subjects.TracksRefused
		w.told("ana", subjects.EventTracksRefused, &r)
		var codes []subjects.Code
		for _, t := range r.Tracks {
			codes = append(codes, t.Code)
		}
		if !slices.Equal(codes, []subjects.Code{subjects.CodeNoSuchTrack, subjects.CodeTrackUnavailable, subjects.CodeTrackUnavailable}) {
			w.t.Fatalf("%+v", r)
		}
	})
	scenario(t, "not with none that can be had, not twice, not by the platform", func(w *world) {
		b := body{"name": "Road trip", "tracks": []string{"missing"}}
		w.no(subjects.CodeNoSuchTrack, "ana", "create", b)
		b["tracks"] = []string{"down", "down2"}
		w.no(subjects.CodeTrackUnavailable, "ana", "create", b)
		b["tracks"] = []string{"down", "missing"}
		w.no(subjects.CodeNothingAccepted, "ana", "create", b)
		w.no(subjects.CodeForbidden, "sys", "create", body{"name": "x"})
		w.open(nil)
		w.no(subjects.CodeExists, "ben", "create", body{"name": "x"})
		other := newWorld(w.t)
		other.id = "nothing"
		other.no(subjects.CodeInvalid, "ana", "create", body{"name": "x"})
	})
}

func TestAdd(t *testing.T) {
	scenario(t, "drops what is there and tells the sender alone", func(w *world) {
		w.open(nil, "a", "b")
		w.ok("ana", "add", tracks("b", "c", "c", "/a", "missing"))
		w.list("abc")
		var r subjects.TracksRefused
		w.told("ana", subjects.EventTracksRefused, &r)
		if len(r.Tracks) != 3 || r.Tracks[0].Code != subjects.CodeAlready || r.Tracks[1].Ref != "/a" || r.Tracks[1].Code != subjects.CodeAlready || r.Tracks[2].Code != subjects.CodeNoSuchTrack {
			w.t.Fatalf("%+v", r)
		}
	})
	scenario(t, "of nothing but duplicates is refused", func(w *world) {
		w.open(nil, "a", "b")
		w.no(subjects.CodeNothingAccepted, "ana", "add", tracks("a", "b", "a"))
		w.no(subjects.CodeNothingAccepted, "ana", "add", tracks("/a"))
		w.no(subjects.CodeNothingAccepted, "ana", "add", tracks("/a", "missing"))
		w.no(subjects.CodeNoSuchTrack, "ana", "add", tracks("missing", "missing2"))
	})
	scenario(t, "asks no source about ids that are there", func(w *world) {
		w.open(nil, "a")
		cmd, err := w.m.DecodeCommand("add", []byte(`{"tracks":["a"]}`))
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		if _, err := w.m.Admit(w.s, w.call("ana", "add"), cmd); subjects.CodeOf(err) != subjects.CodeNothingAccepted {
			w.t.Fatalf("%v", err)
		}
	})
	scenario(t, "is looked at again after its tracks were looked up", func(w *world) {
		w.open(nil, "a")
		call := w.call("ana", "add")
		cmd, err := w.m.DecodeCommand("add", []byte(`{"tracks":["b"]}`))
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		if prepare, err := w.m.Admit(w.s, call, cmd); err != nil || !prepare {
			w.t.Fatalf("%v %v", prepare, err)
		}
		if cmd, err = w.m.Prepare(context.Background(), call, cmd); err != nil {
			w.t.Fatalf("%v", err)
		}
		w.ok("ana", "add", tracks("b")) // meanwhile
		if err := w.decide(call, cmd); subjects.CodeOf(err) != subjects.CodeNothingAccepted {
			w.t.Fatalf("%v", err)
		}
		w.list("ab")
	})
	scenario(t, "stops where the playlist is full", func(w *world) {
		w.open(nil)
		for k := range subjects.MaxPlaylistTracks / subjects.MaxTracksPerCommand {
			var ids []string
			for i := range subjects.MaxTracksPerCommand {
				ids = append(ids, fmt.Sprintf("t%d-%d", k, i))
			}
			w.ok("ana", "add", tracks(ids...))
		}
		w.no(subjects.CodeFull, "ana", "add", tracks("x"))
		w.ok("ana", "remove", tracks("t0-0"))
		w.ok("ana", "add", tracks("x", "y"))
		var r subjects.TracksRefused
		w.told("ana", subjects.EventTracksRefused, &r)
		if len(r.Tracks) != 1 || r.Tracks[0].Ref != "y" || r.Tracks[0].Code != subjects.CodeFull || w.s.Playlist.TrackCount != subjects.MaxPlaylistTracks {
			w.t.Fatalf("%+v", r)
		}
	})
}

func TestRemove(t *testing.T) {
	scenario(t, "takes out what is there, and what is gone is gone", func(w *world) {
		w.open(nil, "a", "b", "c")
		w.ok("ana", "remove", tracks("b", "x", "b"))
		w.list("ac")
		w.nothing("ana", "remove", tracks("b", "x"))
		w.ok("sys", "remove", tracks("a"))
		w.ok("ana", "add", tracks("a"))
		w.list("ca")
	})
}

func TestMove(t *testing.T) {
	scenario(t, "from each place to each", func(w *world) {
		w.open(nil, "a", "b", "c", "d")
		for from := range 4 {
			for to := range 4 {
				want := w.s.Playlist.TrackIDs()
				id := want[from]
				want = slices.Insert(slices.Delete(want, from, from+1), to, id)
				if from == to {
					w.nothing("ana", "move", moving(id, from, to))
				} else {
					w.ok("ana", "move", moving(id, from, to))
				}
				w.list(strings.Join(want, ""))
			}
		}
	})
	scenario(t, "of what was seen elsewhere is refused and changes nothing", func(w *world) {
		w.open(nil, "a", "b", "c")
		w.ok("ben", "join")
		w.ok("ana", "move", moving("a", 0, 2))
		w.no(subjects.CodeConflict, "ben", "move", moving("a", 0, 1)) // the last received of two
		w.no(subjects.CodeConflict, "ben", "move", moving("a", 2, 3)) // there is no such place
		w.no(subjects.CodeConflict, "ben", "move", moving("x", 0, 1))
		w.ok("ana", "remove", tracks("b"))
		w.no(subjects.CodeConflict, "ben", "move", moving("b", 0, 1))
		w.no(subjects.CodeConflict, "ben", "move", moving("c", 1, 0)) // now at 0
		w.list("ca")
		w.no(subjects.CodeForbidden, "sys", "move", moving("c", 0, 1))
	})
	scenario(t, "again and again into one gap numbers all anew, and moves one", func(w *world) {
		w.open(nil, "a", "b", "c", "d")
		renumbered := 0
		for range 200 { // c and d change places between a and b
			id := w.s.Playlist.TrackIDs()[2]
			w.ok("ana", "move", moving(id, 2, 1))
			events := w.log[len(w.log)-1].Public.Events
			switch {
			case len(events) == 2 && events[0].Type == subjects.EventTracksRenumbered:
				renumbered++
			case len(events) != 1:
				w.t.Fatalf("%+v", events)
			}
		}
		if renumbered == 0 || renumbered > 20 {
			w.t.Fatalf("numbered anew %d times", renumbered)
		}
		w.ok("ana", "move", moving("a", 0, 3))
	})
	scenario(t, "at the bounds of the keys", func(w *world) {
		w.open(nil, "a", "b", "c")
		call := w.call("ana", "move")
		for _, at := range []int64{-subjects.MaxPlaylistOrder, subjects.MaxPlaylistOrder - 2} {
			for i, id := range []string{"a", "b", "c"} {
				w.commit(call, []Out{{Event: &subjects.TrackMoved{Track: id, Order: at + int64(i)}}})
			}
			w.list("abc")
			if at < 0 {
				w.ok("ana", "move", moving("c", 2, 0))
				w.list("cab")
				w.ok("ana", "move", moving("c", 0, 2))
			} else {
				w.ok("ana", "move", moving("a", 0, 2))
				w.list("bca")
			}
		}
		for i, id := range []string{"b", "c", "a"} {
			w.commit(call, []Out{{Event: &subjects.TrackMoved{Track: id, Order: subjects.MaxPlaylistOrder - 2 + int64(i)}}})
		}
		w.ok("ana", "add", tracks("d", "e"))
		w.list("bcade")
	})
}

func TestWhoEdits(t *testing.T) {
	// edits tries every way to edit; the list is ab before and after.
	edits := func(w *world, code subjects.Code, who string) {
		w.t.Helper()
		if code != "" {
			w.no(code, who, "add", tracks("x"))
			w.no(code, who, "remove", tracks("a"))
			w.no(code, who, "move", moving("a", 0, 1))
			return
		}
		w.ok(who, "add", tracks("x"))
		w.ok(who, "move", moving("x", 2, 0))
		w.list("xab")
		w.ok(who, "remove", tracks("x"))
		w.list("ab")
	}
	scenario(t, "a public one: who has joined", func(w *world) {
		w.open(nil, "a", "b")
		edits(w, subjects.CodeNotMember, "ben")
		w.ok("ben", "join")
		w.nothing("ben", "join")
		edits(w, "", "ben")
		w.ok("ben", "leave")
		w.nothing("ben", "leave")
		edits(w, subjects.CodeNotMember, "ben")
		w.no(subjects.CodeForbidden, "sys", "add", tracks("x"))
		w.no(subjects.CodeForbidden, "sys", "join")
		w.no(subjects.CodeForbidden, "ana", "leave")
	})
	scenario(t, "one that only the invited edit", func(w *world) {
		w.open(body{"onlyInvitedEdit": true}, "a", "b")
		w.ok("ben", "join")
		edits(w, subjects.CodeNotInvited, "ben")
		edits(w, "", "ana")
		w.ok("ana", "invite", about("ben")) // who is in it
		edits(w, "", "ben")
		w.ok("ana", "withdraw", about("ben"))
		if !w.s.IsMember(user("ben")) {
			w.t.Fatalf("out of a public playlist")
		}
		edits(w, subjects.CodeNotInvited, "ben")
		w.ok("ana", "setVisibility", shown("public", false))
		edits(w, "", "ben")
	})
	scenario(t, "a full one lets nobody in", func(w *world) {
		w.open(nil)
		w.bulk = true
		for i := range subjects.MaxPlaylistMembers - 1 {
			w.ok(fmt.Sprint("p", i), "join")
		}
		w.bulk = false
		w.no(subjects.CodeFull, "ben", "join")
		w.nothing("p0", "join")
		w.ok("p0", "leave")
		w.ok("ben", "join")
	})
}

// Whatever somebody does who may not see a playlist, the refusal is the one that a playlist
// gives which does not exist.
func TestHiddenPlaylists(t *testing.T) {
	bodies := map[string]any{
		"join": body{}, "leave": body{}, "add": tracks("x"), "remove": tracks("a"), "move": moving("a", 0, 1), "invite": about("cleo"),
		"withdraw": about("cleo"), "rename": body{"name": "x"}, "setVisibility": shown("public", false), "export": body{}, "delete": body{},
	}
	for _, v := range subjects.PlaylistVerbs() {
		if _, ok := bodies[v]; !ok && v != "create" && v != "wake" && v != "refused" {
			t.Errorf("%s is not tried", v)
		}
	}
	for _, visibility := range []string{"private", "followers"} {
		scenario(t, visibility, func(w *world) {
			missing := newWorld(w.t)
			w.open(body{"visibility": visibility}, "a", "b")
			same := func(who string) {
				w.t.Helper()
				for verb, b := range bodies {
					here, there := w.send(who, verb, b), missing.send(who, verb, b)
					var a, b *subjects.Refusal
					if !errors.As(here, &a) || !errors.As(there, &b) || *a != *b || a.Code != subjects.CodeNotFound {
						w.t.Fatalf("%s: %v, and %v where there is none", verb, here, there)
					}
				}
				if w.s.CanSee(user(who)) {
					w.t.Fatalf("%s can see it", who)
				}
			}
			same("ben")
			w.ok("ana", "invite", about("ben"))
			w.nothing("ana", "invite", about("ben"))
			var invited subjects.PlaylistInvited
			w.told("ben", subjects.EventPlaylistInvited, &invited)
			if !w.s.CanSee(user("ben")) || invited.Name != "Road trip" {
				w.t.Fatalf("%+v", invited)
			}
			w.ok("ben", "join")
			w.ok("ben", "add", tracks("c"))
			w.ok("ana", "withdraw", about("ben"))
			w.nothing("ana", "withdraw", about("ben"))
			if w.s.IsMember(user("ben")) {
				w.t.Fatalf("still in it")
			}
			same("ben")
			w.list("abc")
		})
	}
	scenario(t, "hiding takes out the uninvited", func(w *world) {
		w.open(body{"onlyInvitedEdit": true}, "a")
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.ok("ana", "invite", about("ben"))
		w.ok("ana", "setVisibility", shown("private", false))
		w.nothing("ana", "setVisibility", shown("private", false))
		if !w.s.IsMember(user("ben")) || w.s.IsMember(user("cleo")) || w.s.Playlist.MemberCount != 2 {
			w.t.Fatalf("%+v", w.s.Playlist.Members)
		}
		w.no(subjects.CodeNotFound, "cleo", "join")
		w.ok("ana", "setVisibility", shown("followers", false))
		w.no(subjects.CodeNotFound, "cleo", "join")
		w.ok("ana", "setVisibility", shown("public", false))
		w.ok("cleo", "join")
	})
}

func TestWhatIsTheCreators(t *testing.T) {
	scenario(t, "and the platform's, in part", func(w *world) {
		w.open(nil, "a")
		w.ok("ben", "join")
		for verb, b := range map[string]any{"invite": about("cleo"), "withdraw": about("cleo"), "rename": body{"name": "x"}, "setVisibility": shown("private", false), "delete": body{}} {
			w.no(subjects.CodeForbidden, "ben", verb, b)
		}
		w.no(subjects.CodeForbidden, "sys", "invite", about("cleo"))
		w.no(subjects.CodeInvalid, "ana", "invite", about("ana"))
		w.no(subjects.CodeForbidden, "ben", "wake")
		w.nothing("sys", "wake")
		w.ok("ana", "rename", body{"name": " Long road trip "})
		w.nothing("ana", "rename", body{"name": "Long road trip"})
		w.ok("sys", "rename", body{"name": "Renamed"})
		if w.s.Playlist.Name != "Renamed" {
			w.t.Fatalf("%q", w.s.Playlist.Name)
		}
		w.ok("sys", "setVisibility", shown("private", false))
		w.ok("ana", "invite", about("ben"))
		w.ok("sys", "withdraw", about("ben"))
	})
	scenario(t, "invitations are bounded", func(w *world) {
		w.open(nil)
		w.bulk = true
		for i := range subjects.MaxPlaylistInvitations {
			w.ok("ana", "invite", about(fmt.Sprint("p", i)))
		}
		w.bulk = false
		w.no(subjects.CodeFull, "ana", "invite", about("ben"))
		w.nothing("ana", "invite", about("p0"))
		w.ok("ana", "withdraw", about("p0"))
		w.ok("ana", "invite", about("ben"))
	})
}

func TestDelete(t *testing.T) {
	scenario(t, "is for good", func(w *world) {
		w.open(nil, "a", "b")
		w.ok("ben", "join")
		w.ok("ana", "delete")
		w.list("")
		if w.s.Playlist.TotalMs != 0 || !w.s.Deleted() {
			w.t.Fatalf("%+v", w.s.Playlist)
		}
		w.nothing("ana", "delete")
		w.nothing("sys", "delete")
		w.nothing("ben", "leave")
		for verb, b := range map[string]any{"join": body{}, "add": tracks("x"), "remove": tracks("a"), "move": moving("a", 0, 1), "rename": body{"name": "x"}, "export": body{}, "invite": about("ben")} {
			w.no(subjects.CodeClosed, "ana", verb, b)
		}
		w.no(subjects.CodeClosed, "ben", "delete")
		w.no(subjects.CodeExists, "ana", "create", body{"name": "again"})
	})
}
