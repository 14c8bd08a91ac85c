// Package sqlite keeps documents in one SQLite file: the store of an embedded Tutti,
// in one process, with nothing else installed. It needs no cgo.
//
// # One process
//
// Changefeeds come from within: the writer tells the feeds what it commits. So nobody
// else may write, and [Open] takes a lock beside the file that a second process, or a
// second Open, is refused with [ErrLocked]. The system releases it when the process
// ends, however it ends. Services that run apart from each other need RethinkDB.
//
// # Writing
//
// One goroutine owns the one connection that writes. While it commits, writes queue up
// (512, then callers wait), and the next commit takes up to 256 of them at once. That
// makes hard writes, which wait for the disk, almost as fast as soft ones when there
// are many. A batch with a hard write is committed hard as a whole. If the database
// fails, each write of the batch is tried once more by itself.
//
// Soft writes survive the death of the process. Power may take the newest of them;
// the file stays sound.
//
// # Reading and finding
//
// Up to four reads run at once, beside the writer. Each place of a document in an
// index is a row whose key sorts, byte by byte, as the index does, so every query is
// one range of one B-tree, read in its order.
//
// # Following
//
// A feed holds up to 8192 changes, or 64 MiB of them, for a reader that is behind;
// then it is lost. Bodies are shared by all feeds. Initial documents are read by pages
// as the reader asks for them, and hold up no writer.
//
// # The file
//
// Beside documents.db there are, while it is open, documents.db-wal and -shm, which
// belong to it, and documents.db.lock, which stays. Copy a live one with VACUUM INTO,
// not file by file. A database of a newer release is refused with [ErrNewer]; tables
// and documents that this release does not ask for are left alone.
package sqlite
