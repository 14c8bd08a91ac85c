package rethink_test

import (
	"errors"
	"fmt"
	"testing"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// Of three servers that each hold a replica the primary is killed, and later frozen.
// Another takes its place; what was acknowledged is there, and who follows is told the rest.
func TestPrimaryIsLost(t *testing.T) {
	servers := rethinktest.StartCluster(t, 3)
	config := impatient(rethink.Config{Database: "tutti", Create: true, Replicas: 3})
	for _, server := range servers {
		config.Addresses = append(config.Addresses, server.Addr())
	}
	config.Patience *= 5 // three servers on one machine
	soft := store.Table{Name: "soft"}
	s := open(t, config, rooms, soft)
	seed(t, s)
	putSoft := func(n int) error {
		return s.Put(t.Context(), soft.Name, store.Document{ID: "r1", Version: rev(n), Body: []byte(`{}`)})
	}
	if err := putSoft(1); err != nil {
		t.Fatal(err)
	}
	m := watch(t, s)

	present := func() {
		t.Helper()
		for i := range 19 {
			id := fmt.Sprint("r", i)
			eventually(t, func() error {
				_, err := s.Get(t.Context(), rooms.Name, id)
				if errors.Is(err, store.ErrNotFound) {
					t.Fatalf("%s was acknowledged and is gone", id)
				}
				return err
			})
		}
	}
	t.Run("killed", func(t *testing.T) {
		put(t, s, "r1", 10)
		before := m.lossCount()
		lost := primary(t, config, servers)
		lost.Kill()
		m.untilLost(before)
		eventually(t, func() error { return try(t, s, "r1", 11) })
		present()
		eventually(t, func() error { return putSoft(2) })
		eventually(t, func() error { return try(t, s, "after kill", 1) })
		m.untilPresent(s)
		lost.Restart(t)
		eventually(t, func() error { return try(t, s, "r1", 12) })
		m.untilPresent(s)
	})
	t.Run("frozen", func(t *testing.T) {
		eventually(t, func() error { return try(t, s, "r1", 20) })
		before := m.lossCount()
		lost := primary(t, config, servers)
		lost.Freeze(t)
		m.untilLost(before)
		eventually(t, func() error { return try(t, s, "r1", 21) })
		present()
		eventually(t, func() error { return try(t, s, "after freeze", 1) })
		m.untilPresent(s)
		lost.Thaw(t)
		eventually(t, func() error { return try(t, s, "r1", 22) })
		m.untilPresent(s)
	})
}

// primary returns the server that holds the primary replica of the rooms.
func primary(t *testing.T, config rethink.Config, servers []*rethinktest.Server) *rethinktest.Server {
	t.Helper()
	var status struct {
		Shards []struct {
			Primaries []string `rethinkdb:"primary_replicas"`
			Replicas  []any    `rethinkdb:"replicas"`
		} `rethinkdb:"shards"`
	}
	if err := r.DB("tutti").Table(rooms.Name).Status().ReadOne(&status, connect(t, config), r.RunOpts{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	if len(status.Shards) == 1 && len(status.Shards[0].Replicas) == 3 && len(status.Shards[0].Primaries) == 1 {
		for _, server := range servers {
			if server.Name() == status.Shards[0].Primaries[0] {
				return server
			}
		}
	}
	t.Fatalf("the table has shards %+v, want one with three replicas", status.Shards)
	return nil
}
