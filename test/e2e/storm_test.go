package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// sent is a command and its one final answer.
type sent struct {
	who      *person
	id, verb string
	in       body
	got      accepted
	err      error // a final refusal, or nil
	tries    int
}

// insist sends a command until it has its final answer; nil if ctx ends before.
func (w *person) insist(ctx context.Context, room, verb string, in body) *sent {
	s := &sent{who: w, id: subjects.NewID(subjects.PrefixCommand, time.Now()), verb: verb, in: in}
	for ctx.Err() == nil {
		s.tries++
		if s.got, s.err = w.commandAs(s.id, room, verb, in); final(s.err) {
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// check reads the room until there is an answer, which must hold what was accepted.
func (s *sent) check(ctx context.Context, room string) {
	for ctx.Err() == nil && s.err == nil {
		var v roomView
		if err := s.who.get("/v1/rooms/"+room, &v); err != nil {
			if final(err) {
				s.who.p.t.Errorf("reading the room: %v", err)
				return
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if v.Epoch != s.got.Epoch || v.Rev < s.got.Rev {
			s.who.p.t.Errorf("accepted in %d.%d, and then read %d.%d", s.got.Epoch, s.got.Rev, v.Epoch, v.Rev)
		}
		return
	}
}

// The process is killed again and again under a crowd that votes and insists on answers.
// Whatever was accepted is in the log exactly once, and scores are the votes accepted.
func TestKilledUnderAStormOfVotes(t *testing.T) {
	t.Parallel()
	const voters, tracks, own = 5, 60, 12
	songs := newJukebox(t)
	p := start(t, allowJukebox)
	ann := p.register("ann")
	var list []string
	for i := range tracks {
		list = append(list, songs.track(fmt.Sprint("storm", i), time.Second))
	}
	room := ann.open("Storm", body{"minimumScore": 1000, "tracks": list})
	queue := ann.queue(room)
	equal(t, "queued", len(queue), tracks)
	crowd := make([]*person, voters)
	for i := range crowd {
		crowd[i] = p.register(fmt.Sprint("voter", i))
		crowd[i].do(room, "join", nil)
	}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answers := make([][]*sent, voters) // by voter
	var busy atomic.Int32
	busy.Add(voters)
	var wg sync.WaitGroup
	for i, who := range crowd {
		wg.Go(func() {
			defer busy.Add(-1)
			for n, track := range rand.Perm(tracks) {
				work := []*sent{who.insist(ctx, room, "vote", body{"track": queue[track]})}
				switch {
				case n%5 == 1:
					name := songs.track(fmt.Sprintf("own%d-by-%d", n, i), time.Second)
					work = append(work, who.insist(ctx, room, "suggest", body{"tracks": []string{name}}))
				case n%5 == 3: // must be refused
					work = append(work, who.insist(ctx, room, "vote", body{"track": queue[track]}))
				}
				answers[i] = append(answers[i], work...)
				if n%4 == 0 {
					work[0].check(ctx, room)
				}
				time.Sleep(rand.N(80 * time.Millisecond))
			}
		})
	}
	kills := 0
	for busy.Load() > 0 && kills < 7 {
		time.Sleep(50*time.Millisecond + rand.N(500*time.Millisecond))
		if busy.Load() == 0 {
			break
		}
		if kills++; kills == 4 { // once it may say goodbye
			if _, err := p.interrupt(); err != nil {
				t.Errorf("interrupted under load: %v", err)
			}
		} else {
			p.kill()
		}
		if err := p.tryUp(); err != nil {
			cancel()
			wg.Wait()
			t.Fatal(err)
		}
	}
	wg.Wait()
	if kills < 3 {
		t.Fatalf("killed only %d times while there was something to lose", kills)
	}

	// Each answer stands: asked again, it is the same.
	var all []*sent
	retried := 0
	for i := range answers {
		for _, s := range answers[i] {
			if s == nil {
				t.Fatal("a command never got its answer")
			}
			if s.tries > 1 {
				retried++
			}
			all = append(all, s)
			again, err := s.who.commandAs(s.id, room, s.verb, s.in)
			if codeOf(err) != codeOf(s.err) || err == nil && again != s.got {
				t.Fatalf("%s %s: first %+v %v, then %+v %v", s.verb, s.in, s.got, s.err, again, err)
			}
		}
	}
	t.Logf("%d kills, %d commands, %d sent more than once", kills, len(all), retried)
	tally(t, p, ann, room, all)
}

// tally compares what was answered with what the log holds and what the room shows.
func tally(t *testing.T, p *program, viewer *person, room string, all []*sent) {
	t.Helper()
	log := p.log(room)
	once(t, log)
	effects := map[string][]subjects.Event{} // of each command
	scores, suggestions := map[string]int{}, 0
	revs := map[string]uint64{}
	for i := range log {
		must(t, log[i].Each(func(e *subjects.Event, _ []string) error {
			effects[e.By+" "+e.Cmd] = append(effects[e.By+" "+e.Cmd], *e)
			revs[e.By+" "+e.Cmd] = log[i].Rev
			decoded, err := subjects.DecodeRoomEvent(e.Type, e.Body)
			switch b := decoded.(type) {
			case *subjects.TrackVoted:
				scores[b.Track]++
			case *subjects.TrackSuggested:
				suggestions++
				if b.Voted {
					scores[b.Track.ID]++
				}
			}
			return err
		}))
	}
	acceptedVotes := map[string]int{}
	for _, s := range all {
		key := s.who.id + " " + s.id
		got := effects[key]
		if s.err != nil {
			equal(t, "refusal of "+s.verb, codeOf(s.err), subjects.CodeAlreadyVoted)
			equal(t, "events of a refused command", len(got), 0)
			continue
		}
		want := map[string]string{"vote": subjects.EventTrackVoted, "suggest": subjects.EventTrackSuggested}[s.verb]
		if len(got) != 1 || got[0].Type != want {
			t.Fatalf("%s by %s was accepted and has these events: %+v", s.verb, s.who.nickname, got)
		}
		equal(t, "revision of the answer", revs[key], s.got.Rev)
		if s.verb == "vote" {
			acceptedVotes[s.in["track"].(string)]++
		}
	}
	v := viewer.see(room)
	equal(t, "revision", v.Rev, uint64(len(log)))
	equal(t, "tracks queued", len(v.State.Queue), suggestions)
	for id, e := range v.State.Queue {
		equal(t, "score of "+id, e.Score, scores[id])
		if n := acceptedVotes[id]; n > 0 {
			equal(t, "votes accepted for "+id, n, scores[id]-1) // one is who suggested it
		}
	}
}

// People go from room to room while the process is killed. Each ends in the room they
// entered last, and in no other.
func TestKilledWhilePeopleMoveAbout(t *testing.T) {
	t.Parallel()
	const people, hosts, moves = 4, 3, 12
	p := start(t)
	var rooms []string
	for i := range hosts {
		rooms = append(rooms, p.register(fmt.Sprint("host", i)).open(fmt.Sprint("Floor ", i), nil))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	guests, last := make([]*person, people), make([]int, people)
	for i := range guests {
		guests[i] = p.register(fmt.Sprint("guest", i))
	}
	var wg sync.WaitGroup
	var busy atomic.Int32
	busy.Add(people)
	for i, who := range guests {
		wg.Go(func() {
			defer busy.Add(-1)
			for n := range moves {
				at := (i + n) % hosts
				if s := who.insist(ctx, rooms[at], "join", nil); s == nil || s.err != nil {
					t.Errorf("%s does not get into room %d: %+v", who.nickname, at, s)
					return
				}
				last[i] = at
				time.Sleep(100*time.Millisecond + rand.N(150*time.Millisecond))
			}
		})
	}
	for kills := 0; busy.Load() > 0 && kills < 4; kills++ {
		time.Sleep(rand.N(500 * time.Millisecond))
		p.kill()
		if err := p.tryUp(); err != nil {
			cancel()
			wg.Wait()
			t.Fatal(err)
		}
	}
	wg.Wait()
	for i, who := range guests {
		eventually(t, func() string {
			for n, room := range rooms {
				if inside := who.see(room).You.Member; inside != (n == last[i]) {
					return fmt.Sprintf("%s went to room %d last; in room %d: %v", who.nickname, last[i], n, inside)
				}
			}
			return ""
		})
	}
	for _, room := range rooms {
		once(t, p.log(room))
	}
}
