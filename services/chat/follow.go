package chat

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// The names of the durable consumers by which chats hear of rooms and of playlists.
const (
	reactionName         = "chat-room"
	reactionPlaylistName = "chat-playlist"
)

// ofPlaylist reports whether a chat belongs to a playlist; otherwise it belongs to a room.
func ofPlaylist(id string) bool { return subjects.CheckID(subjects.PrefixPlaylist, id) == nil }

// follow has every chat follow its room or playlist: who is in it, who may come, who may do
// what, and whether it is open. The commands' ids are derived from the events, so each takes
// effect once.
func follow() []aggregate.Reaction {
	return []aggregate.Reaction{
		{Service: subjects.ServiceRoom, Name: reactionName, React: telling(factOf)},
		{Service: subjects.ServicePlaylist, Name: reactionPlaylistName, React: telling(factOfPlaylist)},
	}
}

// telling sends a chat what an event tells it.
func telling(factOf func(aggregate.Cause) (*subjects.ChatFact, error)) func(context.Context, aggregate.Cause) ([]aggregate.Send, error) {
	return func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
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

// factOfPlaylist gives what an event of a playlist tells its chat, nil if nothing. A playlist
// has no grants of its own: the default table counts, in which its creator moderates.
func factOfPlaylist(c aggregate.Cause) (*subjects.ChatFact, error) {
	switch c.Event.Type {
	case subjects.EventPlaylistCreated, subjects.EventPlaylistDeleted, subjects.EventVisibilityChanged,
		subjects.EventPlaylistJoined, subjects.EventPlaylistLeft, subjects.EventPlaylistInvited, subjects.EventPlaylistUninvited,
		subjects.EventPlaylistDeclined:
	default: // tracks, mostly; they are not even decoded
		return nil, nil
	}
	ev, err := subjects.DecodePlaylistEvent(c.Event.Type, c.Event.Body)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	switch e := ev.(type) {
	case *subjects.PlaylistCreated:
		return &subjects.ChatFact{
			Fact: subjects.FactCreated, Creator: e.Creator, Open: e.Visibility == subjects.VisibilityPublic, Table: subjects.GrantTable,
		}, nil
	case *subjects.PlaylistDeleted:
		return &subjects.ChatFact{Fact: subjects.FactClosed}, nil
	case *subjects.VisibilityChanged:
		return &subjects.ChatFact{Fact: subjects.FactVisibility, Open: e.Visibility == subjects.VisibilityPublic}, nil
	case *subjects.PlaylistJoined:
		return &subjects.ChatFact{Fact: subjects.FactMember, User: e.User, Role: subjects.RoleMember}, nil
	case *subjects.PlaylistLeft:
		return &subjects.ChatFact{Fact: subjects.FactGone, User: e.User}, nil
	case *subjects.PlaylistInvited:
		return &subjects.ChatFact{Fact: subjects.FactInvited, User: e.User}, nil
	case *subjects.PlaylistDeclined:
		return &subjects.ChatFact{Fact: subjects.FactUninvited, User: e.User}, nil
	case *subjects.PlaylistUninvited:
		return &subjects.ChatFact{Fact: subjects.FactUninvited, User: e.User}, nil
	}
	return nil, nil
}
