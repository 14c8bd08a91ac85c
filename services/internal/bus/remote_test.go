package bus_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// remote starts a NATS server as a deployment would have one, with a user and password.
func remote(t *testing.T, partitions int) *server.Server {
	t.Helper()
	return remoteIn(t, t.TempDir(), partitions)
}

// remoteOptions are those of a server that keeps its data in dir.
func remoteOptions(dir string, port int, password string) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
		MaxPayload: bus.MaxPayload,
		Users: []*server.User{{Username: "room", Password: password, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.UPDATE.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_room.>", subjects.Root + ".>"}},
		}}},
	}
}

func remoteIn(t *testing.T, dir string, partitions int) *server.Server {
	t.Helper()
	s, err := server.NewServer(remoteOptions(dir, server.RANDOM_PORT, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := s.GlobalAccount().AddMapping(subjects.Mapping(d, partitions)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

func login(s *server.Server) bus.Config {
	cfg := bus.Defaults()
	cfg.URL, cfg.User, cfg.Password, cfg.Partitions = s.ClientURL(), "room", "secret", 4
	return cfg
}

// Whoever is not let in learns that it is the login, and not that nobody is there.
func TestARefusedLoginIsToldApart(t *testing.T) {
	s := remote(t, 4)
	cfg := login(s)
	cfg.Password = "other"
	log := slog.New(slog.DiscardHandler)
	for what, open := range map[string]func() (*bus.Bus, error){
		"start": func() (*bus.Bus, error) { return bus.Start(t.Context(), cfg, nil, log) },
		"dial":  func() (*bus.Bus, error) { return bus.Dial(t.Context(), cfg, log) },
	} {
		if _, err := open(); !errors.Is(err, bus.ErrRefused) || !strings.Contains(err.Error(), `user "room"`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	cfg.URL = "nats://127.0.0.1:1"
	if _, err := bus.Dial(t.Context(), cfg, log); err == nil || errors.Is(err, bus.ErrRefused) {
		t.Errorf("where nobody listens: %v", err)
	}
}

// A password that is changed on the server is told at once, as what it is and as a fault; when it
// is put right there, the process comes back.
func TestAPasswordThatIsChangedBeneathAConnection(t *testing.T) {
	dir := t.TempDir()
	s := remoteIn(t, dir, 4)
	var log syncBuffer
	b, err := bus.Start(t.Context(), login(s), []string{"toy"}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.WithoutCancel(t.Context()))
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s; the log:\n%s", what, log.String())
			}
		}
	}
	change := func(to string) {
		t.Helper()
		if err := s.ReloadOptions(remoteOptions(dir, s.Addr().(*net.TCPAddr).Port, to)); err != nil {
			t.Fatal(err)
		}
	}
	change("other")
	until("the refusal is not told", func() bool { return strings.Contains(log.String(), "nats login refused") })
	change("secret")
	until("it does not come back", func() bool { return b.Ready(t.Context()) == nil })
	said := log.String()
	if n := strings.Count(said, "level=ERROR"); n != 1 || !strings.Contains(said, `of user \"room\" at`) || strings.Contains(said, "nats error") {
		t.Errorf("%d errors are told, want one that names the user:\n%s", n, said)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A user that hears only its own inboxes gets its answers, and one that may not make
// streams finds them.
func TestAUserFindsTheStreamsThatAnotherMade(t *testing.T) {
	s := remote(t, 4)
	cfg := login(s)
	cfg.Check = true
	quiet := slog.New(slog.DiscardHandler)
	if _, err := bus.Start(t.Context(), cfg, []string{"toy"}, quiet); !errors.Is(err, bus.ErrStreams) {
		t.Fatalf("before they were made: got %v, want ErrStreams", err)
	}
	start := func(change func(*bus.Config)) error {
		cfg := login(s)
		change(&cfg)
		b, err := bus.Start(t.Context(), cfg, []string{"toy"}, quiet)
		if err == nil {
			b.Close(t.Context())
		}
		return err
	}
	for _, c := range []struct {
		what   string
		change func(*bus.Config)
		want   error
	}{
		{"making them", func(*bus.Config) {}, nil},
		{"making them again, who may change none", func(*bus.Config) {}, nil},
		{"finding them", func(c *bus.Config) { c.Check = true }, nil},
		{"with other shards", func(c *bus.Config) { c.Check, c.Shards = true, 2 }, bus.ErrShards},
		{"making other shards", func(c *bus.Config) { c.Shards = 2 }, bus.ErrShards},
		{"with a wrong password", func(c *bus.Config) { c.Password = "guess" }, nil},
	} {
		err := start(c.change)
		if c.what == "with a wrong password" {
			if err == nil {
				t.Errorf("%s: it started", c.what)
			}
			continue
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, err, c.want)
		}
	}
}

// A server that stops answering, or goes away, does not hold an append for long: what
// became of it is found out when there is a server again.
func TestAnAppendDoesNotWaitForALostConnection(t *testing.T) {
	s := remote(t, 4)
	way := newWay(t, s.Addr().String())
	cfg := login(s)
	cfg.URL = "nats://" + way.address()
	b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.WithoutCancel(t.Context()))
	if _, err := b.Append(t.Context(), subjects.Events("toy", "a"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	way.stall()
	failed := make(chan error, 1)
	go func() {
		_, err := b.Append(t.Context(), subjects.Events("toy", "a"), []byte("2"), 1)
		failed <- err
	}()
	way.swallowed() // the append is on its way
	way.cut()
	if err := <-failed; !errors.Is(err, bus.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := b.Append(t.Context(), subjects.Events("toy", "b"), []byte("1"), 0)
		if err == nil || errors.Is(err, bus.ErrFenced) { // by a try before, whose answer was lost
			return
		}
		if !errors.Is(err, bus.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("with a connection again: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// way is a TCP relay that can hold back what clients send, and hang up.
type way struct {
	l      net.Listener
	to     string
	wg     sync.WaitGroup
	held   chan struct{} // closed when something was held back
	mu     sync.Mutex
	conns  []net.Conn
	silent bool
	noted  bool
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{l: l, to: to, held: make(chan struct{})}
	w.wg.Go(w.accept)
	t.Cleanup(func() { _ = l.Close(); w.cut(); w.wg.Wait() })
	return w
}

func (w *way) address() string { return w.l.Addr().String() }

func (w *way) accept() {
	for {
		in, err := w.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		w.wg.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		w.wg.Go(func() { w.relay(out, in); _ = out.Close() })
	}
}

func (w *way) relay(out, in net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		silent := w.silent
		if silent && !w.noted {
			w.noted = true
			close(w.held)
		}
		w.mu.Unlock()
		if silent {
			continue
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (w *way) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = true
}

func (w *way) swallowed() { <-w.held }

// cut hangs up on everybody, and lets new ones through.
func (w *way) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns, w.silent = nil, false
}
