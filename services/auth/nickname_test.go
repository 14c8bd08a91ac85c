package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

func rename(s *Service, id, nickname string) error {
	_, err := s.nickname(context.Background(), subjects.NicknameRequest{UserID: id, Nickname: nickname})
	return err
}

func bert() subjects.RegisterRequest {
	return subjects.RegisterRequest{Email: "bert@example.org", Nickname: "Bert", Password: "correct horse"}
}

func TestANicknameChangesAndTheOldOneComesFree(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	g := mustRegister(t, s, anna())
	a, err := s.nickname(t.Context(), subjects.NicknameRequest{UserID: g.User.ID, Nickname: "  Nina   Anna "})
	if err != nil || a.Nickname != "Nina Anna" {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := rename(s, g.User.ID, "Nina Anna"); err != nil {
		t.Fatalf("asked again: %v", err)
	}
	if _, orphans := checkNames(t, st); orphans != 0 {
		t.Fatalf("%d claims of nobody", orphans)
	}
	in, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
	if err != nil || in.User.ID != g.User.ID || in.User.Nickname != "Nina Anna" {
		t.Fatalf("%+v, %v", in, err)
	}
	fresh, err := s.refresh(t.Context(), subjects.RefreshRequest{RefreshToken: g.RefreshToken})
	if err != nil || fresh.User.Nickname != "Nina Anna" {
		t.Fatalf("%+v, %v", fresh, err)
	}
	if p, err := s.verifier.Verify(t.Context(), fresh.AccessToken.Reveal()); err != nil || p.Nickname != "Nina Anna" {
		t.Fatalf("%+v, %v", p, err)
	}
	other := bert()
	other.Nickname = "ANNA"
	second := mustRegister(t, s, other)
	refused(t, rename(s, second.User.ID, "nina anna"), subjects.CodeNicknameTaken)
	refused(t, rename(s, g.User.ID, "anna"), subjects.CodeNicknameTaken)
	if err := rename(s, g.User.ID, "NINA anna"); err != nil { // the same name, written otherwise
		t.Fatal(err)
	}
	accounts, orphans := checkNames(t, st)
	if len(accounts) != 2 || orphans != 0 || accounts[g.User.ID].Nickname != "NINA anna" || accounts[second.User.ID].Nickname != "ANNA" {
		t.Fatalf("%v, %d claims of nobody", accounts, orphans)
	}
	for _, bad := range []string{"", " ", "a\x00b", "\u200d", "a very long name that nobody could ever want to read"} {
		refused(t, rename(s, g.User.ID, bad), subjects.CodeInvalid)
	}
	refused(t, rename(s, "anna", "Anna"), subjects.CodeInvalid)
	refused(t, rename(s, subjects.NewID(subjects.PrefixUser, c.now()), "Nobody"), subjects.CodeUnauthenticated)
}

// eachRenameDeath runs f for a change from Anna to Nina that dies at each of its writes in
// turn, before and after it took effect.
func eachRenameDeath(t *testing.T, f func(t *testing.T, c *clock, st store.Store, id string)) {
	for _, effect := range []bool{false, true} {
		for n := 1; ; n++ {
			survived := false
			t.Run(fmt.Sprintf("write %d effect %t", n, effect), func(t *testing.T) {
				c, st := newClock(), openStore(t)
				g := mustRegister(t, service(t, st, c, testConfig()), anna())
				m := &mortal{Store: st, left: 1000, effect: effect}
				s := service(t, m, c, testConfig())
				m.left = n
				err := rename(s, g.User.ID, "Nina")
				if survived = !m.dead; survived {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				// Past the write of the account the nickname is changed: only its release fails.
				if after := n == 3; after != (err == nil) || err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("died at write %d of %v", n, err)
				}
				f(t, c, st, g.User.ID)
			})
			if survived {
				if n != 4 { // claim, account, release
					t.Fatalf("a change of nickname has %d writes; this test knows of 3", n-1)
				}
				break
			}
		}
	}
}

func TestAfterAnyCrashTheSameRequestCompletesTheChange(t *testing.T) {
	eachRenameDeath(t, func(t *testing.T, c *clock, st store.Store, id string) {
		s := service(t, st, c, testConfig())
		if err := rename(s, id, "Nina"); err != nil { // at once
			t.Fatal(err)
		}
		accounts, _ := checkNames(t, st)
		if accounts[id].Nickname != "Nina" {
			t.Fatalf("%v", accounts)
		}
		// The old nickname is free, however the crash left its claim, which was made long ago.
		c.advance(31 * time.Second)
		other := bert()
		other.Nickname = "Anna"
		mustRegister(t, s, other)
		if accounts, orphans := checkNames(t, st); len(accounts) != 2 || orphans != 0 {
			t.Fatalf("%v, %d claims of nobody", accounts, orphans)
		}
	})
}

func TestAfterAnyCrashBothNicknamesFindSomebodyAgain(t *testing.T) {
	eachRenameDeath(t, func(t *testing.T, c *clock, st store.Store, id string) {
		s := service(t, st, c, testConfig())
		_, err := s.login(t.Context(), subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"})
		if err != nil {
			t.Fatal(err)
		}
		accounts, _ := checkNames(t, st)
		has := accounts[id].Nickname
		wanted := map[string]string{"Anna": "Nina", "Nina": "Anna"}[has] // what she has not
		taken := bert()
		taken.Nickname = has
		_, err = s.register(t.Context(), taken)
		refused(t, err, subjects.CodeNicknameTaken)
		other := mustRegister(t, s, bert())
		err = rename(s, other.User.ID, wanted)
		if subjects.CodeOf(err) == subjects.CodeBusy {
			c.advance(31 * time.Second)
			err = rename(s, other.User.ID, wanted)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, rename(s, id, wanted), subjects.CodeNicknameTaken)
		if accounts, orphans := checkNames(t, st); len(accounts) != 2 || orphans != 0 {
			t.Fatalf("%v, %d claims of nobody", accounts, orphans)
		}
	})
}

// freeze holds up the first write of a kind, as if the process were stopped there.
type freeze struct {
	store.Store
	at            func(table string, deletes bool) bool
	arrived, open chan struct{}
	done          bool
}

func (f *freeze) wait(table string, deletes bool) {
	if !f.done && f.at(table, deletes) {
		f.done = true
		close(f.arrived)
		<-f.open
	}
}

func (f *freeze) Put(ctx context.Context, table string, d store.Document) error {
	f.wait(table, false)
	return f.Store.Put(ctx, table, d)
}

func (f *freeze) Delete(ctx context.Context, table, id string, v store.Version) error {
	f.wait(table, true)
	return f.Store.Delete(ctx, table, id, v)
}

func TestAFrozenChangeThatThawsFindsTheNameGone(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	first, second := mustRegister(t, s, anna()), mustRegister(t, s, bert())
	f := &freeze{
		Store: st, at: func(table string, deletes bool) bool { return table == tableAccounts && !deletes },
		arrived: make(chan struct{}), open: make(chan struct{}),
	}
	frozen := service(t, f, c, testConfig())
	result := make(chan error)
	go func() { result <- rename(frozen, first.User.ID, "Nina") }()
	<-f.arrived
	refused(t, rename(s, second.User.ID, "Nina"), subjects.CodeBusy) // it may still come to its end
	c.advance(31 * time.Second)
	if err := rename(s, second.User.ID, "Nina"); err != nil {
		t.Fatal(err)
	}
	close(f.open)
	refused(t, <-result, subjects.CodeNicknameTaken)
	accounts, orphans := checkNames(t, st)
	if orphans != 0 || accounts[first.User.ID].Nickname != "Anna" || accounts[second.User.ID].Nickname != "Nina" {
		t.Fatalf("%v, %d claims of nobody", accounts, orphans)
	}
}

func TestAFrozenReleaseThatThawsTakesNothingAway(t *testing.T) {
	c, st := newClock(), openStore(t)
	s := service(t, st, c, testConfig())
	id := mustRegister(t, s, anna()).User.ID
	f := &freeze{
		Store: st, at: func(table string, deletes bool) bool { return table == tableClaims && deletes },
		arrived: make(chan struct{}), open: make(chan struct{}),
	}
	frozen := service(t, f, c, testConfig())
	result := make(chan error)
	go func() { result <- rename(frozen, id, "Nina") }()
	<-f.arrived
	if err := rename(s, id, "Anna"); err != nil { // back again
		t.Fatal(err)
	}
	close(f.open)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if accounts, orphans := checkNames(t, st); orphans != 0 || accounts[id].Nickname != "Anna" {
		t.Fatalf("%v, %d claims of nobody", accounts, orphans)
	}
}
