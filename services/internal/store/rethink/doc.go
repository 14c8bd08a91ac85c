// Package rethink keeps documents in RethinkDB: the store of a Tutti whose services run as
// processes of their own, on as many machines as they need.
//
// # In the database
//
// A table of the schema is a table of the database, with rows of this form:
//
//	{
//	  id: "room-1",
//	  v: [1, 3, 77],              // epoch, fold, rev
//	  d: false,                   // deleted
//	  b: "{\"name\":\"Friday\"}", // the body, as text
//	  x: {"by_name_5c2f…": ["Friday", "room-1"]},
//	  s: "90ab…"
//	}
//
// x holds the document's places in the indexes, made by [store.Index.Keys] as they are for
// SQLite, with the id behind the key: so both stores search the same values, and there
// are no ties. The secondary indexes of the database only list what is in x. The body is
// text, because as an object it would not come back as it was. To look at one:
//
//	r.table("rooms").get("room-1")("b").do(r.json)
//
// An index has the hash of its definition in its name. When a release changes one, Open
// with Config.Create makes the new index and rewrites the rows that lack a place in it,
// versions and feeds untouched. The old index stays, with the places that rows have in it,
// for replicas of the older release, which go on asking it. s says for which definitions a
// row was written, and an index of the rows with another s makes it cheap to ask whether
// there are any. Every Open asks, of the release that was the last to make its indexes.
//
// A release writes places in its own indexes alone. So what replicas of the older release
// write while the newer is rolled out is found by the new index from the next Open on, and
// what the newer writes is not found by the old index. When the last of them is gone, an
// Open with Config.DropOld enters the former and drops what nobody asks for any more.
//
// Beside the tables of the schema there are _meta, where one process at a time claims to
// be making things, and _beat, whose one row feeds read as a sign of life.
//
// # Writing
//
// Put, Insert and Delete are one query each, which replaces the row if what is there is
// older: the database does that in one atomic step. A write is not repeated after an error that
// leaves open whether it took effect, since it would then run into its own document. The
// caller gets [store.ErrUnavailable], and may write the same version again.
//
// Hard tables are written to the disk before the database answers. In soft tables the
// newest second may be lost when the server dies, not when Tutti does: with several
// replicas when all of a shard's die together. Whoever has seen a version that was lost
// keeps it until a newer one comes; a fold of the log comes to the same document again.
// [Store.Sync] says when they are on disk, and that is when a projector acknowledges.
//
// # Reading
//
// Find is one range of one index, read in its order, a page at a time. Inside a server a table
// has eight parts, and each reads its share: a page of n costs up to 8n documents,
// however large the table is. Conditions that are not in the index are tried here, so
// what the index lets through travels.
//
// # Several replicas
//
// Writes are acknowledged by a majority, which is the database's default. Get and Find in
// hard tables read from a majority too: what they find cannot be taken back, and they see
// every write that returned before, whatever happens to the replicas. The database pays
// with a write to the disk for each such read. In soft tables, and for feeds, the primary replica
// answers by itself, after making sure that it reaches a majority. That is the same but
// for the moment in which a primary that was cut off has been replaced and does not know
// it yet: it may then miss the newest writes. A feed from it is lost when it notices.
//
// With one replica, losing its server makes the tables unavailable, and nothing else.
//
// # Following
//
// A feed has a connection of its own and a goroutine that takes what comes. It ends with
// [store.ErrFeedLost] when
//
//   - its reader is more than Config.FeedBuffer changes behind, or 64 MiB;
//   - the server's queue overflows: it says so in the midst of the changes, as a
//     document, and goes on;
//   - the table is dropped, sharded anew or cleared; a row is removed by Clear alone;
//   - the connection breaks, or the server dies;
//   - the server freezes: every Config.Heartbeat the feed reads a row over its own
//     connection, and after three heartbeats without an answer it is lost;
//   - the server does not come to the end of the initial documents: if its queue
//     overflows before Ready, it may say nothing more, and live.
//
// # Connections
//
// Queries and connections are the driver's, its sessions and pools are not used. Those
// repeat writes whose connection broke, which turns a success into ErrStale; when a
// context ends they wait for the server to confirm that it stopped, which a frozen one
// never does; and they race when they mend a connection. Here a connection has one query at a
// time, and a caller who gives up breaks it off. Calls wait for the database no longer
// than Config.Patience, whatever their context says, and answer [store.ErrUnavailable].
// Nothing has to be done when it is back.
package rethink
