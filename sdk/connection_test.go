package tutti_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestTheConnectionIsAStateMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		var seen []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for now := range c.Connections(context.Background()) {
				seen = append(seen, now.State.String())
			}
		}()
		synctest.Wait()
		if s.dials != 0 {
			t.Error("a socket was opened that nothing needs")
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := c.Connection(); now.State != tutti.Identified || now.User != "ada" || now.Count != 1 {
			t.Errorf("%+v", now)
		}
		s.cut(subjects.CloseRestart)
		synctest.Wait()
		var closed *tutti.CloseError
		if now := c.Connection(); now.State != tutti.Offline || !errors.As(now.Err, &closed) || closed.Code != subjects.CloseRestart {
			t.Errorf("%+v", now)
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.cut(subjects.CloseMalformed)
		synctest.Wait()
		if now := c.Connection(); now.State != tutti.Closed || !errors.As(now.Err, &closed) {
			t.Errorf("%+v", now)
		}
		pass(time.Hour)
		if s.dials != 2 {
			t.Errorf("%d sockets, though the server does not want the client back", s.dials)
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Errorf("when it is needed again: %v", err)
		}
		c.Close()
		<-done
		if err := c.Connect(t.Context()); !errors.Is(err, tutti.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if seen[len(seen)-1] != "closed" || !slices.Contains(seen, "identified") || !slices.Contains(seen, "offline") {
			t.Errorf("seen %v", seen)
		}
	})
}

// Every code that the contract knows is heeded: whether to come back, and how soon.
func TestCloseCodes(t *testing.T) {
	for _, code := range subjects.CloseCodes() {
		synctest.Test(t, func(t *testing.T) {
			s := newFake(t)
			c := s.dial(t)
			defer c.Close()
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var again time.Time
			s.do(func() { s.onDial = func(int) error { again = time.Now(); return nil } })
			s.cut(code)
			pass(time.Minute)
			back := code.ComeBack() || code == subjects.CloseOtherUser
			if again.IsZero() == back {
				t.Errorf("%s: came back: %v", code, !again.IsZero())
			}
			pause := again.Sub(began)
			switch code {
			case subjects.CloseFlooding, subjects.CloseUnavailable, subjects.CloseFull:
				if pause < time.Second {
					t.Errorf("%s: came back after %v", code, pause)
				}
			case subjects.CloseRestart:
				if pause > 200*time.Millisecond {
					t.Errorf("%s: came back after %v", code, pause)
				}
			}
		})
	}
}

func TestPausesGrowAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.dial(t, tutti.WithPauses(time.Second, 30*time.Second))
		defer c.Close()
		var at []time.Time
		s.do(func() { s.onDial = func(int) error { at = append(at, time.Now()); return errors.New("down") } })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("connect: %v", err)
		}
		cancel()
		longest := time.Duration(0)
		for i := 1; i < len(at); i++ {
			d := at[i].Sub(at[i-1])
			longest = max(longest, d)
			if limit := min(30*time.Second, time.Second<<(i-1)); i < 10 && d > limit {
				t.Errorf("pause %d was %v, above %v", i, d, limit)
			}
			if d > 30*time.Second+time.Millisecond {
				t.Errorf("pause %d was %v", i, d)
			}
		}
		if n := len(at); n < 120 || longest < 20*time.Second { // half of 30 s on average
			t.Errorf("%d attempts in an hour, the longest pause %v", n, longest)
		}
	})
}

func TestTheTokenIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		s.life = 60
		var saved []string
		c := s.user(t, "ada", tutti.WithGrantSaver(func(g subjects.Grant) { saved = append(saved, g.RefreshToken.Reveal()) }))
		defer c.Close()
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		if s.dials != 1 || c.Connection().State != tutti.Identified {
			t.Errorf("%d sockets, %+v", s.dials, c.Connection())
		}
		if n := len(s.hellos); n < 9 || n > 13 || len(slices.Compact(s.hellos)) != n {
			t.Errorf("hello was said with %v", s.hellos)
		}
		if n := len(saved); n != s.secret || saved[n-1] != s.refresh {
			t.Errorf("saved %v, the good one is %s", saved, s.refresh)
		}
		// A fresh token that is refused for now is offered again.
		busy := 2
		s.do(func() {
			s.onHello = func(string) *subjects.Refusal {
				if busy--; busy < 0 {
					return nil
				}
				return subjects.Refuse(subjects.CodeUnavailable, "later")
			}
		})
		pass(2 * time.Minute)
		if s.dials != 1 || busy >= 0 {
			t.Errorf("%d sockets, %+v", s.dials, c.Connection())
		}
	})
}

func TestOneRefreshAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		pass(time.Hour) // the token is long over
		// Whoever asked for the refresh gives up; it is carried through.
		ctx, cancel := context.WithCancel(t.Context())
		s.do(func() { s.onHTTP = func(string, string) *tutti.Response { cancel(); return nil } })
		if _, err := c.Account().Me(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := c.Account().Me(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, r := range s.requests {
			if strings.HasSuffix(r, "/refresh") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		ended := false
		c := s.user(t, "ada", tutti.WithGrantSaver(func(g subjects.Grant) { ended = g.User.ID == "" }))
		defer c.Close()
		id := s.room("demo:a")
		if err := c.Room(id).Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A token that is refused is renewed once.
		s.do(func() {
			s.onHello = func(token string) *subjects.Refusal {
				if token == "ada.1" {
					return subjects.Refuse(subjects.CodeUnauthenticated, "the key is gone")
				}
				return nil
			}
		})
		s.cut(0)
		if err := c.Room(id).Vote(t.Context(), "demo:a"); err != nil {
			t.Fatal(err)
		}
		// One that is refused again is the end of the connection, and not of the session.
		s.do(func() {
			s.onHello = func(string) *subjects.Refusal { return subjects.Refuse(subjects.CodeUnauthenticated, "no") }
		})
		s.cut(0)
		if err := c.Room(id).Vote(t.Context(), "demo:a"); subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Errorf("refused for good: %v", err)
		}
		if c.Connection().State != tutti.Closed || c.Account().User() != "ada" {
			t.Errorf("%+v, %q", c.Connection(), c.Account().User())
		}
		// A refresh token that was used elsewhere ends the session.
		s.do(func() { s.onHello, s.refresh = nil, "stolen" })
		if err := c.Account().Refresh(t.Context()); subjects.CodeOf(err) != subjects.CodeTokenReused {
			t.Errorf("refresh: %v", err)
		}
		if c.Account().User() != "" || !ended {
			t.Errorf("signed in as %q, saved the end: %v", c.Account().User(), ended)
		}
		if err := c.Room(id).Join(t.Context()); subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Errorf("afterwards: %v", err)
		}
		if _, err := c.Account().Login(t.Context(), "ada@example.com", "x"); err != nil {
			t.Fatal(err)
		}
		if err := c.Room(id).Join(t.Context()); err != nil {
			t.Errorf("signed in again: %v", err)
		}
		if err := c.Account().Logout(t.Context()); err != nil || c.Account().User() != "" || s.refresh != "" {
			t.Errorf("logout: %v, %q", err, s.refresh)
		}
	})
}

func TestAKeptGrantGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		var kept subjects.Grant
		c := s.user(t, "ada", tutti.WithGrantSaver(func(g subjects.Grant) { kept = g }))
		c.Close()
		pass(24 * time.Hour)
		c = s.dial(t, tutti.WithGrant(kept))
		defer c.Close()
		if err := c.Connect(t.Context()); err != nil || c.Connection().User != "ada" {
			t.Errorf("%v, %+v", err, c.Connection())
		}
		if slices.Contains(s.hellos, kept.AccessToken.Reveal()) {
			t.Error("an access token of unknown age was used")
		}
	})
}

func TestASilentSocketIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.dial(t)
		defer c.Close()
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if s.dials != 1 {
			t.Errorf("%d sockets while pings are answered", s.dials)
		}
		s.do(func() { s.mute = true })
		pass(2 * time.Minute)
		if s.dials != 2 {
			t.Errorf("%d sockets", s.dials)
		}
	})
}

func TestTheClockIsTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		s.ahead = -42 * time.Minute
		c := s.dial(t)
		defer c.Close()
		off := func() time.Duration { return c.Clock().Now().Sub(s.now()).Abs() }
		if off() > 2*time.Millisecond || c.Clock().Uncertainty() > 2*time.Millisecond {
			t.Errorf("after Dial off by %v, ±%v", off(), c.Clock().Uncertainty())
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		s.do(func() { s.ahead += 300 * time.Millisecond }) // the server's clock was set
		pass(5 * time.Minute)
		if off() > 2*time.Millisecond {
			t.Errorf("off by %v after the server's clock was set", off())
		}
	})
}

func TestDialSaysWhatIsWrong(t *testing.T) {
	_, err := tutti.Dial(t.Context(), "ftp://x", tutti.WithServers("http://u:p@x"), tutti.WithOutbox(0), tutti.WithUpdates(-1), tutti.WithPauses(2, 1))
	for _, want := range []string{"ftp://x", "u:p@x", "outbox", "updates", "pauses"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s: %v", want, err)
		}
	}
	s := newFake(t)
	s.onHTTP = func(string, string) *tutti.Response { return &tutti.Response{} }
	if _, err := tutti.Dial(t.Context(), "http://x", tutti.WithHTTP(s), tutti.WithDialer(s)); !errors.Is(err, tutti.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	s.onHTTP = func(string, string) *tutti.Response { r := answer(200, map[string]any{}); return &r }
	if _, err := tutti.Dial(t.Context(), "http://x", tutti.WithHTTP(s), tutti.WithDialer(s)); !errors.Is(err, tutti.ErrProtocol) {
		t.Errorf("something else there: %v", err)
	}
}

func TestRequestsAreRepeatedWhileTheAnswerIsNotFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		n := 0
		s.onHTTP = func(string, string) *tutti.Response {
			var r tutti.Response
			switch n++; n {
			case 1:
				r = refused(subjects.CodeUnavailable)
				r.RetryAfter = 3 * time.Second
			case 2: // the connection breaks
			case 3:
				r = tutti.Response{Status: 502, Body: []byte("<html>")}
			case 4:
				r = refused(subjects.CodeUnauthenticated)
			default:
				return nil
			}
			return &r
		}
		began := time.Now()
		p, err := c.Account().Me(t.Context())
		if err != nil || p.Nickname != "ada.2" || time.Since(began) < 3*time.Second {
			t.Errorf("after %v: %+v, %v; %v", time.Since(began), p, err, s.requests)
		}
		s.do(func() {
			s.onHTTP = func(string, string) *tutti.Response { r := refused(subjects.CodeBusy); return &r }
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := c.Account().Me(ctx); subjects.CodeOf(err) != subjects.CodeBusy || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("busy for long: %v", err)
		}
		s.do(func() { s.onHTTP = func(string, string) *tutti.Response { return &tutti.Response{Status: 404} } })
		if _, err := c.Account().Me(t.Context()); !errors.Is(err, tutti.ErrProtocol) {
			t.Errorf("no problem document: %v", err)
		}
	})
}
