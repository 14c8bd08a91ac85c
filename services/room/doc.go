// Package room decides what happens in vote rooms, where people suggest tracks and vote,
// and the highest voted plays next.
//
// A room is an aggregate: its state is folded from a log of commits, and this package is
// the [Machine] that the kernel (services/internal/aggregate) runs for each. What a room
// is, its commands, its events and how they change it, stands in package subjects,
// because edges and clients fold rooms too. What is here:
//
//   - Decide (decide.go and decide_*.go, one group of use cases a file): state and
//     command in, events or a typed refusal out; no clock and no I/O;
//   - the clock (clock.go): what follows from time alone, and when to wake next;
//   - Prepare (prepare.go, names.go): what a decision needs from outside, done before it:
//     tracks are looked up in the catalogue, the room's name is claimed;
//   - the documents (project.go) under which rooms are listed and searched.
//
// # Rules that are easy to miss
//
// Time comes first. A command that arrives after a track has ended, but before the room
// was woken for it, is decided as if the wake had come: every decision begins with what
// the clock has let happen. After the machine was off, all the tracks that would have
// ended meanwhile end, each new one beginning at the very time the one before ended, so
// that the music is where it would have been. In the log such events stand under the
// command that came first, whoever sent it: what they say does not depend on it.
//
// A room is waiting when it has no current track or stands at its end. Then nothing in
// the queue is eligible, or it would not be waiting; so only a vote can end it, and a
// vote looks at its own track alone. A track that ends the waiting at a track's end
// plays; the first track of a room that never had one is put on paused.
//
// Constraints gate votes and nothing else. A suggestion from outside them is queued
// without the vote. The creator's votes for the initial tracks are given on creation and
// are not gated either.
//
// Votes stay counted when a member leaves, is kicked or is banned; votes to skip do not,
// since they are a share of who is there. Who counts for that share is in the room, in
// a role that may skip, and invited where only the invited vote; a change of roles or
// grants is reflected in the number needed when the next vote to skip comes in, or
// somebody joins or leaves.
//
// Who may not see a private room is answered not_found whatever they ask. Kicking
// somebody from a private room takes their invitation back; from an open one they may
// return. Banning does both and lasts until unban.
//
// Above subjects.RosterInline members the document holds no names: joining and leaving
// become sealed facts, and a public event moves the count when it is off by a
// sixty-fourth. At half of RosterInline the names are listed again. What joining, leaving
// and voting cost does not grow with the number of members.
//
// The mode (direct or broadcast) is recorded and nothing here depends on it: devices and
// delegation are not part of this package yet.
package room
