package tutti_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// Send implements tutti.HTTP.
func (s *fake) Send(_ context.Context, method, path, token string, body []byte) (tutti.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.bodies = append(s.requests, method+" "+path), append(s.bodies, string(body))
	if s.onHTTP != nil {
		if r := s.onHTTP(method, path); r != nil {
			if r.Status == 0 {
				return tutti.Response{}, errors.New("connection reset")
			}
			return *r, nil
		}
	}
	switch path {
	case "/v1/time":
		return answer(200, map[string]int64{"serverTime": s.now().UnixMilli()}), nil
	case "/v1/auth/login", "/v1/auth/register":
		var in subjects.LoginRequest
		_ = json.Unmarshal(body, &in)
		name, _, _ := strings.Cut(in.Email, "@")
		return s.grant(name), nil
	case "/v1/auth/refresh":
		var in subjects.RefreshRequest
		_ = json.Unmarshal(body, &in)
		if in.RefreshToken.Reveal() != s.refresh {
			return refused(subjects.CodeTokenReused), nil
		}
		name, _, _ := strings.Cut(s.refresh, ".")
		return s.grant(name), nil
	case "/v1/auth/logout":
		s.refresh = ""
		return tutti.Response{Status: http.StatusNoContent}, nil
	case "/v1/me":
		if token == "" {
			return refused(subjects.CodeUnauthenticated), nil
		}
		return answer(200, subjects.Profile{Nickname: token}), nil
	}
	return refused(subjects.CodeNotFound), nil
}

// grant makes tokens "name.number".
func (s *fake) grant(name string) tutti.Response {
	s.secret++
	s.refresh = fmt.Sprintf("%s.r%d", name, s.secret)
	return answer(200, subjects.Grant{
		AccessToken: subjects.Secret(fmt.Sprintf("%s.%d", name, s.secret)), RefreshToken: subjects.Secret(s.refresh),
		TokenType: subjects.TokenBearer, ExpiresIn: s.life, User: subjects.User{ID: name},
	})
}

func answer(status int, v any) tutti.Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return tutti.Response{Status: status, Body: body}
}

func refused(code subjects.Code) tutti.Response {
	return answer(code.HTTPStatus(), map[string]any{"code": code, "detail": "no"})
}
