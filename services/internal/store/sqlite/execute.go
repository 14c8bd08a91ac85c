package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/tuttihq/tutti/services/internal/store"
)

// execute does one write within the writer's transaction. A ConflictError has
// changed nothing.
func (w *writer) execute(ctx context.Context, op *write) (written, error) {
	if op.verb == clearAll {
		return w.clear(ctx, op.table)
	}
	var num int64
	old := &store.Document{ID: op.doc.ID}
	err := scanDocument(w.selectDoc.QueryRowContext(ctx, op.table.num, op.doc.ID), &num, old)
	if errors.Is(err, sql.ErrNoRows) {
		old, err = nil, nil
	}
	if err != nil {
		return written{}, err
	}
	if old != nil {
		if reason := conflict(op, old); reason != nil {
			return written{}, &store.ConflictError{
				Reason: reason, Table: op.table.Name, ID: old.ID, Current: old.Version, Deleted: old.Deleted,
			}
		}
	}
	w.seq++
	doc, body := &op.doc, op.doc.Body
	if body == nil {
		body = []byte{} // NULL otherwise
	}
	v := doc.Version
	if old == nil {
		made, err := w.insertDoc.ExecContext(ctx, op.table.num, doc.ID, v.Epoch, v.Fold, v.Rev, doc.Deleted, w.seq, body)
		if err != nil {
			return written{}, err
		}
		if num, err = made.LastInsertId(); err != nil {
			return written{}, err
		}
	} else if _, err := w.updateDoc.ExecContext(ctx, v.Epoch, v.Fold, v.Rev, doc.Deleted, w.seq, body, num); err != nil {
		return written{}, err
	}
	if err := w.reindex(ctx, op, num, old); err != nil {
		return written{}, err
	}
	return written{table: op.table.num, seq: w.seq, old: old, new: doc}, nil
}

func conflict(op *write, old *store.Document) error {
	switch {
	case op.verb == insert && !old.Deleted:
		return store.ErrExists
	case !op.doc.Version.Newer(old.Version):
		return store.ErrStale
	default:
		return nil
	}
}

// reindex changes the entries of a document from those of old to those of the write,
// and touches only what differs.
func (w *writer) reindex(ctx context.Context, op *write, num int64, old *store.Document) error {
	had := make([][][]byte, len(op.table.Indexes))
	if old != nil {
		var err error
		if had, err = op.table.entries(old); err != nil {
			return err
		}
	}
	for i, idx := range op.table.indexes {
		before, after := had[i], op.entries[i]
		for len(before) > 0 || len(after) > 0 {
			var order int
			switch {
			case len(before) == 0:
				order = 1
			case len(after) == 0:
				order = -1
			default:
				order = bytes.Compare(before[0], after[0])
			}
			if order < 0 {
				if _, err := w.leaveIndex.ExecContext(ctx, idx, before[0]); err != nil {
					return err
				}
			}
			if order > 0 {
				if _, err := w.enterIndex.ExecContext(ctx, idx, after[0], num); err != nil {
					return err
				}
			}
			if order <= 0 {
				before = before[1:]
			}
			if order >= 0 {
				after = after[1:]
			}
		}
	}
	return nil
}

func (w *writer) clear(ctx context.Context, t *table) (written, error) {
	for _, idx := range t.indexes {
		if _, err := w.conn.ExecContext(ctx, `DELETE FROM entries WHERE idx = ?`, idx); err != nil {
			return written{}, err
		}
	}
	if _, err := w.conn.ExecContext(ctx, `DELETE FROM documents WHERE tbl = ?`, t.num); err != nil {
		return written{}, err
	}
	w.seq++
	return written{table: t.num, seq: w.seq}, nil
}
