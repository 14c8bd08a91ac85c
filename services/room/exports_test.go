package room

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func TestExportHistory(t *testing.T) {
	scenario(t, "names each track once, the oldest play first", func(w *world) {
		w.open(tracks("a", "b", "c"))
		w.ok("ben", "join")
		w.no(subjects.CodeNotFound, "ben", "exportHistory")
		w.ok("ana", "setQueue", body{"loop": true})
		w.ok("ana", "next") // b, a was not heard
		w.later(lead + 5*trackLen)
		w.ok("ben", "exportHistory")
		var e subjects.HistoryExported
		if err := json.Unmarshal(w.told("ben", subjects.EventHistoryExported).Body, &e); err != nil {
			w.t.Fatalf("%v", err)
		}
		if !slices.Equal(e.Tracks, []subjects.TrackRef{"b", "c", "a"}) || e.User != user("ben") || e.Create.Name != "Friday" ||
			e.Create.Visibility != subjects.VisibilityPrivate || subjects.CheckID(subjects.PrefixPlaylist, e.Playlist) != nil {
			w.t.Fatalf("%+v", e)
		}
		w.ok("ben", "exportHistory", body{"name": " Mine ", "visibility": "public"})
		var again subjects.HistoryExported
		if err := json.Unmarshal(w.told("ben", subjects.EventHistoryExported).Body, &again); err != nil || again.Playlist == e.Playlist || again.Create.Name != "Mine" {
			w.t.Fatalf("%+v, %v", again, err)
		}
		// The sender can tell the id by the answer, as often as it is given.
		last := w.log[len(w.log)-1]
		if again.Playlist != subjects.ExportedPlaylistID(w.id, user("ben"), last.Sealed[0].Cmd, last.At) {
			w.t.Fatalf("%s does not follow from the answer", again.Playlist)
		}
		w.ok("ana", "setRole", withRole("ben", "guest"))
		w.no(subjects.CodeForbidden, "ben", "exportHistory")
		w.no(subjects.CodeForbidden, "sys", "exportHistory")
		w.no(subjects.CodeInvalid, "ana", "exportHistory", body{"visibility": "all"})

		// The exporter hears what was refused, also when the room is closed meanwhile.
		w.ok("ana", "close")
		refused := body{
			"command": subjects.DeriveID(subjects.PrefixCommand, dawn, "x"), "service": "playlist", "id": e.Playlist, "verb": "create",
			"principal": user("ben"), "code": "no_such_track", "message": "no track was accepted",
		}
		w.no(subjects.CodeForbidden, "ana", "refused", refused)
		w.ok("sys", "refused", refused)
		w.told("ben", subjects.EventHistoryFailed)
		w.nothing("sys", "refused", refused) // it is forgotten
		refused["principal"] = user("cleo")
		w.nothing("sys", "refused", refused)
	})
}

// A long history is one command to begin the playlist and further ones to add, each within
// the limits of a command.
func TestLongExportsAreCut(t *testing.T) {
	for name, ref := range map[string]string{"ids": "demo:track%03d", "addresses": "https://example.org/" + strings.Repeat("x", 2000) + "/%03d"} {
		e := subjects.HistoryExported{User: user("ben"), Playlist: subjects.DeriveID(subjects.PrefixPlaylist, dawn, "p"), Create: subjects.CreatePlaylist{Name: "Friday"}}
		for i := range subjects.PlayedKept {
			e.Tracks = append(e.Tracks, subjects.TrackRef(fmt.Sprintf(ref, i)))
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		sends, err := exports().React(t.Context(), aggregate.Cause{ID: roomID("1"), Event: &subjects.Event{Type: subjects.EventHistoryExported, Body: raw}})
		if err != nil {
			t.Fatal(err)
		}
		var got []subjects.TrackRef
		for i, s := range sends {
			verb, tracks := subjects.VerbAdd, []subjects.TrackRef(nil)
			cmd, err := subjects.DecodePlaylistCommand(s.To.Verb, s.Body)
			switch c := cmd.(type) {
			case *subjects.CreatePlaylist:
				verb, tracks = subjects.VerbCreate, c.Tracks
			case *subjects.AddTracks:
				tracks = c.Tracks
			}
			if err != nil || (i == 0) != (verb == subjects.VerbCreate) || s.To.Principal != user("ben") || s.To.ID != e.Playlist ||
				s.To.Service != subjects.ServicePlaylist || !s.Refused || len(s.Body) > subjects.MaxCommandBytes*3/4 {
				t.Fatalf("%s: command %d is %s with %d bytes: %v", name, i, s.To.Verb, len(s.Body), err)
			}
			got = append(got, tracks...)
		}
		if !slices.Equal(got, e.Tracks) || len(sends) < 2 {
			t.Errorf("%s: %d commands name %d tracks of %d", name, len(sends), len(got), len(e.Tracks))
		}
	}
	sends, err := exports().React(t.Context(), aggregate.Cause{Event: &subjects.Event{Type: subjects.EventRoomClosed}})
	if err != nil || len(sends) != 0 {
		t.Errorf("%v, %v", sends, err)
	}
}
