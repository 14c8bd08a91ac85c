package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Cluster is a running cluster. It is safe for use by many goroutines. Close it.
type Cluster struct {
	cfg    Config
	log    *slog.Logger
	http   *http.Client
	lock   *os.File
	forker *forker

	// Set before the first process starts, and never changed.
	nodes    []node
	children []*child
	stages   [][]*child
	// migrateBefore is the stage before which the streams and tables are made; they are made last
	// if there is none.
	migrateBefore int
	proxies       map[string]*proxy
	edges         []string
	store         Store

	// ctx ends when Close begins, as closed does.
	ctx     context.Context
	cancel  context.CancelFunc
	closed  chan struct{}
	keepers sync.WaitGroup

	closeOnce sync.Once
	closeErr  error

	mu      sync.Mutex // of what follows, and of what changes in a child
	closing bool
	memory  memory
}

// Start starts a cluster and returns when every process is ready. When it fails nothing is
// left running. An address of Config.HTTP that is in use is an error that wraps
// syscall.EADDRINUSE, before anything is made or started.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	for _, path := range []*string{&cfg.Dir, &cfg.Binary, &cfg.RethinkDB, &cfg.NATSConf} { // processes run elsewhere
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
		*path = abs
	}
	c := &Cluster{
		cfg: cfg, log: cfg.Log, proxies: map[string]*proxy{}, closed: make(chan struct{}), forker: startForker(),
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}},
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.begin(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
		defer cancel()
		if errors.Is(ctx.Err(), context.Canceled) { // who was not ready yet is of no interest
			err = fmt.Errorf("cluster: given up before it was ready: %w", context.Cause(ctx))
		}
		return nil, errors.Join(err, c.Close(stop))
	}
	return c, nil
}

func (c *Cluster) begin(ctx context.Context) error {
	var err error
	if _, missing := os.Stat(lockPath(c.cfg.Dir)); missing == nil {
		// What a killed cluster left behind has let go of its addresses when it lets go of this.
		if c.lock, err = lockDir(ctx, c.cfg.Dir); err != nil {
			return err
		}
	}
	if err := c.cfg.addressesFree(ctx); err != nil {
		return err
	}
	for _, dir := range []string{c.cfg.Dir, filepath.Join(c.cfg.Dir, "logs"), filepath.Join(c.cfg.Dir, "conf")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	if c.lock == nil {
		if c.lock, err = lockDir(ctx, c.cfg.Dir); err != nil {
			return err
		}
	}
	if c.memory, err = remember(c.cfg); err != nil {
		return err
	}
	if err := c.plan(ctx); err != nil {
		return err
	}
	for i, stage := range c.stages {
		if i == c.migrateBefore {
			if err := c.migrate(ctx); err != nil {
				return err
			}
		}
		begin := time.Now()
		if err := c.startStage(ctx, stage); err != nil {
			return err
		}
		c.log.Debug("ready", "first", stage[0].name, "processes", len(stage), "took", time.Since(begin).Round(time.Millisecond))
	}
	if c.migrateBefore == len(c.stages) {
		return c.migrate(ctx)
	}
	return nil
}

// migrate makes the streams and tables, or brings them up to date, as the operator.
func (c *Cluster) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StartWithin)
	defer cancel()
	dir := filepath.Join(c.cfg.Dir, nth(ClassServices, 0)) // where services-1 has its documents
	log := filepath.Join(c.cfg.Dir, "logs", "migrate.log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = out.Close() }()
	from := size(out)
	cmd := exec.CommandContext(ctx, c.cfg.Binary, "migrate") //nolint:gosec // it is the program of the configuration
	cmd.Env = slices.Concat(c.environment(ClassRethinkDB), c.login(userAdmin), c.settings(dir, c.NATSURLs()))
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = c.cfg.Dir, out, out, apartFromTerminal()
	cmd.ExtraFiles = []*os.File{c.lock}
	if err := c.forker.start(cmd); err != nil {
		return fmt.Errorf("cluster: migrate: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: migrating: %w\n%s", ErrNotReady, err, lastWords(log, from))
	}
	return nil
}

// startStage starts processes together and waits until all of them are ready.
func (c *Cluster) startStage(ctx context.Context, stage []*child) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StartWithin)
	defer cancel()
	errs := make([]error, len(stage))
	var wg sync.WaitGroup
	for i, ch := range stage {
		c.mu.Lock()
		err := c.start(ch)
		l := ch.life
		c.mu.Unlock()
		if err != nil {
			errs[i] = err
			cancel()
			break
		}
		wg.Go(func() {
			if errs[i] = c.awaitLife(ctx, ch, l); errs[i] != nil {
				cancel() // the others need not go on
			}
		})
	}
	wg.Wait()
	return firstCause(errs)
}

// firstCause leaves out who was only not waited for any more, if somebody failed by itself.
func firstCause(errs []error) error {
	var causes []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			causes = append(causes, err)
		}
	}
	if len(causes) == 0 {
		return errors.Join(errs...)
	}
	return errors.Join(causes...)
}

// nth is the name of a class's process with an index from 0.
func nth(class Class, i int) string { return string(class) + "-" + strconv.Itoa(i+1) }
