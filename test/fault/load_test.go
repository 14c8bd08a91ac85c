package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// pace is the mean pause between two commands of one client to one thing. There are 16 who
// send, so about 60 commands a second are asked for.
const pace = 250 * time.Millisecond

// play has everybody send commands, each one after the other to each thing, until over is
// closed; it returns when the last of them has its answer.
func (s *stage) play(ctx context.Context, over <-chan struct{}) {
	var all sync.WaitGroup
	lane := func(p *player, salt uint64, next func(rng *rand.Rand)) {
		rng := rand.New(rand.NewPCG(uint64(s.seed)+uint64(s.trials), uint64(p.n)<<8|salt))
		all.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-over:
					return
				case <-time.After(pace/2 + time.Duration(rng.Int64N(int64(pace)))):
				}
				next(rng)
			}
		})
	}
	for _, p := range s.players {
		switch {
		case p.n < voters:
			lane(p, 1, func(rng *rand.Rand) { s.vote(ctx, p, rng) })
			lane(p, 2, func(rng *rand.Rand) { s.edit(ctx, p, rng) })
			said := 0
			lane(p, 3, func(*rand.Rand) {
				said++
				s.do(ctx, p, op{at: s.chat, verb: subjects.VerbSend}, subjects.SendMessage{Text: fmt.Sprintf("%d says number %d", p.n, said)})
			})
		case p.n < voters+djs:
			turn := 0
			lane(p, 4, func(rng *rand.Rand) { s.spin(ctx, p, rng, &turn) })
		default:
			last := &op{verb: subjects.VerbJoin, outcome: accepted}
			lane(p, 5, func(*rand.Rand) {
				next := op{at: s.club, verb: subjects.VerbJoin}
				if last.verb == subjects.VerbJoin { // leaving again what was never entered leaves no trace
					next.verb, next.silent = subjects.VerbLeave, last.outcome != accepted
				}
				last = s.do(ctx, p, next, nil)
			})
		}
	}
	all.Go(func() { s.people.keep(ctx, over) })
	all.Wait()
}

func (s *stage) track(rng *rand.Rand) string { return s.tracks[rng.IntN(len(s.tracks))] }

// vote votes and suggests; the room's maker also clears tracks, so that there is something
// to vote for again.
func (s *stage) vote(ctx context.Context, p *player, rng *rand.Rand) {
	track := s.track(rng)
	switch n := rng.IntN(10); {
	case p.n == 0 && n < 6:
		s.do(ctx, p, op{at: s.hall, verb: subjects.VerbRemove, track: track}, subjects.RemoveTrack{Track: track})
	case n < 5:
		s.do(ctx, p, op{at: s.hall, verb: subjects.VerbVote, track: track}, subjects.VoteTrack{Track: track})
	default:
		s.do(ctx, p, op{at: s.hall, verb: subjects.VerbSuggest, track: track}, subjects.SuggestTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
	}
}

// edit changes the playlist by what the client sees at the moment.
func (s *stage) edit(ctx context.Context, p *player, rng *rand.Rand) {
	look, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := p.client.Playlist(s.playlist.id).View(look)
	if err != nil {
		s.h.fault("client %d: %s is not shown: %v", p.n, s.playlist, err)
		return
	}
	ids := v.Playlist.TrackIDs()
	track := s.track(rng)
	switch n := rng.IntN(10); {
	case n < 5 && len(ids) > 1:
		from := rng.IntN(len(ids))
		to := (from + 1 + rng.IntN(len(ids)-1)) % len(ids) // another place, so it leaves a trace
		s.do(ctx, p, op{at: s.playlist, verb: subjects.VerbMove, track: ids[from], from: from, to: to}, subjects.MoveTrack{Track: ids[from], From: from, To: to})
	case n < 8:
		s.do(ctx, p, op{at: s.playlist, verb: subjects.VerbAdd, track: track}, subjects.AddTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
	default:
		s.do(ctx, p, op{at: s.playlist, verb: subjects.VerbRemove, track: track, silent: true}, subjects.RemoveTracks{Tracks: []string{track}})
	}
}

// spin plays, pauses and goes back to the beginning. Where the track has ended, who made
// the room puts on another.
func (s *stage) spin(ctx context.Context, p *player, rng *rand.Rand, turn *int) {
	o := op{at: s.club, deck: true}
	var body any
	switch n := rng.IntN(10); {
	case n < 4:
		o.verb = subjects.VerbPlay
	case n < 8:
		o.verb = subjects.VerbPause
	default:
		o.verb, body = subjects.VerbSeek, subjects.Seek{}
	}
	got := s.do(ctx, p, o, body)
	if got.outcome == refused && got.code == subjects.CodeNothingToPlay && p.n == voters {
		*turn++
		track := s.tracks[*turn%len(s.tracks)]
		s.do(ctx, p, op{at: s.club, deck: true, verb: subjects.VerbSuggest, track: track}, subjects.SuggestTracks{Tracks: []subjects.TrackRef{subjects.TrackRef(track)}})
	}
}

// rest has the club pause, so that nothing happens by itself any more.
func (s *stage) rest(ctx context.Context) {
	s.do(ctx, s.players[voters], op{at: s.club, deck: true, verb: subjects.VerbPause}, nil)
}

// register is what is known of the people who were registered during a trial.
type register struct {
	cast *cast
	stem string
	// Of keep; read after it.
	asked, kept int
	emails      []string
	pause       time.Duration
	failed      []string
}

// keep registers somebody about every second, until over is closed.
func (r *register) keep(ctx context.Context, over <-chan struct{}) {
	for ctx.Err() == nil {
		select {
		case <-over:
			return
		case <-time.After(4 * pace):
		}
		r.asked++
		name := fmt.Sprintf("%sx%d", r.stem, r.asked)
		one, cancel := context.WithTimeout(ctx, patience)
		began := time.Now()
		_, err := r.cast.clerk.Account().Register(one, name+"@fault.example", name, password)
		cancel()
		r.pause = max(r.pause, time.Since(began))
		if err != nil {
			r.failed = append(r.failed, fmt.Sprintf("registering %s: %v", name, err))
			continue
		}
		r.kept++
		r.emails = append(r.emails, name+"@fault.example")
	}
}

// judge looks whether everybody who was registered can sign in, and has a profile under
// their own name.
func (r *register) judge(ctx context.Context) []string {
	wrong := r.failed
	for _, email := range r.emails {
		one, cancel := context.WithTimeout(ctx, patience)
		u, err := r.cast.clerk.Account().Login(one, email, password)
		if err == nil {
			err = r.profile(one, u)
		}
		cancel()
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s was registered, and: %v", email, err))
		}
	}
	return wrong
}

// profile waits for somebody's profile, which follows on their account.
func (r *register) profile(ctx context.Context, u subjects.User) error {
	for {
		p, err := r.cast.clerk.Person(ctx, u.ID)
		switch {
		case err == nil && p.Nickname != u.Nickname:
			return fmt.Errorf("the profile of %s says %q", u.Nickname, p.Nickname)
		case subjects.CodeOf(err) != subjects.CodeNotFound:
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("there is no profile: %w", ctx.Err())
		}
	}
}
