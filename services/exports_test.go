package services

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// shore is what stays while processes die: the server, the store, the catalogue.
type shore struct {
	*testing.T
	cfg    Config
	home   *System
	store  store.Store
	tracks *catalog.Catalog
}

func newShore(t *testing.T) *shore {
	t.Helper()
	cfg := Defaults()
	cfg.Data, cfg.NATS.Listen = t.TempDir(), "127.0.0.1:0"
	home := &System{log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() { end(t, home, 20*time.Second) })
	b, err := bus.Start(t.Context(), cfg.bus(), logKeepers(), home.log)
	if err != nil {
		t.Fatal(err)
	}
	home.bus = b
	home.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	st, err := home.openStore(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	tracks, err := catalog.New(cfg.Catalog)
	if err != nil {
		t.Fatal(err)
	}
	home.onStop("catalogue", func(context.Context) error { tracks.Close(); return nil })
	return &shore{T: t, cfg: cfg, home: home, store: st, tracks: tracks}
}

// process runs rooms and playlists over a connection of its own.
func (s *shore) process() *System {
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
	if err := p.startRoom(s.Context(), s.cfg, s.store, s.tracks); err != nil {
		s.Fatal(err)
	}
	if err := p.startPlaylist(s.Context(), s.cfg, s.store, s.tracks); err != nil {
		s.Fatal(err)
	}
	return p
}

// kill cuts a process off in the middle of whatever it does. What it would still say
// reaches nobody.
func kill(p *System) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	p.bus.Close(gone)
	_ = p.Stop(gone) // of what is cut off nothing ends well
}

func end(t *testing.T, p *System, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// ask sends a command to a playlist, which must be accepted.
func (s *shore) ask(who, id, verb string, body any) {
	s.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.Error(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	a, err := s.home.bus.Ask(ctx, subjects.Command{Service: subjects.ServicePlaylist, ID: id, Verb: verb, Principal: who},
		subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, s.home.bus.Clock().Now()), Body: raw})
	if err != nil || a.Err() != nil {
		s.Errorf("%s %s: %v, %v", who, verb, err, a.Err())
	}
}

// log gives the commits of an aggregate.
func (s *shore) log(service, id string) (out []subjects.Commit) {
	s.Helper()
	err := aggregate.Tail(s.Context(), s.home.bus, service, id, false, func(_ uint64, c subjects.Commit) error {
		out = append(out, c)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// Playlists are exported while the process that runs playlists and rooms is killed, and
// while the one after it is stopped. Each export becomes one room of its exporter's, with each track once, in
// the playlist's order.
func TestEveryExportBecomesOneRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what a killed process held")
	}
	t.Parallel()
	s := newShore(t)
	p := s.process()
	users := make([]string, 24)
	for i := range users {
		users[i] = subjects.NewID(subjects.PrefixUser, time.Now())
	}
	id := subjects.NewID(subjects.PrefixPlaylist, s.home.bus.Clock().Now())
	found, err := s.tracks.List(t.Context(), "", 5)
	if err != nil || len(found) < 3 {
		t.Fatalf("%d tracks, %v", len(found), err)
	}
	var want []string
	for _, f := range found {
		want = append([]string{f.ID}, want...)
	}
	s.ask(users[0], id, "create", subjects.CreatePlaylist{Name: "Road trip", Visibility: subjects.VisibilityPublic})
	for _, track := range want {
		s.ask(users[0], id, "add", subjects.AddTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
	}
	for _, who := range users[1:] {
		s.ask(who, id, "join", struct{}{})
	}

	for n, dies := range []func(*System){kill, func(p *System) { end(t, p, 20*time.Second) }} {
		var wg sync.WaitGroup
		for i, who := range users[n*12 : n*12+12] {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				s.ask(who, id, "export", subjects.ExportPlaylist{Name: fmt.Sprint("Room ", n, i), Open: true})
			})
		}
		time.Sleep(8 * time.Millisecond)
		dies(p)
		p = s.process()
		wg.Wait()
	}
	defer func() { end(t, p, 20*time.Second) }()

	rooms := map[string]string{} // by exporter, as they were told
	for _, c := range s.log(subjects.ServicePlaylist, id) {
		for _, e := range c.Sealed {
			var x subjects.PlaylistExported
			if err := json.Unmarshal(e.Body, &x); err != nil || e.Type != subjects.EventPlaylistExported || !slices.Equal(e.To, []string{x.User}) {
				t.Fatalf("%+v, %v", e, err)
			}
			if rooms[x.User] != "" {
				t.Errorf("%s has exported twice", x.User)
			}
			rooms[x.User] = x.Room
		}
	}
	if len(rooms) != len(users) {
		t.Fatalf("%d exports are in the log of %d", len(rooms), len(users))
	}
	until := time.Now().Add(30 * time.Second)
	for who, room := range rooms {
		for len(s.log(subjects.ServiceRoom, room)) == 0 {
			if time.Now().After(until) {
				t.Fatalf("the room of %s does not come", who)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	s.quiet()
	for who, room := range rooms {
		s.opened(who, room, want)
	}
	st, err := s.home.bus.StreamState(t.Context(), subjects.StreamEvents(subjects.ServiceRoom))
	if err != nil || st.Messages != uint64(len(users)) {
		t.Errorf("the log of all rooms has %d commits of %d exports, %v", st.Messages, len(users), err)
	}
}

// quiet waits until no command is left to be carried out.
func (s *shore) quiet() {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := s.waiting()
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("commands are left: %v", left)
		}
	}
}

// waiting lists the subjects of the commands that wait. A timer that is not due yet, such as a
// track's end, is none.
func (s *shore) waiting() map[string]uint64 {
	s.Helper()
	stream, err := s.home.bus.JetStream().Stream(s.Context(), subjects.StreamCommands)
	if err != nil {
		s.Fatal(err)
	}
	info, err := stream.Info(s.Context(), jetstream.WithSubjectFilter(subjects.AllRouted(subjects.DoorQueue)))
	if err != nil {
		s.Fatal(err)
	}
	return info.State.Subjects
}

// opened looks that a room was created once, by its exporter, with these tracks.
func (s *shore) opened(who, room string, want []string) {
	s.Helper()
	created, tracks := 0, []string{}
	for _, c := range s.log(subjects.ServiceRoom, room) {
		for _, e := range c.Public.Events {
			switch e.Type {
			case subjects.EventRoomCreated:
				created++
			case subjects.EventTrackSuggested:
				var t subjects.TrackSuggested
				if err := json.Unmarshal(e.Body, &t); err != nil {
					s.Fatal(err)
				}
				tracks = append(tracks, t.Track.ID)
			}
			if e.By != who {
				s.Errorf("%s in the room of %s is by %s", e.Type, who, e.By)
			}
		}
	}
	if created != 1 || !slices.Equal(tracks, want) {
		s.Errorf("%s was created %d times with %v, want %v", room, created, tracks, want)
	}
}

// A playlist is there after a restart and after its documents were dropped and folded anew.
func TestPlaylistsAreRebuilt(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.Data, cfg.Edge.Listen, cfg.NATS.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	id, who := subjects.NewID(subjects.PrefixPlaylist, time.Now()), subjects.NewID(subjects.PrefixUser, time.Now())
	run := func(f func(s *shore)) {
		t.Helper()
		home, err := Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer end(t, home, 20*time.Second)
		f(&shore{T: t, cfg: cfg, home: home})
	}
	mine := func(s *shore) (out []subjects.PlaylistSummary) {
		t.Helper()
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			var page struct {
				Playlists []subjects.PlaylistSummary `json:"playlists"`
			}
			err := s.home.bus.Query(t.Context(), subjects.ServicePlaylist, "list", map[string]any{"of": "mine", "viewer": who}, &page)
			if err != nil || time.Now().After(until) {
				t.Fatalf("%+v, %v", page, err)
			}
			if len(page.Playlists) == 1 && page.Playlists[0].TrackCount == 1 {
				return page.Playlists
			}
		}
	}
	// heard waits until the playlist's chat knows that its creator is in it, the last that it
	// hears, and gives the commits that took.
	heard := func(s *shore) uint64 {
		t.Helper()
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			f, err := aggregate.Load(t.Context(), aggregate.NewJournal(s.home.bus, subjects.ServiceChat), chat.Fold{}, id)
			if err != nil || time.Now().After(until) {
				t.Fatalf("the chat hears of nobody: %v", err)
			}
			if f.State.IsMember(who) {
				return f.Rev
			}
		}
	}
	var before []subjects.PlaylistSummary
	var commits uint64
	run(func(s *shore) {
		s.ask(who, id, "create", subjects.CreatePlaylist{Name: "Road trip"})
		s.ask(who, id, "add", subjects.AddTracks{Tracks: []subjects.TrackRef{"demo:aurora"}})
		before, commits = mine(s), 2+heard(s)
	})
	for _, drop := range []bool{true, false} {
		last, written := uint64(0), uint64(0)
		report, err := Rebuild(t.Context(), cfg, drop, func(done, total uint64) {
			if done > total || done < last {
				t.Errorf("%d of %d are done, after %d", done, total, last)
			}
			last = done
		}, slog.New(slog.DiscardHandler))
		if drop {
			written = 3 // the playlist, the row of its creator, and its chat
		}
		if err != nil || report.Commits != commits || report.Written != written || report.BrokenCount != 0 {
			t.Fatalf("drop %v: %+v, %v", drop, report, err)
		}
	}
	run(func(s *shore) {
		if after := mine(s); !slices.Equal(before, after) {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}
