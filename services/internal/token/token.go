package token

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tuttihq/tutti/subjects"
)

const (
	algorithm = "EdDSA"
	keyType   = "OKP"
	curve     = "Ed25519"
)

// Principal is who a verified token speaks for.
type Principal struct {
	UserID   string
	Nickname string
	// SessionID names the session (the refresh token's family) that the token is of.
	SessionID string
	// TokenID names this one token.
	TokenID   string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

type claims struct {
	jwt.RegisteredClaims
	Nickname  string `json:"nickname"`
	SessionID string `json:"sid"`
}

// Signer makes tokens with one key. The zero Signer is not valid; see NewSigner.
type Signer struct {
	key              ed25519.PrivateKey
	kid              string
	issuer, audience string
}

// NewSigner makes a Signer for an Ed25519 key, an issuer and an audience.
func NewSigner(key ed25519.PrivateKey, issuer, audience string) *Signer {
	return &Signer{key: key, kid: KeyID(Public(key)), issuer: issuer, audience: audience}
}

// Sign makes a token for the principal, good from its IssuedAt to its ExpiresAt, both
// cut to whole seconds. It gives the token an id of its own if TokenID is empty.
func (s *Signer) Sign(p Principal) (string, error) {
	if p.TokenID == "" {
		p.TokenID = rand.Text()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    s.issuer,
			Subject:   p.UserID,
			Audience:  jwt.ClaimStrings{s.audience},
			ID:        p.TokenID,
			IssuedAt:  jwt.NewNumericDate(p.IssuedAt),
			ExpiresAt: jwt.NewNumericDate(p.ExpiresAt),
		},
		Nickname:  p.Nickname,
		SessionID: p.SessionID,
	})
	t.Header["kid"] = s.kid
	raw, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return raw, nil
}

// Public gives the public half of a key.
func Public(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PublicKeySize:])
}

// KeyID gives the RFC 7638 thumbprint of a key, which is its kid.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(key) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// EncodeKey gives a key as a member of a key set.
func EncodeKey(key ed25519.PublicKey) subjects.PublicKey {
	return subjects.PublicKey{
		Type: keyType, Curve: curve, Use: "sig", Algorithm: algorithm,
		ID: KeyID(key), X: base64.RawURLEncoding.EncodeToString(key),
	}
}

// decodeKeys reads the keys that are for this package and passes over others. It
// refuses a set that is too large.
func decodeKeys(set subjects.KeySet) (map[string]ed25519.PublicKey, error) {
	if len(set.Keys) > subjects.MaxKeys {
		return nil, fmt.Errorf("token: a key set of %d keys; the limit is %d", len(set.Keys), subjects.MaxKeys)
	}
	keys := make(map[string]ed25519.PublicKey, len(set.Keys))
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize ||
			k.Type != keyType || k.Curve != curve || (k.Algorithm != "" && k.Algorithm != algorithm) || (k.Use != "" && k.Use != "sig") {
			continue
		}
		keys[k.ID] = ed25519.PublicKey(x)
	}
	return keys, nil
}
