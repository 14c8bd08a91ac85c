package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const secretBytes = 32

var secretEncoding = base64.RawURLEncoding.Strict()

var errNoRefreshToken = errors.New("auth: not a refresh token")

// refreshToken is the parsed form of "<handle>.<secret>". The handle is the same in all
// refresh tokens of a session and stands nowhere else.
type refreshToken struct {
	handle string // an id of PrefixSession with 80 random bits
	secret [secretBytes]byte
}

// newSession makes the first token of a session, with a new handle.
func newSession(at time.Time) refreshToken {
	return newRefreshToken(subjects.NewID(subjects.PrefixSession, at))
}

func newRefreshToken(handle string) refreshToken {
	t := refreshToken{handle: handle}
	_, _ = rand.Read(t.secret[:]) // crypto/rand ends the program rather than fail
	return t
}

// session gives the session's id, which stands in access tokens, in the log and in the
// store. It is a hash of the handle, so whoever reads it does not have the handle.
func (t refreshToken) session() string {
	at, _ := subjects.IDTime(t.handle) // the handle was made or checked as an id, so it has a time
	return subjects.DeriveID(subjects.PrefixSession, at, "session", t.handle)
}

func (t refreshToken) encode() subjects.Secret {
	return subjects.Secret(t.handle + "." + secretEncoding.EncodeToString(t.secret[:]))
}

// hash is what the session's document keeps of the secret. It has 256 random bits, so
// one plain SHA-256 is enough.
func (t refreshToken) hash() string {
	sum := sha256.Sum256(t.secret[:])
	return hex.EncodeToString(sum[:])
}

// is reports whether the token's secret is the one with that hash.
func (t refreshToken) is(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(t.hash()), []byte(hash)) == 1
}

// parseRefreshToken reads what encode spells and nothing else; errNoRefreshToken.
func parseRefreshToken(s subjects.Secret) (refreshToken, error) {
	var t refreshToken
	handle, secret, ok := strings.Cut(s.Reveal(), ".")
	if !ok || subjects.CheckID(subjects.PrefixSession, handle) != nil || len(secret) != secretEncoding.EncodedLen(secretBytes) {
		return t, errNoRefreshToken
	}
	if n, err := secretEncoding.Decode(t.secret[:], []byte(secret)); err != nil || n != secretBytes {
		return refreshToken{}, errNoRefreshToken
	}
	t.handle = handle
	return t, nil
}
