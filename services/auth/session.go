package auth

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// session is the document of one family of refresh tokens. It is deleted when the
// session ends.
type session struct {
	User string `json:"user"`
	// SecretHash is the SHA-256 of the one secret that is good now.
	SecretHash string `json:"secretHash"`
	// Unix milliseconds.
	CreatedAt   int64 `json:"createdAt"`
	RefreshedAt int64 `json:"refreshedAt"`
	ExpiresAt   int64 `json:"expiresAt"`
}

// endLead is how far above a session's version its end is written: further than any
// rotation that races with it, so that an end is one write and always wins.
const endLead = 1 << 20

// trimPage bounds how many surplus sessions one login ends.
const trimPage = store.MaxLimit

// grant opens a session and gives the tokens for it.
func (s *Service) grant(ctx context.Context, u subjects.User) (subjects.Grant, error) {
	now := s.now()
	t := newSession(now)
	id := t.session()
	body, err := encode(session{
		User: u.ID, SecretHash: t.hash(),
		CreatedAt: now.UnixMilli(), RefreshedAt: now.UnixMilli(), ExpiresAt: now.Add(s.cfg.RefreshLife).UnixMilli(),
	})
	if err != nil {
		return subjects.Grant{}, err
	}
	if err := s.store.Insert(ctx, tableSessions, store.Document{ID: id, Version: first, Body: body}); err != nil {
		return subjects.Grant{}, err
	}
	if err := s.trim(ctx, u.ID, id); err != nil {
		return subjects.Grant{}, err
	}
	return s.tokens(u, t, now)
}

// tokens makes what the person gets to hold.
func (s *Service) tokens(u subjects.User, t refreshToken, now time.Time) (subjects.Grant, error) {
	access, err := s.keys.signer(now).Sign(token.Principal{
		UserID: u.ID, Nickname: u.Nickname, SessionID: t.session(),
		IssuedAt: now, ExpiresAt: now.Add(s.cfg.AccessLife),
	})
	if err != nil {
		return subjects.Grant{}, err
	}
	return subjects.Grant{
		AccessToken: subjects.Secret(access), RefreshToken: t.encode(), TokenType: subjects.TokenBearer,
		ExpiresIn: int64(s.cfg.AccessLife / time.Second), RefreshExpiresIn: int64(s.cfg.RefreshLife / time.Second),
		User: u,
	}, nil
}

// trim ends a user's sessions that expired, and those past the limit that were refreshed
// longest ago, but never the one just opened. Logins at the same time may exceed the
// limit for a moment; the last of them to get here sees all and restores it.
func (s *Service) trim(ctx context.Context, user, keep string) error {
	page, err := s.store.Find(ctx, tableSessions, store.Query{
		Index: sessionsByUser, Equal: []any{user}, Descending: true, Limit: trimPage,
	})
	if err != nil {
		return err
	}
	now, room := s.now().UnixMilli(), s.cfg.MaxSessions-1
	for _, doc := range page.Documents {
		if doc.ID == keep {
			continue
		}
		var ses session
		if err := doc.Decode(&ses); err != nil {
			return err
		}
		if ses.ExpiresAt > now && room > 0 {
			room--
			continue
		}
		if err := s.end(ctx, doc.ID, doc.Version); err != nil {
			return err
		}
	}
	return nil
}

// end deletes a session, read at a version. One that is deleted already is no error.
func (s *Service) end(ctx context.Context, id string, version store.Version) error {
	version.Rev += endLead
	err := s.store.Delete(ctx, tableSessions, id, version)
	if errors.Is(err, store.ErrStale) {
		return nil // somebody else has ended it
	}
	return err
}

// refresh exchanges a refresh token for a new pair.
func (s *Service) refresh(ctx context.Context, req subjects.RefreshRequest) (subjects.Grant, error) {
	over := subjects.Refuse(subjects.CodeUnauthenticated, "the session is over; log in again")
	t, err := parseRefreshToken(req.RefreshToken)
	if err != nil {
		return subjects.Grant{}, subjects.Refuse(subjects.CodeUnauthenticated, "this is not a refresh token; log in again")
	}
	id := t.session()
	ses, version, err := s.getSession(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return subjects.Grant{}, over
	}
	if err != nil {
		return subjects.Grant{}, err
	}
	if !t.is(ses.SecretHash) {
		return subjects.Grant{}, s.reused(ctx, id, ses.User, version)
	}
	now := s.now()
	if ses.ExpiresAt <= now.UnixMilli() {
		if err := s.end(ctx, id, version); err != nil {
			return subjects.Grant{}, err
		}
		return subjects.Grant{}, over
	}
	a, _, err := s.getAccount(ctx, ses.User)
	if errors.Is(err, store.ErrNotFound) {
		return subjects.Grant{}, over
	}
	if err != nil {
		return subjects.Grant{}, err
	}
	next := newRefreshToken(t.handle)
	ses.SecretHash, ses.RefreshedAt, ses.ExpiresAt = next.hash(), now.UnixMilli(), now.Add(s.cfg.RefreshLife).UnixMilli()
	switch err := s.rotate(ctx, id, version, ses); {
	case err == nil:
		return s.tokens(a.user(ses.User), next, now)
	case errors.Is(err, store.ErrNotFound):
		return subjects.Grant{}, over
	case errors.Is(err, store.ErrStale): // somebody used the same token at the same time
		now, _ := current(err)
		return subjects.Grant{}, s.reused(ctx, id, ses.User, now)
	default:
		return subjects.Grant{}, err
	}
}

// How rotate deals with a store that is slow or away.
const (
	rotateTries = 2
	rotatePause = 50 * time.Millisecond
	rotateWait  = 1200 * time.Millisecond // for each call of the store
)

// rotate writes the session's next version. store.ErrNotFound: it ended meanwhile.
// store.ErrStale: it was rotated by somebody else. If ctx has ended, or is too near its end
// for the answer to arrive, nothing is written; once the write has begun it is seen through
// without regard to ctx, since a write that is given up may take effect all the same. To
// answer then that it did not would have the owner use a dead token again and be taken for
// a thief.
//
// For the same reason a write whose outcome is not known is written again: it is the same
// version, so it takes effect once, and if it did before, the session holds our hash.
// Only if the store is away for all that time does the outcome stay unknown.
func (s *Service) rotate(ctx context.Context, id string, version store.Version, ses session) error {
	body, err := encode(ses)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < rotateWait {
		return context.DeadlineExceeded
	}
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := s.putSession(ctx, store.Document{ID: id, Version: version.Next(), Body: body})
		var conflict *store.ConflictError
		switch {
		case errors.As(err, &conflict) && conflict.Deleted:
			return store.ErrNotFound
		case errors.Is(err, store.ErrStale): // by somebody else, or by a try whose answer was lost
			live, cancel := context.WithTimeout(ctx, rotateWait)
			have, _, again := s.getSession(live, id)
			cancel()
			switch {
			case again != nil:
				return again
			case have.SecretHash == ses.SecretHash:
				return nil
			}
			return err
		case !transient(err) || try == rotateTries:
			return err
		}
		pause(ctx, rotatePause)
	}
}

func (s *Service) putSession(ctx context.Context, doc store.Document) error {
	ctx, cancel := context.WithTimeout(ctx, rotateWait)
	defer cancel()
	return s.store.Put(ctx, tableSessions, doc)
}

// reused ends a session of whose token there are two holders.
func (s *Service) reused(ctx context.Context, id, user string, version store.Version) error {
	if err := s.end(ctx, id, version); err != nil {
		return err
	}
	s.log.Warn("refresh token used twice; session ended", "session", id, "user", user)
	return subjects.Refuse(subjects.CodeTokenReused, "this refresh token was used before, so the session was ended; log in again")
}

func (s *Service) getSession(ctx context.Context, id string) (session, store.Version, error) {
	var ses session
	doc, err := s.store.Get(ctx, tableSessions, id)
	if err != nil {
		return ses, doc.Version, err
	}
	err = doc.Decode(&ses)
	return ses, doc.Version, err
}
