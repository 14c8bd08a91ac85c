package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/tuttihq/tutti/subjects"
)

// hasher hashes and compares passwords, a bounded number at once: bcrypt is made to cost
// a core's full attention. Who comes when the queue is full, or has waited too long, is
// told CodeBusy; no work was done for them.
type hasher struct {
	cost    int
	wait    time.Duration
	workers chan struct{} // holds one for each hash being computed
	places  chan struct{} // holds one for each caller, computing or waiting
	dummy   []byte
}

func newHasher(c Config) (*hasher, error) {
	dummy, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), c.Cost)
	if err != nil {
		return nil, fmt.Errorf("auth: bcrypt: %w", err)
	}
	return &hasher{
		cost:    c.Cost,
		wait:    c.HashWait,
		workers: make(chan struct{}, c.HashWorkers),
		places:  make(chan struct{}, c.HashWorkers+c.HashQueue),
		dummy:   dummy,
	}, nil
}

// enter waits for a worker's place. If err is nil the caller must call leave.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	busy := subjects.Refuse(subjects.CodeBusy, "too many people are logging in at this moment; try again")
	select {
	case h.places <- struct{}{}:
	default:
		return nil, busy
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.workers <- struct{}{}:
		return func() { <-h.workers; <-h.places }, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	<-h.places
	return nil, busy
}

// hash gives the bcrypt hash of a checked password.
func (h *hasher) hash(ctx context.Context, password []byte) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	sum, err := bcrypt.GenerateFromPassword(password, h.cost)
	if err != nil {
		return "", fmt.Errorf("auth: bcrypt: %w", err)
	}
	return string(sum), nil
}

// matches reports whether the password is the one that was hashed. With an empty hash it
// works as long as with any other and answers no, so that the time does not tell whether
// there is an account.
func (h *hasher) matches(ctx context.Context, hash string, password []byte) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	against := []byte(hash)
	if hash == "" {
		against = h.dummy
	}
	err = bcrypt.CompareHashAndPassword(against, password)
	switch {
	case err == nil:
		return hash != "", nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	default:
		return false, fmt.Errorf("auth: bcrypt: %w", err)
	}
}

// outdated reports whether a hash was made at another cost than the present one.
func (h *hasher) outdated(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err == nil && cost != h.cost
}
