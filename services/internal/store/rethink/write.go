package rethink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, doc store.Document) error {
	return s.write(ctx, name, doc, func(old, stored r.Term) r.Term {
		return r.Branch(
			isOlder(old, doc.Version), stored,
			conflict(reasonStale, old))
	})
}

// Insert implements store.Store.
func (s *Store) Insert(ctx context.Context, name string, doc store.Document) error {
	if doc.Deleted {
		return fmt.Errorf("%w: a deleted document cannot be inserted", store.ErrInvalid)
	}
	return s.write(ctx, name, doc, func(old, stored r.Term) r.Term {
		return r.Branch(
			old.Ne(nil).And(old.Field("d").Not()), conflict(reasonExists, old),
			isOlder(old, doc.Version), stored,
			conflict(reasonStale, old))
	})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name, id string, version store.Version) error {
	return s.Put(ctx, name, store.Document{ID: id, Version: version, Deleted: true})
}

// isOlder reports whether a row that is there, if one is, is older than v. Arrays
// compare element by element.
func isOlder(old r.Term, v store.Version) r.Term {
	return old.Eq(nil).Or(old.Field("v").Lt(versionTerm(v)))
}

const (
	conflictMark = "conflict "
	reasonStale  = "stale"
	reasonExists = "exists"
)

// conflict ends the write, and says what it ran into.
func conflict(reason string, old r.Term) r.Term {
	return r.Error(r.Expr(conflictMark).Add(r.Expr([]any{reason, old.Field("v"), old.Field("d")}).ToJSON()))
}

// write replaces a row by what decide makes of the old one, in one atomic step. It is
// never repeated by itself: the second time it would run into its own document.
func (s *Store) write(ctx context.Context, name string, doc store.Document, decide func(old, stored r.Term) r.Term) error {
	t, err := s.table(name)
	if err != nil {
		return err
	}
	if err := doc.Validate(); err != nil {
		return err
	}
	stored, err := t.rowTerm(&doc)
	if err != nil {
		return err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	term := t.term.Get(doc.ID).Replace(
		func(old r.Term) r.Term { return decide(old, r.Expr(stored)) },
		r.ReplaceOpts{Durability: t.durability()})
	var result writeResult
	if err := s.one(ctx, term, r.RunOpts{}, &result); err != nil {
		return err
	}
	return result.err(name, doc.ID)
}

func (t *table) durability() string {
	if t.Durability == store.Hard {
		return "hard"
	}
	return "soft"
}

// writeResult is what the database answers to a write.
type writeResult struct {
	Errors     int    `json:"errors"`
	FirstError string `json:"first_error"`
	Deleted    int    `json:"deleted"`
}

func (w writeResult) err(table, id string) error {
	if w.Errors == 0 {
		return nil
	}
	text, ours := strings.CutPrefix(w.FirstError, conflictMark)
	if !ours {
		return fmt.Errorf("%w: %s", store.ErrUnavailable, w.FirstError)
	}
	var reason string
	var version [3]uint64
	var deleted bool
	if err := json.Unmarshal([]byte(text), &[]any{&reason, &version, &deleted}); err != nil {
		return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, errStrangeRow, err)
	}
	found := &store.ConflictError{
		Reason: store.ErrStale, Table: table, ID: id, Deleted: deleted,
		Current: store.Version{Epoch: version[0], Fold: version[1], Rev: version[2]},
	}
	if reason == reasonExists {
		found.Reason = store.ErrExists
	}
	return found
}

// clearStep is how many documents Clear removes in one query.
const clearStep = 2000

// Clear implements store.Store. It removes the documents a few thousand at a time, so
// one that is written meanwhile may stay or go. Feeds in other processes hear of it by
// the first document that is gone; from a table that was empty there is nothing to hear.
func (s *Store) Clear(ctx context.Context, name string) error {
	t, err := s.table(name)
	if err != nil {
		return err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for {
		term := t.term.Limit(clearStep).Delete(r.DeleteOpts{Durability: t.durability()})
		var result writeResult
		if err := s.one(ctx, term, r.RunOpts{}, &result); err != nil {
			return err
		}
		if result.Errors > 0 {
			return fmt.Errorf("%w: clear %s: %s", store.ErrUnavailable, name, result.FirstError)
		}
		if result.Deleted == 0 {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.feeds {
		if f.table == t {
			f.end(errCleared)
		}
	}
	return nil
}
