package tutti

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Room is one room, which need not exist. It holds nothing and costs nothing.
type Room struct {
	client *Client
	id     string
}

// Room gives the room of an id.
func (c *Client) Room(id string) *Room { return &Room{client: c, id: id} }

// ID gives the room's id.
func (r *Room) ID() string { return r.id }

// CreateRoom opens a room, with the client's user in it.
func (c *Client) CreateRoom(ctx context.Context, in subjects.CreateRoom) (*Room, subjects.Answer, error) {
	m, err := c.command(ctx, subjects.ChannelRooms, subjects.VerbCreate, in)
	if err != nil {
		return nil, m.answer, err
	}
	if subjects.CheckID(subjects.PrefixRoom, m.room) != nil {
		return nil, m.answer, fmt.Errorf("%w: a room was opened, and its id is %q", ErrProtocol, m.room)
	}
	return c.Room(m.room), m.answer, nil
}

// Do sends a command and waits for its final answer. body is what the verb takes, as a type
// of package subjects or anything that encodes as that; nil for a verb that takes nothing.
//
// The command has one id, made in the server's time, under which it is sent until there is
// an answer: however often that is, it takes effect once. The commands of this client to one
// room take effect in the order of the calls. While there is no connection they wait.
//
// The error is a *subjects.Refusal if the room refused, and the answer then names the state
// that it looked at. When ctx ends first, the error wraps ctx.Err() and the last answer that
// was not final, if one came; whether the command takes effect is then not known, if it was
// sent. A command that is without an answer for as long as ids are remembered
// (subjects.CommandHorizon) comes back as CodeExpired.
func (r *Room) Do(ctx context.Context, verb string, body any) (subjects.Answer, error) {
	if err := subjects.CheckID(subjects.PrefixRoom, r.id); err != nil {
		return subjects.Answer{}, subjects.Refuse(subjects.CodeNotFound, "%q is not a room's id", r.id)
	}
	m, err := r.client.command(ctx, subjects.RoomChannel(r.id), verb, body)
	return m.answer, err
}

// command sends a command and waits. What it returns is never nil.
func (c *Client) command(ctx context.Context, ch subjects.Channel, verb string, body any) (*command, error) {
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
	gone := &command{answer: subjects.Answer{Command: m.id}} // m is the outbox's as long as it is under way
	switch {
	case last != nil:
		return gone, fmt.Errorf("%w: %w", why, last)
	case sent:
		return gone, fmt.Errorf("%w: the command was sent, and no answer came", why)
	}
	return gone, fmt.Errorf("%w: the command was not sent", why)
}

// follow gives the room's feed; give it back with feeds.leave.
func (r *Room) follow() (*feed, *roomFeed, error) {
	if err := subjects.CheckID(subjects.PrefixRoom, r.id); err != nil {
		return nil, nil, subjects.Refuse(subjects.CodeNotFound, "%q is not a room's id", r.id)
	}
	f, err := r.client.feeds.follow(subjects.RoomChannel(r.id), func() follower { return newRoomFeed(r.id) })
	if err != nil {
		return nil, nil, err
	}
	return f, f.of.(*roomFeed), nil
}

// Views yields the room as it is and then whenever it has changed, always the newest: who
// is slow misses what was in between. It goes on over breaks of the connection, and ends as
// Updates does.
func (r *Room) Views(ctx context.Context) iter.Seq2[*RoomView, error] {
	return func(yield func(*RoomView, error) bool) {
		f, feed, err := r.follow()
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.client.feeds.leave(f)
		var last *RoomView
		for {
			feed.mu.Lock()
			err, news := feed.err, feed.news
			var now *RoomView
			if feed.known {
				now = feed.now()
			}
			feed.mu.Unlock()
			if now != nil && now != last && !yield(now, nil) {
				return
			}
			last = now
			if err != nil {
				yield(nil, err)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// View gives the room once, followed or not.
func (r *Room) View(ctx context.Context) (*RoomView, error) {
	for v, err := range r.Views(ctx) {
		return v, err
	}
	return nil, ctx.Err()
}

// Counts says what the room's feed has seen since somebody follows it; false if nobody does.
func (r *Room) Counts() (Counts, bool) {
	s := r.client.feeds
	s.mu.Lock()
	f := s.open[subjects.RoomChannel(r.id)]
	s.mu.Unlock()
	if f == nil {
		return Counts{}, false
	}
	feed := f.of.(*roomFeed)
	feed.mu.Lock()
	defer feed.mu.Unlock()
	return feed.counts, true
}
