// Package subjects is the contract of Tutti: every name, payload and number that
// crosses a process boundary is spelled here and nowhere else.
//
// It holds
//   - the NATS subjects, built and parsed (subject.go): no other package spells one;
//   - ids (id.go): prefixed, sortable by the time they were made;
//   - commands and their answers (command.go), commits and the events in them
//     (commit.go), refusals and close codes (errors.go), limits (limits.go);
//   - the public documents and the functions that fold events into them
//     (room.go and room_*.go). A fold yields the typed state and, for the same
//     events, an RFC 7396 merge patch, so that a client in any language follows a
//     document by applying patches (patch.go) and needs no second copy of the rules;
//   - the canonical JSON of a document and its hash (canonical.go), on which the
//     log, a snapshot, an SDK and a browser agree.
//
// The package depends on the standard library alone, so a client can import it
// without importing a server. All times are Unix milliseconds of the log's clock,
// all durations are milliseconds, unless a name says otherwise.
//
// Payloads are versioned by the subject root (tutti.v1). The files in testdata are
// golden: a payload that changes shape fails the tests until its version, or the
// golden file, is changed on purpose.
package subjects
