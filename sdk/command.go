package tutti

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// command sends a command and waits. What it returns is never nil.
func (c *Client) command(ctx context.Context, ch subjects.Channel, verb string, body any) (*command, error) {
	m, err := c.prepare(ch, verb, body)
	if err != nil {
		return m, err
	}
	return c.send(ctx, m)
}

// prepare makes a command. What it returns is never nil.
func (c *Client) prepare(ch subjects.Channel, verb string, body any) (*command, error) {
	m := &command{channel: ch, done: make(chan struct{})}
	if c.session.user() == "" {
		return m, errSignedOut()
	}
	var raw json.RawMessage
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return m, err
		}
	}
	m.id = subjects.NewID(subjects.PrefixCommand, c.clock.Now())
	m.frame = encodeFrame(&subjects.ClientFrame{Type: subjects.FrameCmd, ID: m.id, Channel: ch, Verb: verb, Body: raw})
	if len(m.frame) > subjects.MaxFrameBytes {
		return m, subjects.Refuse(subjects.CodeTooLarge, "a command is at most %d bytes", subjects.MaxCommandBytes)
	}
	return m, nil
}

// send sends a command and waits for its final answer. What it returns is never nil.
func (c *Client) send(ctx context.Context, m *command) (*command, error) {
	if err := c.outbox.add(m); err != nil {
		return m, err
	}
	c.want()
	horizon := time.NewTimer(subjects.CommandHorizon)
	defer horizon.Stop()
	var why error
	select {
	case <-m.done:
		return m, m.err
	case <-ctx.Done():
		why = ctx.Err()
	case <-horizon.C:
		why = subjects.Refuse(subjects.CodeExpired, "there was no final answer for %v", subjects.CommandHorizon)
	}
	sent, last := c.outbox.abandon(m)
	select {
	case <-m.done: // it came at that moment
		return m, m.err
	default:
	}
	gone := &command{id: m.id, answer: subjects.Answer{Command: m.id}} // m is the outbox's as long as it is under way
	switch {
	case last != nil:
		return gone, fmt.Errorf("%w: %w", why, last)
	case sent:
		return gone, fmt.Errorf("%w: the command was sent, and no answer came", why)
	}
	return gone, fmt.Errorf("%w: the command was not sent", why)
}

// create has something made, and gives its id and the answer.
func (c *Client) create(ctx context.Context, ch subjects.Channel, prefix string, in any) (string, subjects.Answer, error) {
	m, err := c.command(ctx, ch, subjects.VerbCreate, in)
	if err != nil {
		return "", m.answer, err
	}
	if subjects.CheckID(prefix, m.made) != nil {
		return "", m.answer, fmt.Errorf("%w: a %s was made, and its id is %q", ErrProtocol, prefix, m.made)
	}
	return m.made, m.answer, nil
}
