package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const (
	claimEmail    = "email"
	claimNickname = "nickname"
)

// first is the version of a document when it is made.
var first = store.Version{Rev: 1}

// claim says which account a name is for. That account exists, or is being registered,
// or never will: see the package's page.
type claim struct {
	Account string `json:"account"`
	// At is when it was claimed, in Unix milliseconds.
	At int64 `json:"at"`
}

// How a name stands towards an account that wants it.
var (
	// errTaken: another account has the name.
	errTaken = errors.New("auth: name taken")
	// errPending: another registration, of a moment ago, has claimed the name.
	errPending = errors.New("auth: name claimed by a registration under way")
	// errFenced: this registration was given up by somebody who took its names over.
	errFenced = errors.New("auth: registration fenced")
)

// claimAttempts bounds the rounds of reading and writing one claim. Each lost round is
// somebody else's progress.
const claimAttempts = 8

func (s *Service) getClaim(ctx context.Context, name string) (claim, store.Version, error) {
	var c claim
	doc, err := s.store.Get(ctx, tableClaims, name)
	if err != nil {
		return c, doc.Version, err
	}
	err = doc.Decode(&c)
	return c, doc.Version, err
}

// hold claims a name for an account id. It succeeds also if the id holds it already.
// Errors: errTaken, errPending, those of the store.
func (s *Service) hold(ctx context.Context, name, id string) error {
	for range claimAttempts {
		c, version, err := s.getClaim(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			// Never claimed, or given back: version is then that of the tombstone.
		case err != nil:
			return err
		case c.Account == id:
			return nil
		default:
			if err := s.vacate(ctx, c); err != nil {
				return err
			}
		}
		body, err := encode(claim{Account: id, At: s.now().UnixMilli()})
		if err != nil {
			return err
		}
		err = s.store.Put(ctx, tableClaims, store.Document{ID: name, Version: version.Next(), Body: body})
		if err == nil || !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return errPending
}

// vacate returns nil once the account that a claim names can never come to exist any
// more, so that the claim may be replaced. errTaken if it exists; errPending if it may
// still be on its way.
func (s *Service) vacate(ctx context.Context, c claim) error {
	doc, err := s.store.Get(ctx, tableAccounts, c.Account)
	switch {
	case err == nil:
		return errTaken
	case !errors.Is(err, store.ErrNotFound):
		return err
	case doc.Deleted:
		return nil
	case s.now().Sub(time.UnixMilli(c.At)) < s.cfg.ClaimPatience:
		return errPending
	}
	return s.fence(ctx, c.Account)
}

// fence puts a tombstone where an account would be inserted. errTaken if it was.
func (s *Service) fence(ctx context.Context, id string) error {
	err := s.store.Delete(ctx, tableAccounts, id, first)
	if !errors.Is(err, store.ErrStale) {
		return err
	}
	doc, err := s.store.Get(ctx, tableAccounts, id)
	switch {
	case err == nil:
		return errTaken
	case errors.Is(err, store.ErrNotFound) && doc.Deleted:
		return nil
	default:
		return err
	}
}

// giveBack ends a registration that will not be completed: it fences the account id and
// removes those of its claims that it got. What it cannot remove is taken over later.
func (s *Service) giveBack(ctx context.Context, id string, names ...string) error {
	if err := s.fence(ctx, id); err != nil {
		return fmt.Errorf("auth: give up %s: %w", id, err)
	}
	for _, name := range names {
		c, version, err := s.getClaim(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if c.Account != id {
			continue
		}
		if err := s.store.Delete(ctx, tableClaims, name, version.Next()); err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return nil
}

// claimRefusal puts what hold answered into words for who registers.
func claimRefusal(err error, taken subjects.Code, what string) error {
	switch {
	case errors.Is(err, errTaken):
		return subjects.Refuse(taken, "another account has this %s", what)
	case errors.Is(err, errPending):
		return subjects.Refuse(subjects.CodeBusy, "a registration with this %s is under way; try again in a moment", what)
	default:
		return err
	}
}
