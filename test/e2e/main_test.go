// Package e2e drives the real program as strangers do: it builds tutti, starts it, kills
// it, and speaks to it through its three doors, which are HTTP, NATS and the command line.
// Nothing here reaches into a service; what a test claims, it has seen from outside.
//
// Each test starts its own program on a directory of its own (start), registers people
// (program.register) and lets them act (person). The log of a room is read with the
// program's own "tutti rooms tail" (program.log). A test that ends well leaves no process
// behind and no panic and no error in the program's log: start looks for both.
package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/test/built"
)

// builds is where the program is built.
var builds string

// executable gives the path of the program under test, which is built once.
var executable = sync.OnceValues(func() (string, error) {
	var flags []string
	if raced {
		flags = append(flags, "-race")
	}
	return built.Program(filepath.Join("..", ".."), builds, flags, nil)
})

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tutti-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	builds = dir
	code := m.Run()
	stopRethinkDB()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
