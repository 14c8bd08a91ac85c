package services

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// songs is a catalogue in which "song:n" is a track, but for those that are gone.
type songs struct{ gone func(ref string) bool }

func (s songs) ResolveAll(_ context.Context, refs []string) []catalog.Result {
	out := make([]catalog.Result, len(refs))
	for i, ref := range refs {
		out[i].Ref = ref
		if !strings.HasPrefix(ref, "song:") || s.gone != nil && s.gone(ref) {
			out[i].Err = fmt.Errorf("%w: nobody has it", catalog.ErrUnknown)
			continue
		}
		out[i].Track = subjects.Track{ID: ref, Provider: "song", Title: "Title of " + ref, DurationMs: 180_000, URL: "/" + ref}
	}
	return out
}

// processOf runs rooms and playlists as process does, over catalogues of their own.
func (s *shore) processOf(rooms, playlists songs) *System {
	s.Helper()
	p := &System{log: slog.New(slog.DiscardHandler)}
	bc := s.cfg.bus()
	bc.URL, bc.DataDir, bc.Listen = s.home.bus.Address(), "", ""
	b, err := bus.Start(s.Context(), bc, logKeepers(), p.log)
	if err != nil {
		s.Fatal(err)
	}
	p.bus = b
	p.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	r, err := room.Start(s.Context(), room.Deps{Bus: b, Store: s.store, Tracks: rooms, Log: p.log, Replica: subjects.NewID("node", time.Now())})
	if err != nil {
		s.Fatal(err)
	}
	p.onStop("room", r.Stop)
	l, err := playlist.Start(s.Context(), playlist.Deps{Bus: b, Store: s.store, Tracks: playlists, Log: p.log, Replica: subjects.NewID("node", time.Now())})
	if err != nil {
		s.Fatal(err)
	}
	p.onStop("playlist", l.Stop)
	return p
}

// long has somebody create a playlist of so many tracks.
func (s *shore) long(who string, n int) (id string, want []string) {
	s.Helper()
	id = subjects.NewID(subjects.PrefixPlaylist, s.home.bus.Clock().Now())
	s.ask(who, id, "create", subjects.CreatePlaylist{Name: "Long way", Visibility: subjects.VisibilityPublic})
	for i := range n {
		want = append(want, fmt.Sprint("song:", i))
	}
	for some := range slices.Chunk(want, subjects.MaxTracksPerCommand) {
		refs := make([]subjects.TrackRef, len(some))
		for i, ref := range some {
			refs[i] = subjects.TrackRef(ref)
		}
		s.ask(who, id, "add", subjects.AddTracks{Tracks: refs})
	}
	// Not in the order in which they were added.
	s.ask(who, id, "move", subjects.MoveTrack{Track: want[n-1], From: n - 1, To: 0})
	return id, append([]string{want[n-1]}, want[:n-1]...)
}

// told gives what somebody was told of exports, in order.
func (s *shore) told(who, id string) (exports []subjects.PlaylistExported, failures []subjects.ExportFailed) {
	s.Helper()
	for _, c := range s.log(subjects.ServicePlaylist, id) {
		for _, e := range c.Sealed {
			if !slices.Equal(e.To, []string{who}) {
				continue
			}
			var err error
			switch e.Type {
			case subjects.EventPlaylistExported:
				exports = append(exports, subjects.PlaylistExported{})
				err = json.Unmarshal(e.Body, &exports[len(exports)-1])
			case subjects.EventExportFailed:
				failures = append(failures, subjects.ExportFailed{})
				err = json.Unmarshal(e.Body, &failures[len(failures)-1])
			}
			if err != nil {
				s.Fatal(err)
			}
		}
	}
	return exports, failures
}

// A playlist of more tracks than one command holds is exported whole, in its order and each
// track once, although the process that does it is killed on the way.
func TestALongPlaylistIsExportedWhole(t *testing.T) {
	t.Parallel()
	s := newShore(t)
	p := s.processOf(songs{}, songs{})
	who := subjects.NewID(subjects.PrefixUser, time.Now())
	id, want := s.long(who, 450)
	s.ask(who, id, "export", subjects.ExportPlaylist{Open: true})
	if !testing.Short() { // what a killed process held comes after a while
		kill(p)
		p = s.processOf(songs{}, songs{})
	}
	defer func() { end(t, p, 20*time.Second) }()
	exports, _ := s.told(who, id)
	if len(exports) != 1 {
		t.Fatalf("%d exports", len(exports))
	}
	s.suggested(exports[0].Room, len(want))
	s.quiet()
	s.opened(who, exports[0].Room, want)
	if _, failures := s.told(who, id); len(failures) != 0 {
		t.Errorf("told of %+v", failures)
	}
}

// suggested waits until a room's log has so many tracks.
func (s *shore) suggested(room string, n int) {
	s.Helper()
	for until := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		tracks := 0
		for _, c := range s.log(subjects.ServiceRoom, room) {
			for _, e := range c.Public.Events {
				if e.Type == subjects.EventTrackSuggested {
					tracks++
				}
			}
		}
		if tracks >= n {
			return
		}
		if time.Now().After(until) {
			s.Fatalf("%d of %d tracks come into the room", tracks, n)
		}
	}
}

// Whoever exports what the room's owner refuses is told so, once: of the whole, and of the
// part that came later; also if the process is killed that was to tell them.
func TestAFailedExportTellsItsSender(t *testing.T) {
	t.Parallel()
	s := newShore(t)
	rooms := songs{gone: func(ref string) bool { return len(ref) == len("song:100") && ref >= "song:100" && ref <= "song:149" }}
	p := s.processOf(songs{gone: func(string) bool { return true }}, songs{})
	who := subjects.NewID(subjects.PrefixUser, time.Now())
	id, _ := s.long(who, 20)
	s.ask(who, id, "export", subjects.ExportPlaylist{Open: true})
	if !testing.Short() {
		kill(p)
		p = s.processOf(songs{gone: func(string) bool { return true }}, songs{})
	}
	failed := func(id string) subjects.ExportFailed {
		t.Helper()
		for until := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, failures := s.told(who, id); len(failures) > 0 {
				s.quiet()
				exports, failures := s.told(who, id)
				if len(exports) != 1 || len(failures) != 1 || failures[0].Room != exports[0].Room || failures[0].User != who {
					t.Fatalf("%+v, %+v", exports, failures)
				}
				return failures[0]
			}
			if time.Now().After(until) {
				t.Fatal("nobody is told")
			}
		}
	}
	if f := failed(id); f.Part || f.Code != subjects.CodeNoSuchTrack || f.Reason == "" {
		t.Errorf("%+v", f)
	} else if log := s.log(subjects.ServiceRoom, f.Room); len(log) != 0 {
		t.Errorf("and there is a room: %+v", log)
	}
	end(t, p, 20*time.Second)

	p = s.processOf(rooms, songs{})
	defer func() { end(t, p, 20*time.Second) }()
	id = subjects.NewID(subjects.PrefixPlaylist, s.home.bus.Clock().Now())
	s.ask(who, id, "create", subjects.CreatePlaylist{Name: "Half way"})
	var want []string
	for i := range 3 {
		refs := make([]subjects.TrackRef, 0, 50)
		for n := i * 50; n < i*50+50; n++ {
			refs = append(refs, subjects.TrackRef(fmt.Sprint("song:", n)))
			if n < 100 {
				want = append(want, fmt.Sprint("song:", n))
			}
		}
		s.ask(who, id, "add", subjects.AddTracks{Tracks: refs})
	}
	s.ask(who, id, "export", subjects.ExportPlaylist{Open: true})
	f := failed(id)
	if !f.Part || f.Code != subjects.CodeNoSuchTrack {
		t.Errorf("%+v", f)
	}
	s.opened(who, f.Room, want)
}
