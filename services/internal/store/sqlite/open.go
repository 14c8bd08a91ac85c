package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver

	"github.com/tuttihq/tutti/services/internal/store"
)

const (
	// readers is how many reads run at once; more wait.
	readers = 4
	// defaultFeedBuffer is how many changes a feed holds for its reader.
	defaultFeedBuffer = 8192
	// feedBufferBytes bounds the same in bytes of bodies.
	feedBufferBytes = 64 << 20
)

// Store is a [store.Store] in one SQLite file.
type Store struct {
	tables map[string]*table
	writes *writer
	hub    *hub
	read   *sql.DB
	get    *sql.Stmt // of read
	lock   *os.File

	life   sync.RWMutex // held for reading by every call that uses read
	closed bool
}

var _ store.Store = (*Store)(nil)

// Option tunes a Store.
type Option func(*options)

type options struct{ feedBuffer int }

// FeedBuffer sets how many changes a feed holds for a reader that is behind, 8192
// unless set. One more, and the feed is lost.
func FeedBuffer(changes int) Option {
	return func(o *options) { o.feedBuffer = max(1, changes) }
}

// Open opens the database in the file at path, creates it with its directory if
// there is none, and brings it to the tables. Files are readable by their owner
// alone. Close it to release it.
//
// Errors: a [LockedError] if another process has it open, [ErrNewer],
// [store.ErrInvalid] for tables that make no sense, and whatever the file system says.
func Open(ctx context.Context, path string, tables []store.Table, opts ...Option) (_ *Store, err error) {
	set := options{feedBuffer: defaultFeedBuffer}
	for _, o := range opts {
		o(&set)
	}
	schema, err := store.NewSchema(tables...)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("sqlite: make the data directory: %w", err)
	}
	s := &Store{hub: newHub(set.feedBuffer)}
	if s.lock, err = lock(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	// SQLite would create it readable by all; its other files follow this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	write, err := connect(path, 1, "journal_mode(wal)", "synchronous(normal)", "fullfsync(1)",
		"cache_size(-16384)", "journal_size_limit(67108864)")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, write.Close())
		}
	}()
	conn, err := write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	var seq int64
	if s.tables, seq, err = prepare(ctx, conn, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: prepare %s: %w", path, err), conn.Close())
	}
	s.hub.seq = seq
	if s.read, err = connect(path, readers, "query_only(1)", "cache_size(-4096)"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.get, err = s.read.PrepareContext(ctx, selectDocument); err == nil {
		s.writes, err = newWriter(ctx, write, conn, s.hub, seq)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), conn.Close(), s.read.Close())
	}
	return s, nil
}

// connect opens a pool of connections, each set up by the pragmas.
func connect(path string, most int, pragmas ...string) (*sql.DB, error) {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	pragmas = append(pragmas, "busy_timeout(10000)", "temp_store(memory)", "trusted_schema(0)")
	u := url.URL{Scheme: "file", Path: name, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.hub.close()
	return errors.Join(s.writes.close(), s.get.Close(), s.read.Close(), s.lock.Close())
}

// enter begins a call that reads, and returns the function that ends it.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, store.ErrClosed
	}
	return s.life.RUnlock, nil
}

func (s *Store) table(name string) (*table, error) {
	t, ok := s.tables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", store.ErrUnknownTable, name)
	}
	return t, nil
}

// failed tells an error of the database apart from the caller's giving up.
func failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}
