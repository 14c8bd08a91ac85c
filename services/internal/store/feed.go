package store

import "context"

// Feed delivers a table's documents and then their changes. One goroutine reads it.
//
// It begins with the documents there are, tombstones included, each as a change of
// kind Initial. Documents written meanwhile may come as Changed between them. Then
// comes Ready: everything that the table held when the feed was opened, or something
// newer, has been delivered. After it come Changed, one for each write.
//
// Versions of one document only rise in a feed, except that after Clear it is lost.
// A feed never skips a state silently, and never blocks for ever on a database that
// is gone: what it cannot deliver ends it with ErrFeedLost. What has been read and
// not yet delivered is bounded; a reader that falls behind loses its feed.
type Feed interface {
	// Next waits for the next change. Errors: ErrFeedLost (open a new one), ErrClosed
	// (feed or store was closed), the error of ctx, and that of the context given to
	// Changes. After any error but that of its own ctx the feed is over, and Next goes
	// on returning the error.
	Next(ctx context.Context) (Change, error)

	// Close ends the feed, and a Next that waits.
	Close() error
}

// ChangeKind says what a Change is.
type ChangeKind int

// The kinds of change.
const (
	// Initial carries a document that was there when the feed was opened, in New.
	Initial ChangeKind = iota + 1
	// Ready marks the end of the initial documents. Old and New are nil.
	Ready
	// Changed carries a write: New is what was written, a tombstone for a deletion;
	// Old is what it replaced, nil if there was nothing.
	Changed
)

// String returns the kind's name.
func (k ChangeKind) String() string {
	switch k {
	case Initial:
		return "initial"
	case Ready:
		return "ready"
	case Changed:
		return "changed"
	default:
		return "unknown"
	}
}

// Change is one step of a Feed. The documents are shared: do not modify them.
type Change struct {
	Kind     ChangeKind
	Old, New *Document
}
