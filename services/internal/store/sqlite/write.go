package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/tuttihq/tutti/services/internal/store"
)

const (
	// queued is how many writes wait for the writer; more wait in their callers.
	queued = 512
	// batchWrites and batchBytes bound what is committed at once.
	batchWrites = 256
	batchBytes  = 8 << 20
)

type verb int

const (
	put verb = iota
	insert
	clearAll
)

// write is one write on its way through the writer.
type write struct {
	ctx     context.Context //nolint:containedctx // the caller may give up while the write is queued
	verb    verb
	table   *table
	doc     store.Document
	entries [][][]byte // by index, what the document is to have
	done    chan error // has room for the answer
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, doc store.Document) error {
	return s.write(ctx, put, name, doc)
}

// Insert implements store.Store.
func (s *Store) Insert(ctx context.Context, name string, doc store.Document) error {
	if doc.Deleted {
		return fmt.Errorf("%w: a deleted document cannot be inserted", store.ErrInvalid)
	}
	return s.write(ctx, insert, name, doc)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name, id string, version store.Version) error {
	return s.write(ctx, put, name, store.Document{ID: id, Version: version, Deleted: true})
}

// Clear implements store.Store.
func (s *Store) Clear(ctx context.Context, name string) error {
	t, err := s.table(name)
	if err != nil {
		return err
	}
	return s.writes.do(&write{ctx: ctx, verb: clearAll, table: t})
}

func (s *Store) write(ctx context.Context, v verb, name string, doc store.Document) error {
	t, err := s.table(name)
	if err != nil {
		return err
	}
	if err := doc.Validate(); err != nil {
		return err
	}
	doc.Body = bytes.Clone(doc.Body)
	entries, err := t.entries(&doc)
	if err != nil {
		return err
	}
	return s.writes.do(&write{ctx: ctx, verb: v, table: t, doc: doc, entries: entries})
}

// entries returns the keys that a document has in each index of the table, sorted.
func (t *table) entries(doc *store.Document) ([][][]byte, error) {
	all := make([][][]byte, len(t.Indexes))
	if doc.Deleted {
		return all, nil
	}
	for i, x := range t.Indexes {
		keys, err := x.Keys(doc.Body)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			all[i] = append(all[i], entry(key, doc.ID))
		}
		slices.SortFunc(all[i], bytes.Compare)
	}
	return all, nil
}

// writer is the one goroutine that writes. What is queued when it turns to its queue
// it commits together: one transaction, and for hard tables one wait for the disk,
// for all who wait.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	hub   *hub
	queue chan *write
	quit  chan struct{}
	gone  chan struct{}

	// Of the goroutine.
	seq        int64
	hard       bool // what the connection is set to
	selectDoc  *sql.Stmt
	insertDoc  *sql.Stmt
	updateDoc  *sql.Stmt
	enterIndex *sql.Stmt
	leaveIndex *sql.Stmt
}

const insertEntry = `INSERT INTO entries (idx, key, doc) VALUES (?, ?, ?)`

// newWriter starts the writer, which then owns the connection.
func newWriter(ctx context.Context, db *sql.DB, conn *sql.Conn, h *hub, seq int64) (*writer, error) {
	w := &writer{
		db: db, conn: conn, hub: h, seq: seq,
		queue: make(chan *write, queued), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	for stmt, text := range map[**sql.Stmt]string{
		&w.selectDoc:  selectDocument,
		&w.insertDoc:  `INSERT INTO documents (tbl, id, epoch, fold, rev, deleted, seq, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		&w.updateDoc:  `UPDATE documents SET epoch = ?, fold = ?, rev = ?, deleted = ?, seq = ?, body = ? WHERE num = ?`,
		&w.enterIndex: insertEntry,
		&w.leaveIndex: `DELETE FROM entries WHERE idx = ? AND key = ?`,
	} {
		var err error
		if *stmt, err = conn.PrepareContext(ctx, text); err != nil {
			return nil, err
		}
	}
	go w.run()
	return w, nil
}

// do queues a write and waits for its answer.
func (w *writer) do(op *write) error {
	if err := op.ctx.Err(); err != nil {
		return err
	}
	op.done = make(chan error, 1)
	select {
	case w.queue <- op:
	case <-op.ctx.Done():
		return op.ctx.Err()
	case <-w.quit:
		return store.ErrClosed
	}
	select {
	case err := <-op.done:
		return err
	case <-op.ctx.Done():
		return op.ctx.Err()
	case <-w.gone:
		select {
		case err := <-op.done:
			return err
		default:
			return store.ErrClosed // it was queued as the writer left
		}
	}
}

// close lets the commit under way finish, and releases the connection.
func (w *writer) close() error {
	close(w.quit)
	<-w.gone
	return errors.Join(w.conn.Close(), w.db.Close())
}

func (w *writer) run() {
	defer close(w.gone)
	for {
		select {
		case <-w.quit:
			return
		default:
		}
		select {
		case <-w.quit:
			return
		case first := <-w.queue:
			w.commit(w.gather(first))
		}
	}
}

// gather takes what else is queued, up to the bounds. Those whom the last commit has
// answered are often about to write again: they get the processor first.
func (w *writer) gather(first *write) []*write {
	runtime.Gosched()
	batch := []*write{first}
	size := len(first.doc.Body)
	for len(batch) < batchWrites && size < batchBytes {
		select {
		case op := <-w.queue:
			batch = append(batch, op)
			size += len(op.doc.Body)
		default:
			return batch
		}
	}
	return batch
}

// commit executes a batch and answers each write. If the database fails, each is
// tried once more on its own, so that one cannot fail for another's sake.
func (w *writer) commit(batch []*write) {
	batch = slices.DeleteFunc(batch, func(op *write) bool {
		if err := op.ctx.Err(); err != nil {
			op.done <- err
			return true
		}
		return false
	})
	if len(batch) == 0 {
		return
	}
	answers, err := w.transact(batch)
	if err != nil && len(batch) > 1 {
		for _, op := range batch {
			w.commit([]*write{op})
		}
		return
	}
	for i, op := range batch {
		if err != nil {
			op.done <- fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		} else {
			op.done <- answers[i]
		}
	}
}

// transact executes a batch in one transaction, and publishes it. Its error means
// that none of it took effect.
func (w *writer) transact(batch []*write) (answers []error, err error) {
	// Callers who give up must not tear a transaction that others share.
	ctx := context.Background()
	hard := slices.ContainsFunc(batch, func(op *write) bool { return op.table.Durability == store.Hard })
	if err := w.durability(ctx, hard); err != nil {
		return nil, err
	}
	if _, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return nil, err
	}
	start := w.seq
	defer func() {
		if err != nil {
			w.seq = start
			_, undo := w.conn.ExecContext(ctx, `ROLLBACK`)
			err = errors.Join(err, undo)
		}
	}()
	answers = make([]error, len(batch))
	var writes []written
	for i, op := range batch {
		change, err := w.execute(ctx, op)
		if conflict := (*store.ConflictError)(nil); errors.As(err, &conflict) {
			answers[i] = err
			continue
		}
		if err != nil {
			return nil, err
		}
		writes = append(writes, change)
	}
	if _, err := w.conn.ExecContext(ctx, `COMMIT`); err != nil {
		return nil, err
	}
	w.hub.publish(w.seq, writes)
	return answers, nil
}

// durability sets how the connection commits. Hard waits for the disk.
func (w *writer) durability(ctx context.Context, hard bool) error {
	if w.hard == hard {
		return nil
	}
	pragma := `PRAGMA synchronous = NORMAL`
	if hard {
		pragma = `PRAGMA synchronous = FULL`
	}
	if _, err := w.conn.ExecContext(ctx, pragma); err != nil {
		return err
	}
	w.hard = hard
	return nil
}
