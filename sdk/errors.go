package tutti

import (
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/subjects"
)

// Errors of the client itself. What a server says no to comes as a *subjects.Refusal;
// compare with errors.Is against one of the same code, or use subjects.CodeOf.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("tutti: the client is closed")
	// ErrOutboxFull: as many commands wait to be sent as the outbox holds. Nothing was sent.
	ErrOutboxFull = errors.New("tutti: the outbox is full")
	// ErrTooManyChannels: as many channels are followed as a connection takes
	// (subjects.MaxChannels).
	ErrTooManyChannels = errors.New("tutti: too many channels are followed")
	// ErrTooManyUsers: as many users' profiles are followed as a connection takes
	// (subjects.MaxUsersFollowed).
	ErrTooManyUsers = errors.New("tutti: too many users are followed")
	// ErrLobbyInUse: the lobby is followed with another prefix or limit.
	ErrLobbyInUse = errors.New("tutti: the lobby is followed in another way")
	// ErrNotFollowed: what was called needs the channel to be followed meanwhile.
	ErrNotFollowed = errors.New("tutti: the channel is not followed")
	// ErrUnreachable: no answer came. It is wrapped with the reason.
	ErrUnreachable = errors.New("tutti: the server was not reached")
	// ErrAccountChanged: somebody else signed in, or out, while the command waited.
	ErrAccountChanged = errors.New("tutti: the account changed meanwhile")
	// ErrProtocol: what the server sent cannot be right. The connection is made again.
	ErrProtocol = errors.New("tutti: the server sent what it must not")
)

// CloseError says with what code a server closed the socket.
type CloseError struct {
	Code   subjects.CloseCode
	Reason string
}

// Error gives the code's name, its number and the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("tutti: closed by the server: %s (%d)", e.Code, int(e.Code))
	}
	return fmt.Sprintf("tutti: closed by the server: %s (%d): %s", e.Code, int(e.Code), e.Reason)
}
