package token

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tuttihq/tutti/subjects"
)

// Fetch gets the present key set, from the auth service say.
type Fetch func(ctx context.Context) (subjects.KeySet, error)

// Options of a Verifier.
type Options struct {
	// Issuer and Audience must stand in a token.
	Issuer, Audience string
	// Fetch gets the key set.
	Fetch Fetch
	// Now is the time to judge by: the log's clock. Nil for the machine's own.
	Now func() time.Time
	// Leeway is how much issuer's and verifier's clocks may differ; 0 for 5 s.
	Leeway time.Duration
	// MaxAge is how old the key set may grow before it is fetched again; 0 for 5 min.
	MaxAge time.Duration
	// MinPause is the least time between two fetches, also after one that failed; 0 for
	// 1 s.
	MinPause time.Duration
	// FetchTimeout bounds one fetch; 0 for 2 s.
	FetchTimeout time.Duration
}

// Validate reports everything that is missing or wrong.
func (o Options) Validate() error {
	var errs []error
	if o.Issuer == "" {
		errs = append(errs, errors.New("token: an issuer is needed"))
	}
	if o.Audience == "" {
		errs = append(errs, errors.New("token: an audience is needed"))
	}
	if o.Fetch == nil {
		errs = append(errs, errors.New("token: a way to fetch the key set is needed"))
	}
	for _, d := range [...]time.Duration{o.Leeway, o.MaxAge, o.MinPause, o.FetchTimeout} {
		if d < 0 {
			errs = append(errs, errors.New("token: a duration is below zero"))
			break
		}
	}
	return errors.Join(errs...)
}

// Verifier verifies access tokens. It is safe for use by many goroutines and starts
// none. It holds at most subjects.MaxKeys keys.
type Verifier struct {
	opts   Options
	parser *jwt.Parser
	// turn holds one token: who has it may fetch.
	turn chan struct{}

	mu       sync.Mutex
	keys     map[string]ed25519.PublicKey
	fetched  time.Time // when keys arrived; zero if they never did
	fetching bool      // a fetch is under way
	tried    time.Time // when the last fetch ended; zero if none did
	lastErr  error     // why the last fetch failed, nil if it did not
}

// NewVerifier makes a Verifier. It fetches nothing yet.
func NewVerifier(o Options) (*Verifier, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range [...]struct {
		v     *time.Duration
		unset time.Duration
	}{{&o.Leeway, 5 * time.Second}, {&o.MaxAge, 5 * time.Minute}, {&o.MinPause, time.Second}, {&o.FetchTimeout, 2 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.unset
		}
	}
	return &Verifier{
		opts: o,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{algorithm}),
			jwt.WithIssuer(o.Issuer),
			jwt.WithAudience(o.Audience),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(o.Leeway),
			jwt.WithTimeFunc(o.Now),
			jwt.WithStrictDecoding(),
		),
		turn: make(chan struct{}, 1),
	}, nil
}

// Verify gives who a token speaks for. Errors: ErrInvalid, ErrExpired, ErrUnavailable.
// It waits for the network only to fetch the key set, and then at most for
// FetchTimeout.
func (v *Verifier) Verify(ctx context.Context, raw string) (Principal, error) {
	if raw == "" || len(raw) > subjects.MaxToken {
		return Principal{}, invalid("it is not one")
	}
	var c claims
	_, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return v.key(ctx, kid)
	})
	switch {
	case err == nil:
	case errors.Is(err, ErrUnavailable):
		return Principal{}, unavailable(err)
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidIssuer) && !errors.Is(err, jwt.ErrTokenInvalidAudience):
		return Principal{}, expired()
	default:
		return Principal{}, invalid(reason(err))
	}
	if subjects.CheckID(subjects.PrefixUser, c.Subject) != nil || subjects.CheckID(subjects.PrefixSession, c.SessionID) != nil || c.IssuedAt == nil {
		return Principal{}, invalid("it lacks what it must say")
	}
	return Principal{
		UserID: c.Subject, Nickname: c.Nickname, SessionID: c.SessionID, TokenID: c.ID,
		IssuedAt: c.IssuedAt.Time, ExpiresAt: c.ExpiresAt.Time,
	}, nil
}

// reason puts the library's error into words that quote nothing of the token.
func reason(err error) string {
	switch {
	case errors.Is(err, errUnknownKey):
		return "its key is not known"
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return "its signature does not fit"
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "it is for another place"
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued), errors.Is(err, jwt.ErrTokenNotValidYet):
		return "it is from the future; check the clock"
	default:
		return "it is not one"
	}
}

var errUnknownKey = errors.New("token: unknown key")

// key finds a key by its id, fetching the set if that may help.
func (v *Verifier) key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	k, due := v.look(kid)
	if !due {
		return v.found(k)
	}
	if k != nil { // the set is old but does for now: whoever is first fetches, nobody waits for them
		select {
		case v.turn <- struct{}{}:
		default:
			return k, nil
		}
	} else {
		select {
		case v.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
	defer func() { <-v.turn }()
	if k, due = v.look(kid); !due { // somebody fetched while we waited
		return v.found(k)
	}
	v.fetch(ctx)
	k, _ = v.look(kid)
	return v.found(k)
}

// look gives the key, nil if it is not known, and whether a fetch is called for and
// under way or allowed now.
func (v *Verifier) look(kid string) (key ed25519.PublicKey, due bool) {
	now := v.opts.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	key = v.keys[kid]
	wanted := key == nil || over(now.Sub(v.fetched), v.opts.MaxAge)
	return key, wanted && (v.fetching || over(now.Sub(v.tried), v.opts.MinPause))
}

// over also holds for a clock that was set back.
func over(passed, limit time.Duration) bool { return passed < 0 || passed >= limit }

func (v *Verifier) found(key ed25519.PublicKey) (ed25519.PublicKey, error) {
	if key != nil {
		return key, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lastErr != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, v.lastErr)
	}
	return nil, errUnknownKey
}

// fetch gets the set; a caller whose own context ends does not count as a failure of
// the others, so the fetch does not end with it.
func (v *Verifier) fetch(ctx context.Context) {
	v.mu.Lock()
	v.fetching = true
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.opts.FetchTimeout)
	defer cancel()
	set, err := v.opts.Fetch(ctx)
	var keys map[string]ed25519.PublicKey
	if err == nil {
		keys, err = decodeKeys(set)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fetching, v.tried, v.lastErr = false, v.opts.Now(), err
	if err == nil {
		v.keys, v.fetched = keys, v.tried
	}
}
