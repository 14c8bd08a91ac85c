// Package fault breaks the production shape on purpose, one thing at a time, while people
// use it, and then looks whether anything was lost, doubled, reordered or forgotten.
//
// A trial (trial) is a steady load of real commands over real sockets, a fault in the middle
// of it, and a verdict. The load is a cast of clients of package sdk on both edges, who vote
// in one room, play and pause in another, come and go, edit a playlist, chat, and register;
// what each sent, when, and what it was answered is noted (history). Afterwards the logs are
// read from NATS, and everything is held against them: check the acknowledged and the
// refused commands, what clients show and what documents say, linearizable the histories.
// Each rule of both is seen to fail on a doctored trial.
//
// Without a setting, the trials are a few on three NATS servers and one process with all
// services on SQLite. TUTTI_TEST_FAULT=full has every fault tried, on SQLite and, with
// rethinkdb on the PATH, with every service in processes of its own; that takes about a
// quarter of an hour. TUTTI_TEST_FAULT_TABLE=FILE saves the table that is printed at the
// end. Lost and duplicated are 0, and everybody converges, whatever is broken; pauses are
// told, and held against generous multiples of what is meant.
package fault

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/test/built"
)

// executable gives the program under test, and is called by what needs it: the judges' own
// tests do not.
var executable func() (string, error)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tutti-fault-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var path string
	executable = func() (string, error) {
		if path != "" {
			return path, nil
		}
		var err error
		path, err = built.Program(filepath.Join("..", ".."), dir, nil, nil)
		return path, err
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
