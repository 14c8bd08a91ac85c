package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

const secretBytes = 32

var secretEncoding = base64.RawURLEncoding.Strict()

var errNoRefreshToken = errors.New("auth: not a refresh token")

// refreshToken is the parsed form of "<session id>.<secret>".
type refreshToken struct {
	session string
	secret  [secretBytes]byte
}

func newRefreshToken(session string) refreshToken {
	t := refreshToken{session: session}
	_, _ = rand.Read(t.secret[:]) // crypto/rand ends the program rather than fail
	return t
}

func (t refreshToken) encode() subjects.Secret {
	return subjects.Secret(t.session + "." + secretEncoding.EncodeToString(t.secret[:]))
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
	session, secret, ok := strings.Cut(s.Reveal(), ".")
	if !ok || subjects.CheckID(subjects.PrefixSession, session) != nil || len(secret) != secretEncoding.EncodedLen(secretBytes) {
		return t, errNoRefreshToken
	}
	if n, err := secretEncoding.Decode(t.secret[:], []byte(secret)); err != nil || n != secretBytes {
		return refreshToken{}, errNoRefreshToken
	}
	t.session = session
	return t, nil
}
