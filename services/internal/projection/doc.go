// Package projection turns logs into documents and documents into public ones: the
// projector folds every commit of a service into its tables, the publication brings a
// table's changefeed to the STATE stream, and a rebuild makes the documents anew.
//
//	EVENTS_<service> ──Projector──▶ store tables ──changefeed──▶ Publish ──▶ STATE
//	        └───────────Rebuild──────────▲
//
// A service describes its documents once, in a Spec; what it gives is pure. One that has a
// document or two for each aggregate needs no more than FromState.
//
// # What a Projector promises
//
//   - Every commit gets into the documents, at least once, in whatever way processes die:
//     a commit is acknowledged after a fold that contains it is in the store, and on its
//     disk where the database may die by itself (store.Syncer). For that, all that are done
//     wait together for one sync, a few times a second. If it fails, documents may be lost:
//     the commits come again, and their documents are written again.
//   - Documents only go forward. Each carries (epoch, fold version, revision); whoever comes
//     with something older is told that it is stale, which counts as done. So replicas of a
//     service share one durable consumer, "project-<service>", and two that work on one
//     aggregate at once do no harm.
//   - A store or a NATS that is down makes it wait, and catch up. It tries again without
//     end; after a while it hands a commit back, so that a replica that is better off can
//     have it. One line in the log says that it waits, one that it goes on.
//   - What cannot be decoded, folded or stored by this release goes to the dead letters
//     with the reason, and the rest goes on. An event of a newer release is no such thing:
//     its commits come again, with growing pauses, for about seven minutes, in which a
//     newer replica may take them. Meanwhile nothing of that aggregate is written here. After
//     that they are dead letters too, and a rebuild by the newer release makes good for it.
//   - Under load it writes the newest fold, not each step. Commits of one aggregate that
//     arrive while it is being written are written together, and what a fold has
//     caught up with before it was delivered is not written again.
//
// It does not promise that all revisions of a document can be seen, nor an order among
// the documents of an aggregate.
//
// If a log lost its end (its epoch rises), documents that only the lost commits had touched
// are corrected where a projector still remembered the aggregate; elsewhere by a rebuild.
//
// # What Publish promises
//
// STATE ends up with what Publication.Public says of the newest version of each document.
// What was never published leaves no trace there; what was is retracted by a deleted
// document, which keeps its version and no body. Every replica may publish, restarts
// publish nothing again, lost feeds are opened anew. The stream decides by version, so
// a slow publisher takes nothing back. One exception: a replica that dies between reading a
// document and publishing it, just as another saw it become private, may leave the
// older version published until any replica publishes that document or starts anew.
//
// # What Rebuild promises
//
// It reads the log once, in order, and folds without snapshots. In place, documents are
// replaced where the fold version or the log is newer, and deleted where nothing in the
// log has them; a crash in the middle harms nothing. Dropping first also mends documents of
// versions that should not be, at the price of empty tables for a while. A projector may
// run beside it. Fold versions only ever rise: documents of a higher one are not replaced
// in place, and not in STATE.
//
// # Bounds
//
// Options, SubscriberConfig, Publication and RebuildOptions name them with their defaults:
// commits in flight (more wait on the server), aggregates worked on at once and kept
// folded (the least used is loaded again), documents that wait to be published (then the
// changefeed waits, overflows and is opened anew). Only Rebuild in place keeps eight bytes of
// each document that it wrote, and store.Watch the version of each id.
//
// # Files
//
// documents.go is what a service gives; projector.go the watermill router and its
// middleware, over the JetStream adapter in subscriber.go; lane.go how the commits of one
// aggregate become one write; barrier.go how many wait for one sync; fold.go one commit's fold; outage.go what is worth waiting
// for; publish.go and backlog.go the way to STATE; rebuild.go, rebuilder.go and sweep.go
// the rebuild. This is the only package that knows watermill.
package projection
