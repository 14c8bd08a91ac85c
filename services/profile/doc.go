// Package profile keeps what people show of themselves, nickname, a few words, a picture,
// and who follows whom.
//
// # Profiles
//
// A profile comes into being because an account did. The accounts table's feed reaches
// the STATE stream, and a durable consumer here inserts one document for each account,
// under the account's id. The insert is what makes it exactly one: a message that is
// delivered again, because a process died after the write and before the
// acknowledgement, or because two replicas share the consumer, finds the document and is
// done. A message is acknowledged only after its write; while the store is down the
// consumer waits, and nothing is dropped. What cannot be read goes to the dead letters.
//
// So there is a moment in which somebody has an account and no profile. Who asks for their
// own then waits for it a little, and at worst hears subjects.CodeUnavailable, never that
// they do not exist.
//
// A nickname is the account's. Its changes come the same way, and the profile notes which
// version of the account its nickname is from, so that a message that comes late or again
// does not bring an old one back. People are found by the beginning of their nickname,
// through an index of its folded form.
//
// The service answers request-reply (subjects.ServiceProfile). The store is the authority; a
// change is a compare-and-set on the document's version, whose Rev is the profile's rev.
//
// # Following
//
// That one user follows another is one document, under both their ids, in a table with an
// index for each direction; there is nothing else to keep in step with it. Writing it is
// idempotent, and so is removing it. Lists go by index, the latest first, and numbers are
// counted by index, up to a bound.
//
// A relation belongs to both its ends. Each says in their profile who sees their relations;
// a third person sees one only if both ends let them. Lists leave out what the viewer may
// not see, and a cursor names a place in time rather than a person, since a page may end
// at somebody whom it does not show. The ends themselves always know.
//
// What other services need, whether one follows the other, is published on the STATE stream
// as an own document of the follower, where nobody else reads it.
package profile
