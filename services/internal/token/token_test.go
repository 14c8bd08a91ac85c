package token_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func principal(at time.Time) token.Principal {
	return token.Principal{
		UserID: subjects.NewID(subjects.PrefixUser, at), Nickname: "anna", SessionID: subjects.NewID(subjects.PrefixSession, at),
		IssuedAt: at, ExpiresAt: at.Add(15 * time.Minute),
	}
}

// server is a key set that counts how often it was asked, and can be down.
type server struct {
	mu    sync.Mutex
	keys  []ed25519.PrivateKey
	down  bool
	asked atomic.Int64
	delay time.Duration
}

func (s *server) serve(keys ...ed25519.PrivateKey) { s.mu.Lock(); s.keys = keys; s.mu.Unlock() }
func (s *server) setDown(down bool)                { s.mu.Lock(); s.down = down; s.mu.Unlock() }

func (s *server) fetch(ctx context.Context) (subjects.KeySet, error) {
	s.asked.Add(1)
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return subjects.KeySet{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return subjects.KeySet{}, errors.New("nobody answers")
	}
	var set subjects.KeySet
	for _, k := range s.keys {
		set.Keys = append(set.Keys, token.EncodeKey(token.Public(k)))
	}
	return set, nil
}

func verifier(t *testing.T, s *server) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.Options{Issuer: "here", Audience: "us", Fetch: s.fetch})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t *testing.T, k ed25519.PrivateKey, p token.Principal) string {
	t.Helper()
	raw, err := token.NewSigner(k, "here", "us").Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestATokenSpeaksForItsPrincipalUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{keys: []ed25519.PrivateKey{key(1)}}
		v := verifier(t, s)
		p := principal(time.Now())
		raw := sign(t, key(1), p)
		got, err := v.Verify(t.Context(), raw)
		if err != nil || got.UserID != p.UserID || got.Nickname != "anna" || got.SessionID != p.SessionID || got.TokenID == "" || !got.ExpiresAt.Equal(p.ExpiresAt) {
			t.Fatalf("got %+v, %v", got, err)
		}
		time.Sleep(15*time.Minute + 4*time.Second)
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatalf("within the leeway: %v", err)
		}
		time.Sleep(2 * time.Second)
		_, err = v.Verify(t.Context(), raw)
		if !errors.Is(err, token.ErrExpired) || subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Fatalf("after its time: %v", err)
		}
	})
}

func TestWhatIsNotOursIsInvalid(t *testing.T) {
	s := &server{keys: []ed25519.PrivateKey{key(1)}}
	v := verifier(t, s)
	p := principal(time.Now())
	good := sign(t, key(1), p)
	parts := strings.Split(good, ".")
	reg := jwt.MapClaims{"sub": p.UserID, "sid": p.SessionID, "iss": "here", "aud": "us", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	kid := token.KeyID(token.Public(key(1)))
	forge := func(method jwt.SigningMethod, secret any, change map[string]any) string {
		c := jwt.MapClaims{}
		for k, v := range reg {
			c[k] = v
		}
		for k, v := range change {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		f := jwt.NewWithClaims(method, c)
		f.Header["kid"] = kid
		raw, err := f.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if _, err := v.Verify(t.Context(), forge(jwt.SigningMethodEdDSA, key(1), nil)); err != nil {
		t.Fatalf("the pattern of the forgeries must itself be good: %v", err)
	}
	public := []byte(token.Public(key(1)))
	for name, raw := range map[string]string{
		"nothing":            "",
		"noise":              "a.b.c",
		"too long":           strings.Repeat("a", subjects.MaxToken+1),
		"other payload":      parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2],
		"no signature":       parts[0] + "." + parts[1] + ".",
		"other key":          sign(t, key(2), p),
		"other key, our kid": forge(jwt.SigningMethodEdDSA, key(2), nil),
		"alg none":           forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"hmac by public key": forge(jwt.SigningMethodHS256, public, nil),
		"other issuer":       forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"iss": "there"}),
		"other audience":     forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"aud": "them"}),
		"expired elsewhere":  forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"iss": "there", "exp": time.Now().Add(-time.Hour).Unix()}),
		"no expiry":          forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"exp": nil}),
		"no issue time":      forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"iat": nil}),
		"from the future":    forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"iat": time.Now().Add(time.Hour).Unix()}),
		"no user":            forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"sub": "root"}),
		"the system":         forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"sub": subjects.System}),
		"no session":         forge(jwt.SigningMethodEdDSA, key(1), map[string]any{"sid": nil}),
	} {
		_, err := v.Verify(t.Context(), raw)
		if !errors.Is(err, token.ErrInvalid) || subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		if len(raw) > 8 && err != nil && strings.Contains(err.Error(), raw) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
}

func TestARotatedKeyIsFoundAndInventedOnesCostNoRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{keys: []ed25519.PrivateKey{key(1)}}
		v := verifier(t, s)
		for range 100 {
			if _, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now()))); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Fatalf("asked %d times for one key", n)
		}
		time.Sleep(time.Minute)
		s.serve(key(1), key(2))
		if _, err := v.Verify(t.Context(), sign(t, key(2), principal(time.Now()))); err != nil {
			t.Fatalf("a new key: %v", err)
		}
		before := s.asked.Load()
		for i := range 1000 { // ten a second
			if _, err := v.Verify(t.Context(), sign(t, key(byte(3+i%200)), principal(time.Now()))); !errors.Is(err, token.ErrInvalid) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.asked.Load() - before; n > 100 {
			t.Fatalf("%d requests in 100 seconds of invented keys", n)
		}
		// A key that was taken out of the set is forgotten when the set has grown old.
		s.serve(key(2))
		time.Sleep(6 * time.Minute)
		if _, err := v.Verify(t.Context(), sign(t, key(2), principal(time.Now()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now()))); !errors.Is(err, token.ErrInvalid) {
			t.Fatalf("a key that was taken out: %v", err)
		}
	})
}

func TestAnOutageLocksNobodyOutWhoIsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{keys: []ed25519.PrivateKey{key(1)}, down: true}
		v := verifier(t, s)
		_, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now())))
		if !errors.Is(err, token.ErrUnavailable) || subjects.CodeOf(err) != subjects.CodeUnavailable {
			t.Fatalf("before the first key set: %v", err)
		}
		s.setDown(false)
		time.Sleep(time.Second)
		if _, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now()))); err != nil {
			t.Fatal(err)
		}
		s.setDown(true)
		time.Sleep(24 * time.Hour)
		if _, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now()))); err != nil {
			t.Fatalf("a known key during an outage: %v", err)
		}
		if _, err := v.Verify(t.Context(), sign(t, key(2), principal(time.Now()))); !errors.Is(err, token.ErrUnavailable) {
			t.Fatalf("an unknown key during an outage: %v", err)
		}
	})
}

func TestManyAtOnceShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{keys: []ed25519.PrivateKey{key(1)}, delay: time.Second}
		v := verifier(t, s)
		raw := sign(t, key(1), principal(time.Now()))
		all := func() {
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := v.Verify(t.Context(), raw); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		all()
		if n := s.asked.Load(); n != 1 {
			t.Fatalf("%d fetches at first", n)
		}
		time.Sleep(6 * time.Minute) // the set is old: one renews it, nobody else waits
		start, waited := time.Now(), atomic.Int64{}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
				if time.Since(start) > 0 {
					waited.Add(1)
				}
			})
		}
		wg.Wait()
		if s.asked.Load() != 2 || waited.Load() != 1 {
			t.Fatalf("%d fetches, %d waited", s.asked.Load(), waited.Load())
		}
		// A fetch that hangs ends; a caller who leaves does not spoil it for the others.
		s.delay = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = v.Verify(ctx, sign(t, key(9), principal(time.Now()))) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
	})
}

func TestKeySetsAreBoundedAndForeignKeysPassedOver(t *testing.T) {
	mine := token.EncodeKey(token.Public(key(1)))
	set := subjects.KeySet{Keys: []subjects.PublicKey{{Type: "RSA", ID: "r"}, {Type: "OKP", Curve: "Ed25519", ID: "s", X: "AA"}, mine}}
	many := subjects.KeySet{Keys: make([]subjects.PublicKey, subjects.MaxKeys+1)}
	for _, c := range []struct {
		set  subjects.KeySet
		want error
	}{{set, nil}, {many, token.ErrUnavailable}} {
		v, err := token.NewVerifier(token.Options{Issuer: "here", Audience: "us", Fetch: func(context.Context) (subjects.KeySet, error) { return c.set, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), sign(t, key(1), principal(time.Now()))); !errors.Is(err, c.want) {
			t.Fatalf("got %v, want %v", err, c.want)
		}
	}
}

func TestAVerifierSaysEverythingThatItLacks(t *testing.T) {
	_, err := token.NewVerifier(token.Options{MaxAge: -1})
	for _, word := range []string{"issuer", "audience", "fetch", "below zero"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Fatalf("%v does not speak of %q", err, word)
		}
	}
}

func TestKeyIDIsTheThumbprintOfRFC8037(t *testing.T) {
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got := token.KeyID(x); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Fatal(got)
	}
}

func FuzzVerify(f *testing.F) {
	v, err := token.NewVerifier(token.Options{Issuer: "here", Audience: "us", Fetch: (&server{keys: []ed25519.PrivateKey{key(1)}}).fetch})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("e30.e30.AA")
	f.Add(`eyJhbGciOiJub25lIn0.e30.`)
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := v.Verify(t.Context(), raw)
		if err == nil {
			t.Fatalf("%q is taken for %+v", raw, p)
		}
		if _, err := json.Marshal(err.Error()); err != nil {
			t.Fatal(err)
		}
	})
}
