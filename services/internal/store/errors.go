package store

import (
	"errors"
	"fmt"
)

// What a store answers when it does not do what was asked. Compare with errors.Is.
var (
	// ErrNotFound: there is no such document, or it is deleted.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: Insert found a live document with this id. It comes as a
	// [ConflictError].
	ErrExists = errors.New("store: exists already")
	// ErrStale: the store holds this version of the document or a newer one. Nothing
	// was written. It comes as a [ConflictError]. For a projector this is success:
	// what it wanted to write is there, or something better.
	ErrStale = errors.New("store: not newer than what is stored")
	// ErrUnavailable: the database did not answer, or could not do it now. Whether a
	// write took effect is unknown; writing the same version again is safe. Wait and
	// retry.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrFeedLost: a feed cannot go on without a gap. Open a new one, which begins
	// with initial values; [Watch] does.
	ErrFeedLost = errors.New("store: feed lost")
	// ErrUnknownTable: the table was not among those the store was opened with.
	ErrUnknownTable = errors.New("store: unknown table")
	// ErrUnknownIndex: the table has no such index.
	ErrUnknownIndex = errors.New("store: unknown index")
	// ErrInvalid: the document, query, cursor or schema breaks a rule of this package.
	// Trying again cannot help.
	ErrInvalid = errors.New("store: invalid")
	// ErrClosed: the store, or the feed, was closed.
	ErrClosed = errors.New("store: closed")
)

// ConflictError says what a Put, Insert or Delete ran into. It matches [ErrStale] or
// [ErrExists].
type ConflictError struct {
	Reason  error   // ErrStale or ErrExists
	Table   string  // the table
	ID      string  // the document
	Current Version // what the store holds; a write must be newer to succeed
	Deleted bool    // whether what the store holds is a tombstone
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: %s/%s is at %s", e.Reason, e.Table, e.ID, e.Current)
}

// Unwrap returns the reason, for errors.Is.
func (e *ConflictError) Unwrap() error { return e.Reason }

// Final reports whether err is an answer that repeating the same call cannot change.
// Everything else, ErrUnavailable and ErrFeedLost first, is worth another try later.
func Final(err error) bool {
	for _, final := range []error{ErrNotFound, ErrExists, ErrStale, ErrUnknownTable, ErrUnknownIndex, ErrInvalid, ErrClosed} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
