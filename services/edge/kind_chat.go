package edge

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// chatKind is that of the chats of rooms and of playlists. A chat hears of its room a
// moment after the fact: who is in the room and not in the chat yet comes late.
func chatKind(d Deps, rooms *kind[*subjects.RoomState], playlists *kind[*subjects.PlaylistState]) *kind[*subjects.ChatState] {
	return &kind[*subjects.ChatState]{
		service: subjects.ServiceChat, noun: "chat", prefixes: []string{subjects.PrefixRoom, subjects.PrefixPlaylist}, channel: subjects.ChatChannel,
		views: d.Chats, live: d.LiveChats,
		sees:     func(s *subjects.ChatState, user string) bool { return s != nil && s.CanSee(user) },
		open:     func(s *subjects.ChatState) bool { return s != nil && s.Exists() && s.Open() },
		document: func(s *subjects.ChatState) any { return &s.Chat },
		you: func(s *subjects.ChatState, user string, at int64, _ bool) any {
			you := s.You(user, at)
			return &you
		},
		concerned: func(_ *subjects.ChatState, c *subjects.Commit) (map[string]struct{}, bool) {
			return touched(c, concernsChat)
		},
		erases: func(c *subjects.Commit) bool {
			return slices.ContainsFunc(c.Public.Events, func(e subjects.Event) bool { return e.Type == subjects.EventMessageDeleted })
		},
		within: func(ctx context.Context, id, user string) error {
			if rooms.is(id) {
				return rooms.look(ctx, id, user)
			}
			return playlists.look(ctx, id, user)
		},
		signals: map[string]func(*subjects.ChatState, string) bool{
			subjects.LiveTyping: func(s *subjects.ChatState, user string) bool {
				return !s.Closed() && s.Allows(user, subjects.VerbChat) && !s.Muted(user) && !s.Shadowed(user)
			},
		},
		asked: without(subjects.ChatVerbs(), subjects.VerbFollow, subjects.VerbWake),
		decode: func(verb string, body []byte) error {
			_, err := subjects.DecodeChatCommand(verb, body)
			return err
		},
	}
}

// concernsChat reports whether an event may change what a chat says about everybody:
// moderators are told who is muted. A deleted message has no reactions, so what the chat says
// of theirs to those who had reacted need not be told at once.
func concernsChat(e *subjects.Event) bool {
	switch e.Type {
	case subjects.EventChatOpened, subjects.EventChatClosed, subjects.EventSlowModeSet,
		subjects.EventUserMuted, subjects.EventUserUnmuted, subjects.EventUserShadowed, subjects.EventUserUnshadowed:
		return true
	case subjects.EventAccessChanged: // who may do what, unless it speaks of one user
		var fact subjects.ChatFact
		return json.Unmarshal(e.Body, &fact) == nil && fact.User == ""
	}
	return false
}
