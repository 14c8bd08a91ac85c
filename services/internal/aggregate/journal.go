package aggregate

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrFenced is returned by Journal.Append when the log's last entry is not the one
	// that the caller named.
	ErrFenced = errors.New("aggregate: the log has moved on")
	// ErrTooLarge is returned by Journal when an entry is larger than it takes.
	ErrTooLarge = errors.New("aggregate: entry is too large")
	// ErrFull is returned by Journal.Append, wrapping ErrUnavailable too, when there is no room
	// for any entry: nothing was stored.
	ErrFull = errors.New("aggregate: no room in the log")
	// ErrUnavailable is wrapped by whatever failed for now. After Append it means that the
	// outcome is unknown.
	ErrUnavailable = errors.New("aggregate: unavailable")
)

// Entry is one commit as the log holds it.
type Entry struct {
	// Seq grows along an aggregate's log, not necessarily by one.
	Seq  uint64
	Data []byte
}

// Journal is the log of one service's aggregates, their snapshots and their timers. It is
// safe for use by many goroutines. Every error that is not named below wraps
// ErrUnavailable.
type Journal interface {
	// Append stores data as the next entry of id's log, if the last one has the sequence
	// after (0: there is none), and returns its sequence. It returns ErrFenced if another
	// entry is last, ErrTooLarge if it can never be stored, ErrFull if it cannot be stored
	// now; after any other error whether it was stored, or will still be, is unknown.
	Append(ctx context.Context, id string, data []byte, after uint64) (seq uint64, err error)
	// Head reads the last entry of id's log: the newest there is at some moment during
	// the call. An empty log gives the zero Entry.
	Head(ctx context.Context, id string) (Entry, error)
	// Read calls f for the entries of id's log from sequence from on, in order. It may
	// miss the newest (compare with Head), never one between two that it gives. It stops
	// at f's first error and returns it.
	Read(ctx context.Context, id string, from uint64, f func(Entry) error) error
	// LoadSnapshot reads what SaveSnapshot stored last, perhaps a little old; nil if there
	// is none.
	LoadSnapshot(ctx context.Context, id string) ([]byte, error)
	// SaveSnapshot replaces id's snapshot. ErrTooLarge if it cannot be stored.
	SaveSnapshot(ctx context.Context, id string, data []byte) error
	// Schedule has a wake command delivered to id's owner at the given time, at most a
	// second early, however many processes die until then. Schedules of different seconds
	// do not replace each other.
	Schedule(ctx context.Context, id string, at time.Time) error
}
