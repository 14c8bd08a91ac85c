package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// ringID is the one document of the table of keys.
const ringID = "ring"

// keySlack is how much longer than the life of its last token a key stays in the set,
// for clocks that differ.
const keySlack = time.Minute

// ring holds the keys, oldest first. It is never empty once it was made and holds at most
// subjects.MaxKeys.
type ring struct {
	Keys []ringKey `json:"keys"`
}

type ringKey struct {
	// Seed is the Ed25519 private key's (RFC 8032).
	Seed []byte `json:"seed"`
	// SignsFrom is when it takes over from the one before, in Unix milliseconds.
	SignsFrom int64 `json:"signsFrom"`
}

func (k ringKey) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.Seed) }

// signing gives the index of the key that signs at a time: the newest whose turn has
// come.
func (r ring) signing(now time.Time) int {
	for i := len(r.Keys) - 1; i > 0; i-- {
		if r.Keys[i].SignsFrom <= now.UnixMilli() {
			return i
		}
	}
	return 0
}

// next gives the ring as it should be now, and whether that differs: without the keys
// whose last tokens have expired, and with a successor if the newest key is about to
// have signed for long enough. seed makes the successor's.
func (r ring) next(now time.Time, c Config, seed func() []byte) (ring, bool) {
	if len(r.Keys) == 0 {
		return ring{Keys: []ringKey{{Seed: seed(), SignsFrom: now.UnixMilli()}}}, true
	}
	keep := 0
	for keep+1 < len(r.Keys) &&
		now.Sub(time.UnixMilli(r.Keys[keep+1].SignsFrom)) > c.AccessLife+keySlack {
		keep++
	}
	out := ring{Keys: append([]ringKey(nil), r.Keys[keep:]...)}
	newest := time.UnixMilli(out.Keys[len(out.Keys)-1].SignsFrom)
	if now.Sub(newest) >= c.RotateEvery-c.KeyLead && len(out.Keys) < subjects.MaxKeys {
		out.Keys = append(out.Keys, ringKey{Seed: seed(), SignsFrom: now.Add(c.KeyLead).UnixMilli()})
	}
	return out, keep > 0 || len(out.Keys) != len(r.Keys)
}

func (r ring) check() error {
	if len(r.Keys) == 0 || len(r.Keys) > subjects.MaxKeys {
		return fmt.Errorf("auth: the key ring holds %d keys", len(r.Keys))
	}
	for _, k := range r.Keys {
		if len(k.Seed) != ed25519.SeedSize {
			return errors.New("auth: the key ring holds what is not an Ed25519 seed")
		}
	}
	return nil
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // crypto/rand ends the program rather than fail
	return seed
}

// keeper has the ring in memory and keeps it as it should be. Replicas agree through
// compare-and-set: who loses reads what the other wrote.
type keeper struct {
	cfg   Config
	store store.Store
	now   func() time.Time

	mu      sync.RWMutex
	ring    ring
	signers []*token.Signer // as ring.Keys
}

// renew reads the ring and rotates it if that is due.
func (k *keeper) renew(ctx context.Context) error {
	for range claimAttempts {
		var have ring
		doc, err := k.store.Get(ctx, tableKeys, ringID)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return fmt.Errorf("auth: keys: %w", err)
		default:
			if err := doc.Decode(&have); err != nil {
				return fmt.Errorf("auth: keys: the key ring is not readable: %w", err)
			}
			if err := have.check(); err != nil {
				return err
			}
		}
		want, changed := have.next(k.now(), k.cfg, newSeed)
		if changed {
			body, err := encode(want)
			if err != nil {
				return err
			}
			err = k.store.Put(ctx, tableKeys, store.Document{ID: ringID, Version: doc.Version.Next(), Body: body})
			if errors.Is(err, store.ErrStale) {
				continue
			}
			if err != nil {
				return fmt.Errorf("auth: keys: %w", err)
			}
		}
		k.use(want)
		return nil
	}
	return fmt.Errorf("auth: keys: %w: other replicas keep changing the ring", store.ErrUnavailable)
}

func (k *keeper) use(r ring) {
	signers := make([]*token.Signer, len(r.Keys))
	for i := range r.Keys {
		signers[i] = token.NewSigner(r.Keys[i].key(), k.cfg.Issuer, k.cfg.Audience)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring, k.signers = r, signers
}

// signer gives the key that signs at a time. renew must have succeeded once.
func (k *keeper) signer(now time.Time) *token.Signer {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.signers[k.ring.signing(now)]
}

// public gives the key set.
func (k *keeper) public() subjects.KeySet {
	k.mu.RLock()
	defer k.mu.RUnlock()
	set := subjects.KeySet{Keys: make([]subjects.PublicKey, len(k.ring.Keys))}
	for i, key := range k.ring.Keys {
		set.Keys[i] = token.EncodeKey(token.Public(key.key()))
	}
	return set
}
