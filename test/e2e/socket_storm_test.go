package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
	"github.com/tuttihq/tutti/test/wire"
)

// caller is a person who acts over a socket.
type caller struct {
	client   *tutti.Client
	watch    *wire.Watch
	room     *tutti.Room
	accepted map[string]string // verb by command
}

func dial(ctx context.Context, t *testing.T, p *program, name string) *caller {
	t.Helper()
	c := &caller{watch: wire.NewWatch(), accepted: map[string]string{}}
	var err error
	c.client, err = tutti.Dial(ctx, "http://"+p.http, tutti.WithPauses(20*time.Millisecond, 500*time.Millisecond),
		tutti.WithDialer(wire.NewDialer(c.watch, rand.Uint64(), "http://"+p.http)))
	must(t, err)
	t.Cleanup(c.client.Close)
	if name != "" {
		_, err = c.client.Account().Register(ctx, name+"@example.com", name, "correct horse")
		must(t, err)
	}
	return c
}

// do sends a command until it has its answer, over whatever lives the process has meanwhile.
func (c *caller) do(ctx context.Context, t *testing.T, verb string, body any) {
	a, err := c.room.Do(ctx, verb, body)
	var r *subjects.Refusal
	switch {
	case err == nil:
		c.accepted[a.Command] = verb
	case !errors.As(err, &r), !r.Code.Final(), r.Code == subjects.CodeInternal, r.Code == subjects.CodeExpired:
		t.Errorf("%s: %v", verb, err)
	}
}

// The process is killed again and again under clients on sockets. Each resumes where it was;
// in the end all show the room that its log makes, and what was accepted is in it once.
func TestKilledUnderSockets(t *testing.T) {
	t.Parallel()
	const people, guests, kills = 8, 3, 6
	p := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	ann := dial(ctx, t, p, "ann")
	score := 3
	room, _, err := ann.client.CreateRoom(ctx, subjects.CreateRoom{
		Kind: subjects.KindVote, Name: "Gale", Open: true, MinimumScore: &score, Tracks: []subjects.TrackRef{"demo:aurora", "demo:night-tram"},
	})
	must(t, err)
	tracks, err := ann.client.Tracks(ctx, "", 0)
	must(t, err)

	follow, unfollow := context.WithCancel(ctx)
	var following, acting sync.WaitGroup
	var over atomic.Bool
	all := []*caller{ann}
	for i := range people + guests {
		name := fmt.Sprint("caller", i)
		if i >= people {
			name = ""
		}
		all = append(all, dial(ctx, t, p, name))
	}
	for i, c := range all {
		c.room = c.client.Room(room.ID())
		following.Go(func() {
			for _, err := range c.room.Updates(follow) {
				if err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
		if i > people {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		acting.Go(func() {
			c.do(ctx, t, subjects.VerbJoin, nil)
			for !over.Load() && ctx.Err() == nil {
				track := tracks[rng.IntN(len(tracks))].ID
				switch n := rng.IntN(10); {
				case n < 5:
					c.do(ctx, t, subjects.VerbVote, subjects.VoteTrack{Track: track})
				case n < 8:
					c.do(ctx, t, subjects.VerbSuggest, subjects.SuggestTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
				case c == ann:
					c.do(ctx, t, subjects.VerbNext, nil)
				default:
					c.do(ctx, t, subjects.VerbLeave, nil)
					c.do(ctx, t, subjects.VerbJoin, nil)
				}
				time.Sleep(time.Duration(rng.Int64N(int64(60 * time.Millisecond))))
			}
		})
	}
	for n := range kills {
		time.Sleep(200*time.Millisecond + rand.N(700*time.Millisecond))
		if n == 3 { // once it may say goodbye
			if _, err := p.interrupt(); err != nil {
				t.Errorf("interrupted under load: %v", err)
			}
		} else {
			p.kill()
		}
		if err := p.tryUp(); err != nil {
			over.Store(true)
			cancel()
			t.Error(err)
			break
		}
	}
	over.Store(true)
	acting.Wait()
	ann.do(ctx, t, subjects.VerbPause, nil) // so that nothing happens by itself any more

	log := p.log(room.ID())
	once(t, log)
	rev, hash, effects := refold(t, room.ID(), log)
	commands, sockets := 0, 0
	for i, c := range all {
		for v, err := range c.room.Views(ctx) {
			if must(t, err); v.Rev < rev {
				continue
			}
			got, err := v.Hash()
			must(t, err)
			equal(t, fmt.Sprintf("hash that client %d ends with at %d", i, v.Rev), got, hash)
			break
		}
		if n, ok := c.room.Counts(); !ok || n.Gaps > 0 || n.Repeats > 0 {
			t.Errorf("client %d met gaps or repeats: %+v", i, n)
		}
		for _, fault := range c.watch.Faults() {
			t.Errorf("client %d: %s", i, fault)
		}
		seen := c.watch.Counts()
		sockets += seen.Sockets
		commands += len(c.accepted)
		for cmd, verb := range c.accepted {
			if verb == subjects.VerbVote {
				equal(t, "effects of a vote that was accepted", effects[c.client.Account().User()+" "+cmd], 1)
			}
		}
	}
	unfollow()
	following.Wait()
	if sockets < len(all)*kills/2 {
		t.Errorf("only %d sockets for %d clients and %d kills", sockets, len(all), kills)
	}
	t.Logf("%d sockets, %d commands accepted, %d commits", sockets, commands, len(log))
}

// refold makes the public document from the public events of a log, and gives the last
// revision that has some, the document's hash, and how many votes each command had.
func refold(t *testing.T, room string, log []subjects.Commit) (rev uint64, hash string, effects map[string]int) {
	t.Helper()
	doc := subjects.Room{ID: room}
	effects = map[string]int{}
	for _, c := range log {
		for _, e := range c.Public.Events {
			rev = c.Rev
			ev, err := subjects.DecodeRoomEvent(e.Type, e.Body)
			must(t, err)
			must(t, doc.Apply(subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At}, ev, nil))
			if e.Type == subjects.EventTrackVoted {
				effects[e.By+" "+e.Cmd]++
			}
		}
	}
	text, err := subjects.CanonicalOf(doc)
	must(t, err)
	hash, err = subjects.Hash(text)
	must(t, err)
	return rev, hash, effects
}
