package catalog

import (
	"errors"

	"github.com/tuttihq/tutti/services/internal/catalog/demo"
)

// Errors of a resolution. Each one that the Catalog returns wraps exactly one of these,
// or is the caller's own context error.
var (
	// ErrUnknown: no source recognises the text, or the source has no such track.
	// Final.
	ErrUnknown = errors.New("unknown track")
	// ErrForbiddenAddress: the address leads to a private, loopback, link-local or
	// otherwise special network, or to no host at all, or is of a form that is never
	// followed. Final.
	ErrForbiddenAddress = errors.New("address not allowed")
	// ErrTooLarge: the file, its length, or what has to be read of it to learn its
	// length is over a limit. Final.
	ErrTooLarge = errors.New("too large")
	// ErrNotMedia: what is there is no music or video that states how long it is.
	// Final.
	ErrNotMedia = errors.New("not a playable track")
	// ErrUnavailable: the source did not answer, or not in time. The same call may
	// succeed later. Never cached.
	ErrUnavailable = errors.New("source unavailable")
	// ErrUnconfigured: the operator has not set up this source; the message says what
	// to set. Final until the process is started with another configuration.
	ErrUnconfigured = errors.New("source not configured")
	// ErrClosed: the Catalog was closed.
	ErrClosed = errors.New("catalog closed")
)

// ErrNoPiece is what Demo().Open returns for a name that is not a demo piece.
var ErrNoPiece = demo.ErrUnknown

// Retryable reports whether the same call may succeed later without anybody changing
// anything.
func Retryable(err error) bool { return errors.Is(err, ErrUnavailable) }

// lasting reports whether an error may be remembered for a while: it is the source's
// final answer about the text, not about us or the network.
func lasting(err error) bool {
	return errors.Is(err, ErrUnknown) || errors.Is(err, ErrForbiddenAddress) ||
		errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNotMedia)
}
