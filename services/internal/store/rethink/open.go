package rethink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Store is a [store.Store] in a RethinkDB database.
type Store struct {
	config  Config
	tables  map[string]*table
	dialer  *dialer
	pool    *pool
	witness *witness
	old     []string // what Old tells; set once, by Open

	mu      sync.Mutex
	closed  bool
	feeds   map[*feed]struct{}
	working sync.WaitGroup // calls under way, feeds included
}

var _ store.Store = (*Store)(nil)

// Open connects to the database and makes, or checks, what the tables need: see
// Config.Create. Close it to release it.
//
// It waits for a server that does not answer, or is not ready yet, until ctx ends or
// Config.Patience is over, and then answers [store.ErrUnavailable]: try again. Making
// tables and indexes takes what it takes, bounded by ctx alone; several processes may ask
// for it at once. Other errors:
// [ErrUnprepared], [store.ErrInvalid] for a configuration or tables that make no sense,
// and a plain one if the database does not let us in.
func Open(ctx context.Context, config Config, tables []store.Table) (*Store, error) {
	schema, err := store.NewSchema(tables...)
	if err != nil {
		return nil, err
	}
	if config, err = config.complete(); err != nil {
		return nil, err
	}
	s := &Store{config: config, tables: make(map[string]*table), feeds: make(map[*feed]struct{})}
	if s.dialer, err = newDialer(config); err != nil {
		return nil, err
	}
	for _, t := range schema.Tables() {
		s.tables[t.Name] = newTable(config.Database, t)
	}
	s.pool, s.witness = newPool(s.dialer, config.MaxOpen), newWitness(s.dialer)
	if err = s.await(ctx); err == nil {
		err = s.prepare(ctx, schema)
	}
	if err != nil {
		_ = s.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w: %w", store.ErrUnavailable, ctx.Err(), err)
		}
		return nil, err
	}
	return s, nil
}

// Old lists the indexes that Open found, that this release does not ask for: those of the
// release before, most likely. They are kept for its replicas while they run, or were dropped
// by Config.DropOld. Each is told as `index "by_name_5c2f…" of table "rooms"`.
func (s *Store) Old() []string { return slices.Clone(s.old) }

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// await waits until a server answers.
func (s *Store) await(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	var last error
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := s.with(waiting, func(l *link) error {
			_, err := l.one(r.Expr(1), r.RunOpts{})
			return err
		})
		switch {
		case err == nil || !errors.Is(err, store.ErrUnavailable) && waiting.Err() == nil:
			return err
		case waiting.Err() == nil:
			last = err // what says more than that time is over
		}
		if !sleep(waiting, wait) {
			if last == nil {
				last = fmt.Errorf("%w: no answer from %v", store.ErrUnavailable, s.config.Addresses)
			}
			return last
		}
	}
}

// sleep waits, and reports whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// enter begins a call, and returns the function that ends it.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.working.Add(1)
	return s.working.Done, nil
}

func (s *Store) table(name string) (*table, error) {
	t, ok := s.tables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", store.ErrUnknownTable, name)
	}
	return t, nil
}

// Close implements store.Store. With a database that does not answer it takes as long
// as Config.Patience says.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	for f := range s.feeds {
		f.end(store.ErrClosed)
	}
	s.mu.Unlock()
	s.working.Wait()
	if closed {
		return nil
	}
	s.pool.close()
	s.witness.close()
	s.dialer.rest(s.config.Patience)
	return nil
}
