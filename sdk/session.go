package tutti

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// tokenMargin is how long before its end an access token is replaced: a tenth of its
	// life, at most this.
	tokenMargin = 30 * time.Second
	// refreshTime bounds one refresh, with its retries.
	refreshTime = 30 * time.Second
)

// errSignedOut is the answer to what needs an account, given without asking the server.
func errSignedOut() error {
	return subjects.Refuse(subjects.CodeUnauthenticated, "log in or register first")
}

// session holds the tokens of the account that the client is signed in with, if any. One
// refresh is under way at a time, since a refresh token that is used twice ends the
// session; it is carried through also when whoever asked for it gave up.
type session struct {
	client *Client
	// changed is called, without the lock, when another account or none is signed in.
	changed func()
	save    func(subjects.Grant)
	saving  sync.Mutex // of calls to save

	mu         sync.Mutex
	grant      *subjects.Grant // nil when signed out
	expires    time.Time       // of the access token, by the local monotonic clock
	refreshing *refresh        // nil if none is under way
}

// refresh is one exchange of a refresh token.
type refresh struct {
	done chan struct{}
	err  error // set before done is closed
}

// user gives the id of who is signed in, "" for nobody.
func (s *session) user() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant == nil {
		return ""
	}
	return s.grant.User.ID
}

// take holds a new grant. A session that was resumed from a kept grant is renewed before it
// is used: how old its access token is, nobody knows.
func (s *session) take(g subjects.Grant, kept bool) {
	s.mu.Lock()
	other := s.grant == nil || s.grant.User.ID != g.User.ID
	s.grant = &g
	life := max(time.Second, time.Duration(g.ExpiresIn)*time.Second) // a server that gives less would be asked without end
	s.expires = time.Now().Add(life - min(tokenMargin, life/10))
	if kept {
		s.expires = time.Now()
	}
	s.mu.Unlock()
	if !kept {
		s.tell(g)
	}
	if other {
		s.changed()
	}
}

// end forgets the session of a grant, unless another took its place.
func (s *session) end(of *subjects.Grant) {
	s.mu.Lock()
	if s.grant == nil || s.grant != of {
		s.mu.Unlock()
		return
	}
	s.grant = nil
	s.mu.Unlock()
	s.tell(subjects.Grant{})
	s.changed()
}

func (s *session) tell(g subjects.Grant) {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.save(g)
}

// distrust marks an access token that a server did not take, so that the next is fresh.
func (s *session) distrust(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant != nil && s.grant.AccessToken.Reveal() == token {
		s.expires = time.Now()
	}
}

// token gives an access token that is good for a while, refreshing it first if needed; ""
// if nobody is signed in.
func (s *session) token(ctx context.Context) (string, error) {
	token, _, err := s.credentials(ctx)
	return token, err
}

// credentials gives a token and whose it is.
func (s *session) credentials(ctx context.Context) (token, user string, err error) {
	for {
		s.mu.Lock()
		if s.grant == nil {
			s.mu.Unlock()
			return "", "", nil
		}
		if time.Now().Before(s.expires) {
			token, user := s.grant.AccessToken.Reveal(), s.grant.User.ID
			s.mu.Unlock()
			return token, user, nil
		}
		r := s.refreshing
		if r == nil {
			r = s.startRefresh()
		}
		s.mu.Unlock()
		if r == nil {
			return "", "", ErrClosed
		}
		select {
		case <-r.done:
			if r.err != nil {
				return "", "", r.err
			}
		case <-ctx.Done():
			return "", "", ctx.Err()
		}
	}
}

// startRefresh begins an exchange; nil if the client is closed. The caller holds the lock.
func (s *session) startRefresh() *refresh {
	r, g := &refresh{done: make(chan struct{})}, s.grant
	ok := s.client.spawn(func() {
		ctx, cancel := context.WithTimeout(s.client.ctx, refreshTime)
		defer cancel()
		var fresh subjects.Grant
		err := s.client.call(ctx, asAnyone, http.MethodPost, "/v1/auth/refresh",
			subjects.RefreshRequest{RefreshToken: g.RefreshToken}, &fresh)
		s.mu.Lock()
		s.refreshing = nil
		current := s.grant == g
		s.mu.Unlock()
		switch code := subjects.CodeOf(err); {
		case err == nil && current:
			s.take(fresh, false)
		case code == subjects.CodeUnauthenticated, code == subjects.CodeTokenReused:
			s.end(g)
		case errors.Is(err, context.DeadlineExceeded):
			err = errors.Join(ErrUnreachable, err)
		}
		r.err = err
		close(r.done)
	})
	if !ok {
		return nil
	}
	s.refreshing = r
	return r
}

// distrustAll marks whatever access token there is.
func (s *session) distrustAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expires = time.Now()
}
