package rethinktest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(rethinktest.Stopping(m)) }

// A server that is killed and started again is at the same address, with what it had on
// disk; one that is frozen answers when it goes on.
func TestServerGoesAndComesBack(t *testing.T) {
	server := rethinktest.Start(t)
	query := func(ctx context.Context, term r.Term) error {
		conn, err := r.Connect(r.ConnectOpts{Address: server.Addr(), InitialCap: 1, MaxOpen: 1, Timeout: time.Minute})
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return term.Exec(conn, r.ExecOpts{Context: ctx})
	}
	table := r.DB("test").Table("kept")
	for _, term := range []r.Term{r.DB("test").TableCreate("kept"), table.Insert(map[string]any{"id": 1}, r.InsertOpts{Durability: "hard"})} {
		if err := query(t.Context(), term); err != nil {
			t.Fatal(err)
		}
	}
	server.Kill()
	if conn, err := net.Dial("tcp", server.Addr()); err == nil {
		conn.Close()
		t.Fatal("a killed server answers")
	}
	server.Restart(t)
	missing := r.Branch(table.Get(1).Eq(nil), r.Error("the row is lost"), nil)
	if err := query(t.Context(), table.Wait()); err != nil {
		t.Fatal(err)
	}
	if err := query(t.Context(), missing); err != nil {
		t.Fatal(err)
	}
	server.Freeze(t)
	answered := make(chan error, 1)
	go func() { answered <- query(t.Context(), r.DBList()) }()
	select {
	case err := <-answered:
		t.Fatalf("a frozen server answers: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	server.Thaw(t)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

func TestSharedDatabasesDiffer(t *testing.T) {
	a, b := rethinktest.Shared(t), rethinktest.Shared(t)
	if a.Addr != b.Addr || a.Name == b.Name {
		t.Errorf("%+v and %+v", a, b)
	}
}
