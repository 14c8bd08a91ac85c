package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// patience bounds every wait for something that must come. It is long, because machines
// that run tests are slow; nothing waits for it that goes well.
const patience = 30 * time.Second

// program is a data directory and the process that serves it now, if one does.
type program struct {
	t    *testing.T
	data string
	env  []string
	// http and nats are where it listens; they stay the same over restarts.
	http, nats string
	placed     bool
	logFile    string
	client     *http.Client

	mu      sync.Mutex // of running; a storm kills while others look
	running *process
}

// process is one life of a program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it was waited for
	err  error         // how it ended; read after done
}

// start runs "tutti up" on a new directory. Settings are "KEY=value", the key as in the
// environment without TUTTI_.
func start(t *testing.T, settings ...string) *program {
	t.Helper()
	p := prepare(t, settings...)
	p.up()
	return p
}

// prepare is start without the process.
func prepare(t *testing.T, settings ...string) *program {
	t.Helper()
	dir := t.TempDir()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	p := &program{
		t: t, data: filepath.Join(dir, "data"), http: "127.0.0.1:0", nats: "127.0.0.1:0",
		logFile: filepath.Join(dir, "tutti.log"),
		client:  &http.Client{Transport: transport, Timeout: patience},
	}
	// Cheap passwords, no limit on what one address may ask for, and a log that fits on a
	// screen.
	usual := []string{"AUTH__COST=4", "EDGE__LIMITS__EXEMPT=127.0.0.1", "EDGE__ACCESS_LOG=false"}
	p.env = environment(append(append(usual, storeSettings(t, p.data)...), settings...))
	t.Cleanup(func() {
		p.kill()
		transport.CloseIdleConnections()
		p.judge()
	})
	return p
}

// environment is this process's own, without settings of tutti but those given.
func environment(settings []string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TUTTI_") {
			env = append(env, kv)
		}
	}
	for _, kv := range settings {
		env = append(env, "TUTTI_"+kv)
	}
	return env
}

// judge fails the test if the program's log holds what must never be there, and shows the
// log's end if the test has failed.
func (p *program) judge() {
	text, err := os.ReadFile(p.logFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, l := range lines {
		if strings.Contains(l, "panic") || strings.Contains(l, "level=ERROR") || strings.Contains(l, "DATA RACE") {
			p.t.Errorf("the program's log:\n%s", strings.Join(lines[i:min(len(lines), i+40)], "\n"))
			return
		}
	}
	if p.t.Failed() {
		p.t.Logf("the end of the program's log:\n%s", strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// up starts the process and returns when it is ready.
func (p *program) up() {
	p.t.Helper()
	if err := p.tryUp(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) tryUp() error {
	stderr, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = stderr.Close() }()
	path, err := executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(path, "up", "--data", p.data, "--http", p.http, "--nats", p.nats)
	cmd.Env, cmd.Stderr, cmd.SysProcAttr = p.env, stderr, withParent()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	run := &process{cmd: cmd, done: make(chan struct{})}
	p.mu.Lock()
	p.running = run
	p.mu.Unlock()
	said := make(chan map[string]string, 1)
	go func() {
		said <- announced(stdout)
		_, _ = io.Copy(io.Discard, stdout)
		run.err = cmd.Wait()
		close(run.done)
	}()
	select {
	case at := <-said:
		if at == nil {
			<-run.done
			return fmt.Errorf("the program ended before it was ready: %w", run.err)
		}
		if !p.placed { // later lives are at the same place, and others read this by then
			p.http, p.nats = strings.TrimPrefix(at["http"], "http://"), strings.TrimPrefix(at["nats"], "nats://")
			p.placed = true
		}
		return nil
	case <-time.After(2 * patience): // it may have a database to prepare
		p.kill()
		return errors.New("the program did not become ready")
	}
}

// announced reads what "tutti up" prints until it is ready; nil if that does not come.
func announced(out io.Reader) map[string]string {
	at := map[string]string{}
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil
		}
		what, where, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "ready" {
			return at
		}
		at[what] = strings.TrimSpace(where)
	}
}

// kill ends the process as a power cut of the process does, and waits for it.
func (p *program) kill() {
	p.mu.Lock()
	run := p.running
	p.running = nil
	p.mu.Unlock()
	if run == nil {
		return
	}
	_ = run.cmd.Process.Kill() // it may have ended
	<-run.done
}

// interrupt asks the process to stop, as Ctrl-C does, and gives how long it took and how
// it ended.
func (p *program) interrupt() (time.Duration, error) {
	p.t.Helper()
	p.mu.Lock()
	run := p.running
	p.running = nil
	p.mu.Unlock()
	begin := time.Now()
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-run.done:
	case <-time.After(patience):
		_ = run.cmd.Process.Kill()
		<-run.done
		p.t.Fatal("the program did not stop")
	}
	return time.Since(begin), run.err
}

// said is what a command printed and how it ended.
type said struct {
	out, err string
	code     int
}

// tutti runs a command of the program to its end.
func (p *program) tutti(args ...string) said {
	p.t.Helper()
	path, err := executable()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &errs
	cmd.Dir = filepath.Dir(p.logFile)
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		p.t.Fatalf("tutti %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return said{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// log reads a room's whole log.
func (p *program) log(room string) []subjects.Commit {
	p.t.Helper()
	got := p.tutti("rooms", "tail", room, "--json", "--follow=false", "--nats-url", "nats://"+p.nats)
	if got.code != 0 {
		p.t.Fatalf("rooms tail: %s", got.err)
	}
	var commits []subjects.Commit
	for line := range strings.Lines(got.out) {
		c, err := subjects.DecodeCommit([]byte(line))
		if err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		if c.Rev != uint64(len(commits)+1) {
			p.t.Fatalf("commit %d of the log has revision %d", len(commits)+1, c.Rev)
		}
		commits = append(commits, c)
	}
	return commits
}

// events gives the events of a log in order, public and sealed.
func events(t *testing.T, log []subjects.Commit) []subjects.Event {
	t.Helper()
	var out []subjects.Event
	for i := range log {
		err := log[i].Each(func(e *subjects.Event, _ []string) error { out = append(out, *e); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// eventually tries until f is content, which says by "" that it is, and else why not.
func eventually(t *testing.T, f func() string) {
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
		time.Sleep(20 * time.Millisecond)
	}
}
