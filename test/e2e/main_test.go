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
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// executable is the program under test.
var executable string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tutti-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if executable, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	stopRethinkDB()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// build compiles the program; like the tests themselves it needs the go command.
func build(dir string) (string, error) {
	out := filepath.Join(dir, "tutti")
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	args := []string{"build", "-o", out}
	if raced {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/tutti")...)
	cmd.Dir = filepath.Join("..", "..")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, text)
	}
	return out, nil
}
