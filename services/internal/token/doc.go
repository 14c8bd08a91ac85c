// Package token is the access token of Tutti: how it is signed, and how anyone who has
// the key set verifies it without asking.
//
// An access token is a JSON Web Token signed with EdDSA over Ed25519. It lives for
// minutes and says who its bearer is (sub, nickname) and which session it came from
// (sid). Nothing is looked up when it is verified, so a token stays good until it
// expires, also when its session has ended meanwhile; who must know better asks the
// auth service (subjects.AuthValidate).
//
// A Verifier accepts that one algorithm, one issuer and one audience. It knows the keys
// by id, from a key set that it fetches through a function it is given: when it first
// needs it, when the set has grown old, and when a token names a key that is not in it.
// It never fetches more often than its bound, so tokens with invented key ids cost a
// lookup and no request. If the set cannot be fetched, the keys that are known stay in
// use: an outage of the auth service does not lock anybody out who is in.
//
// The keys themselves and their rotation are the auth service's. It shows a new key in
// the set before it signs with it, for longer than a Verifier keeps a set.
package token
