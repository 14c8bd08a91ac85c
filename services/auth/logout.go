package auth

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// logout ends the session of a refresh token, whether its secret is the present one or
// an older one: both say that the session should be over. Twice is as good as once.
func (s *Service) logout(ctx context.Context, req subjects.LogoutRequest) (struct{}, error) {
	t, err := parseRefreshToken(req.RefreshToken)
	if err != nil {
		return struct{}{}, subjects.RefuseField("refresh_token", "this is not a refresh token")
	}
	id := t.session()
	_, version, err := s.getSession(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return struct{}{}, nil
	}
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.end(ctx, id, version)
}

// logoutAll ends every session that the user of an access token had when it began.
func (s *Service) logoutAll(ctx context.Context, req subjects.LogoutAllRequest) (subjects.LogoutAllAnswer, error) {
	p, err := s.verifier.Verify(ctx, req.AccessToken.Reveal())
	if err != nil {
		return subjects.LogoutAllAnswer{}, err
	}
	var out subjects.LogoutAllAnswer
	for doc, err := range store.All(ctx, s.store, tableSessions, store.Query{Index: sessionsByUser, Equal: []any{p.UserID}}) {
		if err != nil {
			return out, err
		}
		if err := s.end(ctx, doc.ID, doc.Version); err != nil {
			return out, err
		}
		out.Sessions++
	}
	s.log.Info("logged out everywhere", "user", p.UserID, "sessions", out.Sessions)
	return out, nil
}

// validate tells whether an access token is good and its session lives.
func (s *Service) validate(ctx context.Context, req subjects.ValidateRequest) (subjects.Validation, error) {
	p, err := s.verifier.Verify(ctx, req.AccessToken.Reveal())
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
		return subjects.Validation{}, nil
	}
	if err != nil {
		return subjects.Validation{}, err
	}
	ses, _, err := s.getSession(ctx, p.SessionID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && ses.User != p.UserID) {
		return subjects.Validation{}, nil
	}
	if err != nil {
		return subjects.Validation{}, err
	}
	return subjects.Validation{
		Active: true, UserID: p.UserID, SessionID: p.SessionID, Nickname: p.Nickname,
		IssuedAt: p.IssuedAt.Unix(), ExpiresAt: p.ExpiresAt.Unix(),
	}, nil
}
