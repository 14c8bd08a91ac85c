package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/tuttihq/tutti/services/internal/store"
)

const (
	// initialPage is how many initial documents a feed reads at once, and
	// initialPageBytes how many bytes of them, give or take one document.
	initialPage      = 256
	initialPageBytes = 1 << 20
)

const selectInitial = `SELECT id, seq, epoch, fold, rev, deleted, body
	FROM documents WHERE tbl = ? AND id > ? ORDER BY id LIMIT ?`

var (
	errOverflow = fmt.Errorf("%w: its reader fell behind and its buffer is full", store.ErrFeedLost)
	errCleared  = fmt.Errorf("%w: the table was cleared", store.ErrFeedLost)
)

// feed implements store.Feed. The initial documents are read page by page, without
// holding anything open in between, so writes go on meanwhile; the hub buffers them.
// Each row carries the number of its last write. One above the number at which the
// feed was registered is on its way through the hub, and passed over: so a document
// comes as Initial or as Changed, and never older after newer. Ready waits until
// what was passed over has come.
type feed struct {
	store *Store
	table *table
	ctx   context.Context //nolint:containedctx // the life of the feed, as Changes says
	start int64           // what is above it comes through the hub

	// Of the goroutine that calls Next.
	page      []store.Document
	after     string // the last id that was read
	exhausted bool   // all initial documents were read
	passed    int64  // the highest write that was passed over
	delivered int64  // the highest write that was delivered
	ready     bool

	mu     sync.Mutex
	buffer []written
	bytes  int
	err    error
	signal chan struct{} // holds one token when buffer or err has changed
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, name string) (store.Feed, error) {
	t, err := s.table(name)
	if err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	f := &feed{store: s, table: t, ctx: ctx, signal: make(chan struct{}, 1)}
	if f.start, err = s.hub.add(f); err != nil {
		return nil, err
	}
	return f, nil
}

// offer is called by the hub. A full buffer ends the feed.
func (f *feed) offer(w written) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.bytes += w.size()
	if len(f.buffer) >= f.store.hub.buffer || f.bytes > feedBufferBytes && len(f.buffer) > 0 {
		f.endLocked(errOverflow)
		return
	}
	f.buffer = append(f.buffer, w)
	f.wake()
}

// end ends the feed with err, unless it has ended before.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endLocked(err)
}

func (f *feed) endLocked(err error) {
	if f.err == nil {
		f.err = err
		f.buffer = nil
		f.wake()
	}
}

func (f *feed) wake() {
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

// Close implements store.Feed.
func (f *feed) Close() error {
	f.store.hub.remove(f)
	f.end(store.ErrClosed)
	return nil
}

// Next implements store.Feed.
func (f *feed) Next(ctx context.Context) (store.Change, error) {
	for {
		if err := ctx.Err(); err != nil {
			return store.Change{}, err
		}
		if err := f.ctx.Err(); err != nil {
			f.store.hub.remove(f)
			f.end(err)
		}
		if len(f.page) > 0 {
			if err := f.ended(); err != nil {
				return store.Change{}, err
			}
			doc := f.page[0]
			f.page = f.page[1:]
			return store.Change{Kind: store.Initial, New: &doc}, nil
		}
		change, ok, err := f.take()
		if err != nil || ok {
			return change, err
		}
		switch {
		case !f.exhausted:
			if err := f.load(ctx); err != nil {
				return store.Change{}, err
			}
			continue
		case !f.ready && f.delivered >= f.passed:
			f.ready = true
			return store.Change{Kind: store.Ready}, nil
		}
		select {
		case <-f.signal:
		case <-ctx.Done():
		case <-f.ctx.Done():
		}
	}
}

func (f *feed) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// take takes the oldest write out of the buffer, if there is one.
func (f *feed) take() (change store.Change, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return store.Change{}, false, f.err
	}
	if len(f.buffer) == 0 {
		return store.Change{}, false, nil
	}
	w := f.buffer[0]
	f.buffer[0] = written{}
	f.buffer = f.buffer[1:]
	f.bytes -= w.size()
	f.delivered = w.seq
	return store.Change{Kind: store.Changed, Old: w.old, New: w.new}, true, nil
}

// load reads the next page of initial documents. What fails without the caller's
// giving up ends the feed.
func (f *feed) load(ctx context.Context) error {
	leave, err := f.store.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	rows, err := f.store.read.QueryContext(ctx, selectInitial, f.table.num, f.after, initialPage)
	if err == nil {
		err = errors.Join(f.scan(rows), rows.Close())
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = fmt.Errorf("%w: %w: %w", store.ErrFeedLost, store.ErrUnavailable, err)
	f.end(err)
	return err
}

func (f *feed) scan(rows *sql.Rows) error {
	count, size := 0, 0
	for size < initialPageBytes && rows.Next() {
		var doc store.Document
		var seq int64
		var body []byte
		v := &doc.Version
		if err := rows.Scan(&doc.ID, &seq, &v.Epoch, &v.Fold, &v.Rev, &doc.Deleted, &body); err != nil {
			return err
		}
		count++
		f.after = doc.ID
		if seq > f.start {
			f.passed = max(f.passed, seq)
			continue
		}
		if !doc.Deleted {
			doc.Body = body
		}
		size += len(body)
		f.page = append(f.page, doc)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	f.exhausted = count < initialPage && size < initialPageBytes
	return nil
}
