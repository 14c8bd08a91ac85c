package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// edit is one command of an editor, as it was asked and answered.
type edit struct {
	verb     string
	track    string
	from, to int
	code     subjects.Code // of the refusal
	rev      uint64        // that was looked at
}

// Editors change one playlist over edges that are killed, each by what it sees at the
// moment. In the end all see the list that a plain slice becomes when what was accepted is
// done to it in the order of the log, and every move that was refused was one that could
// not be done then.
func TestEditorsOverEdgesThatAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const editors, watchers, edges, blow = 6, 2, 2, 5 * time.Second
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	log := &faults{}
	f := newFleet(t, edges, slog.New(log))
	defer f.close()
	defer log.judge(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*blow+60*time.Second)
	defer cancel()
	var crew []*sailor
	defer func() {
		for _, s := range crew {
			s.client.Close()
		}
	}()
	for i := range editors + watchers {
		crew = append(crew, f.sail(ctx, t, seed+uint64(i), i < editors))
	}
	tracks, err := crew[0].client.Tracks(ctx, "", 0)
	if err != nil || len(tracks) < 6 {
		t.Fatalf("%d tracks, %v", len(tracks), err)
	}
	first, _, err := crew[0].client.CreatePlaylist(ctx, subjects.CreatePlaylist{
		Name: "Storm", Visibility: subjects.VisibilityPublic, Tracks: []subjects.TrackRef{subjects.TrackRef(tracks[0].ID), subjects.TrackRef(tracks[1].ID)},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := first.ID()

	over := make(chan struct{})
	edits := make([]map[string]edit, editors) // by command
	var acting sync.WaitGroup
	for i, s := range crew[:editors] {
		if err := s.client.Playlist(id).Join(ctx); err != nil {
			t.Fatal(err)
		}
		acting.Go(func() { edits[i] = s.edit(ctx, t, over, id, tracks) })
	}
	kills, cuts := f.blow(blow, rand.New(rand.NewPCG(seed, 7)), func() bool {
		sockets := 0
		for _, s := range crew[:editors] {
			sockets += s.watch.Counts().Sockets
		}
		return sockets >= 2*editors
	})
	close(over)
	acting.Wait()

	lists, head := f.replayed(ctx, t, id, []string{tracks[0].ID, tracks[1].ID}, edits)
	want := lists[len(lists)-1].list
	accepted, conflicts := 0, 0
	for i, mine := range edits {
		for cmd, e := range mine {
			switch e.code {
			case "":
				accepted++
			case subjects.CodeConflict:
				conflicts++
				if !impossible(lists, e) {
					t.Errorf("editor %d: %s: moving %s from %d to %d was refused at %d, and could be done", i, cmd, e.track, e.from, e.to, e.rev)
				}
			case subjects.CodeNothingAccepted: // what was to be added was there
			default:
				t.Errorf("editor %d: %s %s: %s", i, cmd, e.verb, e.code)
			}
		}
	}
	hash := ""
	for i, s := range crew {
		v := until(ctx, t, s.client.Playlist(id), head)
		got := v.Playlist.TrackIDs()
		if !slices.Equal(got, want) {
			t.Errorf("client %d sees %v, the log makes %v", i, got, want)
		}
		h, err := v.Hash()
		if err != nil || hash != "" && h != hash {
			t.Errorf("client %d: hash %s, another has %s; %v", i, h, hash, err)
		}
		hash = h
		for _, fault := range s.watch.Faults() {
			t.Errorf("client %d: %s", i, fault)
		}
	}
	t.Logf("%d kills, %d cuts, %d edits accepted, %d moves refused, revision %d, %d tracks", kills, cuts, accepted, conflicts, head, len(want))
	if kills == 0 || accepted < 20 || conflicts == 0 {
		t.Error("there was no storm")
	}
}

// edit sends commands by what the client sees, until the storm is over.
func (s *sailor) edit(ctx context.Context, t *testing.T, over chan struct{}, id string, tracks []subjects.Track) map[string]edit {
	out := map[string]edit{}
	p := s.client.Playlist(id)
	for ctx.Err() == nil {
		select {
		case <-over:
			return out
		case <-time.After(between(s.rng, 20*time.Millisecond)):
		}
		v, err := p.View(ctx)
		if err != nil {
			t.Errorf("view: %v", err)
			return out
		}
		list := v.Playlist.TrackIDs()
		e := edit{track: tracks[s.rng.IntN(len(tracks))].ID}
		var body any
		switch n := s.rng.IntN(10); {
		case n < 6 && len(list) > 1:
			e.verb, e.from, e.to = subjects.VerbMove, s.rng.IntN(len(list)), s.rng.IntN(len(list))
			e.track = list[e.from]
			body = subjects.MoveTrack{Track: e.track, From: e.from, To: e.to}
		case n < 9:
			e.verb, body = subjects.VerbAdd, subjects.AddTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(e.track)}}
		default:
			e.verb, body = subjects.VerbRemove, subjects.RemoveTracks{Tracks: []string{e.track}}
		}
		a, err := p.Do(ctx, e.verb, body)
		e.rev = a.Rev
		var r *subjects.Refusal
		switch {
		case err == nil:
		case errors.As(err, &r):
			e.code = r.Code
		default:
			t.Errorf("%s: %v", e.verb, err)
			return out
		}
		if a.Command == "" {
			a.Command = fmt.Sprint("refused ", len(out))
		}
		out[a.Command] = e
	}
	return out
}

// state is what a plain list was at some moment of a revision.
type state struct {
	rev  uint64
	list []string
}

// replayed does what was accepted to a slice, in the order of the log; it gives every state
// it was in, and the log's last revision.
func (f *fleet) replayed(ctx context.Context, t *testing.T, id string, list []string, edits []map[string]edit) ([]state, uint64) {
	t.Helper()
	accepted := map[string]edit{}
	for _, mine := range edits {
		for cmd, e := range mine {
			if e.code == "" {
				accepted[cmd] = e
			}
		}
	}
	states := []state{{1, slices.Clone(list)}}
	head := uint64(0)
	done := map[string]bool{}
	err := f.home.bus.Read(ctx, subjects.StreamEvents(subjects.ServicePlaylist), subjects.Events(subjects.ServicePlaylist, id), 1, func(e bus.Entry) error {
		c, err := subjects.DecodeCommit(e.Data)
		if err != nil {
			return err
		}
		head = c.Rev
		return c.Each(func(ev *subjects.Event, _ []string) error {
			x, ok := accepted[ev.Cmd]
			if !ok || done[ev.Cmd] {
				return nil
			}
			done[ev.Cmd] = true
			at := slices.Index(list, x.track)
			switch x.verb {
			case subjects.VerbAdd:
				if at < 0 {
					list = append(list, x.track)
				}
			case subjects.VerbRemove:
				if at >= 0 {
					list = slices.Delete(list, at, at+1)
				}
			case subjects.VerbMove:
				if at != x.from {
					t.Errorf("%s was accepted: %s from %d, where it did not stand (%d)", ev.Cmd, x.track, x.from, at)
					return nil
				}
				list = slices.Insert(slices.Delete(list, at, at+1), x.to, x.track)
			}
			states = append(states, state{c.Rev, slices.Clone(list)})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return states, head
}

// impossible reports whether a move could not be done in the revision that was looked at: in
// what it began with, or after one of the commands that it holds.
func impossible(states []state, e edit) bool {
	cannot := func(s state) bool { return slices.Index(s.list, e.track) != e.from || e.to >= len(s.list) }
	for i, s := range states {
		if s.rev == e.rev && cannot(s) {
			return true
		}
		if s.rev < e.rev && (i+1 == len(states) || states[i+1].rev >= e.rev) && cannot(s) {
			return true
		}
	}
	return false
}

// until waits for a playlist to be shown as of a revision.
func until(ctx context.Context, t *testing.T, p *tutti.Playlist, rev uint64) *tutti.PlaylistView {
	t.Helper()
	for v, err := range p.Views(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if v.Rev >= rev {
			return v
		}
	}
	t.Fatal("the playlist does not get there")
	return nil
}
