package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

func TestReplicasThatStartTogetherSignWithOneKey(t *testing.T) {
	c, st := newClock(), openStore(t)
	const n = 8
	sets := make([]subjects.KeySet, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { sets[i] = service(t, st, c, testConfig()).keys.public() })
	}
	wg.Wait()
	for _, set := range sets {
		if len(set.Keys) != 1 || set.Keys[0] != sets[0].Keys[0] {
			t.Fatalf("%+v and %+v", set, sets[0])
		}
	}
}

func TestARotatedKeySignsAndOldTokensStayGood(t *testing.T) {
	c, st := newClock(), openStore(t)
	a, b := service(t, st, c, testConfig()), service(t, st, c, testConfig())
	g := mustRegister(t, a, anna())
	first := a.keys.public().Keys[0].ID
	c.advance(testConfig().RotateEvery - 5*time.Minute)
	renew := func() {
		for _, s := range []*Service{a, b} {
			if err := s.keys.renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	renew()
	if set := b.keys.public(); len(set.Keys) != 2 || set.Keys[0].ID != first {
		t.Fatalf("the successor is shown before it signs: %+v", set)
	}
	var err error
	if g, err = refresh(a, g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	c.advance(testConfig().KeyLead)
	renew()
	if v, err := b.validate(t.Context(), subjects.ValidateRequest{AccessToken: g.AccessToken}); err != nil || !v.Active {
		t.Fatalf("a token of the old key: %+v, %v", v, err)
	}
	g, err = refresh(a, g.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.validate(t.Context(), subjects.ValidateRequest{AccessToken: g.AccessToken}); err != nil || !v.Active {
		t.Fatalf("a token of the new key: %+v, %v", v, err)
	}
	c.advance(time.Hour)
	renew()
	if set := a.keys.public(); len(set.Keys) != 1 || set.Keys[0].ID == first {
		t.Fatalf("the old key goes when its tokens have expired: %+v", set)
	}
}

// However irregularly the ring is tended, every token is verified by the key set until
// it expires, the set is never too large, and no key signs before it was shown for the
// lead.
func TestTheRingKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		cfg := testConfig()
		cfg.AccessLife = time.Duration(rapid.IntRange(1, 120).Draw(r, "access")) * time.Minute
		cfg.KeyLead = time.Duration(rapid.IntRange(2, 60).Draw(r, "lead")) * time.Minute
		cfg.RotateEvery = cfg.KeyLead + time.Duration(rapid.IntRange(1, 600).Draw(r, "rotate"))*time.Minute
		if cfg.Validate() != nil {
			r.Skip("not a configuration")
		}
		now, n := time.UnixMilli(1_700_000_000_000), byte(0)
		seed := func() []byte { n++; return bytes.Repeat([]byte{n}, 32) }
		var ring ring
		shown := map[byte]time.Time{}
		type token struct {
			key   byte
			until time.Time
		}
		var tokens []token
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			ring, _ = ring.next(now, cfg, seed)
			if err := ring.check(); err != nil {
				r.Fatal(err)
			}
			if _, again := ring.next(now, cfg, seed); again {
				r.Fatal("what is as it should be is changed")
			}
			in := map[byte]bool{}
			for _, k := range ring.Keys {
				in[k.Seed[0]] = true
				if _, ok := shown[k.Seed[0]]; !ok {
					shown[k.Seed[0]] = now
				}
			}
			for _, tok := range tokens {
				if !now.After(tok.until) && !in[tok.key] {
					r.Fatalf("a token of key %d, good until %v, cannot be verified at %v", tok.key, tok.until, now)
				}
			}
			k := ring.Keys[ring.signing(now)].Seed[0]
			if k != 1 && now.Sub(shown[k]) < cfg.KeyLead {
				r.Fatalf("key %d signs %v after it was shown", k, now.Sub(shown[k]))
			}
			tokens = append(tokens, token{k, now.Add(cfg.AccessLife)})
			now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(r, "minutes")) * time.Minute)
		}
	})
}

func TestARingThatCannotBeReadStopsTheStart(t *testing.T) {
	for _, body := range []string{`{}`, `{"keys":[{"seed":"AAAA"}]}`, `{"keys":7}`} {
		st := openStore(t)
		if err := st.Put(t.Context(), tableKeys, store.Document{ID: ringID, Version: first, Body: json.RawMessage(body)}); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t.Context(), Deps{Store: st, Now: newClock().now, Config: testConfig()}); err == nil {
			t.Fatalf("%s is taken for a key ring", body)
		}
	}
}

// memory is just enough of a store for the ring, without a database's goroutines.
type memory struct {
	store.Store
	mu   sync.Mutex
	doc  store.Document
	down bool
}

func (m *memory) Get(context.Context, string, string) (store.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.down:
		return store.Document{}, store.ErrUnavailable
	case m.doc.Version.IsZero():
		return store.Document{}, store.ErrNotFound
	}
	return m.doc, nil
}

func (m *memory) Put(_ context.Context, _ string, d store.Document) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return store.ErrUnavailable
	}
	m.doc = d
	return nil
}

func (m *memory) setDown(down bool) { m.mu.Lock(); m.down = down; m.mu.Unlock() }

func TestTheRingIsTendedAndAnOutageIsSatOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.KeyLead, cfg.KeyCheck = 4*time.Hour, time.Hour
		m := &memory{down: true}
		time.AfterFunc(10*time.Second, func() { m.setDown(false) })
		s, err := open(t.Context(), Deps{Store: m, Log: discard, Now: time.Now, Config: cfg})
		if err != nil {
			t.Fatalf("the start waits for the store: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.tendKeys(ctx) }()
		seen := map[string]bool{}
		for day := range 100 {
			m.setDown(day%10 == 3)
			set := s.keys.public()
			for _, k := range set.Keys {
				seen[k.ID] = true
			}
			if len(set.Keys) > 2 || !slices.ContainsFunc(set.Keys, func(k subjects.PublicKey) bool { return seen[k.ID] }) {
				t.Fatalf("%+v", set)
			}
			time.Sleep(24 * time.Hour)
		}
		if len(seen) != 4 {
			t.Fatalf("%d keys in 100 days", len(seen))
		}
		cancel()
		<-done
		m.setDown(true)
		stop, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := open(stop, Deps{Store: m, Log: discard, Now: time.Now, Config: cfg}); err == nil {
			t.Fatal("started without keys")
		}
	})
}
