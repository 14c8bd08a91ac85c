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
//   - the documents (project.go) under which rooms are listed and searched;
//   - the history (history.go, heard.go): what was played, and who has heard it;
//   - the export (exports.go): a history becomes a playlist of another service.
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
// the queue is eligible, or it would not be waiting; so only a vote can end it, or the
// return of a track that was removed, and both look at their own track alone. A track that ends the waiting at a track's end
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
// # The queue's options
//
// How the queue is ordered is one pure function of the document (subjects.Room.Ordered),
// which clients compute too. A shuffle changes no rule: it deals the seqs of the queued
// tracks anew, by what follows from the command's id, and the event says who got which.
//
// In a queue that loops a track leaves the stage for the end of the queue, whether it ended,
// was skipped or passed over, and comes back as if its suggester suggested it then. It may be
// the next at once. While nothing has the score the stage is empty and the room waits as at a
// track's end. After an outage so long that more than [subjects.MaxQueue] tracks would have
// ended, the next begins now. A track does not come back to a full queue, nor when it was played
// as often as it may be.
//
// The limits bind who suggests, not what comes back by the loop or an undo. Plays are counted
// among the last subjects.PlayedKept.
//
// # Undo
//
// Suggesting, removing, shuffling and setting the queue are changes that can be taken back, the
// last subjects.MaxChanges of them, each by who made it and by whom the table lets undo. What a
// room is created with, votes of their own, and an undo are no such changes. One undo takes one
// change back, all of it, or is refused with conflict: nothing that others did since is undone
// with it. A suggestion whose track others have voted for, or that has come on, stays; so does a
// removal if the track is queued again. A removed track's votes are kept aside meanwhile, so it
// returns with them. What is left of a shuffle that is taken back gets its old order on the seqs
// that it has, so that a track which comes back later finds its own free. Of several changes any one can be named; by itself undo means the last that
// the sender may take back, and does not pass over it if it has become impossible.
//
// # History
//
// A track that has sounded is history when it leaves the stage, by an event that holds all
// there is to say of it, as a member's leaving holds since when they were there. So a row of
// the history follows from one event: it is written when the event is projected, once or twice,
// and never changes. Rooms of older releases begin to have a history when they are run by this
// one. What somebody has heard is what overlaps with their visits; the visit under way is looked
// up in the room's log, by way of where they were last seen joining. What this package answers
// about it the edge has allowed, but that others than oneself are told of open rooms alone.
//
// An export is a sealed event in the room's log that holds everything the playlist needs, its
// id too, derived from the room, the sender and the command. A reaction reads the log and sends
// the commands, under ids derived from the event: there is one playlist, with each track once,
// whatever dies meanwhile. What the playlist's owner refuses for good comes back as the command
// "refused", and the exporter is told.
//
// # Polls and ready-checks
//
// Answers are sealed; what all see are counts, moved when they are off by a sixty-fourth, and
// exact at the end. A poll's answers stay when their sender leaves. In a ready-check who leaves
// counts no more and who comes counts too, if the table lets their role answer; it ends with
// the last who was not ready, be it that they answer or go. Neither keeps anybody from
// anything.
//
// The mode (direct or broadcast) is recorded and nothing here depends on it: devices and
// delegation are not part of this package yet.
package room
