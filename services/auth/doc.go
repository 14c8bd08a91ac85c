// Package auth knows who people are: it registers them, logs them in, and gives them
// tokens that every edge verifies alone.
//
// It answers request-reply (subjects.ServiceAuth) and nothing else. Passwords and tokens
// come in requests and go in answers; no stream, feed or log ever holds one. Documents
// are in four tables, and for all of them the store is the authority, so every write
// there is durable before it is answered.
//
// # Accounts and names
//
// An e-mail address and a nickname each belong to one account. A name is held by a claim,
// a document whose primary key is the name and whose body says which account id it is
// for. Registering is three writes: claim the address, claim the nickname, insert the
// account. The insert is the moment the account exists; before it nothing was promised,
// and a process may die between any two of these writes. What heals it:
//
//   - The same request, sent again under its request id, leads to the same account id,
//     finds its own claims and goes on from there.
//   - A claim for an account that does not exist is taken over by the next who wants the
//     name, once it is older than Config.ClaimPatience. Before that they are told to try
//     again, since the registration may be under way this very moment.
//   - A take-over begins by fencing the old account id: a tombstone is put where that
//     account would be inserted. An insert cannot pass a tombstone, and a tombstone cannot
//     be put over an account. So a process that was frozen between its claims and its
//     insert, for however long, either has its account before the take-over, which then
//     finds the name taken, or never. No clock is part of that; patience is only manners.
//
// # Changing a nickname
//
// A change reads the account, claims the new nickname for it, writes the account over the
// very version that was read, and removes the claim on the old nickname. The write of the
// account is the moment; a process may die before or after it. So there are claims that
// name an account which exists and does not have the name: it is about to take it, or has
// left it behind. Sending the same request again completes what was begun, and whoever
// wants such a name takes it over, at once if it was claimed long ago, else after
// Config.ClaimPatience:
//
//   - A take-over begins by writing the account anew, as it is. A change of nickname that
//     read the account before, and was frozen since, then finds another version and begins
//     again; and it claims the name by writing the claim, also where the claim names the
//     account already. So it has written the account before the take-over read it, which
//     then finds the name taken; or it claims the name after the take-over, and finds
//     somebody else's claim; or it does in between, and the take-over finds another claim
//     than it read.
//   - The claim on the old nickname is read before the account is written, and removed only
//     if it is still that version. A change back to the old nickname can only begin after
//     that write, and writes the claim, so it is not undone.
//
// # The invariant
//
// A claim that names another account is changed only after it was made sure that this
// account will not have the name by it: its id was fenced, or it exists, without the name,
// at a version that nobody read before. An account's names are always claimed for it, and so
// two accounts never share one.
//
// # Sessions
//
// A session is a family of refresh tokens: each refresh replaces the last token by a new
// one, by compare-and-set on the session's document, which holds the SHA-256 of the one
// secret that is good now. Beside the secret a refresh token holds the session's handle,
// 80 random bits that stand in the refresh tokens of that session and nowhere else: the
// session's id, which is in access tokens, in the log and in the store, is a hash of it.
// So whoever shows the handle of a session that lives, with a secret that is not good,
// had a refresh token of it once. Somebody then holds a copy, and who is the thief cannot
// be told: the session ends (subjects.CodeTokenReused).
//
// There is no grace for a token that was used a moment ago. A grace would be a window in
// which a thief is served beside the owner, and the two are not told apart by being
// quick. The price is that a client which refreshes twice at once, or loses the answer
// to a refresh and repeats it, must log in again; so a client keeps one refresh under way
// per session. A refresh that is answered with "try again" was not carried out, unless the
// store fell silent in the middle of it for as long as a request may take.
//
// Logging out ends the session at once for refreshing. Access tokens that were handed
// out live on until they expire, minutes later, because nobody is asked when they are
// verified. The endpoint validate does ask.
//
// # Keys
//
// Access tokens are signed with Ed25519. The keys are one document, the ring, which
// replicas that start together create by compare-and-set, so that all sign with the same
// one. A key is replaced after Config.RotateEvery: its successor is in the key set for
// Config.KeyLead before it signs, so that every verifier has it by then, and the old one
// stays until the last token that it signed has expired. Private keys lie in the store as
// they are: whoever reads the store's files can sign tokens.
package auth
