// Package transfer is the form in which a deployment's data leave it: a directory, or a
// single .tar of the same files. It knows files and nothing of what is in them.
//
//	manifest.json               what belongs to it, with the number of records and a SHA-256 of each file
//	documents-accounts.jsonl.gz one JSON record a line, compressed with gzip
//	log-room-0.jsonl.gz         …
//
// A [Writer] writes the files one after the other, and last the manifest. Until then
// everything lies under a name that ends with ".partial", and without a manifest: what was
// not finished is no export. [Open] reads all of it once and compares it with the manifest
// before anybody sees a record: ErrDamaged, ErrIncomplete and ErrNewerFormat are found before
// anything is written elsewhere.
//
// The records may hold password hashes and private rooms: files are readable by their owner
// alone. They are not encrypted.
//
// Memory is bounded by one record, at most [MaxRecord]. Disk is not: a .tar needs room for its
// largest file twice while it is written.
package transfer
