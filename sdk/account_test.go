package tutti_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestGuestsAndChangesOfAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.dial(t)
		defer c.Close()
		if err := c.Room(id).Join(t.Context()); subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Errorf("a guest's command: %v", err)
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Account().Login(t.Context(), "ada@example.com", "x"); err != nil {
			t.Fatal(err)
		}
		if err := c.Room(id).Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.do(func() { s.onDial = func(int) error { return errors.New("down") } })
		s.cut(0)
		done := make(chan error)
		go func() { done <- c.Room(id).Leave(t.Context()) }()
		synctest.Wait()
		if _, err := c.Account().Login(t.Context(), "bob@example.com", "x"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, tutti.ErrAccountChanged) {
			t.Errorf("what ada sent while bob signed in: %v", err)
		}
		s.do(func() { s.onDial = nil })
		if err := c.Room(id).Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := c.Room(id).View(t.Context())
		if err != nil || len(v.Room.Members) != 2 {
			t.Errorf("members: %+v, %v", v, err)
		}
		done2 := make(chan error)
		s.do(func() { s.onCommand = func(subjects.ClientFrame) verdict { return verdict{silent: true} } })
		go func() { done2 <- c.Room(id).Leave(t.Context()) }()
		synctest.Wait()
		c.Close()
		if err := <-done2; !errors.Is(err, tutti.ErrClosed) {
			t.Errorf("closed meanwhile: %v", err)
		}
		if err := c.Room(id).Leave(t.Context()); !errors.Is(err, tutti.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := c.Room(id).View(t.Context()); !errors.Is(err, tutti.ErrClosed) {
			t.Errorf("following after Close: %v", err)
		}
	})
}

// A view waits for what is said about the user, and never shows what was said about another.
func TestViewsSayWhoTheUserIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		s.rooms[id].you = nil
		c := s.user(t, "ada")
		defer c.Close()
		seen := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for v, err := range c.Room(id).Views(ctx) {
				switch {
				case err != nil:
					t.Error(err)
				case v.You == nil:
					seen <- "guest"
				default:
					seen <- string(v.You.Role)
				}
			}
		}()
		saw := func(what, want string) {
			t.Helper()
			synctest.Wait()
			got := ""
			for len(seen) > 0 {
				got = <-seen
			}
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		said := func(role subjects.Role) {
			s.do(func() {
				s.tell(subjects.ServerFrame{Type: subjects.FrameYou, Channel: subjects.RoomChannel(id), Epoch: 1, Rev: 1, You: answer(200, subjects.You{Role: role}).Body})
			})
		}
		saw("nothing was said yet", "")
		said(subjects.RoleCreator)
		saw("ada", "creator")
		if _, err := c.Account().Login(t.Context(), "bob@example.com", "x"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		s.vote(id)
		saw("nothing was said about bob yet", "")
		said(subjects.RoleMember)
		saw("bob", "member")
		if err := c.Account().Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		saw("nobody", "guest")
	})
}
