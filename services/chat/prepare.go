package chat

import (
	"context"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Past gives messages that have left a chat's last page; *Archive does.
type Past interface {
	// Message gives a message by its id, nil if there is none. An error means that the
	// history has not come so far yet, or that the store does not answer.
	Message(ctx context.Context, chat, id string) (*subjects.ChatEntry, error)
}

// Rooms tells when a chat has heard what happened in its room.
type Rooms interface {
	// Heard returns once the chat knows of its room, and that a user is in it, and at once if
	// there is no room, or none the user may see. An error is worth another try.
	Heard(ctx context.Context, chat, user string) error
}

// Prepare waits until the chat has heard of the sender's joining, and looks up the message
// that the command names.
func (m *Machine) Prepare(ctx context.Context, call aggregate.Call, cmd *Command) (*Command, error) {
	out := &Command{Body: cmd.Body, prepared: true}
	if err := m.rooms.Heard(ctx, call.ID, call.Principal); err != nil {
		return nil, fmt.Errorf("chat: wait for %s to hear of its room: %w", call.ID, err)
	}
	var id string
	switch body := cmd.Body.(type) {
	case *subjects.EditMessage:
		id = body.Message
	case *subjects.DeleteMessage:
		id = body.Message
	default:
		return out, nil
	}
	var err error
	if out.found, err = m.past.Message(ctx, call.ID, id); err != nil {
		return nil, fmt.Errorf("chat: look up a message of %s: %w", call.ID, err)
	}
	return out, nil
}
