package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
	"github.com/tuttihq/tutti/test/wire"
)

// sailor is a client in the storm: it acts in one room and follows all.
type sailor struct {
	client *tutti.Client
	watch  *wire.Watch
	rng    *rand.Rand
	room   *tutti.Room
	stop   context.CancelFunc // of following
	ended  sync.WaitGroup

	accepted map[string]string // verb by command
	refused  map[subjects.Code]int
	last     map[string]tutti.Update // by room: the last update
}

// Many clients join, leave, suggest, vote and skip, while edges are killed and connections
// cut at random; each time a client comes back it is at another edge. In the end all see the
// room that its log makes, nobody was told anything out of order, and what was accepted is
// in the log once.
//
// TUTTI_STORM is how long it blows (a duration; default 8s), TUTTI_SEED repeats a storm as
// far as its choices go.
func TestStormOverEdgesThatAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	blow, seed := 8*time.Second, uint64(time.Now().UnixNano())
	if v := os.Getenv("TUTTI_STORM"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		blow = d
	}
	if v := os.Getenv("TUTTI_SEED"); v != "" {
		if _, err := fmt.Sscan(v, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TUTTI_SEED=%d TUTTI_STORM=%v", seed, blow)
	const people, guests, edges = 24, 8, 3
	log := &faults{}
	f := newFleet(t, edges, slog.New(log))
	defer f.close()
	defer log.judge(t)

	ctx, cancel := context.WithTimeout(t.Context(), 5*blow+60*time.Second)
	defer cancel()
	crew := make([]*sailor, people+guests)
	defer func() {
		for _, s := range crew {
			if s != nil {
				s.client.Close()
			}
		}
	}()
	for i := range crew {
		crew[i] = f.sail(ctx, t, seed+uint64(i), i < people)
	}
	rooms := make([]string, 2)
	for i := range rooms {
		low := 3
		room, _, err := crew[i].client.CreateRoom(ctx, subjects.CreateRoom{
			Kind: subjects.KindVote, Name: fmt.Sprint("Storm ", i), Open: true, MinimumScore: &low, Tracks: []subjects.TrackRef{"demo:aurora", "demo:night-tram"},
		})
		if err != nil {
			t.Fatal(err)
		}
		rooms[i] = room.ID()
	}
	for i, s := range crew {
		s.room = s.client.Room(rooms[i%len(rooms)])
		s.follow(t, rooms)
	}
	tracks, err := crew[0].client.Tracks(ctx, "", 0)
	if err != nil || len(tracks) < 4 {
		t.Fatalf("%d tracks, %v", len(tracks), err)
	}

	over := make(chan struct{})
	var acting sync.WaitGroup
	for i, s := range crew[:people] {
		acting.Go(func() { s.act(ctx, t, over, tracks, i < len(rooms)) })
	}
	kills, cuts := f.blow(blow, rand.New(rand.NewPCG(seed, 99)), func() bool {
		sockets, resumed := 0, 0
		for _, s := range crew {
			c := s.watch.Counts()
			sockets, resumed = sockets+c.Sockets, resumed+c.Resumed
		}
		return sockets >= 2*len(crew) && resumed > 0
	})
	close(over)
	acting.Wait()
	for _, s := range crew[:len(rooms)] { // so that nothing happens by itself any more
		if err := s.room.Pause(ctx); err != nil && subjects.CodeOf(err) == subjects.CodeInternal {
			t.Error(err)
		}
	}

	logs := map[string]*logged{}
	for _, id := range rooms {
		logs[id] = f.read(ctx, t, id)
	}
	var seen wire.Counts
	seen.Reasons = map[string]int{}
	for i, s := range crew {
		for _, id := range rooms {
			s.arrive(ctx, t, i, id, logs[id])
			if n, ok := s.client.Room(id).Counts(); !ok || n.Gaps > 0 || n.Repeats > 0 || n.Commits == 0 {
				t.Errorf("client %d met gaps or repeats: %+v, %v", i, n, ok)
			}
		}
		s.stop()
		s.ended.Wait()
		s.judge(t, i, logs[s.room.ID()])
		c := s.watch.Counts()
		seen.Sockets += c.Sockets
		seen.Snaps += c.Snaps
		seen.Resumed += c.Resumed
		seen.Events += c.Events
		seen.Answers += c.Answers
		for k, v := range c.Reasons {
			seen.Reasons[k] += v
		}
	}
	accepted, refused := 0, map[subjects.Code]int{}
	for _, s := range crew {
		accepted += len(s.accepted)
		for c, n := range s.refused {
			refused[c] += n
		}
	}
	t.Logf("%d kills, %d cuts; seen on the wire: %+v; %d commands accepted, refused %v; commits %d and %d",
		kills, cuts, seen, accepted, refused, logs[rooms[0]].head.Rev, logs[rooms[1]].head.Rev)
	if kills == 0 || seen.Resumed == 0 || seen.Sockets < 2*len(crew) {
		t.Error("there was no storm")
	}
}

func (f *fleet) sail(ctx context.Context, t *testing.T, seed uint64, user bool) *sailor {
	s := &sailor{
		watch: wire.NewWatch(), rng: rand.New(rand.NewPCG(seed, 3)),
		accepted: map[string]string{}, refused: map[subjects.Code]int{}, last: map[string]tutti.Update{},
	}
	var err error
	s.client, err = tutti.Dial(ctx, f.home.HTTP, tutti.WithDialer(wire.NewDialer(s.watch, seed, f.urls()...)), tutti.WithPauses(20*time.Millisecond, 500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if user {
		if _, err := s.client.Account().Register(ctx, fmt.Sprintf("s%d@example.com", seed), fmt.Sprint("s", seed), "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// follow reads every room until stop, and looks that updates are continuous or begin anew.
func (s *sailor) follow(t *testing.T, rooms []string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var mu sync.Mutex
	for _, id := range rooms {
		s.ended.Go(func() {
			for u, err := range s.client.Room(id).Updates(ctx) {
				if err != nil {
					t.Errorf("following: %v", err)
					return
				}
				if u.Kind == tutti.SealedUpdate {
					continue // of a commit that may have no public part
				}
				mu.Lock()
				last, known := s.last[id]
				s.last[id] = u
				mu.Unlock()
				switch {
				case u.Kind == tutti.CommitUpdate && (!known || u.Epoch != last.Epoch || u.Prev != last.Rev || u.Rev <= last.Rev),
					known && (u.Epoch < last.Epoch || u.Epoch == last.Epoch && u.Rev < last.Rev):
					t.Errorf("the client made update %d.%d-%d of what came after %d.%d", u.Epoch, u.Prev, u.Rev, last.Epoch, last.Rev)
				}
			}
		})
	}
}

// act sends commands, one after the other, until the storm is over.
func (s *sailor) act(ctx context.Context, t *testing.T, over chan struct{}, tracks []subjects.Track, creator bool) {
	do := func(verb string, body any) {
		a, err := s.room.Do(ctx, verb, body)
		var r *subjects.Refusal
		switch {
		case err == nil:
			s.accepted[a.Command] = verb
		case errors.As(err, &r) && r.Code.Final() && r.Code != subjects.CodeInternal && r.Code != subjects.CodeExpired && ctx.Err() == nil:
			s.refused[r.Code]++
		default:
			t.Errorf("%s: %v", verb, err)
		}
	}
	do(subjects.VerbJoin, nil)
	for ctx.Err() == nil {
		select {
		case <-over:
			return
		case <-time.After(between(s.rng, 60*time.Millisecond)):
		}
		track := tracks[s.rng.IntN(len(tracks))].ID
		switch n := s.rng.IntN(20); {
		case n < 9:
			do(subjects.VerbVote, subjects.VoteTrack{Track: track})
		case n < 13:
			do(subjects.VerbSuggest, subjects.SuggestTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
		case n < 15:
			do(subjects.VerbSkip, nil)
		case creator && n < 17:
			do(subjects.VerbNext, nil)
		case creator:
			do([]string{subjects.VerbPlay, subjects.VerbPause}[s.rng.IntN(2)], nil)
		default:
			do(subjects.VerbLeave, nil)
			do(subjects.VerbJoin, nil)
		}
	}
}

// blow kills edges and cuts connections for a while, on a slow machine up to five times as
// long until there was enough of it; afterwards all edges serve.
func (f *fleet) blow(d time.Duration, rng *rand.Rand, enough func() bool) (kills, cuts int) {
	begin := time.Now()
	var wg sync.WaitGroup
	var down atomic.Int32
	busy := make([]atomic.Bool, len(f.edges))
	for {
		if past := time.Since(begin); past > 5*d || past > d && kills > 0 && enough() {
			break
		}
		time.Sleep(100*time.Millisecond + between(rng, 500*time.Millisecond))
		i := rng.IntN(len(f.edges))
		if busy[i].Load() {
			continue
		}
		if rng.IntN(3) == 0 {
			f.edges[i].door.cut()
			cuts++
			continue
		}
		if int(down.Load()) >= len(f.edges)-1 {
			continue
		}
		kills++
		pause := between(rng, 600*time.Millisecond)
		busy[i].Store(true)
		down.Add(1)
		wg.Go(func() {
			if err := f.edges[i].kill(); err != nil {
				f.t.Error(err)
			}
			time.Sleep(pause)
			if err := f.edges[i].up(); err != nil {
				f.t.Error(err)
			}
			down.Add(-1)
			busy[i].Store(false)
		})
	}
	wg.Wait()
	return kills, cuts
}

// arrive waits until the client shows the room as its log makes it.
func (s *sailor) arrive(ctx context.Context, t *testing.T, i int, id string, want *logged) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var last *tutti.RoomView
	for v, err := range s.client.Room(id).Views(ctx) {
		if err != nil {
			t.Errorf("client %d: %v", i, err)
			return
		}
		if last = v; v.Rev < want.public {
			continue
		}
		if h, err := v.Hash(); err != nil || h != want.head.Hash || v.Rev > want.head.Rev || v.Epoch != want.head.Epoch {
			t.Errorf("client %d ends at %d.%d with hash %s, %v; the log at %d.%d with %s", i, v.Epoch, v.Rev, h, err, want.head.Epoch, want.head.Rev, want.head.Hash)
		}
		return
	}
	t.Errorf("client %d does not arrive: connection %+v, last seen %+v, the log is at %d (public %d)", i, s.client.Connection(), last, want.head.Rev, want.public)
}

func (s *sailor) judge(t *testing.T, i int, l *logged) {
	t.Helper()
	for _, fault := range s.watch.Faults() {
		t.Errorf("client %d: %s", i, fault)
	}
	effect := map[string]string{
		subjects.VerbVote: subjects.EventTrackVoted, subjects.VerbSuggest: subjects.EventTrackSuggested,
		subjects.VerbSkip: subjects.EventSkipVoted, subjects.VerbLeave: subjects.EventMemberLeft,
	}
	user := s.client.Account().User()
	for cmd, verb := range s.accepted {
		n := 0
		for _, e := range l.events[user+" "+cmd] {
			if e.Type == effect[verb] || verb == subjects.VerbSuggest && e.Type == subjects.EventTrackVoted {
				n++
			}
		}
		if _, counted := effect[verb]; counted && n != 1 {
			t.Errorf("client %d: %s %s was accepted and has %d effects: %+v", i, verb, cmd, n, l.events[user+" "+cmd])
		}
	}
}
