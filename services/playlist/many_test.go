package playlist

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Who is not in a playlist sees it, whole, if it is public; how long it is is the sum of what
// is in it.
func TestWhoIsNotInItLooks(t *testing.T) {
	scenario(t, "preview", func(w *world) {
		w.open(nil, "a", "half-b", "c")
		total := int64(0)
		for _, p := range w.s.Playlist.Ordered() {
			total += p.Track.DurationMs
		}
		if want := 2*trackLen + trackLen/2; w.s.Playlist.TotalMs != want || total != want {
			w.t.Fatalf("%d ms, %d in sum, want %d", w.s.Playlist.TotalMs, total, want)
		}
		for _, who := range []string{"", user("ben")} {
			you := w.s.You(who)
			if !w.s.CanSee(who) || you.Member || you.CannotEdit != subjects.CodeNotMember || !slices.Equal(you.May, []string{subjects.VerbJoin}) {
				w.t.Fatalf("%q sees %v and is told %+v", who, w.s.CanSee(who), you)
			}
		}
		w.ok("ana", "remove", tracks("half-b"))
		if got := w.s.Playlist.Summary(); got.TotalMs != 2*trackLen || got.TrackCount != 2 {
			w.t.Fatalf("%+v", got)
		}
		w.ok("ana", "setVisibility", shown("private", false))
		for _, who := range []string{"", user("ben")} {
			if you := w.s.You(who); w.s.CanSee(who) || len(you.May) != 0 || you.CannotEdit != subjects.CodeNotFound {
				w.t.Fatalf("%q is told %+v", who, you)
			}
		}
	})
}

// One user makes several playlists of one name, and edits all of them at the same time.
func TestManyPlaylistsOfOneUser(t *testing.T) {
	r := newRig(t)
	r.start()
	const many, each = 6, 15
	ids := make([]string, many)
	var wg sync.WaitGroup
	for i := range ids {
		ids[i] = subjects.NewID(subjects.PrefixPlaylist, r.bus.Clock().Now())
		wg.Go(func() {
			do := func(verb string, b any) {
				if a, err := r.ask("ana", ids[i], verb, b); err != nil || a.Err() != nil {
					t.Errorf("%s: %v, %v", verb, err, a.Err())
				}
			}
			do("create", body{"name": "Road trip", "tracks": []string{"first"}})
			for n := range each {
				do("add", tracks(fmt.Sprint("t", i, "-", n)))
				do("move", moving(fmt.Sprint("t", i, "-", n), n+1, 0))
			}
		})
	}
	wg.Wait()
	for i, id := range ids {
		f, err := aggregate.Load(t.Context(), aggregate.NewJournal(r.bus, subjects.ServicePlaylist), Fold{}, id)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for n := each - 1; n >= 0; n-- {
			want = append(want, fmt.Sprint("t", i, "-", n))
		}
		if got := f.State.Playlist.TrackIDs(); !slices.Equal(got, append(want, "first")) {
			t.Errorf("playlist %d is %v", i, got)
		}
	}
	var page subjects.PlaylistPage
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		page = subjects.PlaylistPage{}
		err := r.bus.Query(t.Context(), subjects.ServicePlaylist, subjects.QueryPlaylistList, subjects.PlaylistQuery{Viewer: user("ana"), Of: subjects.ListMine, Prefix: "road"}, &page)
		if err != nil || time.Now().After(until) {
			t.Fatalf("%+v, %v", page, err)
		}
		if len(page.Playlists) == many && !slices.ContainsFunc(page.Playlists, func(p subjects.PlaylistSummary) bool { return p.TrackCount != each+1 }) {
			break
		}
	}
	slices.SortFunc(page.Playlists, func(a, b subjects.PlaylistSummary) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(ids)
	for i, p := range page.Playlists {
		if p.ID != ids[i] || p.Name != "Road trip" || p.TotalMs != (each+1)*trackLen {
			t.Errorf("%+v", p)
		}
	}
}

// What the room's owner refuses is told to the exporter alone, for as long as the export is
// remembered.
func TestRefusedExports(t *testing.T) {
	refused := func(w *world, verb, room, who string) subjects.CommandRefused {
		return subjects.CommandRefused{
			Command: subjects.DeriveID(subjects.PrefixCommand, dawn, verb), Service: subjects.ServiceRoom, ID: room, Asked: verb,
			Principal: user(who), Code: subjects.CodeNoSuchTrack, Message: "nobody has it",
		}
	}
	export := func(w *world, who string) string {
		w.t.Helper()
		w.ok(who, "export", body{"open": true})
		var e subjects.PlaylistExported
		w.told(who, subjects.EventPlaylistExported, &e)
		return e.Room
	}
	scenario(t, "of the whole and of a part", func(w *world) {
		w.open(nil, "a")
		w.ok("ben", "join")
		room := export(w, "ben")
		w.no(subjects.CodeForbidden, "ben", "refused", refused(w, "create", room, "ben"))
		w.nothing("sys", "refused", refused(w, "create", room, "ana"))
		other := refused(w, "create", room, "ben")
		other.Service = subjects.ServicePlaylist
		w.nothing("sys", "refused", other)

		var f subjects.ExportFailed
		w.ok("sys", "refused", refused(w, "suggest", room, "ben"))
		w.told("ben", subjects.EventExportFailed, &f)
		if !f.Part || f.Room != room || f.Code != subjects.CodeNoSuchTrack || f.Reason != "nobody has it" {
			w.t.Fatalf("%+v", f)
		}
		w.ok("sys", "refused", refused(w, "create", room, "ben"))
		w.told("ben", subjects.EventExportFailed, &f)
		if f.Part {
			w.t.Fatalf("%+v", f)
		}
		w.nothing("sys", "refused", refused(w, "suggest", room, "ben"))
		if subjects.CodeOf(w.send("ana", "export", body{"kind": "show"})) != subjects.CodeInvalid {
			w.t.Fatalf("a show was opened")
		}
	})
	scenario(t, "that were too many ago are told to nobody", func(w *world) {
		w.open(nil, "a")
		first := export(w, "ana")
		var last string
		for range subjects.MaxPlaylistExports {
			last = export(w, "ana")
		}
		w.nothing("sys", "refused", refused(w, "create", first, "ana"))
		w.ok("ana", "delete")
		w.ok("sys", "refused", refused(w, "create", last, "ana")) // also of one that is gone by now
	})
}
