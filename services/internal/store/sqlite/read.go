package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/store"
)

const selectDocument = `SELECT num, epoch, fold, rev, deleted, body FROM documents WHERE tbl = ? AND id = ?`

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name, id string) (store.Document, error) {
	t, err := s.table(name)
	if err != nil {
		return store.Document{}, err
	}
	if err := store.ValidateID(id); err != nil {
		return store.Document{}, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return store.Document{}, err
	}
	defer leave()
	var num int64
	doc := store.Document{ID: id}
	err = scanDocument(s.get.QueryRowContext(ctx, t.num, id), &num, &doc)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.Document{}, fmt.Errorf("%w: %s/%s", store.ErrNotFound, name, id)
	case err != nil:
		return store.Document{}, failed(ctx, err)
	case doc.Deleted:
		return doc, fmt.Errorf("%w: %s/%s is deleted", store.ErrNotFound, name, id)
	}
	return doc, nil
}

type scanner interface{ Scan(...any) error }

// scanDocument reads the columns of selectDocument.
func scanDocument(row scanner, num *int64, doc *store.Document) error {
	var body []byte
	v := &doc.Version
	if err := row.Scan(num, &v.Epoch, &v.Fold, &v.Rev, &doc.Deleted, &body); err != nil {
		return err
	}
	if !doc.Deleted {
		doc.Body = body
	}
	return nil
}

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, name string, query store.Query) (store.Page, error) {
	t, err := s.table(name)
	if err != nil {
		return store.Page{}, err
	}
	plan, err := query.Plan(t.Table)
	if err != nil {
		return store.Page{}, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer leave()
	text, args := statement(t, &plan)
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return store.Page{}, failed(ctx, err)
	}
	page, err := collect(rows, &plan)
	if err = errors.Join(err, rows.Close()); err != nil {
		return store.Page{}, failed(ctx, err)
	}
	return page, nil
}

// statement returns the query for a plan: one range of one index, in its order.
// Bounds are half-open. A page that goes on behind a place begins there, excluded.
func statement(t *table, plan *store.Plan) (text string, args []any) {
	order := "ASC"
	if plan.Descending {
		order = "DESC"
	}
	if plan.Index.Name == "" {
		low, lowOp, high := idRange(plan)
		return `SELECT NULL, id, epoch, fold, rev, deleted, body FROM documents
			WHERE tbl = ? AND id ` + lowOp + ` ? AND id < ? ORDER BY id ` + order + ` LIMIT ?`,
			[]any{t.num, low, high, store.MaxScan + 1}
	}
	low, high := entryRange(plan)
	return `SELECT e.key, d.id, d.epoch, d.fold, d.rev, d.deleted, d.body
		FROM entries AS e CROSS JOIN documents AS d ON d.num = e.doc
		WHERE e.idx = ? AND e.key >= ? AND e.key < ? ORDER BY e.key ` + order + ` LIMIT ?`,
		[]any{t.index(plan.Index.Name), low, high, store.MaxScan + 1}
}

func entryRange(plan *store.Plan) (low, high []byte) {
	low = appendKey([]byte{}, plan.Equal) // nil would be NULL
	high = appendKey([]byte{}, plan.Equal)
	if plan.From != nil {
		low = appendValue(low, plan.From)
	}
	switch {
	case plan.Prefix != "":
		low = appendString(low, plan.Prefix)
		high = append(appendString(high, plan.Prefix), tagAbove)
	case plan.To != nil:
		high = appendValue(high, plan.To)
	default:
		high = append(high, tagAbove)
	}
	// A cursor comes from outside: it may narrow the range, and never leave it.
	if plan.After != nil {
		at := entry(plan.After.Key, plan.After.ID)
		next := append(bytes.Clone(at), 0) // the very next byte string
		switch {
		case plan.Descending && bytes.Compare(at, high) < 0:
			high = at
		case !plan.Descending && bytes.Compare(next, low) > 0:
			low = next
		}
	}
	return low, high
}

// idRange is the range of ids. They are strings: bounds of another kind include or
// exclude them all.
func idRange(plan *store.Plan) (low, lowOp, high string) {
	const all = "\xff" // above any UTF-8
	low, lowOp, high = "", ">=", all
	nothing := func() { low, high = all, "" }
	if len(plan.Equal) == 1 {
		if id, ok := plan.Equal[0].(string); ok {
			low, high = id, id+"\x01" // no id holds control characters
		} else {
			nothing()
		}
	}
	if plan.From != nil {
		low, _ = plan.From.(string)
	}
	if plan.To != nil {
		high, _ = plan.To.(string)
	}
	if plan.Prefix != "" {
		low, high = plan.Prefix, plan.Prefix+all
	}
	if plan.After != nil {
		if plan.Descending {
			high = min(high, plan.After.ID)
		} else if plan.After.ID >= low {
			low, lowOp = plan.After.ID, ">"
		}
	}
	return low, lowOp, high
}

// collect reads a page: up to Limit documents that match, of at most MaxScan.
func collect(rows *sql.Rows, plan *store.Plan) (store.Page, error) {
	var page store.Page
	var at, lastEntry []byte // of the row just read, and of the one behind which the next page begins
	var lastID string
	scanned, more := 0, false
	for rows.Next() {
		var doc store.Document
		var raw sql.RawBytes
		v := &doc.Version
		if scanned == store.MaxScan {
			more = true
			break
		}
		if err := rows.Scan(&at, &doc.ID, &v.Epoch, &v.Fold, &v.Rev, &doc.Deleted, &raw); err != nil {
			return store.Page{}, err
		}
		scanned++
		match := !doc.Deleted && plan.Matches(raw)
		if match && len(page.Documents) == plan.Limit {
			more = true
			break
		}
		if match {
			doc.Body = append(doc.Body, raw...)
			page.Documents = append(page.Documents, doc)
		}
		lastEntry, lastID = at, doc.ID
	}
	if err := rows.Err(); err != nil {
		return store.Page{}, err
	}
	if more {
		place := store.Place{ID: lastID}
		if plan.Index.Name != "" {
			var err error
			if place, err = parseEntry(lastEntry); err != nil {
				return store.Page{}, err
			}
		}
		page.Next = plan.Cursor(place)
	}
	return page, nil
}
