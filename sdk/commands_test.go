package tutti_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestJoinVoteAndFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		s.ahead = 3 * time.Hour
		id := s.room("demo:a", "demo:b")
		c := s.user(t, "ada")
		defer c.Close()
		room := c.Room(id)
		if err := room.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, err := room.Do(t.Context(), subjects.VerbVote, subjects.VoteTrack{Track: "demo:b"})
		if err != nil || a.Rev != 3 || a.Epoch != 1 {
			t.Fatalf("vote: %+v, %v", a, err)
		}
		if at, err := subjects.IDTime(a.Command); err != nil || time.Until(at).Round(time.Second) != s.ahead {
			t.Errorf("the command's id was made at %v, not in the server's time", at)
		}
		v, err := room.View(t.Context())
		if err != nil || v.Rev != 3 || v.Room.Queue["demo:b"].Score != 1 || v.You == nil || !v.You.Member {
			t.Fatalf("view: %+v, %v", v, err)
		}
		if h, err := v.Hash(); err != nil || h != s.hash(id) {
			t.Errorf("hash %s, %v; the server's is %s", h, err, s.hash(id))
		}
		a, err = room.Do(t.Context(), subjects.VerbVote, subjects.VoteTrack{Track: "demo:none"})
		if !errors.Is(err, &subjects.Refusal{Code: subjects.CodeNoSuchTrack}) || a.Rev != 1 || a.Refusal == nil {
			t.Errorf("a track that is not there: %+v, %v", a, err)
		}
		made, _, err := c.CreateRoom(t.Context(), subjects.CreateRoom{Kind: subjects.KindVote, Name: "New"})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := made.View(t.Context()); err != nil || v.Room.Creator != "ada" {
			t.Errorf("the new room: %+v, %v", v, err)
		}
		if _, err := c.Room(subjects.NewID(subjects.PrefixRoom, time.Now())).View(t.Context()); subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("a room that is not there: %v", err)
		}
		if _, err := c.Room("nonsense").View(t.Context()); subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("what is no id: %v", err)
		}
	})
}

// Whatever breaks in between, every command takes effect once, those of one sender to one
// room in the order sent, and everybody ends with the same room.
func TestOnceAndInOrderWhateverBreaks(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { once(t, seed) })
	}
}

func once(t *testing.T, seed uint64) {
	const people, rounds = 4, 25
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newFake(t)
	ids := []string{s.room("demo:a", "demo:b"), s.room("demo:a", "demo:b")}
	s.onCommand = func(subjects.ClientFrame) verdict {
		switch rng.IntN(12) {
		case 0:
			return verdict{cut: true}
		case 1:
			return verdict{cut: true, refusal: subjects.Refuse(subjects.CodeBusy, "later")}
		case 2:
			return verdict{refusal: subjects.Refuse(subjects.CodeUnavailable, "later"), retryMs: rng.Int64N(300)}
		case 3:
			return verdict{refusal: subjects.Refuse(subjects.CodeRateLimited, "later")}
		}
		return verdict{}
	}
	s.onDial = func(int) error {
		if rng.IntN(4) == 0 {
			return errors.New("refused")
		}
		for _, r := range s.rooms {
			if rng.IntN(6) == 0 {
				r.kept = len(r.commits)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	sent := map[string][]string{} // by person and room: ids in the order of the calls
	clients := make([]*tutti.Client, people)
	for i := range clients {
		c := s.user(t, fmt.Sprint("user", i))
		clients[i] = c
		for _, id := range ids {
			wg.Go(func() {
				for range rounds {
					a, err := c.Room(id).Do(t.Context(), subjects.VerbVote, subjects.VoteTrack{Track: "demo:a"})
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
						return
					}
					mu.Lock()
					key := fmt.Sprintf("%s %s", c.Account().User(), subjects.RoomChannel(id))
					sent[key] = append(sent[key], a.Command)
					mu.Unlock()
				}
			})
		}
	}
	quit := make(chan struct{})
	watched := make(chan struct{})
	for _, c := range clients { // followed all the while
		for _, id := range ids {
			go func() {
				defer func() { watched <- struct{}{} }()
				continuous(t, c.Room(id).Updates, quit)
			}()
		}
	}
	wg.Wait()
	synctest.Wait()
	for _, c := range clients {
		for _, id := range ids {
			v, err := c.Room(id).View(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := v.Hash(); h != s.hash(id) {
				t.Errorf("seed %d: a client ends with another room at revision %d", seed, v.Rev)
			}
			if n := v.Room.Queue["demo:a"].Score; n != people*rounds {
				t.Errorf("seed %d: %d votes took effect, %d were sent", seed, n, people*rounds)
			}
		}
	}
	close(quit)
	for range people * len(ids) {
		<-watched
	}
	for _, c := range clients {
		c.Close()
	}
	got := map[string][]string{}
	for _, line := range s.log {
		part := strings.Fields(line)
		got[part[0]+" "+part[1]] = append(got[part[0]+" "+part[1]], part[3])
	}
	for key, want := range sent {
		if strings.Join(got[key], " ") != strings.Join(want, " ") {
			t.Errorf("seed %d: %s: carried out %v, sent %v", seed, key, got[key], want)
		}
	}
}

// Commands that are sent without waiting for each other are carried out in the order of the
// calls, whatever breaks in between, and those to another room do not wait for them.
func TestOrderOfCommandsUnderWay(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := newFake(t)
			id, other := s.room("demo:a"), s.room("demo:a")
			c := s.user(t, "ada")
			defer c.Close()
			s.onCommand = func(f subjects.ClientFrame) verdict {
				v := verdict{retryMs: rng.Int64N(500)}
				switch rng.IntN(4) {
				case 0:
					v.refusal = subjects.Refuse(subjects.CodeBusy, "later")
				case 1:
					v.cut = true
				}
				if f.Channel != subjects.RoomChannel(id) {
					v = verdict{}
				}
				return v
			}
			var ids [20]string
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() {
					a, err := c.Room(id).Do(t.Context(), subjects.VerbVote, subjects.VoteTrack{Track: "demo:a"})
					if err != nil {
						t.Error(err)
					}
					ids[i] = a.Command
				})
				synctest.Wait()
			}
			if err := c.Room(other).Join(t.Context()); err != nil {
				t.Error(err)
			}
			wg.Wait()
			var got []string
			for _, line := range s.log {
				if part := strings.Fields(line); part[2] == subjects.VerbVote {
					got = append(got, part[3])
				}
			}
			if !slices.Equal(got, ids[:]) {
				t.Errorf("seed %d: sent %v, carried out %v", seed, ids, got)
			}
		})
	}
}

// continuous reads updates until quit: they are continuous, or begin anew.
func continuous[V any](t *testing.T, updates func(context.Context) iter.Seq2[tutti.UpdateOf[V], error], quit chan struct{}) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-quit
		cancel()
	}()
	rev, first := uint64(0), true
	for u, err := range updates(ctx) {
		switch {
		case err != nil:
			t.Errorf("updates: %v", err)
		case u.Kind == tutti.SnapshotUpdate:
			room, ok := any(u.View).(*tutti.RoomView)
			if u.Rev < rev || u.View == nil || ok && room.Rev != u.Rev {
				t.Errorf("snapshot at %d after %d: %+v", u.Rev, rev, u.View)
			}
		case first:
			t.Errorf("the first update is %+v", u)
		case u.Kind == tutti.CommitUpdate:
			if u.Prev != rev || u.Rev <= rev {
				t.Errorf("commit %d on %d after %d", u.Rev, u.Prev, rev)
			}
		}
		rev, first = u.Rev, false
	}
}

func TestOutboxIsBoundedAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada", tutti.WithOutbox(2))
		defer c.Close()
		s.do(func() { s.onDial = func(int) error { return errors.New("down") } })
		room := c.Room(id)
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- room.Vote(t.Context(), "demo:a") }()
		}
		synctest.Wait()
		if err := room.Vote(t.Context(), "demo:a"); !errors.Is(err, tutti.ErrOutboxFull) {
			t.Errorf("a third command: %v", err)
		}
		pass(5 * time.Minute)
		s.do(func() { s.onDial = nil })
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(s.log) != 2 {
			t.Errorf("carried out: %v", s.log)
		}
	})
}

func TestCommandsThatAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada")
		defer c.Close()
		room := c.Room(id)

		short := func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Second)
		}
		s.onCommand = func(subjects.ClientFrame) verdict { return verdict{silent: true} }
		ctx, cancel := short()
		err := room.Join(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "was sent") {
			t.Errorf("no answer: %v", err)
		}
		// The one that was given up holds up the next until its connection is given up: the
		// order must not change.
		s.do(func() { s.onCommand = nil })
		began := time.Now()
		if err := room.Vote(t.Context(), "demo:a"); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < 20*time.Second || d > time.Minute {
			t.Errorf("the next took %v", d)
		}
		s.do(func() {
			s.onCommand = func(subjects.ClientFrame) verdict {
				return verdict{refusal: subjects.Refuse(subjects.CodeBusy, "full house"), retryMs: 100}
			}
		})
		ctx, cancel = short()
		err = room.Join(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || subjects.CodeOf(err) != subjects.CodeBusy {
			t.Errorf("busy for long: %v", err)
		}
		s.do(func() { s.onDial = func(int) error { return errors.New("down") } })
		s.cut(0)
		began = time.Now()
		err = room.Join(t.Context())
		if subjects.CodeOf(err) != subjects.CodeExpired || time.Since(began) != subjects.CommandHorizon {
			t.Errorf("never sent, after %v: %v", time.Since(began), err)
		}
		ctx, cancel = short()
		err = room.Join(ctx)
		cancel()
		if !strings.Contains(err.Error(), "not sent") {
			t.Errorf("down: %v", err)
		}
		if err := room.Vote(t.Context(), strings.Repeat("x", subjects.MaxFrameBytes)); subjects.CodeOf(err) != subjects.CodeTooLarge {
			t.Errorf("too large: %v", err)
		}
	})
}

func TestRetriesKeepTheIDAndHeedThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada")
		defer c.Close()
		var at []time.Time
		ids := map[string]bool{}
		s.onCommand = func(f subjects.ClientFrame) verdict {
			at, ids[f.ID] = append(at, time.Now()), true
			if len(at) < 3 {
				return verdict{refusal: subjects.Refuse(subjects.CodeRateLimited, "slow down"), retryMs: 2000}
			}
			return verdict{}
		}
		if err := c.Room(id).Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(at) != 3 || len(ids) != 1 {
			t.Fatalf("sent %d times under %d ids", len(at), len(ids))
		}
		for i := 1; i < 3; i++ {
			if d := at[i].Sub(at[i-1]); d < 2*time.Second || d > 4*time.Second {
				t.Errorf("sent again after %v", d)
			}
		}
	})
}
