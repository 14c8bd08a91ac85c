package rethink_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// What a Sync has covered is there after the server was killed. What none has covered may be
// lost, and then the next Sync, by a server that is back, does not claim it.
func TestSyncSpeaksTheTruthOfAKilledServer(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a server again and again")
	}
	t.Parallel()
	server := rethinktest.Start(t)
	config := impatient(rethink.Config{Addresses: []string{server.Addr()}, Database: "tutti", Create: true})
	soft, other := store.Table{Name: "soft"}, store.Table{Name: "other"}
	s := open(t, config, soft, other)
	sync := func(tables ...string) error { return s.Sync(t.Context(), tables...) }
	if err := sync("soft", "other"); err != nil {
		t.Fatal(err)
	}
	write := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			for _, table := range []string{"soft", "other"} {
				eventually(t, func() error {
					return s.Put(t.Context(), table, store.Document{ID: fmt.Sprint("r", i), Version: rev(1), Body: []byte(`{}`)})
				})
			}
		}
	}
	check := func(to int) {
		t.Helper()
		for i := range to {
			for _, table := range []string{"soft", "other"} {
				eventually(t, func() error {
					_, err := s.Get(t.Context(), table, fmt.Sprint("r", i))
					return err
				})
			}
		}
	}
	write(0, 100)
	if err := sync("soft", "other"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := sync("soft"); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("without a server: %v", err)
	}
	server.Restart(t)
	check(100)

	for round := range 3 {
		// The server dies with what was written, and is back before anybody asks.
		eventually(t, func() error { return sync("soft", "other") })
		write(0, 200+10*round)
		server.Restart(t)
		eventually(t, func() error { _, err := s.Get(t.Context(), "soft", "r0"); return err })
		if err := sync("soft"); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("after the server died: %v", err)
		}
		// Another table has not been told yet.
		if err := sync("other"); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("after the server died, of another table: %v", err)
		}
		eventually(t, func() error {
			write(0, 200+10*round)
			return sync("soft", "other")
		})
		server.Restart(t)
		check(200 + 10*round)
	}
}

func TestSyncAnswersAsTheOtherMethodsDo(t *testing.T) {
	config := fresh(t)
	made := open(t, config, rooms)
	put(t, made, "r1", 1)
	if err := rethink.MakeUser(t.Context(), config, "syncs", "secret"); err != nil {
		t.Fatal(err)
	}
	config.User, config.Password, config.Create = "syncs", "secret", false
	s, err := rethink.Open(t.Context(), config, []store.Table{rooms})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Sync(t.Context(), rooms.Name); err != nil {
		t.Errorf("a user who only serves: %v", err)
	}
	if err := s.Sync(t.Context(), rooms.Name, "nowhere"); !errors.Is(err, store.ErrUnknownTable) {
		t.Errorf("a table that is not: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sync(ended, rooms.Name); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context(), rooms.Name); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
