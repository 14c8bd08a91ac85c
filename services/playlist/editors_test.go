package playlist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// rig is the service on a real log and a real store.
type rig struct {
	*testing.T
	bus   *bus.Bus
	store store.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cfg := bus.Defaults()
	cfg.DataDir = t.TempDir()
	b, err := bus.Start(t.Context(), cfg, []string{subjects.ServicePlaylist}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "playlists.db"), Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{T: t, bus: b, store: st}
}

// start runs a replica until the returned function is called, or the test ends.
func (r *rig) start() (stop func()) {
	r.Helper()
	s, err := Start(r.Context(), Deps{
		Bus: r.bus, Store: r.store, Tracks: shelf{}, Log: slog.New(slog.DiscardHandler),
		Replica: subjects.NewID("node", time.Now()),
	})
	if err != nil {
		r.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			r.Error(err)
		}
	})
	r.Cleanup(stop)
	return stop
}

// ask sends a command and gives its answer, which may be a refusal.
func (r *rig) ask(who, id, verb string, body any) (subjects.Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return subjects.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	to := subjects.Command{Service: subjects.ServicePlaylist, ID: id, Verb: verb, Principal: user(who)}
	return r.bus.Ask(ctx, to, subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, r.bus.Clock().Now()), Body: raw})
}

// must sends a command that has to be accepted.
func (r *rig) must(who, id, verb string, body any) subjects.Answer {
	r.Helper()
	a, err := r.ask(who, id, verb, body)
	if err != nil || a.Err() != nil {
		r.Fatalf("%s %s %v: %v, %v", who, verb, body, err, a.Err())
	}
	return a
}

// pages is somebody who follows a playlist by patches alone.
type pages struct {
	sync.Mutex
	doc    []byte
	rev    uint64
	faults []error
}

// Reset implements aggregate.Sink.
func (p *pages) Reset(f *aggregate.Folded[*subjects.PlaylistState]) {
	doc, err := subjects.CanonicalOf(&f.State.Playlist)
	p.note(err)
	if f.Rev == 0 {
		doc = nil
	}
	p.doc, p.rev = doc, f.Rev
}

// Commit implements aggregate.Sink.
func (p *pages) Commit(_ *aggregate.Folded[*subjects.PlaylistState], _ []byte, c *subjects.Commit) {
	doc, err := subjects.ApplyPatch(p.doc, c.Public.Patch)
	p.note(err)
	if c.Rev != p.rev+1 {
		p.note(fmt.Errorf("revision %d after %d", c.Rev, p.rev))
	}
	p.doc, p.rev = doc, c.Rev
}

// Lost implements aggregate.Sink.
func (p *pages) Lost(err error) { p.note(err) }

func (p *pages) note(err error) {
	if err != nil {
		p.faults = append(p.faults, err)
	}
}

// sees gives the order as the follower has it.
func (p *pages) sees() ([]string, error) {
	p.Lock()
	defer p.Unlock()
	var doc subjects.Playlist
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	err := json.Unmarshal(p.doc, &doc)
	return doc.TrackIDs(), err
}

// tried is a command that an editor has sent, and what came of it.
type tried struct {
	verb   string
	move   subjects.MoveTrack
	tracks []string
	answer subjects.Answer
}

// Any number of editors add, move and remove through the real log, each looking at a list
// that may be old, while replicas of the service come and go. In the end everybody has the
// same list, no track is lost or there twice, and whoever was refused was refused for
// something that was true when it was decided.
//
// TUTTI_SEED repeats a run as far as its choices go.
func TestEditorsConverge(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("TUTTI_SEED"); v != "" {
		if _, err := fmt.Sscan(v, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TUTTI_SEED=%d", seed)
	r := newRig(t)
	defer r.start()()
	rng := rand.New(rand.NewPCG(seed, 1))
	total := map[string]int{}
	for round := range 6 {
		e := &editing{rig: r, id: subjects.NewID(subjects.PrefixPlaylist, r.bus.Clock().Now()), counts: total}
		e.run(2+rng.IntN(11), 40, rng, round%2 == 1)
	}
	t.Logf("%v", total)
	if total["move refused"] == 0 || total["move accepted"] == 0 || total["add refused"] == 0 {
		t.Errorf("too little happened: %v", total)
	}
}

// editing is one playlist that many edit.
type editing struct {
	*rig
	id     string
	counts map[string]int

	mu    sync.Mutex
	tried map[string]tried // by command
}

func (e *editing) run(editors, commands int, rng *rand.Rand, handover bool) {
	e.Helper()
	e.tried = map[string]tried{}
	e.must("ana", e.id, "create", body{"name": "Road trip", "visibility": "public", "tracks": []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"}})
	var followers []*pages
	var followings []*aggregate.Following
	for range 3 {
		f := aggregate.NewFollower(e.bus, Fold{}, aggregate.FollowOptions{})
		e.Cleanup(f.Close)
		followers = append(followers, &pages{})
		followings = append(followings, f.Follow(e.id, followers[len(followers)-1]))
	}
	sync := func() {
		for _, f := range followings {
			ctx, cancel := context.WithTimeout(e.Context(), 10*time.Second)
			if err := f.Sync(ctx); err != nil {
				e.Error(err)
			}
			cancel()
		}
	}
	sync()
	e.at(editors, commands, followers, rng, handover)
	sync()
	e.judge(followers)
}

// at has the editors edit.
func (e *editing) at(editors, commands int, followers []*pages, rng *rand.Rand, handover bool) {
	var wg sync.WaitGroup
	for i := range editors {
		who, mine, view := fmt.Sprint("editor", i), rand.New(rand.NewPCG(rng.Uint64(), 2)), followers[i%len(followers)]
		e.must(who, e.id, "join", body{})
		wg.Go(func() {
			var list []string
			for range commands {
				if len(list) == 0 || mine.IntN(3) > 0 { // otherwise goes by what it saw before
					seen, err := view.sees()
					if err != nil {
						e.Error(err)
						return
					}
					list = seen
				}
				e.try(who, e.choose(list, mine))
			}
		})
	}
	if handover {
		wg.Go(func() {
			stop := e.start()
			time.Sleep(50 * time.Millisecond)
			stop()
		})
	}
	wg.Wait()
}

func (e *editing) choose(list []string, rng *rand.Rand) tried {
	song := func() string { return fmt.Sprint("s", rng.IntN(24)) }
	switch n := rng.IntN(10); {
	case n < 6 && len(list) > 0:
		from := rng.IntN(len(list))
		return tried{verb: "move", move: subjects.MoveTrack{Track: list[from], From: from, To: rng.IntN(len(list))}}
	case n < 8:
		return tried{verb: "add", tracks: []string{song(), song()}}
	default:
		return tried{verb: "remove", tracks: []string{song(), song()}}
	}
}

func (e *editing) try(who string, c tried) {
	var b any = tracks(c.tracks...)
	if c.verb == "move" {
		b = c.move
	}
	var err error
	if c.answer, err = e.ask(who, e.id, c.verb, b); err != nil {
		e.Errorf("%s: %v", c.verb, err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tried[c.answer.Command] = c
	outcome := "accepted"
	if c.answer.Refusal != nil {
		outcome = "refused"
	}
	e.counts[c.verb+" "+outcome]++
}
