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
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
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

// process is a replica of the service with a connection of its own.
type process struct {
	r       *rig
	bus     *bus.Bus
	service *Service
	over    sync.Once
}

// start runs a replica. It ends with the test, if it did not before.
func (r *rig) start() *process {
	r.Helper()
	cfg := bus.Defaults()
	cfg.URL = r.bus.Address()
	b, err := bus.Start(r.Context(), cfg, []string{subjects.ServicePlaylist}, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fatal(err)
	}
	s, err := Start(r.Context(), Deps{
		Bus: b, Store: r.store, Tracks: shelf{}, Log: slog.New(slog.DiscardHandler),
		Replica: subjects.NewID("node", time.Now()),
	})
	if err != nil {
		r.Fatal(err)
	}
	p := &process{r: r, bus: b, service: s}
	r.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	p.over.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.service.Stop(ctx); err != nil {
			p.r.Error(err)
		}
		p.bus.Close(ctx)
	})
}

// kill cuts it off in the middle of whatever it does. What it would still say reaches nobody.
func (p *process) kill() {
	p.over.Do(func() {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		p.bus.Close(gone)
		_ = p.service.Stop(gone) // of what is cut off nothing ends well
	})
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
// that may be old, while replicas of the service come and go and are killed. In the end everybody has the
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
	owner := r.start()
	rng := rand.New(rand.NewPCG(seed, 1))
	total := map[string]int{}
	for round := range 6 {
		e := &editing{rig: r, id: subjects.NewID(subjects.PrefixPlaylist, r.bus.Clock().Now()), counts: total, half: make(chan struct{})}
		var meanwhile func()
		switch {
		case round%3 == 1: // another comes and goes
			meanwhile = func() {
				second := r.start()
				<-e.half
				second.stop()
			}
		case round%3 == 2 && !testing.Short(): // the one that owns the playlist is killed
			meanwhile = func() {
				<-e.half
				owner.kill()
				owner = r.start()
			}
		}
		e.run(2+rng.IntN(11), 40, rng, meanwhile)
	}
	t.Logf("%v", total)
	if total["move refused"] == 0 || total["move accepted"] == 0 || total["add refused"] == 0 || total["remove accepted"] == 0 {
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
	begun string           // the command that created the playlist
	want  int              // how many will be tried
	half  chan struct{}    // closed when half of them are answered
}

func (e *editing) run(editors, commands int, rng *rand.Rand, meanwhile func()) {
	e.Helper()
	e.tried, e.want = map[string]tried{}, editors*commands
	e.begun = e.must("ana", e.id, "create", body{"name": "Road trip", "visibility": "public", "tracks": []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"}}).Command
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
	e.at(editors, commands, followers, rng, meanwhile)
	sync()
	e.judge(followers)
}

// at has the editors edit.
func (e *editing) at(editors, commands int, followers []*pages, rng *rand.Rand, meanwhile func()) {
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
	if meanwhile != nil {
		wg.Go(meanwhile)
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
	if len(e.tried) == e.want/2 {
		close(e.half)
	}
	outcome := "accepted"
	if c.answer.Refusal != nil {
		outcome = "refused"
	}
	e.counts[c.verb+" "+outcome]++
}
