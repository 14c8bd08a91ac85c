// Package deploy tries what an operator deploys, without a container engine.
//
// The compose files are parsed as the compose tool parses them, and what they name must be
// there: images with a version, secrets, volumes, networks that lead from a service to what it
// connects to. Then every container's command line runs as a plain process, with the
// environment, the secrets and the health check that the file gives it, in the order that the
// file gives: each "container" has a loopback address of its own, so that ports stay as they
// are written. The Dockerfile, the workflows, the dashboard, the alerts and the balancer's
// configuration are read and compared with the program: its settings, its metrics.
//
// Parts that need a program that is not on the PATH (rethinkdb, haproxy, promtool) are
// skipped, and say so.
package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/test/built"
)

// root is the repository, as seen from the tests.
const root = "../.."

// builds is where the program is built.
var builds string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tutti-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	builds = dir
	code := m.Run()
	// fasthttp keeps the date, for as long as the process runs.
	if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var executable = sync.OnceValues(func() (string, error) {
	return built.Program(root, builds, nil, []string{"CGO_ENABLED=0"}) // as the image is built
})

// program gives the path of the program, which is built once.
func program(t *testing.T) string {
	t.Helper()
	path, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// text reads a file of the repository.
func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// read gives what an address answers with 200; anything else is an error.
func read(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
