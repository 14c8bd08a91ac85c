package tutti

import (
	"context"
	"net/http"

	"github.com/tuttihq/tutti/subjects"
)

// Account is who the client speaks for. Without one it is a guest: it follows open rooms
// and the lobby and sends no commands.
type Account struct{ client *Client }

// Account gives the client's account.
func (c *Client) Account() Account { return Account{c} }

// User gives the id of who is signed in, "" for a guest.
func (a Account) User() string { return a.client.session.user() }

// Register makes an account and signs in with it. It takes effect once, however often the
// request had to be sent. Refusals: CodeInvalid with the field, CodeEmailTaken,
// CodeNicknameTaken, CodeConflict.
func (a Account) Register(ctx context.Context, email, nickname, password string) (subjects.User, error) {
	return a.signIn(ctx, "/v1/auth/register", subjects.RegisterRequest{
		RequestID: subjects.NewID(subjects.PrefixCommand, a.client.clock.Now()),
		Email:     email, Nickname: nickname, Password: subjects.Secret(password),
	})
}

// Login signs in. Who was signed in before is not any more, but their session goes on:
// Logout first to end it. Refusal: CodeBadCredentials.
func (a Account) Login(ctx context.Context, email, password string) (subjects.User, error) {
	return a.signIn(ctx, "/v1/auth/login", subjects.LoginRequest{Email: email, Password: subjects.Secret(password)})
}

func (a Account) signIn(ctx context.Context, path string, in any) (subjects.User, error) {
	var g subjects.Grant
	if err := a.client.call(ctx, asAnyone, http.MethodPost, path, in, &g); err != nil {
		return subjects.User{}, err
	}
	a.client.session.take(g, false)
	return g.User, nil
}

// Refresh gets a fresh access token now. The client does so by itself in time; a program
// needs it only to learn whether the session lives. Refusals: CodeUnauthenticated and
// CodeTokenReused, after which nobody is signed in.
func (a Account) Refresh(ctx context.Context) error {
	s := a.client.session
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	if token == "" {
		return errSignedOut()
	}
	s.distrust(token)
	_, err = s.token(ctx)
	return err
}

// Logout ends the session. Nobody is signed in afterwards, also if the server was not
// reached; then the error says that the session lives on there until it expires.
func (a Account) Logout(ctx context.Context) error {
	s := a.client.session
	s.mu.Lock()
	g := s.grant
	s.mu.Unlock()
	if g == nil {
		return nil
	}
	s.end(g)
	return a.client.call(ctx, asAnyone, http.MethodPost, "/v1/auth/logout",
		subjects.LogoutRequest{RefreshToken: g.RefreshToken}, nil)
}
