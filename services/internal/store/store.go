package store

import "context"

// Store keeps documents in tables. Its methods are safe for concurrent use.
//
// Writes to one document are linearisable: of several writers with the same version
// exactly one succeeds, and a Get that starts after a write returned sees it or a
// newer one. There are no transactions over several documents; what must be unique
// is a primary key (see [ClaimID]). Find and Changes see every write that returned
// before they started.
//
// Every method that takes a context gives up with its error when it ends. A write
// that was given up may still take effect, as with [ErrUnavailable]. Other errors:
// ErrUnknownTable and ErrClosed from every method, ErrInvalid for what breaks a
// rule of this package, ErrUnavailable when the database does not answer.
type Store interface {
	// Get returns the document. For one that is deleted it returns the tombstone
	// beside ErrNotFound, so that who wants to write over it knows the version to
	// beat; for one that never was, the zero Document beside ErrNotFound.
	Get(ctx context.Context, table, id string) (Document, error)

	// Put writes the document if its version is newer than the stored one, be that a
	// live document or a tombstone, and otherwise answers ErrStale. An equal version
	// is stale: reading at v and writing at v.Next() is a compare-and-set. A document
	// with Deleted set is a deletion, as by Delete.
	Put(ctx context.Context, table string, doc Document) error

	// Insert writes the document if there is none with this id, and otherwise answers
	// ErrExists, whatever the versions. Over a tombstone it succeeds if doc's version
	// is newer, and otherwise answers ErrStale; the ConflictError says which version
	// to beat. An Insert repeated after ErrUnavailable may find its own document:
	// compare what is there before calling it somebody else's.
	Insert(ctx context.Context, table string, doc Document) error

	// Delete replaces the document by a tombstone at version, if that is newer than
	// the stored one, and otherwise answers ErrStale. Deleting what never was leaves a
	// tombstone too, so that an older write that is still on its way stays out.
	Delete(ctx context.Context, table, id string, version Version) error

	// Find returns one page of the live documents that match. See [Query].
	Find(ctx context.Context, table string, query Query) (Page, error)

	// Changes opens a feed of the table: first what there is, then a marker, then
	// what changes. See [Feed]. The feed ends with ctx; close it in any case.
	Changes(ctx context.Context, table string) (Feed, error)

	// Clear removes all documents of the table, tombstones included, to have it
	// rebuilt from the log. Open feeds of the table are lost. Never for tables in
	// which the store is the authority.
	Clear(ctx context.Context, table string) error

	// Close ends all feeds, waits for writes that are under way, and releases the
	// database. A second Close does nothing.
	Close() error
}

// Page is one page of a Find.
type Page struct {
	// Documents in the order of the index, ties by id.
	Documents []Document
	// Next is the cursor of the following page, empty if this was the last.
	Next string
}
