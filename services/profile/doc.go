// Package profile keeps what people show of themselves: nickname, a few words, a picture.
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
// The service answers request-reply (subjects.ServiceProfile): one profile, several for a
// roster, and changes to one's own. The store is the authority; a change is a
// compare-and-set on the document's version, whose Rev is the profile's rev.
package profile
