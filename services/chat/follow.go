package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// reactionName names the durable consumer by which chats hear of rooms.
const reactionName = "chat-room"

// follow has every chat follow its room: who is in it, who may come, who may do what, and
// whether it is open. The commands' ids are derived from the room's events, so each takes
// effect once.
func follow() aggregate.Reaction {
	return aggregate.Reaction{
		Service: subjects.ServiceRoom, Name: reactionName,
		React: func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			fact, err := factOf(c)
			if err != nil || fact == nil {
				return nil, err
			}
			fact.Epoch, fact.Rev = c.Epoch, c.Rev
			body, err := json.Marshal(fact)
			if err != nil {
				return nil, fmt.Errorf("chat: fact of %s: %w", c.ID, err)
			}
			return []aggregate.Send{{
				To:   subjects.Command{Service: subjects.ServiceChat, ID: c.ID, Verb: subjects.VerbFollow, Principal: subjects.System},
				Body: body,
			}}, nil
		},
	}
}

// factOf gives what an event of a room tells its chat, nil if nothing.
func factOf(c aggregate.Cause) (*subjects.ChatFact, error) {
	switch c.Event.Type {
	case subjects.EventRoomCreated, subjects.EventRoomClosed, subjects.EventMemberJoined, subjects.EventMemberLeft,
		subjects.EventRoleChanged, subjects.EventGrantsChanged, subjects.EventInvitationSent,
		subjects.EventInvitationWithdrawn, subjects.EventUserBanned, subjects.EventUserUnbanned:
	default: // most events of a room; they are not even decoded
		return nil, nil
	}
	ev, err := subjects.DecodeRoomEvent(c.Event.Type, c.Event.Body)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	switch e := ev.(type) {
	case *subjects.RoomCreated:
		return &subjects.ChatFact{Fact: subjects.FactCreated, Creator: e.Creator, Open: e.Options.Open, Table: e.Table}, nil
	case *subjects.RoomClosed:
		return &subjects.ChatFact{Fact: subjects.FactClosed}, nil
	case *subjects.MemberJoined:
		return &subjects.ChatFact{Fact: subjects.FactMember, User: e.User, Role: e.Role}, nil
	case *subjects.RoleChanged:
		return &subjects.ChatFact{Fact: subjects.FactMember, User: e.User, Role: e.Role}, nil
	case *subjects.MemberLeft:
		return &subjects.ChatFact{Fact: subjects.FactGone, User: e.User}, nil
	case *subjects.GrantsChanged:
		return &subjects.ChatFact{Fact: subjects.FactGrants, Role: e.Role, Verbs: e.Verbs}, nil
	case *subjects.InvitationSent:
		return &subjects.ChatFact{Fact: subjects.FactInvited, User: e.User}, nil
	case *subjects.InvitationWithdrawn:
		return &subjects.ChatFact{Fact: subjects.FactUninvited, User: e.User}, nil
	case *subjects.UserBanned:
		return &subjects.ChatFact{Fact: subjects.FactBanned, User: e.User}, nil
	case *subjects.UserUnbanned:
		return &subjects.ChatFact{Fact: subjects.FactUnbanned, User: e.User}, nil
	}
	return nil, nil
}

const (
	// heardMost bounds how long somebody waits of whom the chat has not heard yet.
	heardMost = 2 * time.Second
	heardPoll = 5 * time.Millisecond
	// cachedRooms is how many folded rooms are kept to look members up in.
	cachedRooms = 64
)

// errUnheard means that somebody is in the room, and the chat has not heard of it yet.
var errUnheard = errors.New("chat: the room is ahead of its chat")

// heard compares what a chat knows with its room's log. Only somebody who is in the room
// ever waits.
type heard struct {
	chats *Reader
	rooms *aggregate.Reader[*subjects.RoomState, subjects.RoomEvent]
}

// Heard implements Rooms.
func (h heard) Heard(ctx context.Context, chat, user string) error {
	for until := time.Now().Add(heardMost); ; {
		known, inside := false, false
		err := h.chats.View(ctx, chat, func(f *aggregate.Folded[*subjects.ChatState]) error {
			known = f.State.IsMember(user)
			return nil
		})
		if err != nil || known {
			return err
		}
		err = h.rooms.View(ctx, chat, func(f *aggregate.Folded[*subjects.RoomState]) error {
			inside = f.State.IsMember(user) && !f.State.Closed()
			return nil
		})
		if err != nil || !inside {
			return err
		}
		if time.Now().After(until) {
			return errUnheard
		}
		if err := pause(ctx, heardPoll); err != nil {
			return err
		}
	}
}

// roomFold folds rooms for who looks up members. Its version is that of the room service,
// whose snapshots it reads; with another one it reads the whole log instead.
type roomFold struct{}

func (roomFold) Service() string     { return subjects.ServiceRoom }
func (roomFold) FoldVersion() uint64 { return 1 }

func (roomFold) New(id string) *subjects.RoomState { return subjects.NewRoomState(id) }

func (roomFold) DecodeEvent(typ string, body []byte) (subjects.RoomEvent, error) {
	return subjects.DecodeRoomEvent(typ, body)
}

func (roomFold) Evolve(s *subjects.RoomState, meta subjects.Meta, e subjects.RoomEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

func (roomFold) DecodeState(id string, data []byte) (*subjects.RoomState, error) {
	return subjects.DecodeRoomState(id, data)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
