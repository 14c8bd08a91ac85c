// Package store keeps documents: JSON objects under a primary key, each with a
// version, in tables that can be searched by index and followed as they change. It
// is a small interface, [Store], that RethinkDB and SQLite both fulfil, and what the
// two would otherwise both have to write: schemas, the reading of index fields from
// bodies, the checking of queries, cursors, and [Watch].
//
// # What a document is
//
// Most documents are folded from a log of events. They can be dropped and rebuilt,
// and the store must only see to it that an old writer never wins. That is what a
// [Version] is for, and why there is no unconditional write: Put and Delete take
// effect only if they bring something newer. A projector that crashed, was
// overtaken, or folds the same commits twice gets [ErrStale], and goes on.
//
// Accounts, profiles and claims are not folded from anything: there the store is the
// authority. They use the same versions as a counter. Read at v, write at v.Next(): of
// two that try, one succeeds and the other gets ErrStale, reads again and decides
// again. What must be unique is a primary key: see [ClaimID]. A table says how
// durable its writes are ([Soft], [Hard]).
//
// Who acknowledges something because of a soft write, as a projector does, calls [Sync]
// first, for many writes at once. RethinkDB is a [Syncer]. SQLite is none: its soft writes
// are with the operating system when they return (WAL, synchronous=NORMAL), and outlive
// every death of the one process that there is. After a power cut the newest may be gone.
//
// Deleting leaves a tombstone with a version and no body. Get and Find do not see it,
// but it keeps older writes out, and it tells followers who were away. Tombstones stay
// until the table is cleared, so a table grows with the ids that were ever in it.
//
// # Finding
//
// Queries go by one index, given as data ([Index]), and are bounded: a page has at most
// [MaxLimit] documents, and looks at no more than [MaxScan]. Pages are continued by a
// cursor that remembers the place in the index, not a number of documents to skip:
// the last page costs what the first does, and writes in between shift nothing.
//
//	for room, err := range store.All(ctx, s, "rooms", store.Query{
//		Index:  "by_visibility_and_name",
//		Equal:  []any{"open"},
//		Prefix: "fri",
//		Where:  map[string]any{"closed": false},
//	}) {
//		…
//	}
//
// # Following
//
// [Store.Changes] gives a [Feed]: what there is, a marker, then every write. Feeds break:
// their buffer overflows, their server dies or freezes, their table is cleared. There
// is no resuming, so a broken feed is opened anew and begins again with what there is.
// [Watch] does that, and turns the repetition back into news: each document's versions
// only rise, and what vanished meanwhile is reported as removed.
//
// # Implementations
//
// services/internal/store/sqlite is the embedded one, for a single process.
// services/internal/store/rethink is the one for services that run apart.
// services/internal/store/storetest is the suite that every implementation passes, and
// the precise form of what this package promises.
package store
