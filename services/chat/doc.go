// Package chat runs the chats of rooms and playlists: one for each, under its id.
//
// A chat is an aggregate: its state is folded from a log of commits, and this package is
// the [Machine] that the kernel (services/internal/aggregate) runs for each. What a chat
// is, its commands, its events and how they change it, stands in package subjects. What is
// here:
//
//   - Decide (decide.go, decide_message.go, decide_moderation.go): state and command in,
//     events or a typed refusal out; no clock and no I/O;
//   - what a chat knows of its room or playlist (follow.go, heard.go): consumers of their
//     events send the chat what concerns it, as commands that take effect once;
//   - the history (archive.go, history.go): every message in the store, read by page.
//
// # Who may do what
//
// The room decides, with its members, roles, grants, bans and invitations; or the playlist,
// with its members, invitations and visibility, in whose chat its creator keeps order. What is
// said of rooms here goes for playlists too. The chat does not ask: it keeps what it is told in its own log, so that what it decided can be
// understood from its log alone. It learns of a change within milliseconds; somebody who has
// just joined, and whom it does not know yet, waits until it has heard of it
// (prepare.go). Facts may arrive in another order than they happened, after a process was
// killed; each names its place in the room's log, and an earlier one does not undo a
// later one.
//
// # What is kept where
//
// The state holds the last page (subjects.ChatPage messages) and never more, however long
// the chat. All messages are in the table subjects.TableChatHistory, a page to a document
// whose key follows from the place of its messages: any page is one or two reads by key,
// the last as fast as the first, and nobody looks anything up. Editing or deleting a
// message that is off the last page reads its author from there.
//
// The archive applies the log's commits in the log's order, each once to each document: a
// document's version names the last commit in it, and what is not after that is passed over.
// So replicas may archive the same chat at once, and a process may die anywhere.
// When the epoch rises or the fold is corrected the history of a chat is written anew from
// its first commit. Before a page of it is shown, it is brought up to the state that the page
// is shown by, or the page is refused with unavailable: what was deleted, or what the log has
// lost, is not shown by a history that is behind.
//
// # Rules that are easy to miss
//
// Somebody who is shadow-muted is answered as everybody else is, and what they send, edit
// and react to is sealed to them. They find it in history too, as long as the chat remembers
// it (subjects.MaxSealedMessages). Slow mode slows them alike.
//
// Deleting takes the text out of the document, the state, the snapshot and the history. The
// log keeps the event that brought it: a log is not rewritten (docs/adr/0013).
//
// Reactions are to messages of the last page. A count is final when its message leaves it.
//
// Typing is not logged: an edge tells it on a live subject (subjects.LiveTyping).
package chat
