package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

const (
	backOffFirst = 250 * time.Millisecond
	backOffMost  = 15 * time.Second
	// settled is how long a process must have lived for its next end to count as the first.
	settled = 30 * time.Second
)

// spec is what a process is, over all its lives.
type spec struct {
	name    string
	class   Class
	path    string
	args    []string
	env     []string
	dir     string // what it keeps
	log     string
	address string
	metrics string
	// ready returns nil if the process serves now.
	ready func(context.Context) error
	// stop asks it to end when the whole cluster ends.
	stop os.Signal
}

// child is a process over all its lives. What changes is guarded by the cluster's mutex.
type child struct {
	spec
	state  State
	life   *life // nil while it does not run
	starts int
	// failures counts the ends in a row, for the pause before the next start.
	failures int
}

// life is one run of a process.
type life struct {
	cmd   *exec.Cmd
	began time.Time
	from  int64         // where in its log it begins
	asked bool          // somebody asked it to end
	done  chan struct{} // closed once it was waited for
	err   error         // how it ended; read after done
	ready bool          // it was, at some time
}

// start starts a child that does not run, and its keeper. The caller holds the mutex.
func (c *Cluster) start(ch *child) error {
	if c.closing {
		return ErrClosed
	}
	if ch.life != nil {
		return fmt.Errorf("%w: %s", ErrRunning, ch.name)
	}
	if err := os.MkdirAll(ch.dir, 0o700); err != nil {
		return fmt.Errorf("cluster: %s: %w", ch.name, err)
	}
	out, err := os.OpenFile(ch.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cluster: %s: %w", ch.name, err)
	}
	defer func() { _ = out.Close() }() // the process has its own
	from := size(out)
	cmd := exec.Command(ch.path, ch.args...) //nolint:gosec,noctx // it runs the programs that the configuration names, and its keeper ends them
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = ch.env, ch.dir, out, out
	cmd.SysProcAttr = apartFromTerminal()
	if c.lock != nil {
		cmd.ExtraFiles = []*os.File{c.lock} // held as long as it lives
	}
	if err := c.forker.start(cmd); err != nil {
		return fmt.Errorf("cluster: start %s: %w", ch.name, err)
	}
	l := &life{cmd: cmd, began: time.Now(), from: from, done: make(chan struct{})}
	ch.life, ch.state = l, StateStarting
	ch.starts++
	c.keepers.Go(func() { c.keep(ch, l) })
	c.saveLocked()
	return nil
}

// keep waits for a life to end, tells if nobody asked for it, and begins the next one if
// that is wanted.
func (c *Cluster) keep(ch *child, l *life) {
	err := l.cmd.Wait()
	lived := time.Since(l.began)
	c.mu.Lock()
	l.err = err
	ch.life = nil
	asked := l.asked || c.closing
	if asked {
		ch.state, ch.failures = StateStopped, 0
	} else {
		ch.state = StateCrashed
		if lived > settled {
			ch.failures = 0
		}
		ch.failures++
	}
	pause := backOff(ch.failures)
	c.saveLocked()
	c.mu.Unlock()
	close(l.done)
	if asked {
		c.log.Info("process ended", "process", ch.name, "lived", lived.Round(time.Millisecond))
		return
	}
	ended := Ended{Name: ch.name, Err: err, Last: lastWords(ch.log, l.from)}
	c.log.Warn("process ended unasked", "process", ch.name, "how", err, "lived", lived.Round(time.Millisecond), "log", ch.log)
	if c.cfg.Told != nil {
		c.cfg.Told(ended)
	}
	if c.cfg.Restart {
		c.restart(ch, pause)
	}
}

// restart begins the next life of a child that ended unasked, unless somebody else does or
// nobody wants it any more.
func (c *Cluster) restart(ch *child, pause time.Duration) {
	for {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.closed:
			timer.Stop()
			return
		}
		c.mu.Lock()
		if ch.state != StateCrashed || c.closing {
			c.mu.Unlock()
			return
		}
		err := c.start(ch)
		l := ch.life
		if err != nil {
			ch.failures++
			pause = backOff(ch.failures)
		}
		c.mu.Unlock()
		if err == nil {
			c.log.Info("process started again", "process", ch.name)
			c.keepers.Go(func() {
				ctx, cancel := context.WithTimeout(c.ctx, c.cfg.StartWithin)
				defer cancel()
				if err := c.awaitLife(ctx, ch, l); err != nil && c.ctx.Err() == nil {
					c.log.Warn("process is not ready", "process", ch.name, "err", err)
				}
			})
			return
		}
		c.log.Error("process could not be started again", "process", ch.name, "err", err)
	}
}

func backOff(failures int) time.Duration {
	return min(backOffFirst<<min(max(failures-1, 0), 16), backOffMost)
}

// A starting process is asked whether it is ready after readyFirst, and then less and less
// often, down to every readyMost.
const (
	readyFirst = 50 * time.Millisecond
	readyMost  = 400 * time.Millisecond
)

// awaitLife waits until the process is ready: ErrNotReady if it ends before, or ctx does.
func (c *Cluster) awaitLife(ctx context.Context, ch *child, l *life) error {
	var err error
	for pause := readyFirst; ; pause = min(2*pause, readyMost) {
		probe, cancel := context.WithTimeout(ctx, 5*time.Second)
		err = ch.ready(probe)
		cancel()
		if err == nil {
			c.wasReady(ch, l)
			return nil
		}
		select {
		case <-time.After(pause):
		case <-l.done:
			return fmt.Errorf("%w: %s ended: %w\n%s", ErrNotReady, ch.name, l.ended(), lastWords(ch.log, l.from))
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w (%w); its log is %s", ErrNotReady, ch.name, err, context.Cause(ctx), ch.log)
		}
	}
}

// errEnded stands for how a process ended that says that all is well.
var errEnded = errors.New("exit status 0")

// ended is how a life ended that should not have; after done.
func (l *life) ended() error {
	if l.err == nil {
		return errEnded
	}
	return l.err
}

func (c *Cluster) wasReady(ch *child, l *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.ready = true
	if ch.life == l && ch.state == StateStarting {
		ch.state = StateReady
	}
}

// signal sends a signal to a running process.
func (c *Cluster) signal(name string, s os.Signal, f func(*child)) (*life, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if ch.life == nil {
		return nil, fmt.Errorf("%w: %s is %s", ErrNotRunning, name, ch.state)
	}
	// It may have ended and not been waited for yet; then its keeper tells.
	if err := ch.life.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("cluster: signal %s: %w", name, err)
	}
	if f != nil {
		f(ch)
	}
	return ch.life, nil
}

// end asks a life to end, and insists after a while.
func (c *Cluster) end(ctx context.Context, ch *child, l *life, s os.Signal) error {
	begin := time.Now()
	var errs []error
	for _, s := range []os.Signal{s, thaw} { // a frozen process takes the first when it goes on
		if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("cluster: signal %s: %w", ch.name, err))
		}
	}
	late := time.NewTimer(c.cfg.StopWithin)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
		errs = append(errs, c.insist(ch, l, begin))
	case <-ctx.Done():
		errs = append(errs, c.insist(ch, l, begin))
	}
	if len(errs) == 0 && l.err != nil && c.served(l) {
		errs = append(errs, fmt.Errorf("cluster: %s did not end well: %w\n%s", ch.name, l.err, lastWords(ch.log, l.from)))
	}
	return errors.Join(errs...)
}

// served reports whether how a life ended says anything. What was not ready yet when the whole
// cluster ended has failed to start, because of that.
func (c *Cluster) served(l *life) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.ready || !c.closing
}

// insist kills what has not stopped, and waits for it.
func (c *Cluster) insist(ch *child, l *life, begin time.Time) error {
	if err := l.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cluster: kill %s: %w", ch.name, err)
	}
	<-l.done
	return fmt.Errorf("cluster: %s had not stopped after %v and was killed", ch.name, time.Since(begin).Round(time.Millisecond))
}

// forker starts every process from one thread, which lives as long as the cluster: on
// Linux a child is killed when the thread that started it ends.
type forker struct {
	todo chan func()
	done chan struct{}
}

func startForker() *forker {
	f := &forker{todo: make(chan func()), done: make(chan struct{})}
	go f.run()
	return f
}

func (f *forker) start(cmd *exec.Cmd) error {
	err := make(chan error, 1)
	f.todo <- func() { err <- cmd.Start() }
	return <-err
}

// stop ends the thread; every process must have ended before.
func (f *forker) stop() { close(f.todo); <-f.done }
