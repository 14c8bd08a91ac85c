package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

func refresh(s *Service, token subjects.Secret) (subjects.Grant, error) {
	return s.refresh(context.Background(), subjects.RefreshRequest{RefreshToken: token})
}

func TestARefreshTokenWorksOnceAndItsReuseEndsTheSession(t *testing.T) {
	st := openStore(t)
	s := service(t, st, newClock(), testConfig())
	first := mustRegister(t, s, anna())
	other, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := refresh(s, first.RefreshToken)
	if err != nil || second.RefreshToken == first.RefreshToken || second.User != first.User {
		t.Fatalf("%+v, %v", second, err)
	}
	third, err := refresh(s, second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = refresh(s, first.RefreshToken)
	refused(t, err, subjects.CodeTokenReused)
	_, err = refresh(s, third.RefreshToken)
	refused(t, err, subjects.CodeUnauthenticated)
	if _, err := refresh(s, other.RefreshToken); err != nil {
		t.Fatalf("another session of the same person: %v", err)
	}
}

func TestOfManyRefreshesAtOnceOneWinsAndTheSessionEnds(t *testing.T) {
	st, c := openStore(t), newClock()
	replicas := []*Service{service(t, st, c, testConfig()), service(t, st, c, testConfig())}
	g := mustRegister(t, replicas[0], anna())
	const n = 16
	type result struct {
		g   subjects.Grant
		err error
	}
	results := make([]result, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { results[i].g, results[i].err = refresh(replicas[i%2], g.RefreshToken) })
	}
	wg.Wait()
	won, reused := 0, 0
	for _, r := range results {
		switch subjects.CodeOf(r.err) {
		case "":
			won++
			_, err := refresh(replicas[0], r.g.RefreshToken)
			refused(t, err, subjects.CodeUnauthenticated)
		case subjects.CodeTokenReused:
			reused++
		case subjects.CodeUnauthenticated: // came after the end
		default:
			t.Fatal(r.err)
		}
	}
	if won != 1 || reused == 0 {
		t.Fatalf("%d won, %d were told of the reuse", won, reused)
	}
}

func TestSessionsExpireUnlessTheyAreUsed(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	g := mustRegister(t, s, anna())
	for range 3 {
		c.advance(29 * 24 * time.Hour)
		var err error
		if g, err = refresh(s, g.RefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(30*24*time.Hour + time.Second)
	_, err := refresh(s, g.RefreshToken)
	refused(t, err, subjects.CodeUnauthenticated)
	if n := len(documents(t, st, tableSessions)); n != 0 {
		t.Fatalf("%d sessions are left", n)
	}
}

func TestLoggingOutEndsOneSessionAndEverywhereAll(t *testing.T) {
	st := openStore(t)
	s := service(t, st, newClock(), testConfig())
	g := mustRegister(t, s, anna())
	stranger := mustRegister(t, s, subjects.RegisterRequest{Email: "bert@example.org", Nickname: "Bert", Password: "another horse"})
	login := func() subjects.Grant {
		g, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	active := func(g subjects.Grant) bool {
		v, err := s.validate(t.Context(), subjects.ValidateRequest{AccessToken: g.AccessToken})
		if err != nil {
			t.Fatal(err)
		}
		if v.Active && (v.UserID != g.User.ID || v.Nickname != g.User.Nickname || v.ExpiresAt-v.IssuedAt != 900) {
			t.Fatalf("%+v", v)
		}
		return v.Active
	}
	second := login()
	if !active(g) || !active(second) {
		t.Fatal("a fresh token is good")
	}
	for range 2 { // twice is as good as once
		if _, err := s.logout(t.Context(), subjects.LogoutRequest{RefreshToken: g.RefreshToken}); err != nil {
			t.Fatal(err)
		}
	}
	if active(g) || !active(second) {
		t.Fatal("one session ends, the other does not")
	}
	_, err := refresh(s, g.RefreshToken)
	refused(t, err, subjects.CodeUnauthenticated)
	_, err = s.logout(t.Context(), subjects.LogoutRequest{RefreshToken: "nonsense"})
	refused(t, err, subjects.CodeInvalid)
	third := login()
	out, err := s.logoutAll(t.Context(), subjects.LogoutAllRequest{AccessToken: second.AccessToken})
	if err != nil || out.Sessions != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	if active(second) || active(third) || !active(stranger) {
		t.Fatal("everywhere means every session of this person")
	}
	_, err = s.logoutAll(t.Context(), subjects.LogoutAllRequest{AccessToken: second.RefreshToken})
	refused(t, err, subjects.CodeUnauthenticated)
	if v, err := s.validate(t.Context(), subjects.ValidateRequest{AccessToken: "nonsense"}); err != nil || v.Active {
		t.Fatalf("%+v, %v", v, err)
	}
}

func TestTheSessionsOfAUserAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSessions = 3
	c, st := newClock(), openStore(t)
	s := service(t, st, c, cfg)
	grants := []subjects.Grant{mustRegister(t, s, anna())}
	for range 4 {
		c.advance(time.Second)
		if len(grants) == 3 { // the oldest is used and so not the one to go
			g, err := refresh(s, grants[0].RefreshToken)
			if err != nil {
				t.Fatal(err)
			}
			grants[0] = g
			c.advance(time.Second)
		}
		g, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
		if err != nil {
			t.Fatal(err)
		}
		grants = append(grants, g)
		if n := len(documents(t, st, tableSessions)); n > 3 {
			t.Fatalf("%d sessions", n)
		}
	}
	var alive []int
	for i, g := range grants {
		if _, err := refresh(s, g.RefreshToken); err == nil {
			alive = append(alive, i)
		}
	}
	if fmt.Sprint(alive) != "[0 3 4]" {
		t.Fatalf("alive are %v", alive)
	}
}

func TestATokenWithAWrongSecretEndsTheSessionAndNonsenseDoesNot(t *testing.T) {
	s := service(t, openStore(t), newClock(), testConfig())
	g := mustRegister(t, s, anna())
	for _, nonsense := range []string{"", "a.b", g.RefreshToken.Reveal() + "A", strings.Replace(g.RefreshToken.Reveal(), ".", "..", 1)} {
		_, err := refresh(s, subjects.Secret(nonsense))
		refused(t, err, subjects.CodeUnauthenticated)
	}
	if _, err := refresh(s, newRefreshToken(subjects.NewID(subjects.PrefixSession, time.Now())).encode()); subjects.CodeOf(err) != subjects.CodeUnauthenticated {
		t.Fatal(err)
	}
	tok, err := parseRefreshToken(g.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = refresh(s, newRefreshToken(tok.handle).encode())
	refused(t, err, subjects.CodeTokenReused)
	_, err = refresh(s, g.RefreshToken)
	refused(t, err, subjects.CodeUnauthenticated)
}

// A session accepts exactly the newest token of its family, and once another was shown,
// none: whatever happens in whatever order.
func TestSessionsKeepTheirRules(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	anna := mustRegister(t, s, anna())
	rapid.Check(t, func(r *rapid.T) {
		if _, err := s.logoutAll(context.Background(), subjects.LogoutAllRequest{AccessToken: anna.AccessToken}); err != nil {
			r.Fatal(err)
		}
		type family struct {
			tokens []subjects.Secret
			over   bool
		}
		var families []*family
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			act := rapid.SampledFrom([]string{"login", "refresh", "refresh", "refresh", "old", "logout"}).Draw(r, "act")
			if len(families) == 0 || (act == "login" && len(families) < 4) {
				g, err := s.login(context.Background(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
				if err != nil {
					r.Fatal(err)
				}
				families = append(families, &family{tokens: []subjects.Secret{g.RefreshToken}})
				continue
			}
			f := rapid.SampledFrom(families).Draw(r, "family")
			newest := len(f.tokens) - 1
			switch act {
			case "logout":
				if _, err := s.logout(context.Background(), subjects.LogoutRequest{RefreshToken: f.tokens[rapid.IntRange(0, newest).Draw(r, "token")]}); err != nil {
					r.Fatal(err)
				}
				f.over = true
			default:
				i := newest
				if act == "old" {
					i = rapid.IntRange(0, newest).Draw(r, "token")
				}
				g, err := refresh(s, f.tokens[i])
				want := subjects.Code("")
				switch {
				case f.over:
					want = subjects.CodeUnauthenticated
				case i != newest:
					want, f.over = subjects.CodeTokenReused, true
				}
				if got := subjects.CodeOf(err); got != want {
					r.Fatalf("got %q, want %q: %v", got, want, err)
				}
				if err == nil {
					f.tokens = append(f.tokens, g.RefreshToken)
				}
			}
		}
	})
}

func TestAStoreThatIsAwayIsToldAsUnavailable(t *testing.T) {
	st := openStore(t)
	s := service(t, st, newClock(), testConfig())
	g := mustRegister(t, s, anna())
	s.store = &mortal{Store: st, dead: true}
	for name, call := range map[string]func() error{
		"register": func() error { _, err := s.register(t.Context(), anna()); return err },
		"login": func() error {
			_, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
			return err
		},
		"refresh": func() error { _, err := refresh(s, g.RefreshToken); return err },
		"logout": func() error {
			_, err := s.logout(t.Context(), subjects.LogoutRequest{RefreshToken: g.RefreshToken})
			return err
		},
		"validate": func() error {
			_, err := s.validate(t.Context(), subjects.ValidateRequest{AccessToken: g.AccessToken})
			return err
		},
	} {
		err := s.answerable(call())
		var r *subjects.Refusal
		if !errors.As(err, &r) || r.Code != subjects.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.store = st
	if _, err := refresh(s, g.RefreshToken); err != nil {
		t.Fatalf("the outage cost the session: %v", err)
	}
}
