package auth

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// login opens a session for who knows the password. An address that nobody has takes as
// long as a wrong password and is answered the same.
func (s *Service) login(ctx context.Context, req subjects.LoginRequest) (subjects.Grant, error) {
	for _, f := range [...]struct{ name, value string }{{"email", req.Email}, {"password", req.Password.Reveal()}} {
		if f.value == "" {
			return subjects.Grant{}, subjects.RefuseField(f.name, "say your %s", f.name)
		}
	}
	refused := subjects.Refuse(subjects.CodeBadCredentials, "no account has this e-mail address and password")
	email, emailErr := normaliseEmail(req.Email)
	password, passwordErr := checkPassword(req.Password)
	id, a, version := "", account{}, store.Version{}
	if emailErr == nil && passwordErr == nil {
		var err error
		id, a, version, err = s.accountByEmail(ctx, email)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return subjects.Grant{}, err
		}
	}
	ok, err := s.hasher.matches(ctx, a.PasswordHash, password)
	if err != nil {
		return subjects.Grant{}, err
	}
	if !ok {
		return subjects.Grant{}, refused
	}
	if s.hasher.outdated(a.PasswordHash) {
		if err := s.rehash(ctx, id, a, version, password); err != nil {
			return subjects.Grant{}, err
		}
	}
	return s.grant(ctx, a.user(id))
}

// rehash keeps a password's hash at the present cost.
func (s *Service) rehash(ctx context.Context, id string, a account, version store.Version, password []byte) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	a.PasswordHash = hash
	body, err := encode(a)
	if err != nil {
		return err
	}
	err = s.store.Put(ctx, tableAccounts, store.Document{ID: id, Version: version.Next(), Body: body})
	if errors.Is(err, store.ErrStale) {
		return nil // the account changed meanwhile; the next login sees to it
	}
	return err
}
