package aggregate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// What the processes of the kill tests agree on.
const (
	killPartitions = 4
	killLimit      = 40
	urlEnv         = "TUTTI_KILL_URL"
	nameEnv        = "TUTTI_KILL_NAME"
	dirEnv         = "TUTTI_KILL_DIR"
	listenEnv      = "TUTTI_KILL_LISTEN"
)

func killTally() aggregatetest.Tally {
	return aggregatetest.Tally{Name: "tally", Limit: killLimit, OnPrepare: func(ctx context.Context, _ aggregate.Call) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
			return nil
		}
	}}
}

func killConfig() bus.Config {
	cfg := bus.Defaults()
	cfg.Partitions = killPartitions
	return cfg
}

// playRole is main in a child process. It says on standard output when it is ready, and
// ends when standard input does, so that none outlives the test.
func playRole(role string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
		time.Sleep(20 * time.Second)
		os.Exit(3)
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg := killConfig()
	cfg.Name = os.Getenv(nameEnv)
	switch role {
	case "server":
		cfg.DataDir, cfg.Listen = os.Getenv(dirEnv), os.Getenv(listenEnv)
	case "host":
		cfg.URL = os.Getenv(urlEnv)
	default:
		return fmt.Errorf("no role %q", role)
	}
	b, err := bus.Start(ctx, cfg, []string{"tally"}, log)
	if err != nil {
		return err
	}
	defer closeBus(b)
	if role == "server" {
		fmt.Println("ready", b.Address())
		<-ctx.Done()
		return nil
	}
	h, err := aggregate.StartHost(ctx, b, killTally(), cfg.Name, aggregate.Options{
		SnapshotEvery: 25, Idle: 2 * time.Second, Log: log,
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	end, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	return h.Stop(end)
}

func closeBus(b *bus.Bus) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	b.Close(ctx)
}

// child is a process that a kill test has started.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	ready string // what it said besides that it is ready
	done  chan struct{}
	err   error
	once  sync.Once
}

func startChild(t testing.TB, role, name string, env ...string) (*child, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, done: make(chan struct{})}
	c.cmd = exec.Command(exe) // it is killed by id, and waited for
	c.cmd.Env = append(append(os.Environ(), roleEnv+"="+role, nameEnv+"="+name), env...)
	c.cmd.Stderr = &childLog{t: t, name: name}
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.kill() })
	said := make(chan string, 1)
	go func() {
		defer close(c.done)
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err == nil {
			said <- line
		}
		_, _ = io.Copy(io.Discard, stdout)
		c.err = c.cmd.Wait()
	}()
	select {
	case line := <-said:
		c.ready = strings.TrimSpace(strings.TrimPrefix(line, "ready"))
		return c, nil
	case <-c.done:
		return nil, fmt.Errorf("%s ended before it was ready: %w", name, c.err)
	case <-time.After(20 * time.Second):
		c.kill()
		return nil, errors.New(name + " is not ready after 20 s")
	}
}

// kill ends the process at once, frozen or not, and waits for it.
func (c *child) kill() {
	c.once.Do(func() {
		_ = c.cmd.Process.Kill()
		<-c.done
		_ = c.stdin.Close()
	})
}

// stop asks the process to end, and waits for it.
func (c *child) stop() (err error) {
	c.once.Do(func() {
		_ = c.stdin.Close()
		select {
		case <-c.done:
			err = c.err
		case <-time.After(20 * time.Second):
			_ = c.cmd.Process.Kill()
			<-c.done
			err = errors.New(c.name + " did not end when asked")
		}
	})
	return err
}

// childLog brings what a child complains of into the test's log.
type childLog struct {
	t    testing.TB
	name string
}

func (l *childLog) Write(p []byte) (int, error) {
	l.t.Logf("%s: %s", l.name, strings.TrimSpace(string(p)))
	return len(p), nil
}

// logsOf reads every aggregate's log as the stream holds it.
func logsOf(ctx context.Context, b *bus.Bus) (map[string][]aggregate.Entry, error) {
	logs := map[string][]aggregate.Entry{}
	err := b.Read(ctx, subjects.StreamEvents("tally"), subjects.EventsWildcard("tally"), 1, func(e bus.Entry) error {
		_, id, err := subjects.ParseEvents(e.Subject)
		if err != nil {
			return err
		}
		logs[id] = append(logs[id], aggregate.Entry{Seq: e.Seq, Data: append([]byte(nil), e.Data...)})
		return nil
	})
	return logs, err
}
