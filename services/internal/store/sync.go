package store

import "context"

// Syncer is what a store offers besides [Store] if its [Soft] writes can be lost while the
// process that wrote them lives on: where the database is a process of its own.
type Syncer interface {
	// Sync returns nil once every write to these tables that returned before Sync was
	// called is on disk.
	//
	// An error leaves that open for every write that returned before Sync did, and a later
	// nil does not make good for it: write again what no nil has covered, at the same
	// version, where [ErrStale] says that it was not lost. ErrUnavailable says that the
	// database does not answer, or that it may have died and come back meanwhile; the other
	// errors are those of the store's methods.
	//
	// A store answers for what was written through it since it was first asked about a
	// table. So ask once before the first write. Only one at a time asks about a table.
	Sync(ctx context.Context, tables ...string) error
}

// Sync syncs the tables if the store is a [Syncer]. Otherwise there is nothing to be done.
func Sync(ctx context.Context, s Store, tables ...string) error {
	if syncer, ok := s.(Syncer); ok {
		return syncer.Sync(ctx, tables...)
	}
	return nil
}
