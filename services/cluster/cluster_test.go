//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// small is a cluster of few processes: a NATS server, one with every service, an edge.
func small() Config { return Config{NATSNodes: 1, Edges: 1} }

// ask sends a request to an edge and gives the answer's status and body.
func ask(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	said := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, said
}

func register(t *testing.T, edge string) {
	t.Helper()
	if code, said := ask(t, http.MethodPost, edge+"/v1/auth/register", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`); code/100 != 2 {
		t.Fatalf("register: %d %v", code, said)
	}
}

func login(t *testing.T, edge string) {
	t.Helper()
	if code, said := ask(t, http.MethodPost, edge+"/v1/auth/login", `{"email":"ada@example.org","password":"correct horse"}`); code != http.StatusOK {
		t.Fatalf("log in: %d %v", code, said)
	}
}

// diary notes in which order processes ended.
type diary struct {
	mu    sync.Mutex
	ended []string
}

func (d *diary) Enabled(context.Context, slog.Level) bool { return true }
func (d *diary) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *diary) WithGroup(string) slog.Handler            { return d }
func (d *diary) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "process ended" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "process" {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.ended = append(d.ended, a.Value.String())
		}
		return true
	})
	return nil
}

func TestASmallClusterLivesTwice(t *testing.T) {
	d := &diary{}
	cfg := small()
	cfg.Dir, cfg.Log = t.TempDir(), slog.New(d)
	c := start(t, cfg)
	first := c.Edges()
	register(t, first[0])
	if got := c.Names(ClassServices); !slices.Equal(got, []string{"services-1"}) {
		t.Errorf("processes with all services: %q", got)
	}
	for _, p := range c.Processes() {
		if p.State != StateReady || p.PID == 0 || p.Starts != 1 || p.Address == "" {
			t.Errorf("%+v", p)
		}
		if _, err := os.Stat(p.Log); err != nil {
			t.Error(err)
		}
	}

	locked := cfg
	locked.Binary, locked.Log = program(t), nil
	if c, err := Start(t.Context(), locked); !errors.Is(err, ErrLocked) {
		t.Errorf("a second cluster in the directory: %v, %v", c, err)
	}

	stop(t, c)
	if want := []string{"edge-1", "services-1", "nats-1"}; !slices.Equal(d.ended, want) {
		t.Errorf("they ended in the order %q, want %q", d.ended, want)
	}
	if err := c.Kill("edge-1"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("kill after closing: %v", err)
	}
	if err := c.Launch(t.Context(), "edge-1"); !errors.Is(err, ErrClosed) {
		t.Errorf("launch after closing: %v", err)
	}

	again := start(t, cfg)
	if !slices.Equal(again.Edges(), first) {
		t.Errorf("edges at %q, before at %q", again.Edges(), first)
	}
	login(t, again.Edges()[0])
}

func TestADeathIsToldAndAProcessCanBeLaunchedAgain(t *testing.T) {
	told := make(chan Ended, 10)
	cfg := small()
	cfg.Told = func(e Ended) { told <- e }
	c := start(t, cfg)
	register(t, c.Edges()[0])

	if err := c.Kill("services-1"); err != nil {
		t.Fatal(err)
	}
	e := <-told
	var exit *exec.ExitError
	if e.Name != "services-1" || !errors.As(e.Err, &exit) || exit.Success() || len(e.Last) == 0 {
		t.Errorf("told %+v", e)
	}
	if p, err := c.Process("services-1"); err != nil || p.State != StateCrashed || p.PID != 0 {
		t.Errorf("killed: %+v, %v", p, err)
	}
	for what, err := range map[string]error{
		"kill": c.Kill("services-1"), "stop": c.Stop(t.Context(), "services-1"), "freeze": c.Freeze("services-1"), "thaw": c.Thaw("services-1"),
	} {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s what does not run: %v", what, err)
		}
	}
	if err := c.Launch(t.Context(), "services-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Launch(t.Context(), "services-1"); !errors.Is(err, ErrRunning) {
		t.Errorf("launch what runs: %v", err)
	}
	if err := c.Kill("nobody"); !errors.Is(err, ErrNoProcess) {
		t.Errorf("kill nobody: %v", err)
	}
	if err := c.Cut("services-1"); !errors.Is(err, ErrNotProxied) {
		t.Errorf("cut what is not proxied: %v", err)
	}
	login(t, c.Edges()[0])

	if err := c.Freeze("services-1"); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Process("services-1"); err != nil || p.State != StateFrozen {
		t.Errorf("frozen: %+v, %v", p, err)
	}
	if err := c.Thaw("services-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Freeze("services-1"); err != nil { // and a frozen one stops well
		t.Fatal(err)
	}
	if err := c.Stop(t.Context(), "services-1"); err != nil {
		t.Error(err)
	}
	if p, err := c.Process("services-1"); err != nil || p.State != StateStopped || p.Starts != 2 {
		t.Errorf("stopped: %+v, %v", p, err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("what is stopped need not be ready: %v", err)
	}
	select {
	case e := <-told:
		t.Errorf("also told %+v", e)
	default:
	}
}

func TestACutEdgeComesBack(t *testing.T) {
	c := start(t, small())
	p, err := c.Process("edge-1")
	if err != nil {
		t.Fatal(err)
	}
	register(t, c.Edges()[0])
	if err := c.Cut("edge-1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, err := c.get(t.Context(), p.Metrics+"/readyz"); err == nil {
			return "the edge is ready without NATS"
		}
		return ""
	})
	if err := c.Mend("edge-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	login(t, c.Edges()[0])
}

func TestWhatDiesIsStartedAgain(t *testing.T) {
	cfg := small()
	cfg.Restart = true
	c := start(t, cfg)
	register(t, c.Edges()[0])
	for _, name := range []string{"edge-1", "services-1"} {
		if err := c.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"edge-1", "services-1"} {
		if p, err := c.Process(name); err != nil || p.Starts != 2 || p.State != StateReady {
			t.Errorf("%+v, %v", p, err)
		}
	}
	login(t, c.Edges()[0])
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var said bytes.Buffer
	cfg := small()
	cfg.Binary, cfg.Dir = program(t), t.TempDir()
	cfg.Env = map[Class][]string{ClassEdge: {"TUTTI_EDGE__LISTEN=" + l.Addr().String()}}
	cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	c, err := Start(t.Context(), cfg)
	if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), "edge-1") {
		t.Fatalf("%v, %v", c, err)
	}
	if text := err.Error(); strings.Contains(text, "did not end well") || strings.Contains(text, "level=") {
		t.Errorf("beside why it failed it says %s", text)
	}
	text, err := os.ReadFile(statePath(cfg.Dir))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"pids": {}`) {
		t.Errorf("state after a start that failed: %s", text)
	}
	if n := strings.Count(said.String(), `msg="process ended"`); n != 2 { // nats-1 and services-1
		t.Errorf("%d processes were stopped:\n%s", n, &said)
	}
	lock, err := lockDir(t.Context(), cfg.Dir) // every process has let go of it
	if err != nil {
		t.Fatal(err)
	}
	_ = lock.Close()
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	cfg := small()
	cfg.Binary, cfg.Dir = program(t), t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	errStop := errors.New("enough")
	// As soon as the first process is noted.
	var wg sync.WaitGroup
	wg.Go(func() {
		eventually(t, func() string {
			if text, err := os.ReadFile(statePath(cfg.Dir)); err != nil || !bytes.Contains(text, []byte("nats-1\": ")) {
				return "nothing has started"
			}
			return ""
		})
		cancel(errStop)
	})
	c, err := Start(ctx, cfg)
	wg.Wait()
	if err == nil {
		stop(t, c)
		t.Fatal("it started")
	}
	if !errors.Is(err, errStop) || errors.Is(err, ErrNotReady) {
		t.Errorf("given up: %v", err)
	}
	lock, err := lockDir(t.Context(), cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = lock.Close()
}

// A cluster with RethinkDB, every service by itself, three NATS servers, and the users of
// nats.conf.
func TestTheWholeShape(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	rethinkdb, err := exec.LookPath("rethinkdb")
	if err != nil {
		if os.Getenv("TUTTI_TEST_RETHINKDB") == "1" {
			t.Fatal("no rethinkdb on the PATH")
		}
		t.Skip("no rethinkdb on the PATH: the cluster of many processes is not tried")
	}
	c := start(t, Config{RethinkDB: rethinkdb, NATSConf: "../../nats.conf", Edges: 1})
	if n := len(c.Processes()); n != 3+1+5*2+1 {
		t.Errorf("%d processes", n)
	}
	register(t, c.Edges()[0])
	stream := subjects.StreamEvents(subjects.ServiceRoom)
	leader, err := c.Leader(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	// One that stops hands over first.
	if err := c.Stop(t.Context(), leader); err != nil {
		t.Fatal(err)
	}
	var second string
	eventually(t, func() string {
		if second, err = c.Leader(t.Context(), stream); err != nil {
			return err.Error()
		}
		return ""
	})
	if second == leader {
		t.Errorf("%s leads and does not run", leader)
	}
	if err := c.Launch(t.Context(), leader); err != nil {
		t.Fatal(err)
	}
	// One that is killed is succeeded.
	if err := c.Kill(second); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if third, err := c.Leader(t.Context(), stream); err != nil || third == second {
			return fmt.Sprintf("%s leads, %v", third, err)
		}
		return ""
	})
	if err := c.Launch(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auth-1", "room-2", "chat-1"} {
		if err := c.Stop(t.Context(), name); err != nil {
			t.Error(err)
		}
		if err := c.Launch(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	login(t, c.Edges()[0])
	a := c.AdminConfig()
	if a.User != "admin" || a.Password == "" || c.Access("bench").Password == a.Password {
		t.Errorf("users without passwords of their own: %+v", a)
	}
	for _, p := range c.Processes() {
		text, err := os.ReadFile(p.Log)
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(strings.ToLower(line), "violation") {
				t.Errorf("%s: %s", p.Name, line)
			}
		}
	}
}
