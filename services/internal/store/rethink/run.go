package rethink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

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
		s.config.Log.Warn("a connection to the database broke", "address", l.address, "err", told(err))
		s.pool.discard(l, true)
	case cutOff(err):
		s.pool.discard(l, false) // the next one is made to another server
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
	return again(ctx, func() error {
		return s.with(ctx, func(l *link) error {
			answer, err := l.one(term, opts)
			if err != nil {
				return err
			}
			return json.Unmarshal(answer, v)
		})
	})
}

// each runs a query that has a sequence as its answer, and calls f with each element,
// until it fails. It reads all of it in any case.
func (s *Store) each(ctx context.Context, term r.Term, opts r.RunOpts, f func(json.RawMessage) error) error {
	var begun bool
	var last error
	err := again(ctx, func() error {
		last = s.with(ctx, func(l *link) error {
			cursor, err := l.run(term, opts)
			if err != nil {
				return err
			}
			begun = true
			for row, more := cursor.NextResponse(); more; row, more = cursor.NextResponse() {
				if err == nil {
					err = f(row)
				}
			}
			return errors.Join(cursor.Err(), cursor.Close(), err)
		})
		if begun {
			return nil // f has seen some of it
		}
		return last
	})
	if begun {
		return last
	}
	return err
}

// errNotDone goes with what the database certainly has not done.
var errNotDone = errors.New("not done")

// again repeats for a moment what the database certainly has not done: a table that was
// just made or resharded is known to some of a server's threads before the others.
func again(ctx context.Context, do func() error) error {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		err := do()
		if !errors.Is(err, errNotDone) || wait > 200*time.Millisecond {
			return err
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// failed tells the caller's giving up apart from the database's failing.
func (s *Store) failed(ctx, waiting context.Context, err error) error {
	var notDone r.RQLOpFailedError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case refused(err):
		return fmt.Errorf("rethink: the database does not let us in: %s", told(err))
	case waiting.Err() != nil:
		return fmt.Errorf("%w: no answer from the database for %s: %s", store.ErrUnavailable, s.config.Patience, told(err))
	case errors.As(err, &notDone):
		return fmt.Errorf("%w: %w: %s", store.ErrUnavailable, errNotDone, told(err))
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

// cutOff reports whether a server said that it does not reach the table: another may, if this
// one is cut off from the others.
func cutOff(err error) bool {
	for _, as := range []any{new(r.RQLOpFailedError), new(r.RQLOpIndeterminateError), new(r.RQLAvailabilityError)} {
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
