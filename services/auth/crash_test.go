package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// mortal is a store whose process dies at one of its writes: before it takes effect, or
// after. From then on nothing is done.
type mortal struct {
	store.Store
	mu     sync.Mutex
	left   int // writes until death
	effect bool
	dead   bool
}

var errDead = fmt.Errorf("%w: the process is dead", store.ErrUnavailable)

func (m *mortal) write(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	if m.left--; m.left > 0 {
		return f()
	}
	m.dead = true
	if m.effect {
		_ = f() // nobody lives to hear the answer
	}
	return errDead
}

func (m *mortal) Put(ctx context.Context, table string, d store.Document) error {
	return m.write(func() error { return m.Store.Put(ctx, table, d) })
}

func (m *mortal) Insert(ctx context.Context, table string, d store.Document) error {
	return m.write(func() error { return m.Store.Insert(ctx, table, d) })
}

func (m *mortal) Delete(ctx context.Context, table, id string, v store.Version) error {
	return m.write(func() error { return m.Store.Delete(ctx, table, id, v) })
}

func (m *mortal) Get(ctx context.Context, table, id string) (store.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return store.Document{}, errDead
	}
	return m.Store.Get(ctx, table, id)
}

// eachDeath runs f for a registration that dies at each of its writes in turn, before
// and after it took effect.
func eachDeath(t *testing.T, repeatable bool, f func(t *testing.T, c *clock, st store.Store, req subjects.RegisterRequest)) {
	for _, effect := range []bool{false, true} {
		for n := 1; ; n++ {
			survived := false
			t.Run(fmt.Sprintf("write %d effect %t", n, effect), func(t *testing.T) {
				c, st := newClock(), openStore(t)
				service(t, st, c, testConfig()) // makes the keys, so that they are not among the writes
				m := &mortal{Store: st, left: 1000, effect: effect}
				s := service(t, m, c, testConfig())
				m.left = n
				req := anna()
				if repeatable {
					req.RequestID = subjects.NewID(subjects.PrefixCommand, c.now())
				}
				_, err := s.register(t.Context(), req)
				if survived = err == nil && !m.dead; survived {
					return
				}
				if !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("died of %v", err)
				}
				f(t, c, st, req)
			})
			if survived {
				if n != 5 { // two claims, the account, the session
					t.Fatalf("a registration has %d writes; this test knows of 4", n-1)
				}
				break
			}
		}
	}
}

func TestARetryAfterAnyCrashEndsInOneAccount(t *testing.T) {
	eachDeath(t, true, func(t *testing.T, c *clock, st store.Store, req subjects.RegisterRequest) {
		s := service(t, st, c, testConfig())
		g := mustRegister(t, s, req) // at once
		accounts, orphans := checkNames(t, st)
		if len(accounts) != 1 || orphans != 0 || accounts[g.User.ID].Email != "anna@example.org" {
			t.Fatalf("%v, %d claims of nobody", accounts, orphans)
		}
	})
}

func TestWithoutARequestIDNamesComeFreeOrTheAccountIsThere(t *testing.T) {
	eachDeath(t, false, func(t *testing.T, c *clock, st store.Store, req subjects.RegisterRequest) {
		s := service(t, st, c, testConfig())
		_, err := s.register(t.Context(), req)
		if subjects.CodeOf(err) == subjects.CodeBusy {
			c.advance(31 * time.Second)
			_, err = s.register(t.Context(), req)
		}
		if subjects.CodeOf(err) == subjects.CodeEmailTaken {
			_, err = s.login(t.Context(), subjects.LoginRequest{Email: req.Email, Password: req.Password})
		}
		if err != nil {
			t.Fatal(err)
		}
		accounts, orphans := checkNames(t, st)
		if len(accounts) != 1 || orphans != 0 {
			t.Fatalf("%v, %d claims of nobody", accounts, orphans)
		}
	})
}

// Whoever takes the names over, the crashed request cannot come back beside them.
func TestNamesTakenOverAreGoneForTheCrashedRequest(t *testing.T) {
	eachDeath(t, true, func(t *testing.T, c *clock, st store.Store, req subjects.RegisterRequest) {
		s := service(t, st, c, testConfig())
		c.advance(31 * time.Second)
		other := subjects.RegisterRequest{Email: "bert@example.org", Nickname: "ANNA", Password: "another horse"}
		_, otherErr := s.register(t.Context(), other)
		_, again := s.register(t.Context(), req)
		if (otherErr == nil) == (again == nil) {
			t.Fatalf("of two that want one nickname: %v, %v", otherErr, again)
		}
		if again != nil {
			if code := subjects.CodeOf(again); code != subjects.CodeNicknameTaken && code != subjects.CodeConflict {
				t.Fatal(again)
			}
			// Under a new request id and another nickname the address is not lost.
			req.RequestID, req.Nickname = subjects.NewID(subjects.PrefixCommand, c.now()), "Anna2"
			mustRegister(t, s, req)
		}
		checkNames(t, st)
	})
}

// gate holds up the insert of an account, as if the process were frozen there.
type gate struct {
	store.Store
	arrived, open chan struct{}
}

func (g *gate) Insert(ctx context.Context, table string, d store.Document) error {
	if table == tableAccounts {
		close(g.arrived)
		<-g.open
	}
	return g.Store.Insert(ctx, table, d)
}

func TestAFrozenRegistrationThatThawsIsFencedOff(t *testing.T) {
	for _, repeatable := range []bool{true, false} {
		c, st := newClock(), openStore(t)
		g := &gate{Store: st, arrived: make(chan struct{}), open: make(chan struct{})}
		frozen := service(t, g, c, testConfig())
		req := anna()
		want := subjects.CodeBusy
		if repeatable {
			req.RequestID, want = subjects.NewID(subjects.PrefixCommand, c.now()), subjects.CodeConflict
		}
		result := make(chan error)
		go func() { _, err := frozen.register(context.Background(), req); result <- err }()
		<-g.arrived
		s := service(t, st, c, testConfig())
		second := anna()
		second.Password = "another horse"
		_, err := s.register(t.Context(), second)
		refused(t, err, subjects.CodeBusy) // it may still come to its end
		c.advance(31 * time.Second)
		winner := mustRegister(t, s, second)
		close(g.open)
		refused(t, <-result, want)
		accounts, orphans := checkNames(t, st)
		if len(accounts) != 1 || orphans != 0 {
			t.Fatalf("%v, %d claims of nobody", accounts, orphans)
		}
		if _, ok := accounts[winner.User.ID]; !ok {
			t.Fatal("the wrong one was made")
		}
	}
}

func TestOfManyWhoWantTheSameNamesEachNameGoesToOne(t *testing.T) {
	c, st := newClock(), openStore(t)
	replicas := []*Service{service(t, st, c, testConfig()), service(t, st, c, testConfig())}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]bool{}
	for i := range 60 {
		req := subjects.RegisterRequest{Email: fmt.Sprintf("e%d@example.org", i%7), Nickname: fmt.Sprintf("n%d", i%5), Password: "correct horse"}
		if i%2 == 0 {
			req.RequestID = subjects.NewID(subjects.PrefixCommand, c.now())
		}
		wg.Go(func() {
			for {
				g, err := replicas[i%2].register(context.Background(), req)
				switch subjects.CodeOf(err) {
				case "":
					mu.Lock()
					made[g.User.ID] = true
					mu.Unlock()
					return
				case subjects.CodeEmailTaken, subjects.CodeNicknameTaken:
					return
				case subjects.CodeBusy: // try again, as it says
					c.advance(time.Second)
				default:
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	accounts, orphans := checkNames(t, st)
	if len(accounts) != len(made) || len(accounts) == 0 || len(accounts) > 5 {
		t.Fatalf("%d accounts, %d were promised", len(accounts), len(made))
	}
	for id := range made {
		if _, ok := accounts[id]; !ok {
			t.Fatalf("%s was promised and is not there", id)
		}
	}
	t.Logf("%d accounts, %d claims of nobody", len(accounts), orphans)
}

// The one who takes names over may die as well, and so may one who gives them back.
func TestCrashesOnTopOfCrashes(t *testing.T) {
	for first := 1; first <= 3; first++ {
		for second := 1; second <= 8; second++ {
			for _, effect := range []bool{false, true} {
				c, st := newClock(), openStore(t)
				service(t, st, c, testConfig())
				m := &mortal{Store: st, left: 1000, effect: true}
				s := service(t, m, c, testConfig())
				m.left = first
				req := anna()
				req.RequestID = subjects.NewID(subjects.PrefixCommand, c.now())
				if _, err := s.register(t.Context(), req); err == nil {
					t.Fatal("it should have died")
				}
				c.advance(31 * time.Second)
				m = &mortal{Store: st, left: 1000, effect: effect}
				s = service(t, m, c, testConfig())
				m.left = second
				other := subjects.RegisterRequest{Email: "anna@example.org", Nickname: "Bert", Password: "another horse"}
				_, _ = s.register(t.Context(), other)
				checkNames(t, st)
				c.advance(31 * time.Second)
				s = service(t, st, c, testConfig())
				_, errFirst := s.register(t.Context(), req)
				_, errOther := s.register(t.Context(), other)
				accounts, _ := checkNames(t, st)
				if len(accounts) != 1 {
					t.Fatalf("crashes at %d and %d (effect %t): %d accounts; %v, %v", first, second, effect, len(accounts), errFirst, errOther)
				}
			}
		}
	}
}
