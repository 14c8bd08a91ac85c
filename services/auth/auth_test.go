package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

var discard = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that only moves when told to.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func testConfig() Config {
	c := Defaults()
	c.Cost = bcrypt.MinCost
	c.HashQueue = 1000
	return c
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// service is one that does not serve: its methods are called directly.
func service(t testing.TB, s store.Store, c *clock, cfg Config) *Service {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	svc, err := open(t.Context(), Deps{Store: s, Log: discard, Now: c.now, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func anna() subjects.RegisterRequest {
	return subjects.RegisterRequest{Email: "anna@example.org", Nickname: "Anna", Password: "correct horse"}
}

func refused(t testing.TB, err error, want subjects.Code) {
	t.Helper()
	if got := subjects.CodeOf(err); got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func mustRegister(t testing.TB, s *Service, req subjects.RegisterRequest) subjects.Grant {
	t.Helper()
	g, err := s.register(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// documents gives the live documents of a table.
func documents(t testing.TB, s store.Store, table string) map[string]store.Document {
	t.Helper()
	out := map[string]store.Document{}
	for doc, err := range store.All(t.Context(), s, table, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		out[doc.ID] = doc
	}
	return out
}

// checkNames fails unless every account holds the claims on its own names: then no two
// accounts share one. It returns the accounts and how many claims are of no account.
func checkNames(t testing.TB, s store.Store) (accounts map[string]account, orphans int) {
	t.Helper()
	accounts = map[string]account{}
	claims := map[string]string{}
	for id, doc := range documents(t, s, tableClaims) {
		var c claim
		if err := doc.Decode(&c); err != nil {
			t.Fatal(err)
		}
		claims[id] = c.Account
	}
	held := 0
	for id, doc := range documents(t, s, tableAccounts) {
		var a account
		if err := doc.Decode(&a); err != nil {
			t.Fatal(err)
		}
		accounts[id] = a
		_, key, err := normaliseNickname(a.Nickname)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{store.ClaimID(claimEmail, a.Email), store.ClaimID(claimNickname, key)} {
			if claims[name] != id {
				t.Fatalf("account %s goes by %s, which is claimed for %q", id, name, claims[name])
			}
			held++
		}
	}
	return accounts, len(claims) - held
}

func TestRegisteringGivesASessionAndLoggingInAnother(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	req := anna()
	req.Email, req.Nickname = "  Anna@Example.org ", " Anna  Lena "
	g := mustRegister(t, s, req)
	if g.User.Email != "anna@example.org" || g.User.Nickname != "Anna Lena" || subjects.CheckID(subjects.PrefixUser, g.User.ID) != nil ||
		g.User.CreatedAt != c.now().UnixMilli() || g.TokenType != "Bearer" || g.ExpiresIn != 900 {
		t.Fatalf("%+v", g)
	}
	p, err := s.verifier.Verify(t.Context(), g.AccessToken.Reveal())
	if err != nil || p.UserID != g.User.ID || p.Nickname != "Anna Lena" {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, email := range []string{"anna@example.org", "ANNA@EXAMPLE.ORG "} {
		again, err := s.login(t.Context(), subjects.LoginRequest{Email: email, Password: req.Password})
		if err != nil || again.User != g.User || again.RefreshToken == g.RefreshToken {
			t.Fatalf("%+v, %v", again, err)
		}
	}
	if n := len(documents(t, st, tableSessions)); n != 3 {
		t.Fatalf("%d sessions", n)
	}
}

func TestAWrongPasswordAndAnUnknownAddressAreAnsweredAlike(t *testing.T) {
	s := service(t, openStore(t), newClock(), testConfig())
	mustRegister(t, s, anna())
	var said []string
	for _, req := range []subjects.LoginRequest{
		{Email: "anna@example.org", Password: "wrong horse"},
		{Email: "anna@example.org", Password: "short"},
		{Email: "anna@example.org", Password: subjects.Secret("correct horse" + strings.Repeat("x", 60))},
		{Email: "bert@example.org", Password: "correct horse"},
		{Email: "not an address", Password: "correct horse"},
	} {
		_, err := s.login(t.Context(), req)
		refused(t, err, subjects.CodeBadCredentials)
		said = append(said, err.Error())
	}
	for _, text := range said {
		if text != said[0] {
			t.Fatalf("%q and %q", text, said[0])
		}
	}
	_, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org"})
	refused(t, err, subjects.CodeInvalid)
}

func TestPasswordsAreBoundedInBytes(t *testing.T) {
	s := service(t, openStore(t), newClock(), testConfig())
	for i, c := range []struct {
		password string
		ok       bool
	}{
		{"", false}, {"1234567", false}, {"12345678", true}, {"ÄÖÜß", true},
		{strings.Repeat("a", 72), true}, {strings.Repeat("a", 73), false}, {strings.Repeat("ä", 37), false},
	} {
		_, err := s.register(t.Context(), subjects.RegisterRequest{
			Email: fmt.Sprintf("p%d@example.org", i), Nickname: fmt.Sprintf("p%d", i), Password: subjects.Secret(c.password),
		})
		var r *subjects.Refusal
		if c.ok != (err == nil) || (err != nil && (!errors.As(err, &r) || r.Field != "password")) {
			t.Errorf("%q: %v", c.password, err)
		}
	}
}

func TestAPasswordIsTheSameHoweverItIsComposed(t *testing.T) {
	s := service(t, openStore(t), newClock(), testConfig())
	req := anna()
	req.Password = "caf\u00e9 caf\u00e9"
	mustRegister(t, s, req)
	if _, err := s.login(t.Context(), subjects.LoginRequest{Email: req.Email, Password: "cafe\u0301 cafe\u0301"}); err != nil {
		t.Fatal(err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	st := openStore(t)
	s := service(t, st, newClock(), testConfig())
	mustRegister(t, s, anna())
	for _, c := range []struct {
		email, nickname string
		want            subjects.Code
	}{
		{"anna@example.org", "Anna", subjects.CodeEmailTaken},
		{"ANNA@example.ORG", "Other", subjects.CodeEmailTaken},
		{"other@example.org", "aNNa", subjects.CodeNicknameTaken},
		{"other@example.org", "Ａｎｎａ", subjects.CodeNicknameTaken},
		{"other@example.org", "An\u200dna", subjects.CodeNicknameTaken},
		{"other@example.org", "Other", ""},
	} {
		_, err := s.register(t.Context(), subjects.RegisterRequest{Email: c.email, Nickname: c.nickname, Password: "correct horse"})
		refused(t, err, c.want)
	}
	if accounts, orphans := checkNames(t, st); len(accounts) != 2 || orphans != 0 {
		t.Fatalf("%d accounts, %d claims of nobody", len(accounts), orphans)
	}
}

func TestARequestRepeatedIsOneRegistration(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	req := anna()
	req.RequestID = subjects.NewID(subjects.PrefixCommand, c.now())
	g := mustRegister(t, s, req)
	if again := mustRegister(t, s, req); again.User != g.User {
		t.Fatalf("%+v and %+v", again.User, g.User)
	}
	other := req
	other.Password = "wrong horse"
	_, err := s.register(t.Context(), other)
	refused(t, err, subjects.CodeConflict)
	other = req
	other.RequestID = subjects.NewID(subjects.PrefixCommand, c.now())
	_, err = s.register(t.Context(), other)
	refused(t, err, subjects.CodeEmailTaken)
	other.RequestID = "mine"
	_, err = s.register(t.Context(), other)
	refused(t, err, subjects.CodeInvalid)
	c.advance(subjects.CommandHorizon + time.Second)
	_, err = s.register(t.Context(), req)
	refused(t, err, subjects.CodeExpired)
	if accounts, _ := checkNames(t, st); len(accounts) != 1 {
		t.Fatalf("%d accounts", len(accounts))
	}
}

func TestAHashIsRenewedWhenTheCostChanged(t *testing.T) {
	c, st := newClock(), openStore(t)
	g := mustRegister(t, service(t, st, c, testConfig()), anna())
	cfg := testConfig()
	cfg.Cost++
	s := service(t, st, c, cfg)
	for range 2 {
		if _, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"}); err != nil {
			t.Fatal(err)
		}
	}
	a, version, err := s.getAccount(t.Context(), g.User.ID)
	if err != nil || s.hasher.outdated(a.PasswordHash) || version.Rev != 2 {
		t.Fatalf("at %s, outdated %t, %v", version, s.hasher.outdated(a.PasswordHash), err)
	}
}

func TestHashingIsBoundedAndSaysBusy(t *testing.T) {
	cfg := testConfig()
	cfg.HashWorkers, cfg.HashQueue, cfg.HashWait = 1, 1, 10*time.Millisecond
	h, err := newHasher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.hash(t.Context(), []byte("correct horse")); subjects.CodeOf(err) != subjects.CodeBusy {
		t.Fatalf("waited in vain: %v", err)
	}
	h.wait = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() { _, err := h.hash(ctx, []byte("correct horse")); waiting <- err }()
	for len(h.places) < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := h.matches(t.Context(), "", []byte("correct horse")); subjects.CodeOf(err) != subjects.CodeBusy {
		t.Fatalf("the queue is full: %v", err)
	}
	cancel()
	if err := <-waiting; subjects.CodeOf(err) != subjects.CodeBusy {
		t.Fatal(err)
	}
	leave()
	if _, err := h.hash(t.Context(), []byte("correct horse")); err != nil {
		t.Fatalf("a free place: %v", err)
	}
	if len(h.places) != 0 || len(h.workers) != 0 {
		t.Fatal("places are lost")
	}
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Deps{Config: Config{HashQueue: -1, Cost: 3}}.Validate()
	for _, word := range []string{
		"bus", "store", "log", "clock", "issuer", "audience", "access life", "max sessions", "cost", "hash workers",
		"hash queue", "hash wait", "claim patience", "rotate every", "key lead", "key check",
	} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not speak of %q", err, word)
		}
	}
}
