package tutti

import (
	"context"

	"github.com/tuttihq/tutti/subjects"
)

// Send says something.
func (c *Chat) Send(ctx context.Context, text string) error {
	return c.do(ctx, subjects.VerbSend, subjects.SendMessage{Text: text})
}

// Edit replaces the text of a message of one's own.
func (c *Chat) Edit(ctx context.Context, message, text string) error {
	return c.do(ctx, subjects.VerbEdit, subjects.EditMessage{Message: message, Text: text})
}

// Delete removes a message's text for good; again is nothing.
func (c *Chat) Delete(ctx context.Context, message string) error {
	return c.do(ctx, subjects.VerbDelete, subjects.DeleteMessage{Message: message})
}

// React adds one of subjects.Reactions to a message of the last page; again is nothing.
func (c *Chat) React(ctx context.Context, message, reaction string) error {
	return c.do(ctx, subjects.VerbReact, subjects.React{Message: message, Reaction: reaction})
}

// Unreact takes it back; again is nothing.
func (c *Chat) Unreact(ctx context.Context, message, reaction string) error {
	return c.do(ctx, subjects.VerbUnreact, subjects.Unreact{Message: message, Reaction: reaction})
}

// SetSlowMode sets how many seconds a sender waits between two messages; 0 for none.
func (c *Chat) SetSlowMode(ctx context.Context, seconds int64) error {
	return c.do(ctx, subjects.VerbSetSlowMode, subjects.SetSlowMode{Seconds: &seconds})
}

// Mute keeps somebody from sending, editing and reacting.
func (c *Chat) Mute(ctx context.Context, user string) error {
	return c.do(ctx, subjects.VerbMute, subjects.MuteUser{User: user})
}

// Unmute lifts it.
func (c *Chat) Unmute(ctx context.Context, user string) error {
	return c.do(ctx, subjects.VerbUnmute, subjects.UnmuteUser{User: user})
}

// ShadowMute has only the user see what they send from now on. They are not told.
func (c *Chat) ShadowMute(ctx context.Context, user string) error {
	return c.do(ctx, subjects.VerbShadowMute, subjects.ShadowMuteUser{User: user})
}

// Unshadow lifts it; what was sent meanwhile stays with its sender.
func (c *Chat) Unshadow(ctx context.Context, user string) error {
	return c.do(ctx, subjects.VerbUnshadow, subjects.UnshadowUser{User: user})
}
