package token

import (
	"errors"

	"github.com/tuttihq/tutti/subjects"
)

// What Verify answers instead of a Principal. Each comes with a subjects.Refusal, so
// subjects.CodeOf gives the code to send.
var (
	// ErrInvalid: not a token of this deployment, or tampered with; the bearer must log
	// in. CodeUnauthenticated.
	ErrInvalid = errors.New("token: not valid")
	// ErrExpired: it was valid once; the bearer should refresh. CodeUnauthenticated.
	ErrExpired = errors.New("token: expired")
	// ErrUnavailable: there are no keys and they could not be fetched now, so nothing is
	// known about the token. CodeUnavailable.
	ErrUnavailable = errors.New("token: no key set")
)

func invalid(why string) error {
	return errors.Join(ErrInvalid, subjects.Refuse(subjects.CodeUnauthenticated, "the access token is not valid (%s); log in again", why))
}

func expired() error {
	return errors.Join(ErrExpired, subjects.Refuse(subjects.CodeUnauthenticated, "the access token has expired; refresh it"))
}

func unavailable(cause error) error {
	return errors.Join(ErrUnavailable, subjects.Refuse(subjects.CodeUnavailable, "tokens cannot be verified now; try again"), cause)
}
