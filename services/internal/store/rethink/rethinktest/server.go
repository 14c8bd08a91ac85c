package rethinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
)

// Required is the environment variable that turns a missing program into a failure.
const Required = "TUTTI_TEST_RETHINKDB"

// startPatience is how long a server may take to answer. Machines that test are busy.
const startPatience = 60 * time.Second

// Find returns the path of the program, and skips the test if there is none.
func Find(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("rethinkdb")
	if err == nil {
		return path
	}
	if os.Getenv(Required) != "" {
		t.Fatalf("%s is set, and there is no rethinkdb on the PATH: %v", Required, err)
	}
	t.Skipf("SKIPPED: there is no rethinkdb on the PATH; install it to have this tested, or set %s=1 to have this fail", Required)
	return ""
}

// Server is a server of its own process.
type Server struct {
	program, dir  string
	port, cluster int
	arguments     []string

	mu      sync.Mutex
	process *process
}

// process is one run of the program.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer // read it when gone is closed
	gone chan struct{}
}

// Start starts a server, and stops it when t ends. Arguments are added to those of the
// command line.
func Start(t testing.TB, arguments ...string) *Server {
	t.Helper()
	s := &Server{program: Find(t), dir: filepath.Join(t.TempDir(), "rethinkdb"), arguments: arguments}
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// StartCluster starts as many servers, which know each other.
func StartCluster(t testing.TB, size int) []*Server {
	t.Helper()
	servers := make([]*Server, size)
	for i := range servers {
		servers[i] = StartBeside(t, servers[:i]...)
	}
	return servers
}

// StartBeside starts a server that joins others.
func StartBeside(t testing.TB, others ...*Server) *Server {
	t.Helper()
	var join []string
	for _, other := range others {
		join = append(join, "--join", net.JoinHostPort("127.0.0.1", strconv.Itoa(other.cluster)))
	}
	return Start(t, join...)
}

// start finds a free port, which somebody else may take before the server does, and
// then another.
func (s *Server) start(ctx context.Context) error {
	var problems []error
	for range 5 {
		var err error
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if s.cluster, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.run(ctx); err == nil {
			return nil
		}
		problems = append(problems, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(problems...)
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("an address of %T", l.Addr())
	}
	return addr.Port, nil
}

// Name is the server's name in its cluster.
func (s *Server) Name() string { return fmt.Sprint("server_", s.port) }

// Addr is where drivers connect to, HOST:PORT. It stays the same when the server restarts.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// RestartApart restarts the server where the others of its cluster do not find it. It is for
// the one that was started first, which looks for nobody.
func (s *Server) RestartApart(t testing.TB) {
	t.Helper()
	s.Kill()
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.cluster = port
	s.Restart(t)
}

// run starts the program and waits until it answers.
func (s *Server) run(ctx context.Context) error {
	all := append([]string{
		"--bind", "127.0.0.1", "--no-http-admin", "--no-update-check", "--directory", s.dir, "--cache-size", "256",
		"--driver-port", strconv.Itoa(s.port), "--cluster-port", strconv.Itoa(s.cluster),
	}, s.arguments...)
	if _, err := os.Stat(s.dir); err != nil { // a directory remembers its name
		all = append(all, "--server-name", s.Name())
	}
	p := &process{cmd: exec.Command(s.program, all...), gone: make(chan struct{})} //nolint:gosec,noctx // its life is the test's, and the program is the one on the PATH
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.SysProcAttr = dieWithUs()
	started := make(chan error)
	go func() {
		// The system ends the child with the thread that started it, where it can.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.gone)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // killed, mostly
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if err := p.await(ctx, s.ask); err != nil {
		p.kill()
		return fmt.Errorf("%w; the server said:\n%s", err, p.said.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	return nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// await waits until the server answers a query.
func (p *process) await(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-p.gone:
			timer.Stop()
			return errors.New("rethinktest: the server ended at once")
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("rethinktest: the server does not answer: %w", err)
		}
	}
}

// ask asks the server for a sign of life. One that speaks TLS need only listen.
func (s *Server) ask() error {
	if slices.Contains(s.arguments, "--driver-tls-key") {
		conn, err := net.Dial("tcp", s.Addr()) //nolint:noctx // it is this machine
		if err != nil {
			return err
		}
		return conn.Close()
	}
	conn, err := r.NewConnection(s.Addr(), &r.ConnectOpts{Timeout: time.Second})
	if wrong := (r.RQLAuthError{}); errors.As(err, &wrong) {
		return nil // it has a password, and knows it
	}
	if err != nil {
		return err
	}
	_, err = conn.Server()
	return errors.Join(err, conn.Close())
}

// running returns the process, nil if there is none.
func (s *Server) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Kill ends the server with SIGKILL, frozen or not, and waits until it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Stop ends the server for good. Its directory goes with the test.
func (s *Server) Stop() { s.Kill() }

// Restart kills the server if it runs, and starts it again with the same data at the
// same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
