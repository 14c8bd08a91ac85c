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

// claim says which account a name is for. That account exists and has the name, or had it,
// or is about to take it; or it is being registered, or never will be: see the package's
// page.
type claim struct {
	Account string `json:"account"`
	// At is when it was last claimed, in Unix milliseconds.
	At int64 `json:"at"`
}

// How a name stands towards an account that wants it.
var (
	// errTaken: another account has the name.
	errTaken = errors.New("auth: name taken")
	// errPending: somebody else has claimed the name a moment ago, and may yet get it.
	errPending = errors.New("auth: name claimed by somebody who may yet get it")
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

// hold claims a name for an account that is being registered. It succeeds also if the id
// holds it already. Errors: errTaken, errPending, those of the store.
func (s *Service) hold(ctx context.Context, name, id string) error {
	return s.claim(ctx, name, id, false)
}

// claim claims a name for an account id. If the id holds it already that does, unless anew
// is set: then the claim is written again, so that whoever is about to take it over finds
// that it is another one. Errors: errTaken, errPending, those of the store.
func (s *Service) claim(ctx context.Context, name, id string, anew bool) error {
	for range claimAttempts {
		c, version, err := s.getClaim(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			// Never claimed, or given back: version is then that of the tombstone.
		case err != nil:
			return err
		case c.Account != id:
			if err := s.vacate(ctx, name, c); err != nil {
				return err
			}
		case !anew:
			return nil
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

// vacate returns nil once the account that a claim names can never have the name by that
// claim any more, so that the claim may be replaced. errTaken if it has the name;
// errPending if it may still be on its way to it.
func (s *Service) vacate(ctx context.Context, name string, c claim) error {
	doc, err := s.store.Get(ctx, tableAccounts, c.Account)
	late := s.now().Sub(time.UnixMilli(c.At)) >= s.cfg.ClaimPatience
	switch {
	case err == nil:
		return s.outdate(ctx, name, doc, late)
	case !errors.Is(err, store.ErrNotFound):
		return err
	case doc.Deleted:
		return nil
	case !late:
		return errPending
	}
	return s.fence(ctx, c.Account)
}

// outdate writes an account that does not have a name anew, so that a change of nickname
// that read it before cannot be completed. errTaken if it has the name; errPending if its
// change of nickname may be under way, which late rules out.
func (s *Service) outdate(ctx context.Context, name string, doc store.Document, late bool) error {
	var a account
	if err := doc.Decode(&a); err != nil {
		return err
	}
	has, err := a.has(name)
	switch {
	case err != nil:
		return err
	case has:
		return errTaken
	case !late:
		return errPending
	}
	err = s.store.Put(ctx, tableAccounts, store.Document{ID: doc.ID, Version: doc.Version.Next(), Body: doc.Body})
	if errors.Is(err, store.ErrStale) {
		return errPending // it has just changed: perhaps it has the name now
	}
	return err
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
		return subjects.Refuse(subjects.CodeBusy, "somebody is about to take this %s; try again in a moment", what)
	default:
		return err
	}
}
