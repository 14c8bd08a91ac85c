package edge

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// access says whose requests a path takes.
type access int

const (
	// anyone: the token is not looked at, so that an expired one does no harm where it is
	// being exchanged.
	anyone access = iota
	// viewer: the token is verified if there is one. A token that is not valid is refused
	// rather than taken for none: its bearer would see less than they should and not know
	// why.
	viewer
	// user: a valid token is needed.
	user
)

// admit verifies the token as the path asks, and counts the request against its sender's
// limit.
func (r *request) admit(a access, c class) error {
	if a == anyone {
		return r.limit(c, addressKey(r.from))
	}
	raw, given, err := bearer(r.Get(fiber.HeaderAuthorization))
	if err == nil && given {
		err = r.verify(raw)
	}
	if err != nil {
		if limited := r.limit(classAnonymous, addressKey(r.from)); limited != nil {
			return limited
		}
		return err
	}
	if given {
		return r.limit(c, r.who.UserID)
	}
	if err := r.limit(classAnonymous, addressKey(r.from)); err != nil {
		return err
	}
	if a == user {
		return withStatus(http.StatusUnauthorized, subjects.Refuse(subjects.CodeUnauthenticated, "this needs an access token: log in and send Authorization: Bearer <access_token>"))
	}
	return nil
}

func (r *request) verify(raw string) error {
	p, err := r.srv.deps.Tokens.Verify(r.ctx, raw)
	if err != nil {
		if subjects.CodeOf(err) == subjects.CodeUnauthenticated {
			r.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="tutti", error="invalid_token"`)
		}
		return err
	}
	// The principal becomes a part of subjects: whatever made the token, it is a user's id
	// and never the platform's.
	if subjects.CheckID(subjects.PrefixUser, p.UserID) != nil {
		r.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="tutti", error="invalid_token"`)
		return subjects.Refuse(subjects.CodeUnauthenticated, "the access token names no user")
	}
	r.who, r.token = p, raw
	return nil
}

// bearer reads an Authorization header; given is false if there is none.
func bearer(header string) (raw string, given bool, err error) {
	if header == "" {
		return "", false, nil
	}
	scheme, raw, _ := strings.Cut(header, " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, subjects.TokenBearer) || raw == "" || len(raw) > subjects.MaxToken {
		return "", true, subjects.Refuse(subjects.CodeUnauthenticated, "the Authorization header is not \"Bearer <access_token>\"")
	}
	return raw, true, nil
}
