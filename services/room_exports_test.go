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

	"github.com/tuttihq/tutti/subjects"
)

// askRoom sends a command to a room, and gives why it was refused.
func (s *shore) askRoom(who, id, verb string, body any) error {
	s.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	a, err := s.home.bus.Ask(ctx, subjects.Command{Service: subjects.ServiceRoom, ID: id, Verb: verb, Principal: who},
		subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, s.home.bus.Clock().Now()), Body: raw})
	if err != nil {
		return err
	}
	return a.Err()
}

// mustRoom expects the command to be accepted.
func (s *shore) mustRoom(who, id, verb string, body any) {
	s.Helper()
	if err := s.askRoom(who, id, verb, body); err != nil {
		s.Errorf("%s %s: %v", who, verb, err)
	}
}

// playAll has a room of a user's play each of its tracks at least once, and gives them in the
// order in which they were played first.
func (s *shore) playAll(who, room string, tracks []subjects.TrackRef) (played []string) {
	s.Helper()
	s.mustRoom(who, room, "create", subjects.CreateRoom{Kind: subjects.KindVote, Name: "Friday", Open: true, Tracks: tracks})
	loop := true
	s.mustRoom(who, room, "setQueue", subjects.SetQueue{Loop: &loop})
	s.mustRoom(who, room, "play", struct{}{})
	for until := time.Now().Add(30 * time.Second); len(played) < len(tracks); time.Sleep(subjects.PlaybackLead + 20*time.Millisecond) {
		if time.Now().After(until) {
			s.Fatalf("the room has played %v of %v", played, tracks)
		}
		s.mustRoom(who, room, "next", struct{}{})
		played = nil
		for _, c := range s.log(subjects.ServiceRoom, room) {
			for _, e := range c.Public.Events {
				var p subjects.TrackPlayed
				if e.Type == subjects.EventTrackPlayed && json.Unmarshal(e.Body, &p) == nil && !slices.Contains(played, p.Track.ID) {
					played = append(played, p.Track.ID)
				}
			}
		}
	}
	s.mustRoom(who, room, "pause", struct{}{})
	return played
}

// Histories are exported while the process that runs rooms and playlists is killed, and while
// the one after it is stopped. Each export becomes one playlist of its exporter's, with each
// track once, in the order in which they were played.
func TestEveryHistoryBecomesOnePlaylist(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what a killed process held")
	}
	t.Parallel()
	s := newShore(t)
	p := s.process()
	defer func() { end(t, p, 20*time.Second) }()
	users := make([]string, 16)
	for i := range users {
		users[i] = subjects.NewID(subjects.PrefixUser, time.Now())
	}
	room := subjects.NewID(subjects.PrefixRoom, s.home.bus.Clock().Now())
	found, err := s.tracks.List(t.Context(), "", 4)
	if err != nil || len(found) < 3 {
		t.Fatalf("%d tracks, %v", len(found), err)
	}
	var refs []subjects.TrackRef
	for _, f := range found {
		refs = append(refs, f.Ref())
	}
	want := s.playAll(users[0], room, refs)
	for _, who := range users[1:] {
		s.mustRoom(who, room, "join", struct{}{})
	}
	for n, dies := range []func(*System){kill, func(p *System) { end(t, p, 20*time.Second) }} {
		var wg sync.WaitGroup
		for i, who := range users[n*8 : n*8+8] {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				s.mustRoom(who, room, "exportHistory", subjects.ExportHistory{Name: fmt.Sprint("List ", n, i)})
			})
		}
		time.Sleep(4 * time.Millisecond)
		dies(p)
		p = s.process()
		wg.Wait()
	}

	lists := map[string]string{} // by exporter, as they were told
	for _, c := range s.log(subjects.ServiceRoom, room) {
		for _, e := range c.Sealed {
			if e.Type != subjects.EventHistoryExported {
				continue
			}
			var x subjects.HistoryExported
			if err := json.Unmarshal(e.Body, &x); err != nil || !slices.Equal(e.To, []string{x.User}) {
				t.Fatalf("%+v, %v", e, err)
			}
			if lists[x.User] != "" {
				t.Errorf("%s has exported twice", x.User)
			}
			lists[x.User] = x.Playlist
		}
	}
	if len(lists) != len(users) {
		t.Fatalf("%d exports are in the log of %d", len(lists), len(users))
	}
	until := time.Now().Add(30 * time.Second)
	for who, list := range lists {
		for len(s.log(subjects.ServicePlaylist, list)) == 0 {
			if time.Now().After(until) {
				t.Fatalf("the playlist of %s does not come", who)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	s.quiet()
	for who, list := range lists {
		s.begun(who, list, want)
	}
	st, err := s.home.bus.StreamState(t.Context(), subjects.StreamEvents(subjects.ServicePlaylist))
	if err != nil || st.Messages != uint64(len(users)) {
		t.Errorf("the log of all playlists has %d commits of %d exports, %v", st.Messages, len(users), err)
	}
}

// begun looks that a playlist was created once, by its exporter, with these tracks.
func (s *shore) begun(who, list string, want []string) {
	s.Helper()
	created, tracks := 0, []string{}
	for _, c := range s.log(subjects.ServicePlaylist, list) {
		for _, e := range c.Public.Events {
			switch e.Type {
			case subjects.EventPlaylistCreated:
				created++
			case subjects.EventTracksAdded:
				var added subjects.TracksAdded
				if err := json.Unmarshal(e.Body, &added); err != nil {
					s.Fatal(err)
				}
				for _, t := range added.Tracks {
					tracks = append(tracks, t.Track.ID)
				}
			}
			if e.By != who {
				s.Errorf("%s in the playlist of %s is by %s", e.Type, who, e.By)
			}
		}
	}
	if created != 1 || !slices.Equal(tracks, want) {
		s.Errorf("%s was created %d times with %v, want %v", list, created, tracks, want)
	}
}

// What was played and heard is there by page, after a restart, and after it was dropped and
// made anew.
func TestTheHistoryIsRebuilt(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.Data, cfg.Edge.Listen, cfg.NATS.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	room := subjects.NewID(subjects.PrefixRoom, time.Now())
	ana, ben := subjects.NewID(subjects.PrefixUser, time.Now()), subjects.NewID(subjects.PrefixUser, time.Now())
	run := func(f func(s *shore)) {
		t.Helper()
		home, err := Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer end(t, home, 20*time.Second)
		f(&shore{T: t, cfg: cfg, home: home})
	}
	var plays subjects.PlaysAnswer
	read := func(s *shore, least int) (heard [2]subjects.HeardAnswer) {
		t.Helper()
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			plays = subjects.PlaysAnswer{}
			err := s.home.bus.Query(t.Context(), subjects.ServiceRoom, subjects.QueryPlays, subjects.PlaysRequest{Room: room}, &plays)
			for i, who := range []string{ana, ben} {
				if err == nil {
					heard[i] = subjects.HeardAnswer{}
					err = s.home.bus.Query(t.Context(), subjects.ServiceRoom, subjects.QueryHeard, subjects.HeardRequest{User: who, Viewer: who}, &heard[i])
				}
			}
			if err != nil || time.Now().After(until) {
				t.Fatalf("%d plays, want %d; heard %d and %d, %v", len(plays.Plays), least, len(heard[0].Plays), len(heard[1].Plays), err)
			}
			if len(plays.Plays) >= least && len(heard[0].Plays) >= least && len(heard[1].Plays) > 0 {
				return heard
			}
		}
	}
	var before [2]subjects.HeardAnswer
	n := 0
	run(func(s *shore) {
		s.playAll(ana, room, []subjects.TrackRef{"demo:aurora", "demo:night-tram", "demo:paper-boats"})
		s.mustRoom(ben, room, "join", struct{}{})
		time.Sleep(10 * time.Millisecond) // who comes in the millisecond in which a track ends has not heard it
		s.mustRoom(ana, room, "next", struct{}{})
		s.mustRoom(ben, room, "leave", struct{}{})
		s.mustRoom(ana, room, "close", struct{}{})
		for _, c := range s.log(subjects.ServiceRoom, room) {
			for _, e := range c.Public.Events {
				if e.Type == subjects.EventTrackPlayed {
					n++
				}
			}
		}
		before = read(s, n)
	})
	if n < 3 || len(before[1].Plays) >= n || before[0].Plays[0].RoomName != "Friday" {
		t.Fatalf("%d plays, heard %d and %d: %+v", n, len(before[0].Plays), len(before[1].Plays), before[0].Plays[0])
	}
	for _, drop := range []bool{true, false} {
		report, err := Rebuild(t.Context(), cfg, drop, nil, slog.New(slog.DiscardHandler))
		if err != nil || report.BrokenCount != 0 || drop && report.Written < uint64(n)+3 || !drop && report.Written != 0 {
			t.Fatalf("drop %v: %+v, %v", drop, report, err)
		}
	}
	run(func(s *shore) {
		if after := read(s, n); fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}
