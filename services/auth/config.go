package auth

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Config tunes the service. Replicas of one deployment share it.
type Config struct {
	// Issuer and Audience stand in every access token; verifiers need the same.
	Issuer, Audience string
	// AccessLife is how long an access token is good.
	AccessLife time.Duration
	// RefreshLife is how long a refresh token is good if it is not used.
	RefreshLife time.Duration
	// MaxSessions bounds the sessions of one user; past it the one that was refreshed
	// longest ago ends.
	MaxSessions int
	// Cost is bcrypt's. One more doubles the time; 11 takes 0.1 to 0.2 s of a core.
	Cost int
	// HashWorkers is how many passwords are hashed at once.
	HashWorkers int
	// HashQueue is how many more may wait for that. Past it, and for those that have
	// waited longer than HashWait, the answer is subjects.CodeBusy.
	HashQueue int
	HashWait  time.Duration
	// ClaimPatience is how long a name stays with a registration that was begun and not
	// finished.
	ClaimPatience time.Duration
	// RotateEvery is how long a key signs.
	RotateEvery time.Duration
	// KeyLead is how long a new key is in the key set before it signs; longer than
	// verifiers keep a set.
	KeyLead time.Duration
	// KeyCheck is how often the ring is read again and rotated if due.
	KeyCheck time.Duration
}

// Defaults gives the configuration of a laptop, good for production as well.
func Defaults() Config {
	return Config{
		Issuer:      "tutti",
		Audience:    "tutti",
		AccessLife:  15 * time.Minute,
		RefreshLife: 30 * 24 * time.Hour,
		MaxSessions: 20,
		Cost:        11,
		// Where there are enough cores, one is left to everything else in the process.
		HashWorkers:   max(2, runtime.GOMAXPROCS(0)-1),
		HashQueue:     32,
		HashWait:      3 * time.Second,
		ClaimPatience: 30 * time.Second,
		RotateEvery:   30 * 24 * time.Hour,
		KeyLead:       10 * time.Minute,
		KeyCheck:      time.Minute,
	}
}

// maxSessionsLimit keeps a user's sessions within one page of the store.
const maxSessionsLimit = 200

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("auth: "+format, args...)) }
	if c.Issuer == "" {
		bad("issuer is empty; name this deployment")
	}
	if c.Audience == "" {
		bad("audience is empty; name this deployment")
	}
	if c.AccessLife < time.Second || c.AccessLife > 24*time.Hour {
		bad("access life is %v; it must be between 1s and 24h", c.AccessLife)
	}
	if c.RefreshLife < c.AccessLife {
		bad("refresh life is %v; it must not be shorter than the access life, %v", c.RefreshLife, c.AccessLife)
	}
	if c.MaxSessions < 1 || c.MaxSessions > maxSessionsLimit {
		bad("max sessions is %d; it must be between 1 and %d", c.MaxSessions, maxSessionsLimit)
	}
	if c.Cost < bcrypt.MinCost || c.Cost > 16 {
		bad("cost is %d; it must be between %d and 16", c.Cost, bcrypt.MinCost)
	}
	if c.HashWorkers < 1 {
		bad("hash workers is %d; it must be at least 1", c.HashWorkers)
	}
	if c.HashQueue < 0 {
		bad("hash queue is %d; it must not be below 0", c.HashQueue)
	}
	for _, d := range [...]struct {
		name string
		v    time.Duration
	}{
		{"hash wait", c.HashWait}, {"claim patience", c.ClaimPatience}, {"rotate every", c.RotateEvery},
		{"key lead", c.KeyLead}, {"key check", c.KeyCheck},
	} {
		if d.v <= 0 {
			bad("%s is %v; it must be above 0", d.name, d.v)
		}
	}
	if c.RotateEvery <= c.KeyLead {
		bad("rotate every is %v; it must be longer than the key lead, %v", c.RotateEvery, c.KeyLead)
	}
	if c.KeyCheck > c.KeyLead/2 {
		bad("key check is %v; it must be at most half the key lead, %v, or a replica misses its turn", c.KeyCheck, c.KeyLead)
	}
	// Keys that still verify, the one that signs and the next must fit in a key set.
	if c.RotateEvery > 0 && c.AccessLife/c.RotateEvery > 8 {
		bad("rotate every is %v; with an access life of %v that needs too many keys", c.RotateEvery, c.AccessLife)
	}
	return errors.Join(errs...)
}
