package edge

import (
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// register makes an account and logs it in. Requests and answers go through as the
// contract has them: the rules are the auth service's.
func (s *Server) register(r *request) error {
	var in subjects.RegisterRequest
	if err := r.body(&in); err != nil {
		return err
	}
	if in.RequestID != "" && subjects.CheckID(subjects.PrefixCommand, in.RequestID) != nil {
		return subjects.RefuseField("request_id", "a request id has the form of a command id: cmd_ and 26 characters")
	}
	return r.grant(http.StatusCreated, subjects.AuthRegister, in)
}

func (s *Server) login(r *request) error {
	var in subjects.LoginRequest
	if err := r.body(&in); err != nil {
		return err
	}
	// By address and account, so that neither one machine tries many passwords nor a
	// stranger's attempts lock the owner out elsewhere. A hash: addresses of any length
	// take the same room.
	account := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(in.Email))))
	if err := r.limit(classLogins, addressKey(r.from)+string(account[:])); err != nil {
		return err
	}
	return r.grant(http.StatusOK, subjects.AuthLogin, in)
}

func (s *Server) refresh(r *request) error {
	var in subjects.RefreshRequest
	if err := r.body(&in); err != nil {
		return err
	}
	if err := checkRefreshToken(in.RefreshToken); err != nil {
		return err
	}
	return r.grant(http.StatusOK, subjects.AuthRefresh, in)
}

func (s *Server) logout(r *request) error {
	var in subjects.LogoutRequest
	if err := r.body(&in); err != nil {
		return err
	}
	if err := checkRefreshToken(in.RefreshToken); err != nil {
		return err
	}
	if err := r.query(subjects.ServiceAuth, subjects.AuthLogout, in, nil); err != nil {
		return err
	}
	return r.none()
}

func (s *Server) logoutAll(r *request) error {
	if err := r.noBody(); err != nil {
		return err
	}
	var out subjects.LogoutAllAnswer
	in := subjects.LogoutAllRequest{AccessToken: subjects.Secret(r.token)}
	if err := r.query(subjects.ServiceAuth, subjects.AuthLogoutAll, in, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// grant asks for a pair of tokens and answers with it.
func (r *request) grant(status int, endpoint string, in any) error {
	var out subjects.Grant
	if err := r.query(subjects.ServiceAuth, endpoint, in, &out); err != nil {
		return err
	}
	return r.json(status, out)
}

func checkRefreshToken(t subjects.Secret) error {
	if t == "" || len(t) > subjects.MaxToken {
		return subjects.RefuseField("refresh_token", "give the refresh token that came with the access token")
	}
	return nil
}
