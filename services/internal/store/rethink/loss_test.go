package rethink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// Connections that break, or fall silent: somebody who follows is told what happened
// meanwhile, and what was held back on the way is not told afterwards.
func TestConnectionsAreLost(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	direct := open(t, config, rooms)
	seed(t, direct)
	proxy := newProxy(t, config.Addresses[0])
	config.Addresses = []string{proxy.addr()}
	through := open(t, impatient(config), rooms)
	m := watch(t, through)
	n := 10
	for _, c := range []struct {
		name string
		lose func()
	}{
		{"cut", proxy.cut}, {"stalled", proxy.stall}, {"cut again", proxy.cut},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.untilPresent(t, direct)
			before := m.lossCount()
			put(t, direct, "r1", n) // may be told before or after the loss
			c.lose()
			put(t, direct, "r1", n+1)
			put(t, direct, "r2", n+1)
			put(t, direct, fmt.Sprint("new", n), 1)
			remove(t, direct, fmt.Sprint("r", n%10+3), n+1)
			m.untilLost(t, before)
			if err := try(t, through, "r3", n+2); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a write without a connection: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := through.Get(ctx, rooms.Name, "r1"); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a read without a connection: %v", err)
			}
			proxy.mend()
			put(t, direct, "r1", n+3)
			m.untilPresent(t, direct)
			eventually(t, func() error { return try(t, through, "r4", n+4) })
			m.untilPresent(t, direct)
		})
		n += 10
	}
}

// eventually repeats what fails for want of the database. The store mends itself.
func eventually(t testing.TB, do func() error) {
	t.Helper()
	over := time.Now().Add(patience)
	for {
		err := do()
		if err == nil || errors.Is(err, store.ErrStale) {
			return
		}
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(over) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A server of its own is killed, frozen and robbed of its tables.
func TestServerIsLost(t *testing.T) {
	t.Parallel()
	server := rethinktest.Start(t)
	config := rethink.Config{Addresses: []string{server.Addr()}, Database: "tutti", Create: true}
	follower, writer := open(t, impatient(config), rooms), open(t, impatient(config), rooms)
	seed(t, writer)
	m := watch(t, follower)

	t.Run("killed", func(t *testing.T) {
		put(t, writer, "r1", 10)
		before := m.lossCount()
		server.Kill()
		m.untilLost(t, before)
		if err := try(t, writer, "r1", 11); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write without a server: %v", err)
		}
		server.Restart(t)
		eventually(t, func() error { return try(t, writer, "r1", 11) })
		remove(t, writer, "r2", 11)
		put(t, writer, "after kill", 1)
		m.untilPresent(t, writer)
	})

	t.Run("frozen", func(t *testing.T) {
		before := m.lossCount()
		server.Freeze(t)
		m.untilLost(t, before)
		// The server may find this in its socket when it goes on.
		if err := try(t, writer, "r1", 20); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write to a frozen server: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := writer.Get(ctx, rooms.Name, "r1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read from a frozen server, given up: %v", err)
		}
		server.Thaw(t)
		eventually(t, func() error { return try(t, writer, "r1", 21) })
		remove(t, writer, "r3", 21)
		put(t, writer, "after thaw", 1)
		m.untilPresent(t, writer)
	})

	session := connect(t, config)
	run := func(term r.Term) {
		t.Helper()
		if err := term.Exec(session, r.ExecOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("resharded", func(t *testing.T) {
		before := m.lossCount()
		run(r.DB("tutti").Table(rooms.Name).Reconfigure(r.ReconfigureOpts{Shards: 2, Replicas: 1}))
		m.untilLost(t, before)
		eventually(t, func() error { return try(t, writer, "r1", 30) })
		eventually(t, func() error { return try(t, writer, "after reshard", 1) })
		m.untilPresent(t, writer)
	})

	t.Run("table dropped", func(t *testing.T) {
		before := m.lossCount()
		run(r.DB("tutti").TableDrop(rooms.Name))
		m.untilLost(t, before)
		if err := try(t, writer, "r1", 40); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write without a table: %v", err)
		}
		config.Create = false
		if _, err := rethink.Open(t.Context(), config, []store.Table{rooms}); !errors.Is(err, rethink.ErrUnprepared) {
			t.Errorf("opened without a table: %v", err)
		}
		config.Create = true
		again := open(t, config, rooms)
		put(t, again, "r1", 41)
		put(t, again, "after drop", 1)
		eventually(t, func() error { return try(t, writer, "r1", 42) })
		m.untilPresent(t, again)
	})

	t.Run("closed while frozen", func(t *testing.T) {
		s, err := rethink.Open(t.Context(), impatient(config), []store.Table{rooms})
		if err != nil {
			t.Fatal(err)
		}
		feed, err := s.Changes(t.Context(), rooms.Name)
		if err != nil {
			t.Fatal(err)
		}
		server.Freeze(t)
		defer server.Thaw(t)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
		if _, err := feed.Next(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("a feed of a closed store: %v", err)
		}
	})

	t.Run("cleared elsewhere", func(t *testing.T) {
		eventually(t, func() error { return try(t, writer, "r1", 50) })
		m.untilPresent(t, writer)
		before := m.lossCount()
		if err := writer.Clear(t.Context(), rooms.Name); err != nil {
			t.Fatal(err)
		}
		m.untilLost(t, before)
		put(t, writer, "after clear", 1)
		m.untilPresent(t, writer)
	})
}

// The server's own buffer overflows, which it says in the midst of the changes.
func TestServerQueueOverflows(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	config.FeedQueue = 10
	s := open(t, impatient(config), rooms)
	session := connect(t, config)
	m := watch(t, s)
	put(t, s, "here", 1)
	// Many rows in one write of the database come faster than anybody can fetch them.
	for round := 1; m.lossCount() == 0; round++ {
		if round > 50 {
			t.Fatal("the server's queue does not overflow")
		}
		burst := r.Range(0, 5000).Map(func(i r.Term) any {
			return map[string]any{
				"id": r.Expr("burst").Add(i.CoerceTo("string")), "v": []int{1, 0, round}, "d": false, "b": `{"name":"x"}`, "s": "",
			}
		})
		insert := r.DB(config.Database).Table(rooms.Name).Insert(burst, r.InsertOpts{Conflict: "replace", Durability: "soft"})
		if err := insert.Exec(session, r.ExecOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
	}
	m.untilPresent(t, s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.losses[0]; !errors.Is(err, store.ErrFeedLost) || !strings.Contains(err.Error(), "limit") {
		t.Errorf("the feed was lost to %v", err)
	}
}

// It overflows before the feed is ready, because the reader takes his time with the initial
// documents: the server says nothing of it, and the feed must not wait for ever.
func TestServerQueueOverflowsBeforeReady(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	config.FeedQueue, config.FeedBuffer = 10, 1
	s := open(t, impatient(config), rooms)
	body := []byte(`{"name":"` + strings.Repeat("x", 100<<10) + `"}`)
	for i := range 100 { // more than the driver takes at once
		doc := store.Document{ID: fmt.Sprint("r", i), Version: rev(1), Body: body}
		if err := s.Put(t.Context(), rooms.Name, doc); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	feed, err := s.Changes(ctx, rooms.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	if change, err := feed.Next(ctx); err != nil || change.Kind != store.Initial {
		t.Fatalf("first came %s, %v", change.Kind, err)
	}
	for n := range 40 {
		for i := range 5 {
			put(t, s, fmt.Sprint("r", i), n+2)
		}
	}
	for {
		if _, err := feed.Next(ctx); err != nil {
			if !errors.Is(err, store.ErrFeedLost) {
				t.Fatal(err)
			}
			t.Log(err)
			return
		}
	}
}

// What a killed server loses of soft writes can be written again at the same versions;
// of hard writes it loses nothing.
func TestKilledServerKeepsHardWrites(t *testing.T) {
	t.Parallel()
	server := rethinktest.Start(t)
	config := impatient(rethink.Config{Addresses: []string{server.Addr()}, Database: "tutti", Create: true})
	soft := store.Table{Name: "soft"}
	s := open(t, config, rooms, soft)
	const many = 200
	write := func(table string, i int) error {
		return s.Put(t.Context(), table, store.Document{ID: fmt.Sprint("r", i), Version: rev(1), Body: []byte(`{}`)})
	}
	for i := range many {
		for _, table := range []string{rooms.Name, soft.Name} {
			if err := write(table, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	server.Restart(t) // kills it
	lost := 0
	for i := range many {
		id := fmt.Sprint("r", i)
		eventually(t, func() error { _, err := s.Get(t.Context(), rooms.Name, id); return err })
		var err error
		eventually(t, func() error { // each table comes back by itself
			if _, err = s.Get(t.Context(), soft.Name, id); errors.Is(err, store.ErrUnavailable) {
				return err
			}
			return nil
		})
		switch {
		case errors.Is(err, store.ErrNotFound):
			lost++
			if err := write(soft.Name, i); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		default:
			if err := write(soft.Name, i); !errors.Is(err, store.ErrStale) {
				t.Fatalf("%s is there, and writing it again: %v", id, err)
			}
		}
	}
	t.Logf("%d of %d soft writes were lost", lost, many)
}
