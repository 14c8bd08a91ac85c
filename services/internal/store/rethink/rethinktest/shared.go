package rethinktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
)

// Database is a database of one test on the shared server. Whoever opens it makes it; it
// is dropped when the test ends.
type Database struct {
	Addr string // of the server, HOST:PORT
	Name string
}

var (
	sharing sync.Mutex
	shared  *Server
	counter atomic.Int64
)

// Shared returns a fresh database on the server that all tests of this program share. The
// first to ask starts it; [Stopping] stops it.
func Shared(t testing.TB) Database {
	t.Helper()
	program := Find(t)
	sharing.Lock()
	defer sharing.Unlock()
	if shared == nil {
		dir, err := os.MkdirTemp("", "rethinktest-") //nolint:usetesting // it outlives the test that asked first
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{program: program, dir: filepath.Join(dir, "rethinkdb")}
		if err := s.start(context.Background()); err != nil {
			t.Fatal(errors.Join(err, os.RemoveAll(dir)))
		}
		shared = s
	}
	db := Database{Addr: shared.Addr(), Name: fmt.Sprint("test_", counter.Add(1))}
	t.Cleanup(func() {
		if err := db.drop(); err != nil {
			t.Errorf("rethinktest: drop the database %s: %v", db.Name, err)
		}
	})
	return db
}

func (db Database) drop() error {
	session, err := r.Connect(r.ConnectOpts{Address: db.Addr, InitialCap: 1, MaxOpen: 1})
	if err != nil {
		return err
	}
	drop := r.Branch(r.DBList().Contains(db.Name), r.DBDrop(db.Name), nil)
	return errors.Join(drop.Exec(session, r.ExecOpts{Context: context.Background()}), session.Close())
}

// Stopping wraps the tests of a program, so that the shared server is stopped after them.
func Stopping(m interface{ Run() int }) interface{ Run() int } { return stopping{m} }

type stopping struct{ tests interface{ Run() int } }

// Run runs the tests, and stops the shared server.
func (s stopping) Run() int {
	code := s.tests.Run()
	sharing.Lock()
	defer sharing.Unlock()
	if shared != nil {
		shared.Stop()
		if err := os.RemoveAll(filepath.Dir(shared.dir)); err != nil && code == 0 {
			code = 1
		}
		shared = nil
	}
	return code
}
