//go:build unix

package aggregate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

const (
	killRooms   = 6
	killAskers  = 10
	killQueuers = 4
	// askPatience is how long a sender asks before the test gives up on the system.
	askPatience = 30 * time.Second
	// calmPatience is how long it asks once nothing is killed any more.
	calmPatience = 12 * time.Second
	// askAgain is how old a command may be that is asked again at the end: an owner
	// remembers it for ten minutes.
	askAgain = 5 * time.Minute
)

// rounds is how often something is killed or frozen: TUTTI_KILL_ROUNDS, or a few.
func rounds(t *testing.T, few int) int {
	if v := os.Getenv("TUTTI_KILL_ROUNDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("TUTTI_KILL_ROUNDS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 1
	}
	return few
}

// load is a steady load from senders through both doors.
type load struct {
	t       *testing.T
	b       *bus.Bus
	history aggregatetest.History
	quit    chan struct{}
	wg      sync.WaitGroup
	longest atomic.Int64 // the longest time to a final answer
}

func startLoad(t *testing.T, b *bus.Bus) *load {
	l := &load{t: t, b: b, quit: make(chan struct{})}
	for i := range killAskers {
		l.wg.Go(func() { l.asker(fmt.Sprint("asker_", i)) })
	}
	for i := range killQueuers {
		l.wg.Go(func() { l.queuer(fmt.Sprint("queuer_", i)) })
	}
	return l
}

func (l *load) stopping() bool {
	select {
	case <-l.quit:
		return true
	default:
		return false
	}
}

func (l *load) note(name, verb string, b body, queued bool) (*aggregatetest.Sent, subjects.Envelope) {
	s := &aggregatetest.Sent{
		To:      subjects.Command{Service: "tally", ID: fmt.Sprint("room-", rand.IntN(killRooms)), Verb: verb, Principal: name},
		Command: newCommand(), Body: b, Order: true, Queued: queued,
	}
	l.history.Note(s)
	return s, envelope(l.t, s)
}

func envelope(t *testing.T, s *aggregatetest.Sent) subjects.Envelope {
	raw, err := json.Marshal(s.Body)
	if err != nil {
		t.Error(err)
	}
	return subjects.Envelope{ID: s.Command, Body: raw}
}

// asker waits for each answer before it asks for the next.
func (l *load) asker(name string) {
	verbs := []string{"add", "add", "add", "take", "take", "hush", "slow", "idle"}
	for k := 1; !l.stopping(); k++ {
		s, env := l.note(name, verbs[rand.IntN(len(verbs))], body{N: int64(rand.IntN(8)), K: int64(k)}, false)
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), askPatience)
		a, err := l.b.Ask(ctx, s.To, env)
		cancel()
		if err != nil {
			l.t.Errorf("%s %s: %v", s.To.Verb, s.Command, err)
			return
		}
		if took := int64(time.Since(start)); took > l.longest.Load() {
			l.longest.Store(took)
		}
		l.history.Answer(s, a)
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
}

// queuer leaves commands that are always accepted in the queue, one after the other.
func (l *load) queuer(name string) {
	for k := 1; !l.stopping(); k++ {
		s, env := l.note(name, "add", body{K: int64(k)}, true)
		for deadline := time.Now().Add(askPatience); ; {
			err := l.b.Send(context.Background(), s.To, env)
			if err == nil {
				break
			}
			if !errors.Is(err, bus.ErrUnavailable) || time.Now().After(deadline) {
				l.t.Errorf("send: %v", err)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
}

// check ends the load and demands what must be true of every history.
func (l *load) check() {
	t := l.t
	close(l.quit)
	l.wg.Wait()
	for deadline := time.Now().Add(askPatience); ; {
		left, err := l.queued()
		if err == nil && left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are still in the queue, %v", left, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	repeated := l.repeat()
	logs, err := logsOf(context.Background(), l.b)
	if err != nil {
		t.Fatal(err)
	}
	fig, err := l.history.Check(killTally(), logs)
	if err != nil {
		t.Error(err)
	}
	if fig.Open > 0 || fig.Accepted == 0 || fig.Queued == 0 {
		t.Errorf("%v", fig)
	}
	if s, err := l.b.StreamState(context.Background(), subjects.StreamDLQ); err != nil || s.Messages != 0 {
		t.Errorf("dead letters: %+v, %v", s, err)
	}
	t.Logf("%v; %d asked again; longest pause %v", fig, repeated, time.Duration(l.longest.Load()).Round(time.Millisecond))
}

// queued is how many commands wait in the queue.
func (l *load) queued() (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := l.b.JetStream().Stream(ctx, subjects.StreamCommands)
	for p := 0; err == nil && p < killPartitions; p++ {
		var info *jetstream.StreamInfo
		info, err = s.Info(ctx, jetstream.WithSubjectFilter(subjects.PartitionWildcard(subjects.DoorQueue, "tally", p)))
		if err == nil {
			n += len(info.State.Subjects)
		}
	}
	return n, err
}

// repeat asks everything that was accepted once more: the answers must be the first.
func (l *load) repeat() int {
	accepted := l.history.Accepted()
	var n atomic.Int64
	work := make(chan *aggregatetest.Sent)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for s := range work {
				ctx, cancel := context.WithTimeout(context.Background(), calmPatience)
				a, err := l.b.Ask(ctx, s.To, envelope(l.t, s))
				cancel()
				if err != nil {
					l.t.Errorf("%s of %s to %s again: %v", s.Command, s.To.Principal, s.To.ID, err)
					continue
				}
				n.Add(1)
				l.history.Answer(s, a)
			}
		})
	}
	for _, s := range accepted {
		made, err := subjects.IDTime(s.Command)
		if err == nil && s.To.Verb != "idle" && time.Since(made) < askAgain {
			work <- s
		}
	}
	close(work)
	wg.Wait()
	return int(n.Load())
}

// fleet is the hosts of a kill test.
type fleet struct {
	t     *testing.T
	url   string
	n     int
	hosts []*child
}

func (f *fleet) start() {
	f.t.Helper()
	f.n++
	c, err := startChild(f.t, "host", fmt.Sprint("host-", f.n), urlEnv+"="+f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	f.hosts = append(f.hosts, c)
}

// take removes a host, any.
func (f *fleet) take() *child {
	i := rand.IntN(len(f.hosts))
	c := f.hosts[i]
	f.hosts = append(f.hosts[:i], f.hosts[i+1:]...)
	return c
}

func (f *fleet) stop() {
	for _, c := range f.hosts {
		if err := c.stop(); err != nil {
			f.t.Errorf("%s: %v", c.name, err)
		}
	}
}

// freeze stops a host's process for longer than its lease, and lets it go on.
func (f *fleet) freeze(d time.Duration) {
	f.t.Helper()
	c := f.hosts[rand.IntN(len(f.hosts))]
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		f.t.Fatal(err)
	}
	time.Sleep(d)
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		f.t.Fatal(err)
	}
}

func somewhile(least, most time.Duration) time.Duration {
	return least + rand.N(most-least)
}

func TestKilledAndFrozenHosts(t *testing.T) {
	t.Parallel()
	cfg := killConfig()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	b, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(b)
	f := &fleet{t: t, url: b.Address()}
	f.start()
	f.start()
	l := startLoad(t, b)
	for i := range rounds(t, 3) {
		time.Sleep(somewhile(200*time.Millisecond, time.Second))
		switch {
		case i%3 == 1: // one ends as it should, and another joins
			if err := f.take().stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
			f.start()
			fallthrough
		case i%3 == 0:
			f.freeze(somewhile(1600*time.Millisecond, 4*time.Second))
			fallthrough
		default:
			time.Sleep(somewhile(0, 500*time.Millisecond))
			f.take().kill()
			if rand.IntN(2) == 0 { // sometimes nobody is there for a while, or one alone
				time.Sleep(somewhile(0, time.Second))
			}
			f.start()
		}
	}
	time.Sleep(500 * time.Millisecond)
	l.check()
	f.stop()
}

func TestAKilledServer(t *testing.T) {
	t.Parallel()
	dir, listen := t.TempDir(), "127.0.0.1:0"
	var server *child
	start := func() {
		t.Helper()
		var err error
		if server, err = startChild(t, "server", "server", dirEnv+"="+dir, listenEnv+"="+listen); err != nil {
			t.Fatal(err)
		}
	}
	start()
	url := server.ready
	listen = url[len("nats://"):]
	cfg := killConfig()
	cfg.URL = url
	b, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.NewTextHandler(&childLog{t: t, name: "test"}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(b)
	f := &fleet{t: t, url: url}
	f.start()
	f.start()
	l := startLoad(t, b)
	for i := range rounds(t, 2) {
		time.Sleep(somewhile(200*time.Millisecond, 1500*time.Millisecond))
		server.kill()
		if i%2 == 1 { // a host with it
			f.take().kill()
		}
		time.Sleep(somewhile(0, time.Second))
		start()
		if len(f.hosts) < 2 {
			f.start()
		}
	}
	time.Sleep(500 * time.Millisecond)
	l.check()
	f.stop()
}
