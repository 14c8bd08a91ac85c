package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ways in which a call on a Cluster fails, besides what the system says.
var (
	// ErrLocked is returned by Start for a directory that another cluster uses, or what is
	// left of one.
	ErrLocked = errors.New("cluster: the directory is in use by another cluster")
	// ErrNoProcess is returned for a name that no process of the cluster has.
	ErrNoProcess = errors.New("cluster: there is no such process")
	// ErrNotRunning is returned for a process that does not run.
	ErrNotRunning = errors.New("cluster: the process does not run")
	// ErrRunning is returned by Launch for a process that runs.
	ErrRunning = errors.New("cluster: the process runs already")
	// ErrNotReady is returned when a process did not become ready in its time, or ended
	// before; the message holds its last words.
	ErrNotReady = errors.New("cluster: the process did not become ready")
	// ErrNotProxied is returned by Cut, Stall and Mend for a process that reaches NATS by
	// itself; see Config.Proxied.
	ErrNotProxied = errors.New("cluster: the process does not reach NATS through a proxy")
	// ErrClosed is returned by everything after Close.
	ErrClosed = errors.New("cluster: closed")
)

// State is what a process does.
type State string

// The states of a process.
const (
	StateStarting State = "starting" // it runs and is not ready yet
	StateReady    State = "ready"    // it was ready when it was last asked
	StateFrozen   State = "frozen"   // it is stopped by SIGSTOP
	StateStopped  State = "stopped"  // it ended because it was asked to
	StateCrashed  State = "crashed"  // it ended unasked
)

// Process is one process of the cluster, as it was when it was asked for.
type Process struct {
	Name  string
	Class Class
	State State
	// PID is its process id, 0 if it does not run.
	PID int
	// Address is where it serves: "nats://HOST:PORT", "http://HOST:PORT" of an edge or of
	// services-1, "HOST:PORT" of RethinkDB's drivers. Empty for a service without a door.
	Address string
	// Metrics is "http://HOST:PORT" of the listener with /metrics, /healthz and /readyz of a
	// service, or of a NATS server's monitoring; empty for RethinkDB.
	Metrics string
	// Dir is where it keeps what it keeps, Log the file with what it said.
	Dir, Log string
	// Starts counts how often it was started.
	Starts int
}

// Access is what it takes to connect to NATS.
type Access struct {
	URL            string // all servers, comma separated
	User, Password string // empty: none is asked for
}

// Store says where the documents are.
type Store struct {
	// Kind is "rethinkdb" or "sqlite".
	Kind string
	// Addresses "HOST:PORT" and Database, of RethinkDB. User and Password are empty: its
	// own default user is used.
	Addresses []string
	Database  string
	// Path of SQLite's file; only one process can open it, so after services-1 has ended.
	Path string
}

// Processes lists every process in the order in which they are started.
func (c *Cluster) Processes() []Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Process, len(c.children))
	for i, ch := range c.children {
		out[i] = ch.process()
	}
	return out
}

// Process gives one process; ErrNoProcess if there is none of that name.
func (c *Cluster) Process(name string) (Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, err := c.find(name)
	if err != nil {
		return Process{}, err
	}
	return ch.process(), nil
}

// Names lists the processes of a class, "room-1", "room-2".
func (c *Cluster) Names(class Class) []string {
	var out []string
	for _, ch := range c.children {
		if ch.class == class {
			out = append(out, ch.name)
		}
	}
	return out
}

// Kill ends a process by SIGKILL and waits until it is gone. It counts as unasked: it is
// told, and with Config.Restart it starts again.
func (c *Cluster) Kill(name string) error {
	l, err := c.signal(name, os.Kill, nil)
	if err != nil {
		return err
	}
	<-l.done
	return nil
}

// Stop asks a process to stop, by SIGTERM, and waits until it has. A service hands its
// partitions over, a NATS server its leaderships. After StopWithin, or when ctx ends, it
// is killed and an error is returned, as it is for an exit status other than 0.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	c.mu.Lock()
	ch, err := c.find(name)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	l := ch.life
	if l == nil {
		ch.state = StateStopped // also if it would have been started again
		c.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrNotRunning, name)
	}
	l.asked = true
	c.mu.Unlock()
	return c.end(ctx, ch, l, gently)
}

// Freeze halts a process by SIGSTOP: its connections stay, it does nothing.
func (c *Cluster) Freeze(name string) error {
	_, err := c.signal(name, freeze, func(ch *child) { ch.state = StateFrozen })
	return err
}

// Thaw lets a frozen process go on.
func (c *Cluster) Thaw(name string) error {
	_, err := c.signal(name, thaw, func(ch *child) {
		if ch.state == StateFrozen {
			ch.state = StateStarting
		}
	})
	return err
}

// Launch starts a process that has ended, and waits until it is ready: for a NATS server
// that means that it has caught up with the others.
func (c *Cluster) Launch(ctx context.Context, name string) error {
	c.mu.Lock()
	ch, err := c.find(name)
	if err == nil {
		err = c.start(ch)
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	l := ch.life
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StartWithin)
	defer cancel()
	return c.awaitLife(ctx, ch, l)
}

// Ready waits until every process that is not stopped is ready, or ctx ends.
func (c *Cluster) Ready(ctx context.Context) error {
	var errs []error
	for _, ch := range c.children {
		errs = append(errs, c.ready(ctx, ch))
	}
	return errors.Join(errs...)
}

// ready waits until a process that is not stopped is ready, over its restarts.
func (c *Cluster) ready(ctx context.Context, ch *child) error {
	for {
		c.mu.Lock()
		l, state := ch.life, ch.state
		c.mu.Unlock()
		var err error
		switch {
		case l != nil:
			err = c.awaitLife(ctx, ch, l)
		case state != StateStopped:
			err = fmt.Errorf("%w: %s has %s", ErrNotReady, ch.name, state)
		}
		if err == nil || !c.cfg.Restart || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(readyMost):
		case <-ctx.Done():
			return err
		}
	}
}

// Cut breaks a process's connections to NATS and refuses new ones, until Mend: what a
// firewall does that answers. The process notices at once.
func (c *Cluster) Cut(name string) error {
	return c.flow(name, parted)
}

// Stall lets nothing more through between a process and NATS, either way, until Mend: what
// a pulled cable does. The process notices by its pings alone, which takes it up to 30 s.
// What was sent meanwhile arrives after Mend on connections that are still there.
func (c *Cluster) Stall(name string) error {
	return c.flow(name, stalled)
}

// Mend ends a Cut or a Stall.
func (c *Cluster) Mend(name string) error {
	return c.flow(name, flowing)
}

// Edges lists the HTTP addresses "http://HOST:PORT" of the edges, edge-1 first.
func (c *Cluster) Edges() []string {
	return slices.Clone(c.edges)
}

// NATSURLs gives the addresses of all NATS servers, comma separated, without users.
func (c *Cluster) NATSURLs() string {
	var list []string
	for _, n := range c.nodes {
		list = append(list, "nats://"+at(n.clients))
	}
	return strings.Join(list, ",")
}

// AdminConfig is how an operator connects to NATS: who may read every stream.
func (c *Cluster) AdminConfig() Access {
	return c.Access(userAdmin)
}

// Access is how a user of nats.conf connects, "bot" or "bench"; without Config.NATSConf
// everybody connects alike.
func (c *Cluster) Access(user string) Access {
	a := Access{URL: c.NATSURLs()}
	if password, ok := c.memory.Passwords[user]; ok {
		a.User, a.Password = user, password
	}
	return a
}

// Store says where the documents are.
func (c *Cluster) Store() Store {
	s := c.store
	s.Addresses = slices.Clone(s.Addresses)
	return s
}

// Close stops every process in the opposite of the order in which they are started, edges
// first and NATS last, and waits for all of them. Frozen ones are let go on first. What
// has not stopped when ctx ends is killed. It returns what went wrong; nothing runs any
// more in any case. Further calls do nothing.
func (c *Cluster) Close(ctx context.Context) error {
	c.closeOnce.Do(func() { c.closeErr = c.close(ctx) })
	return c.closeErr
}

func (c *Cluster) close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	for _, ch := range c.children {
		if ch.life != nil {
			ch.life.asked = true
		}
	}
	c.mu.Unlock()
	close(c.closed)
	c.cancel()
	for _, p := range c.proxies {
		p.set(flowing) // who stops says good-bye to NATS
	}
	var errs []error
	for _, stage := range slices.Backward(c.stages) {
		errs = append(errs, c.stopStage(ctx, stage))
	}
	c.keepers.Wait()
	c.forker.stop()
	for _, p := range c.proxies {
		p.close()
	}
	if c.lock != nil {
		if err := c.lock.Close(); err != nil {
			errs = append(errs, fmt.Errorf("cluster: %w", err))
		}
	}
	return errors.Join(errs...)
}

// stopStage stops processes together and waits for all of them.
func (c *Cluster) stopStage(ctx context.Context, stage []*child) error {
	errs := make([]error, len(stage))
	var wg sync.WaitGroup
	for i, ch := range stage {
		c.mu.Lock()
		l := ch.life
		c.mu.Unlock()
		if l != nil {
			wg.Go(func() { errs[i] = c.end(ctx, ch, l, ch.stop) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *Cluster) find(name string) (*child, error) {
	for _, ch := range c.children {
		if ch.name == name {
			return ch, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoProcess, name)
}

func (ch *child) process() Process {
	p := Process{
		Name: ch.name, Class: ch.class, State: ch.state, Address: ch.address, Metrics: ch.metrics,
		Dir: ch.dir, Log: ch.log, Starts: ch.starts,
	}
	if ch.life != nil {
		p.PID = ch.life.cmd.Process.Pid
	}
	return p
}

func (c *Cluster) flow(name string, f flow) error {
	if p := c.proxies[name]; p != nil {
		p.set(f)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.find(name); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrNotProxied, name)
}
