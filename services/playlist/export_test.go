package playlist

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func TestExport(t *testing.T) {
	scenario(t, "tells the exporter the room's id and holds all that the room needs", func(w *world) {
		w.open(nil, "b", "a")
		w.no(subjects.CodeNotMember, "ben", "export")
		w.no(subjects.CodeForbidden, "sys", "export")
		w.ok("ben", "join")
		w.ok("ana", "move", moving("a", 1, 0))
		w.ok("ben", "export", body{"open": true, "minimumScore": 2})
		var e, f subjects.PlaylistExported
		w.told("ben", subjects.EventPlaylistExported, &e)
		if subjects.CheckID(subjects.PrefixRoom, e.Room) != nil || e.User != user("ben") || !slices.Equal(e.Tracks, []subjects.TrackRef{"a", "b"}) {
			w.t.Fatalf("%+v", e)
		}
		if c := e.Create; c.Name != "Road trip" || !c.Open || *c.MinimumScore != 2 || c.Mode != subjects.ModeBroadcast || len(c.Tracks) != 0 || c.Check() != nil {
			w.t.Fatalf("%+v", c)
		}
		w.ok("ben", "export", body{"name": "Friday"})
		w.told("ben", subjects.EventPlaylistExported, &f)
		if f.Room == e.Room || f.Create.Name != "Friday" {
			w.t.Fatalf("%+v after %+v", f, e)
		}
		// The sender can tell the id by the answer, as often as it is given.
		last := w.log[len(w.log)-1]
		if f.Room != subjects.ExportedRoomID(w.id, user("ben"), last.Sealed[0].Cmd, last.At) {
			w.t.Fatalf("%s does not follow from the answer", f.Room)
		}
	})
	scenario(t, "wants constraints whose end lies ahead", func(w *world) {
		w.open(nil, "a")
		ends := func(start, end int64) body { return body{"constraints": body{"start": start, "end": end}} }
		w.no(subjects.CodeInvalid, "ana", "export", ends(w.now-10, w.now))
		w.no(subjects.CodeInvalid, "ana", "export", ends(w.now, w.now+subjects.MaxScheduleAhead.Milliseconds()+1))
		w.ok("ana", "export", ends(w.now-10, w.now+1))
	})
}

// cause gives an event of an export with so many tracks of so many bytes each.
func cause(t *testing.T, n, size int) (aggregate.Cause, []subjects.TrackRef) {
	t.Helper()
	one := 1
	e := subjects.PlaylistExported{
		User: user("ana"), Room: subjects.DeriveID(subjects.PrefixRoom, dawn, "room"),
		Create: subjects.CreateRoom{Kind: subjects.KindVote, Name: "Friday", MinimumScore: &one},
	}
	for i := range n {
		e.Tracks = append(e.Tracks, subjects.TrackRef(fmt.Sprintf("%0*d", size, i)))
	}
	raw, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	return aggregate.Cause{ID: "p", Event: &subjects.Event{Type: subjects.EventPlaylistExported, At: dawn.UnixMilli(), Body: raw}}, e.Tracks
}

// Whatever is exported, the commands are ones that a room takes: the first creates it, the
// others suggest, none is too large, and together they name each track once, in order.
func TestAnExportOpensOneRoomWithAllTracks(t *testing.T) {
	for _, c := range []struct{ tracks, size, commands int }{
		{0, 8, 1}, {1, 8, 1}, {100, 8, 1}, {101, 8, 2}, {500, 8, 5}, {500, subjects.MaxTrackID, 5}, {500, subjects.MaxTrackRef, 34},
	} {
		cause, want := cause(t, c.tracks, c.size)
		sends, err := exports().React(t.Context(), cause)
		if err != nil || len(sends) != c.commands {
			t.Fatalf("%d tracks of %d bytes: %d commands, %v", c.tracks, c.size, len(sends), err)
		}
		var got []subjects.TrackRef
		for i, s := range sends {
			if s.To.Service != subjects.ServiceRoom || s.To.Principal != user("ana") || s.To.ID != sends[0].To.ID {
				t.Fatalf("%+v", s.To)
			}
			envelope, err := json.Marshal(subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, dawn), Body: s.Body})
			if err != nil || len(envelope) > subjects.MaxCommandBytes {
				t.Fatalf("%d bytes, %v", len(envelope), err)
			}
			cmd, err := subjects.DecodeRoomCommand(s.To.Verb, s.Body)
			if err != nil {
				t.Fatal(err)
			}
			switch cmd := cmd.(type) {
			case *subjects.CreateRoom:
				if i != 0 {
					t.Fatal("creates the room again")
				}
				got = append(got, cmd.Tracks...)
			case *subjects.SuggestTracks:
				got = append(got, cmd.Tracks...)
			default:
				t.Fatalf("%T", cmd)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d tracks of %d bytes become %d", c.tracks, c.size, len(got))
		}
	}
	other := aggregate.Cause{Event: &subjects.Event{Type: subjects.EventPlaylistCreated, Body: []byte(`{}`)}}
	if sends, err := exports().React(t.Context(), other); err != nil || sends != nil {
		t.Fatalf("%v, %v", sends, err)
	}
}
