package natsconf

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// rethinkdb starts a RethinkDB server for one test and gives its address. Without the
// program the test is skipped, unless TUTTI_TEST_RETHINKDB=1 says that it must be there.
func rethinkdb(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("rethinkdb")
	if err != nil {
		if os.Getenv("TUTTI_TEST_RETHINKDB") == "1" {
			t.Fatal("TUTTI_TEST_RETHINKDB=1, and there is no rethinkdb on PATH")
		}
		t.Skip("there is no rethinkdb on PATH: the services are not tried apart")
	}
	at := free(t, 2)
	port := func(i int) string {
		_, p, err := net.SplitHostPort(at[i])
		must(t, "port", err)
		return p
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "--bind", "127.0.0.1", "--no-http-admin", "--no-update-check", "--directory", filepath.Join(t.TempDir(), "data"),
		"--driver-port", port(0), "--cluster-port", port(1), "--cache-size", "256")
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = dieWithUs()
	must(t, "rethinkdb", cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Logf("rethinkdb: %v", err)
		}
		if t.Failed() {
			t.Logf("rethinkdb: %s", said.Bytes())
		}
	})
	eventually(t, "rethinkdb listens", func() error {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it has ended: %w", errors.Join(err, errors.New("see below")))
		default:
		}
		c, err := net.Dial("tcp", at[0])
		if err == nil {
			err = c.Close()
		}
		return err
	})
	return at[0]
}
