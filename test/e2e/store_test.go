package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
)

// With TUTTI_TEST_STORE=rethinkdb every program of these tests keeps its documents in a
// RethinkDB server, which is started once and must be installed, each in a database of its
// own; otherwise in the embedded store.
var rethinkdb struct {
	once    sync.Once
	address string
	err     error
	stop    func()
}

// storeSettings are the settings of a program's store.
func storeSettings(t *testing.T, data string) []string {
	t.Helper()
	switch kind := os.Getenv("TUTTI_TEST_STORE"); kind {
	case "", "sqlite":
		return nil
	case "rethinkdb":
	default:
		t.Fatalf("TUTTI_TEST_STORE is %q, neither sqlite nor rethinkdb", kind)
	}
	rethinkdb.once.Do(func() { rethinkdb.address, rethinkdb.stop, rethinkdb.err = startRethinkDB() })
	if rethinkdb.err != nil {
		t.Fatal(rethinkdb.err)
	}
	sum := sha256.Sum256([]byte(data))
	name := "e2e_" + hex.EncodeToString(sum[:8])
	t.Cleanup(func() { // a server with many tables takes ever longer to make further ones
		if err := dropDatabase(rethinkdb.address, name); err != nil {
			t.Errorf("drop the database %s: %v", name, err)
		}
	})
	return []string{
		"STORE__KIND=rethinkdb", "STORE__ADDRESSES=" + rethinkdb.address, "STORE__MAX_OPEN=4",
		"STORE__DATABASE=" + name,
	}
}

func dropDatabase(address, name string) error {
	session, err := r.Connect(r.ConnectOpts{Address: address, InitialCap: 1, MaxOpen: 1})
	if err != nil {
		return err
	}
	drop := r.Branch(r.DBList().Contains(name), r.DBDrop(name), nil)
	return errors.Join(drop.Exec(session, r.ExecOpts{Context: context.Background()}), session.Close())
}

func startRethinkDB() (address string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "tutti-e2e-rethinkdb-")
	if err != nil {
		return "", nil, err
	}
	var ports [2]string
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		ports[i] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		if err := l.Close(); err != nil {
			return "", nil, err
		}
	}
	cmd := exec.Command("rethinkdb", "--bind", "127.0.0.1", "--no-http-admin", "--no-update-check",
		"--directory", filepath.Join(dir, "data"), "--driver-port", ports[0], "--cluster-port", ports[1], "--cache-size", "512")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &said, &said, withParent()
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("TUTTI_TEST_STORE=rethinkdb: %w", err), os.RemoveAll(dir))
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	address = net.JoinHostPort("127.0.0.1", ports[0])
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
		if err == nil {
			return address, stop, c.Close()
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("rethinkdb did not listen: %w: %s", err, said.String())
		}
	}
}

func stopRethinkDB() {
	if rethinkdb.stop != nil {
		rethinkdb.stop()
	}
}
