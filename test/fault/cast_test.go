package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
	"github.com/tuttihq/tutti/test/wire"
)

// errNotShown is the end of a wait for a revision.
var errNotShown = errors.New("it was not shown in time")

// Who plays in a trial. Everybody is in one vote room at a time, so those who vote and those
// who play are not the same.
const (
	voters   = 4 // vote in the hall, edit the playlist, chat; the first makes all three
	djs      = 2 // play in the club, which the first makes
	visitors = 1 // come to the club and go, and look at the playlist
	everyone = voters + djs + visitors
)

// player is a client.
type player struct {
	n      int
	client *tutti.Client
	watch  *wire.Watch
	user   string
	known  int // how many of the watch's faults were told in earlier trials
}

// cast are the clients of one system, over all trials.
type cast struct {
	players []*player
	// clerk registers people.
	clerk  *tutti.Client
	edges  []string
	tracks []string // that there are
	trials int
	seed   int64
}

// engage makes the clients and registers them. Each begins at another edge than the one
// before, and goes to the other one when it loses its socket.
func engage(ctx context.Context, t *testing.T, edges []string) *cast {
	t.Helper()
	c := &cast{edges: edges, seed: time.Now().UnixNano()}
	t.Logf("seed %d", c.seed)
	t.Cleanup(c.dismiss)
	for n := range everyone {
		mine := slices.Concat(edges[n%len(edges):], edges[:n%len(edges)])
		p := &player{n: n, watch: wire.NewWatch()}
		var err error
		p.client, err = tutti.Dial(ctx, mine[0], tutti.WithServers(mine[1:]...), tutti.WithDialer(wire.NewDialer(p.watch, uint64(c.seed)+uint64(n), mine...)))
		if err != nil {
			t.Fatal(err)
		}
		c.players = append(c.players, p)
		u, err := p.client.Account().Register(ctx, fmt.Sprintf("p%d@fault.example", n), fmt.Sprint("player", n), password)
		if err != nil {
			t.Fatal(err)
		}
		p.user = u.ID
	}
	var err error
	if c.clerk, err = tutti.Dial(ctx, edges[0], tutti.WithServers(edges[1:]...)); err != nil {
		t.Fatal(err)
	}
	tracks, err := c.clerk.Tracks(ctx, "", 0)
	if err != nil || len(tracks) < 6 {
		t.Fatalf("%d tracks, %v", len(tracks), err)
	}
	for _, tr := range tracks[:min(len(tracks), 8)] {
		c.tracks = append(c.tracks, tr.ID)
	}
	return c
}

const password = "correct horse"

func (c *cast) dismiss() {
	for _, p := range c.players {
		p.client.Close()
	}
	if c.clerk != nil {
		c.clerk.Close()
	}
}

// stage is where one trial plays.
type stage struct {
	*cast
	h                          *history
	name                       string
	hall, club, playlist, chat thing
	people                     *register

	following sync.WaitGroup
	unfollow  context.CancelFunc
}

// things lists what is followed and read.
func (s *stage) things() []thing { return []thing{s.hall, s.club, s.playlist, s.chat} }

// follows lists what a client follows.
func (s *stage) follows(p *player) []thing {
	if p.n < voters {
		return []thing{s.hall, s.playlist, s.chat}
	}
	return []thing{s.club, s.playlist}
}

// set makes rooms, a playlist and the accounts' register for one trial, and lets everybody
// in. What is done for it is noted like everything else.
func (c *cast) set(ctx context.Context, t *testing.T, what string) *stage {
	t.Helper()
	c.trials++
	s := &stage{cast: c, h: &history{}, name: fmt.Sprintf("Trial %d %d", c.seed%1_000_000, c.trials)}
	high, low := 100, 1
	ref := func(i int) []subjects.TrackRef { return []subjects.TrackRef{subjects.TrackRef(c.tracks[i])} }
	first, dj := c.players[0], c.players[voters]
	made := func(p *player, at thing, a subjects.Answer, err error, since time.Time) {
		if err != nil {
			t.Fatalf("%s: making a %s: %v", what, at.service, err)
		}
		s.h.add(&op{client: p.n, user: p.user, at: at, verb: subjects.VerbCreate, cmd: a.Command, sent: since, done: time.Now(), outcome: accepted, epoch: a.Epoch, rev: a.Rev})
	}
	began := time.Now()
	hall, a, err := first.client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: s.name + " hall", Open: true, MinimumScore: &high, Tracks: ref(0)})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	s.hall, s.chat = thing{subjects.ServiceRoom, hall.ID()}, thing{subjects.ServiceChat, hall.ID()}
	made(first, s.hall, a, err, began)
	began = time.Now()
	club, a, err := dj.client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: s.name + " club", Open: true, MinimumScore: &low, Tracks: ref(0)})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	s.club = thing{subjects.ServiceRoom, club.ID()}
	made(dj, s.club, a, err, began)
	began = time.Now()
	list, a, err := first.client.CreatePlaylist(ctx, subjects.CreatePlaylist{Name: s.name + " list", Visibility: subjects.VisibilityPublic})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	s.playlist = thing{subjects.ServicePlaylist, list.ID()}
	made(first, s.playlist, a, err, began)

	must := func(p *player, o op, body any) {
		if got := s.do(ctx, p, o, body); got.outcome != accepted {
			t.Fatalf("%s: %s (%s)", what, got, got.why)
		}
	}
	// The hall began with a vote for its track; the ballots begin with none.
	must(first, op{at: s.hall, verb: subjects.VerbRemove, track: c.tracks[0], deck: true}, subjects.RemoveTrack{Track: c.tracks[0]})
	for _, p := range c.players {
		switch {
		case p == first:
		case p.n < voters:
			must(p, op{at: s.hall, verb: subjects.VerbJoin}, nil)
			must(p, op{at: s.playlist, verb: subjects.VerbJoin}, nil)
		case p != dj:
			must(p, op{at: s.club, verb: subjects.VerbJoin}, nil)
			if p.n < voters+djs {
				must(dj, op{at: s.club, verb: subjects.VerbGrantControl}, subjects.GrantControl{User: p.user})
			}
		}
	}
	s.people = &register{cast: c, stem: fmt.Sprintf("t%dx%d", c.seed%1_000_000, c.trials)}
	s.follow()
	return s
}

// do sends a command, waits for what becomes of it, and notes it. body is what the verb
// takes.
func (s *stage) do(ctx context.Context, p *player, o op, body any) *op {
	o.client, o.user = p.n, p.user
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var a subjects.Answer
	var err error
	o.sent = time.Now()
	switch o.at.service {
	case subjects.ServiceRoom:
		a, err = p.client.Room(o.at.id).Do(ctx, o.verb, body)
	case subjects.ServicePlaylist:
		a, err = p.client.Playlist(o.at.id).Do(ctx, o.verb, body)
	case subjects.ServiceChat:
		a, err = p.client.Chat(o.at.id).Do(ctx, o.verb, body)
	}
	o.done, o.cmd, o.epoch, o.rev = time.Now(), a.Command, a.Epoch, a.Rev
	var r *subjects.Refusal
	switch late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled); {
	case err == nil:
		o.outcome = accepted
	case !late && errors.As(err, &r) && r.Code.Final():
		o.outcome, o.code = refused, r.Code
	default:
		o.why = err.Error()
	}
	if o.cmd == "" {
		s.h.fault("client %d: %s on %s came back without an id: %v", o.client, o.verb, o.at, err)
	}
	if !s.h.add(&o) {
		s.h.fault("more than %d commands", mostOps)
	}
	return &o
}

// patience bounds every wait for something that must come. It is longer than any fault
// lasts; nothing waits for it that goes well.
const patience = 90 * time.Second

// follow has every client look at what it takes part in, until the end of the trial.
func (s *stage) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	s.unfollow = cancel
	for _, p := range s.players {
		for _, of := range s.follows(p) {
			s.following.Go(func() {
				switch of.service {
				case subjects.ServiceRoom:
					look(ctx, s.h, p, of, p.client.Room(of.id).Updates(ctx))
				case subjects.ServicePlaylist:
					look(ctx, s.h, p, of, p.client.Playlist(of.id).Updates(ctx))
				case subjects.ServiceChat:
					look(ctx, s.h, p, of, p.client.Chat(of.id).Updates(ctx))
				}
			})
		}
	}
}

// look notes what a client is told, which is continuous or begins anew.
func look[V any](ctx context.Context, h *history, p *player, of thing, updates func(func(tutti.UpdateOf[V], error) bool)) {
	var last tutti.UpdateOf[V]
	for u, err := range updates {
		if err != nil {
			if ctx.Err() == nil {
				h.fault("client %d: %s is not told any more: %v", p.n, of, err)
			}
			return
		}
		if u.Kind == tutti.SealedUpdate {
			continue // of a commit that may have no public part
		}
		known := last.Kind != 0
		switch {
		case u.Kind == tutti.CommitUpdate && (!known || u.Epoch != last.Epoch || u.Prev != last.Rev || u.Rev <= last.Rev),
			known && (u.Epoch < last.Epoch || u.Epoch == last.Epoch && u.Rev < last.Rev):
			h.fault("client %d: %s: it is told %d.%d-%d after %d.%d", p.n, of, u.Epoch, u.Prev, u.Rev, last.Epoch, last.Rev)
		}
		last = u
		h.saw(sight{p.n, of, u.Epoch, u.Rev, time.Now()})
	}
}

// strike ends a trial's following.
func (s *stage) strike() {
	s.unfollow()
	s.following.Wait()
}
