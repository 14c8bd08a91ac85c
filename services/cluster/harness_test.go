//go:build unix

package cluster

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must come.
const patience = 60 * time.Second

var (
	buildOnce sync.Once
	built     string
	errBuild  error
)

// program builds tutti once for all tests. Under -short nothing is started.
func program(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "tutti-cluster-") //nolint:usetesting // it serves all tests
		if err != nil {
			errBuild = err
			return
		}
		built = filepath.Join(dir, "tutti")
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "build", "-o", built, "./cmd/tutti")
		cmd.Dir = filepath.Join("..", "..")
		if text, err := cmd.CombinedOutput(); err != nil {
			errBuild = errors.New(err.Error() + "\n" + string(text))
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return built
}

func removeBuilt() {
	if built != "" {
		_ = os.RemoveAll(filepath.Dir(built))
	}
}

// start starts a cluster that the test closes, and fails unless it closes well.
func start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	cfg.Binary = program(t)
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	cfg.Env = map[Class][]string{
		ClassServices: {"TUTTI_AUTH__COST=4"}, ClassAuth: {"TUTTI_AUTH__COST=4"}, ClassEdge: {"TUTTI_EDGE__ACCESS_LOG=false"},
	}
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

// stop closes a cluster and makes sure that nothing of it runs.
func stop(t testing.TB, c *Cluster) {
	t.Helper()
	pids := running(c)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
	gone(t, pids)
}

func running(c *Cluster) []int {
	var pids []int
	for _, p := range c.Processes() {
		if p.PID != 0 {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// gone waits until no process has one of the ids.
func gone(t testing.TB, pids []int) {
	t.Helper()
	eventually(t, func() string {
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				return "a process is left"
			}
		}
		return ""
	})
}

// eventually tries until f is content, which says by "" that it is, and else why not.
func eventually(t testing.TB, f func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		why := f()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(why)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
