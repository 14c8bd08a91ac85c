package subjects

import (
	"fmt"
	"log/slog"
)

// Endpoints of the auth service, for Query. Tokens and passwords travel in these
// requests and answers and nowhere else.
const (
	AuthRegister  = "register"   // RegisterRequest → Grant
	AuthLogin     = "login"      // LoginRequest → Grant
	AuthRefresh   = "refresh"    // RefreshRequest → Grant
	AuthLogout    = "logout"     // LogoutRequest → {}
	AuthLogoutAll = "logout_all" // LogoutAllRequest → LogoutAllAnswer
	AuthValidate  = "validate"   // ValidateRequest → Validation
	AuthKeys      = "keys"       // {} → KeySet
	AuthNickname  = "nickname"   // NicknameRequest → NicknameAnswer
)

// Limits of accounts, beside MaxNickname, MinPassword and MaxPassword.
const (
	// MaxEmail bounds an e-mail address in bytes, as SMTP does.
	MaxEmail = 254
	// MaxToken bounds an access or refresh token in bytes.
	MaxToken = 4096
	// MaxKeys bounds the keys of a key set.
	MaxKeys = 16
)

// TokenBearer is the only token type there is.
const TokenBearer = "Bearer"

// redacted is what a Secret shows.
const redacted = "[redacted]"

// Secret is a password or token. JSON carries it as the string it is; fmt and slog show
// that there is one and not what it is, unless it stands in an unexported field, which
// they cannot ask. Since slog encodes a struct as JSON, the types below that hold a
// Secret hide themselves from slog too.
type Secret string

// Reveal gives the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.show())) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.show()) }

func (s Secret) show() string {
	if s == "" {
		return ""
	}
	return redacted
}

// RegisterRequest asks for a new account. Refusals: CodeInvalid with the field,
// CodeEmailTaken, CodeNicknameTaken, CodeBusy, CodeConflict (the registration under this
// request id was given up; use a new id).
type RegisterRequest struct {
	// RequestID is an id of prefix PrefixCommand that is kept through retries: a repeat
	// with the same e-mail, nickname and password gets the same account. Without one, a
	// repeat after an answer was lost may find the names taken.
	RequestID string `json:"request_id,omitempty"`
	Email     string `json:"email"`
	Nickname  string `json:"nickname"`
	Password  Secret `json:"password"`
}

// LogValue implements slog.LogValuer.
func (r RegisterRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("request_id", r.RequestID), slog.String("nickname", r.Nickname))
}

// LoginRequest asks for a new session. Refusals: CodeBadCredentials, CodeBusy.
type LoginRequest struct {
	Email    string `json:"email"`
	Password Secret `json:"password"`
}

// LogValue implements slog.LogValuer.
func (r LoginRequest) LogValue() slog.Value { return slog.StringValue("login") }

// RefreshRequest exchanges a refresh token for a new pair. A refresh token works once:
// keep one exchange under way per session. Refusals: CodeUnauthenticated,
// CodeTokenReused.
type RefreshRequest struct {
	RefreshToken Secret `json:"refresh_token"`
}

// LogValue implements slog.LogValuer.
func (r RefreshRequest) LogValue() slog.Value { return slog.StringValue("refresh") }

// LogoutRequest ends the session of a refresh token. One that is over already is no
// error.
type LogoutRequest struct {
	RefreshToken Secret `json:"refresh_token"`
}

// LogValue implements slog.LogValuer.
func (r LogoutRequest) LogValue() slog.Value { return slog.StringValue("logout") }

// LogoutAllRequest ends every session of the user whose access token it is. Refusal:
// CodeUnauthenticated.
type LogoutAllRequest struct {
	AccessToken Secret `json:"access_token"`
}

// LogValue implements slog.LogValuer.
func (r LogoutAllRequest) LogValue() slog.Value { return slog.StringValue("logout_all") }

// LogoutAllAnswer counts the sessions that were ended.
type LogoutAllAnswer struct {
	Sessions int `json:"sessions"`
}

// ValidateRequest asks whether an access token is good now: its signature and times, and
// beyond what a verifier sees alone, that its session has not ended.
type ValidateRequest struct {
	AccessToken Secret `json:"access_token"`
}

// LogValue implements slog.LogValuer.
func (r ValidateRequest) LogValue() slog.Value { return slog.StringValue("validate") }

// Validation is the answer to ValidateRequest. If Active is false nothing else is set.
type Validation struct {
	Active bool `json:"active"`
	// UserID and SessionID are whose token it is and the session it came from.
	UserID    string `json:"sub,omitempty"`
	SessionID string `json:"sid,omitempty"`
	Nickname  string `json:"nickname,omitempty"`
	// IssuedAt and ExpiresAt are Unix seconds, as in the token.
	IssuedAt  int64 `json:"iat,omitempty"`
	ExpiresAt int64 `json:"exp,omitempty"`
}

// Grant is what a person holds after registering, logging in or refreshing.
type Grant struct {
	// AccessToken is a JWT signed with EdDSA; anyone with the KeySet can verify it.
	AccessToken Secret `json:"access_token"`
	// RefreshToken is opaque, works once, and is replaced by each refresh.
	RefreshToken Secret `json:"refresh_token"`
	// TokenType is TokenBearer.
	TokenType string `json:"token_type"`
	// ExpiresIn is the life of the access token in seconds.
	ExpiresIn int64 `json:"expires_in"`
	// RefreshExpiresIn is the life of the refresh token in seconds.
	RefreshExpiresIn int64 `json:"refresh_expires_in"`
	User             User  `json:"user"`
}

// LogValue implements slog.LogValuer.
func (g Grant) LogValue() slog.Value { return slog.GroupValue(slog.String("user", g.User.ID)) }

// User is an account as its owner sees it.
type User struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	Nickname string `json:"nickname"`
	// CreatedAt is in Unix milliseconds.
	CreatedAt int64 `json:"created_at"`
}

// LogValue implements slog.LogValuer: the address stays out of logs.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", u.ID), slog.String("nickname", u.Nickname))
}

// Account is the public document of the table TableAccounts on the STATE stream. It
// holds nothing that a stranger may not know.
type Account struct {
	ID       string `json:"id"`
	Nickname string `json:"nickname"`
	// CreatedAt is in Unix milliseconds.
	CreatedAt int64 `json:"createdAt"`
}

// NicknameRequest changes the nickname of an account. Asking again for the nickname that
// one has is no error. Refusals: CodeInvalid with the field, CodeNicknameTaken, CodeBusy
// (somebody is about to take it, or the account changes just now: try again).
type NicknameRequest struct {
	// UserID is who asks, as the edge verified, and so whose nickname it is.
	UserID   string `json:"userId"`
	Nickname string `json:"nickname"`
}

// NicknameAnswer holds the nickname as it is shown. Access tokens that are out keep the
// old one until they are refreshed.
type NicknameAnswer struct {
	Nickname string `json:"nickname"`
}

// KeySet is the public half of the keys that sign access tokens, as a JSON Web Key Set
// (RFC 7517, RFC 8037).
type KeySet struct {
	Keys []PublicKey `json:"keys"`
}

// PublicKey is one Ed25519 key of a KeySet.
type PublicKey struct {
	// Type is "OKP", Curve "Ed25519", Use "sig" and Algorithm "EdDSA".
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	// ID is the key's RFC 7638 thumbprint.
	ID string `json:"kid"`
	// X is the key's 32 bytes in unpadded base64url.
	X string `json:"x"`
}
