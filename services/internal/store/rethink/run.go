package rethink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Everything here waits for the database at most as long as Config.Patience says, and
// no longer than the caller's context.

// with lends a link to f. Its errors are those that the store's methods answer with.
func (s *Store) with(ctx context.Context, f func(*link) error) error {
	waiting, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	l, err := s.pool.get(waiting)
	if err != nil {
		return s.failed(ctx, waiting, err)
	}
	stop := context.AfterFunc(waiting, l.close)
	err = f(l)
	switch inTime := stop(); {
	case !inTime:
		s.pool.discard(l, false)
	case err != nil && !answered(err):
		s.config.Log.Warn("a connection to the database broke", "address", l.address, "error", told(err))
		s.pool.discard(l, true)
	default:
		s.pool.put(l)
	}
	if err != nil {
		return s.failed(ctx, waiting, err)
	}
	return nil
}

// one runs a query that has one answer, and decodes it into v.
func (s *Store) one(ctx context.Context, term r.Term, opts r.RunOpts, v any) error {
	return s.with(ctx, func(l *link) error {
		answer, err := l.one(term, opts)
		if err != nil {
			return err
		}
		return json.Unmarshal(answer, v)
	})
}

// each runs a query that has a sequence as its answer, or an array, and calls f with
// each element until it has had enough.
func (s *Store) each(ctx context.Context, term r.Term, opts r.RunOpts, f func(json.RawMessage) (more bool, err error)) error {
	return s.with(ctx, func(l *link) error {
		cursor, err := l.run(term, opts)
		if err != nil {
			return err
		}
		more, err := true, error(nil)
		for more && err == nil {
			var row []byte
			if row, more = cursor.NextResponse(); more {
				more, err = f(row)
			}
		}
		// Closing tells the server to forget what was not read.
		return errors.Join(err, cursor.Err(), cursor.Close())
	})
}

// failed tells the caller's giving up apart from the database's failing.
func (s *Store) failed(ctx, waiting context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case refused(err):
		return fmt.Errorf("rethink: the database does not let us in: %s", told(err))
	case waiting.Err() != nil:
		return fmt.Errorf("%w: no answer from the database for %s: %s", store.ErrUnavailable, s.config.Patience, told(err))
	default:
		return fmt.Errorf("%w: %s", store.ErrUnavailable, told(err))
	}
}

// answered reports whether the error is what the server said, over a connection that
// is as good as before.
func answered(err error) bool {
	for _, as := range []any{
		new(r.RQLRuntimeError), new(r.RQLQueryLogicError), new(r.RQLNonExistenceError), new(r.RQLResourceLimitError),
		new(r.RQLUserError), new(r.RQLInternalError), new(r.RQLAvailabilityError), new(r.RQLOpFailedError),
		new(r.RQLOpIndeterminateError), new(r.RQLClientError), new(r.RQLCompileError),
	} {
		if errors.As(err, as) {
			return true
		}
	}
	return false
}

// told returns what an error says without the query, which the driver appends: it holds
// documents, and they do not belong in a log.
func told(err error) string {
	text, _, _ := strings.Cut(err.Error(), " in:\n")
	return text
}
