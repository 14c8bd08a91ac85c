package rethink_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// Of three servers that each hold a replica the primary is killed, and later frozen.
// Another takes its place; what was acknowledged is there, and who follows is told the rest.
func TestPrimaryIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until frozen servers are noticed")
	}
	t.Parallel()
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
		lost := primary(t, servers)
		lost.Kill()
		m.untilLost(t, before)
		eventually(t, func() error { return try(t, s, "r1", 11) })
		present()
		eventually(t, func() error { return putSoft(2) })
		eventually(t, func() error { return try(t, s, "after kill", 1) })
		m.untilPresent(t, s)
		lost.Restart(t)
		eventually(t, func() error { return try(t, s, "r1", 12) })
		m.untilPresent(t, s)
	})
	t.Run("frozen", func(t *testing.T) {
		eventually(t, func() error { return try(t, s, "r1", 20) })
		before := m.lossCount()
		lost := primary(t, servers)
		lost.Freeze(t)
		m.untilLost(t, before)
		eventually(t, func() error { return try(t, s, "r1", 21) })
		present()
		eventually(t, func() error { return try(t, s, "after freeze", 1) })
		m.untilPresent(t, s)
		lost.Thaw(t)
		eventually(t, func() error { return try(t, s, "r1", 22) })
		m.untilPresent(t, s)
	})
}

// primary returns the server that holds the primary replica of the rooms, once every server
// says so and has its replica: one that has just come back still takes itself for what it was.
func primary(t *testing.T, servers []*rethinktest.Server) *rethinktest.Server {
	t.Helper()
	sessions := make([]*r.Session, len(servers))
	for i, server := range servers {
		sessions[i] = connect(t, rethink.Config{Addresses: []string{server.Addr()}})
	}
	for over := time.Now().Add(patience); ; {
		said := make(map[string]int)
		for _, session := range sessions {
			said[primaryBy(t, session)]++
		}
		for _, server := range servers {
			if said[server.Name()] == len(servers) {
				return server
			}
		}
		if time.Now().After(over) {
			t.Fatalf("the servers do not agree on a primary: %v", said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// primaryBy gives the name of the server with the primary replica of a table, as one server has it, and something
// else while it cannot say or a replica is missing.
func primaryBy(t *testing.T, asked *r.Session) string {
	t.Helper()
	var status struct {
		Shards []struct {
			Primaries []string `rethinkdb:"primary_replicas"`
		} `rethinkdb:"shards"`
		Status struct {
			AllReady bool `rethinkdb:"all_replicas_ready"`
		} `rethinkdb:"status"`
	}
	table := r.DB("tutti").Table(rooms.Name)
	if err := table.Status().ReadOne(&status, asked, r.RunOpts{Context: t.Context()}); err != nil {
		return err.Error()
	}
	if !status.Status.AllReady || len(status.Shards) != 1 || len(status.Shards[0].Primaries) != 1 {
		return ""
	}
	return status.Shards[0].Primaries[0]
}
