package store

import (
	"crypto/sha256"
	"encoding/base64"
)

// ClaimID makes the primary key of a claim on a name of some kind: "nickname" and
// "anna" give "nickname=anna". A name that would not make a valid key, too long or
// with control characters, is replaced by its SHA-256: "nickname#…". Different names
// never share a key. What counts as the same name, upper and lower case say, is for
// the caller to decide before. The kind is short and fixed, without "=" and "#".
//
// Uniqueness works so: Insert a claim whose id is the name and whose body says whose
// it is. Of all who try, one succeeds.
func ClaimID(kind, name string) string {
	if id := kind + "=" + name; ValidateID(id) == nil {
		return id
	}
	sum := sha256.Sum256([]byte(name))
	return kind + "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}
