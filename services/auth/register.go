package auth

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// How long a registration waits for another that has claimed the same name: long enough
// for that one to come to its end if it is alive.
const (
	pendingTries = 6
	pendingPause = 50 * time.Millisecond
)

// candidate is a registration that was checked.
type candidate struct {
	id              string
	repeatable      bool // the id follows from the request, so a retry leads to it again
	email, nickname string
	password        []byte
	emailClaim      string
	nicknameClaim   string
}

func (s *Service) candidate(req subjects.RegisterRequest) (candidate, error) {
	var c candidate
	email, err := normaliseEmail(req.Email)
	if err != nil {
		return c, err
	}
	nickname, key, err := normaliseNickname(req.Nickname)
	if err != nil {
		return c, err
	}
	password, err := checkPassword(req.Password)
	if err != nil {
		return c, err
	}
	c = candidate{
		email: email, nickname: nickname, password: password,
		emailClaim: store.ClaimID(claimEmail, email), nicknameClaim: store.ClaimID(claimNickname, key),
	}
	if req.RequestID == "" {
		c.id = subjects.NewID(subjects.PrefixUser, s.now())
		return c, nil
	}
	if err := subjects.CheckID(subjects.PrefixCommand, req.RequestID); err != nil {
		return c, subjects.RefuseField("request_id", "a request id is an id of prefix %q", subjects.PrefixCommand)
	}
	if err := subjects.CheckCommandTime(req.RequestID, s.now()); err != nil {
		return c, err
	}
	at, err := subjects.IDTime(req.RequestID)
	if err != nil {
		return c, err
	}
	c.repeatable = true
	c.id = subjects.DeriveID(subjects.PrefixUser, at, "register", req.RequestID, email, nickname)
	return c, nil
}

// register makes an account and its first session.
func (s *Service) register(ctx context.Context, req subjects.RegisterRequest) (subjects.Grant, error) {
	c, err := s.candidate(req)
	if err != nil {
		return subjects.Grant{}, err
	}
	if c.repeatable {
		_, _, err := s.getAccount(ctx, c.id)
		if err == nil {
			return s.repeated(ctx, c)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return subjects.Grant{}, err
		}
	}
	// Most names that are taken are found so before a hash is paid for.
	if err := s.peek(ctx, c.emailClaim, c.id, subjects.CodeEmailTaken, "e-mail address"); err != nil {
		return subjects.Grant{}, err
	}
	if err := s.peek(ctx, c.nicknameClaim, c.id, subjects.CodeNicknameTaken, "nickname"); err != nil {
		return subjects.Grant{}, err
	}
	hash, err := s.hasher.hash(ctx, c.password)
	if err != nil {
		return subjects.Grant{}, err
	}
	if err := s.holdBoth(ctx, c); err != nil {
		return subjects.Grant{}, err
	}
	a := account{Email: c.email, Nickname: c.nickname, PasswordHash: hash, CreatedAt: s.now().UnixMilli()}
	switch err := s.insertAccount(ctx, c.id, a); {
	case err == nil:
	case errors.Is(err, store.ErrExists): // the same request, at the same time
		return s.repeated(ctx, c)
	case errors.Is(err, errFenced) && c.repeatable:
		return subjects.Grant{}, subjects.Refuse(subjects.CodeConflict, "this registration took too long and was given up; register again under a new request id")
	case errors.Is(err, errFenced):
		return subjects.Grant{}, subjects.Refuse(subjects.CodeBusy, "the registration took too long; try again")
	default:
		return subjects.Grant{}, err
	}
	s.log.Info("registered", "user", c.id)
	return s.grant(ctx, a.user(c.id))
}

// peek refuses a name that an existing account has; anything else is for hold to find
// out.
func (s *Service) peek(ctx context.Context, name, id string, taken subjects.Code, what string) error {
	c, _, err := s.getClaim(ctx, name)
	if errors.Is(err, store.ErrNotFound) || (err == nil && c.Account == id) {
		return nil
	}
	if err != nil {
		return err
	}
	a, _, err := s.getAccount(ctx, c.Account)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if has, err := a.has(name); err != nil || !has {
		return err
	}
	return claimRefusal(errTaken, taken, what)
}

// holdBoth claims address and nickname. If it fails for good it gives back what it got.
func (s *Service) holdBoth(ctx context.Context, c candidate) error {
	taken, what := subjects.CodeEmailTaken, "e-mail address"
	err := s.holdPatiently(ctx, c.emailClaim, c.id)
	if err == nil {
		taken, what = subjects.CodeNicknameTaken, "nickname"
		err = s.holdPatiently(ctx, c.nicknameClaim, c.id)
	}
	// A request that can be repeated and was only told to wait keeps its claims: it comes
	// again under the same account id.
	if errors.Is(err, errTaken) || (errors.Is(err, errPending) && !c.repeatable) {
		if err := s.giveBack(ctx, c.id, c.emailClaim, c.nicknameClaim); err != nil && !errors.Is(err, errTaken) {
			return err
		}
	}
	return claimRefusal(err, taken, what)
}

// holdPatiently holds a name, waiting a little for a registration under way.
func (s *Service) holdPatiently(ctx context.Context, name, id string) error {
	for try := 1; ; try++ {
		err := s.hold(ctx, name, id)
		if !errors.Is(err, errPending) || try == pendingTries {
			return err
		}
		if !pause(ctx, pendingPause) {
			return err
		}
	}
}

// insertAccount makes the account exist. Errors: store.ErrExists, errFenced.
func (s *Service) insertAccount(ctx context.Context, id string, a account) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	err = s.store.Insert(ctx, tableAccounts, store.Document{ID: id, Version: first, Body: body})
	if errors.Is(err, store.ErrStale) {
		return errFenced
	}
	return err
}

// repeated answers a registration whose account is there already, made by the same
// request: with the same password it is granted, since that is what was promised then.
func (s *Service) repeated(ctx context.Context, c candidate) (subjects.Grant, error) {
	a, _, err := s.getAccount(ctx, c.id)
	if err != nil {
		return subjects.Grant{}, err
	}
	ok, err := s.hasher.matches(ctx, a.PasswordHash, c.password)
	if err != nil {
		return subjects.Grant{}, err
	}
	if !ok || a.Email != c.email {
		return subjects.Grant{}, subjects.Refuse(subjects.CodeConflict, "this request id was used for another registration")
	}
	return s.grant(ctx, a.user(c.id))
}

// pause waits for d, or reports false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
