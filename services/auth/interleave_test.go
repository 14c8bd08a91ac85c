package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// shelf is a store of documents in memory, of the few methods that names need.
type shelf struct {
	store.Store
	docs map[string]store.Document // by table and id
}

func (m *shelf) Get(_ context.Context, table, id string) (store.Document, error) {
	d, ok := m.docs[table+"/"+id]
	if !ok || d.Deleted {
		return d, store.ErrNotFound
	}
	return d, nil
}

func (m *shelf) Put(_ context.Context, table string, d store.Document) error {
	if have, ok := m.docs[table+"/"+d.ID]; ok && !d.Version.Newer(have.Version) {
		return &store.ConflictError{Reason: store.ErrStale, Table: table, ID: d.ID, Current: have.Version, Deleted: have.Deleted}
	}
	m.docs[table+"/"+d.ID] = d
	return nil
}

func (m *shelf) Insert(ctx context.Context, table string, d store.Document) error {
	if have, ok := m.docs[table+"/"+d.ID]; ok && !have.Deleted {
		return &store.ConflictError{Reason: store.ErrExists, Table: table, ID: d.ID, Current: have.Version}
	}
	return m.Put(ctx, table, d)
}

func (m *shelf) Delete(ctx context.Context, table, id string, v store.Version) error {
	return m.Put(ctx, table, store.Document{ID: id, Version: v, Deleted: true})
}

// turns is a store that waits for its turn before each thing that it does.
type turns struct {
	*shelf
	process int
	steps   chan<- step
}

// step is what a process wants to do next, or that it has ended.
type step struct {
	process int
	ended   bool
	alive   chan bool // whether it is done; then, once it was
}

func (s turns) turn(f func() error) error {
	a := step{process: s.process, alive: make(chan bool)}
	s.steps <- a
	if !<-a.alive {
		return errDead
	}
	err := f()
	a.alive <- true
	return err
}

func (s turns) Get(ctx context.Context, table, id string) (d store.Document, err error) {
	dead := s.turn(func() error { d, err = s.shelf.Get(ctx, table, id); return nil })
	if dead != nil {
		return store.Document{}, dead
	}
	return d, err
}

func (s turns) Put(ctx context.Context, table string, d store.Document) error {
	return s.turn(func() error { return s.shelf.Put(ctx, table, d) })
}

func (s turns) Insert(ctx context.Context, table string, d store.Document) error {
	return s.turn(func() error { return s.shelf.Insert(ctx, table, d) })
}

func (s turns) Delete(ctx context.Context, table, id string, v store.Version) error {
	return s.turn(func() error { return s.shelf.Delete(ctx, table, id, v) })
}

// names checks that what each account goes by is claimed for it.
func (m *shelf) names(t *rapid.T) {
	for key, d := range m.docs {
		var a account
		if d.Deleted || key != tableAccounts+"/"+d.ID {
			continue
		}
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		nickname, err := a.nicknameClaim()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{nickname, store.ClaimID(claimEmail, a.Email)} {
			var c claim
			if held, ok := m.docs[tableClaims+"/"+name]; !ok || held.Deleted || held.Decode(&c) != nil || c.Account != d.ID {
				t.Fatalf("account %s goes by %s, which is claimed for %q", d.ID, name, c.Account)
			}
		}
	}
}

// make registers as register does, without a password and without waiting.
func (s *Service) make(id, email, nickname string) error {
	ctx := context.Background()
	shown, key, err := normaliseNickname(nickname)
	if err != nil {
		return err
	}
	names := []string{store.ClaimID(claimEmail, email), store.ClaimID(claimNickname, key)}
	for _, name := range names {
		err := s.hold(ctx, name, id)
		if errors.Is(err, errTaken) {
			return errors.Join(err, s.giveBack(ctx, id, names...))
		}
		if err != nil {
			return err
		}
	}
	return s.insertAccount(ctx, id, account{Email: email, Nickname: shown, PasswordHash: "x"})
}

// change makes a few attempts, as nickname does, without waiting.
func (s *Service) change(id, nickname string) error {
	shown, key, err := normaliseNickname(nickname)
	if err != nil {
		return err
	}
	for range 3 {
		err = s.rename(context.Background(), id, shown, store.ClaimID(claimNickname, key))
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

// Several processes change nicknames and register at once, each step of theirs in an order
// that is drawn, with take-overs at once and processes that die: at no time do two accounts
// share a name. In the end, what is wanted alone is had.
func TestNamesUnderAnyOrderOfSteps(t *testing.T) {
	for range 30 { // the orders that matter are rare
		rapid.Check(t, anyOrder)
	}
}

func anyOrder(t *rapid.T) {
	m, c, cfg := &shelf{docs: map[string]store.Document{}}, newClock(), testConfig()
	cfg.ClaimPatience = rapid.SampledFrom([]time.Duration{1, 2 * time.Second}).Draw(t, "patience")
	plain := &Service{cfg: cfg, store: m, log: discard, now: c.now}
	var ids []string
	for _, name := range []string{"a", "b"} {
		id := subjects.NewID(subjects.PrefixUser, c.now())
		if err := plain.make(id, name+"@example.org", name); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	c.advance(time.Second)
	steps := make(chan step)
	count := rapid.IntRange(2, 4).Draw(t, "processes")
	for p := range count {
		s := &Service{cfg: cfg, store: turns{m, p, steps}, log: discard, now: c.now}
		name := rapid.SampledFrom([]string{"a", "b", "x", "X", "y"}).Draw(t, "name")
		who := rapid.IntRange(0, len(ids)).Draw(t, "who")
		fresh := subjects.NewID(subjects.PrefixUser, c.now())
		go func() {
			if who == len(ids) {
				_ = s.make(fresh, fmt.Sprintf("new%d@example.org", p), name)
			} else {
				_ = s.change(ids[who], name)
			}
			steps <- step{process: p, ended: true}
		}()
	}
	drive(t, m, c, steps, count)
	c.advance(time.Minute)
	if err := plain.change(ids[0], "nobody's"); err != nil {
		t.Fatal(err)
	}
	m.names(t)
}

// drive gives the processes their turns until all have ended.
func drive(t *rapid.T, m *shelf, c *clock, steps <-chan step, running int) {
	waiting, dead := map[int]step{}, map[int]bool{}
	for {
		for len(waiting) < running {
			if s := <-steps; s.ended {
				running--
			} else {
				waiting[s.process] = s
			}
		}
		if running == 0 {
			return
		}
		p := rapid.SampledFrom(slices.Sorted(maps.Keys(waiting))).Draw(t, "next")
		s := waiting[p]
		delete(waiting, p)
		if !dead[p] && rapid.IntRange(0, 29).Draw(t, "dies") == 0 {
			dead[p] = true
		}
		if dead[p] {
			s.alive <- false
			continue
		}
		if rapid.Bool().Draw(t, "time passes") {
			c.advance(time.Second)
		}
		s.alive <- true
		<-s.alive
		m.names(t)
	}
}
