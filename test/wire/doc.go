// Package wire sits between a client and its sockets in a test: it leads each new socket to
// another edge, and holds every frame that a server sends against what the contract promises.
//
// A room's revisions never go backwards and none is missed or told twice. In detail, for
// each room that a client follows:
//
//   - A sub is answered by snap or resumed before any evt (or by err, or gone).
//   - resumed names the epoch and revision that the sub named.
//   - evt is of the present epoch and follows: prev <= have < rev. The difference between
//     prev and have are commits without a public part. Its time is not before the last one's.
//   - snap has the hash that it says. Within an epoch it is never older than what the client
//     has, unless it says that the room was read anew (replace); an epoch is never older
//     either. Unasked it says why: slow, epoch or replace.
//   - Nothing comes for a room after gone, or that was not asked for on this socket.
//   - A command's answer comes once for each time that it was sent.
//
// Frames of a room that is being left may still be under way when unsub is sent; they are
// not looked at.
package wire
