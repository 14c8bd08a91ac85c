package subjects

import (
	"encoding/json"
	"fmt"
	"slices"
)

// ChatEvent is one thing that happened in a chat.
type ChatEvent interface {
	// EventType is the type's name in the log.
	EventType() string
}

// Event types of a chat. What somebody who is shadow-muted does is sealed to them, under the
// same types.
const (
	EventChatOpened      = "chat.opened"
	EventChatClosed      = "chat.closed"
	EventMessageSent     = "message.sent"
	EventMessageEdited   = "message.edited"
	EventMessageDeleted  = "message.deleted"
	EventReactionAdded   = "reaction.added"
	EventReactionRemoved = "reaction.removed"
	EventSlowModeSet     = "slowmode.set"
	EventUserMuted       = "user.muted"      // sealed to the user
	EventUserUnmuted     = "user.unmuted"    // sealed to the user
	EventUserShadowed    = "user.shadowed"   // sealed to AudienceService
	EventUserUnshadowed  = "user.unshadowed" // sealed to AudienceService
	EventAccessChanged   = "access.changed"  // sealed to AudienceService
)

// ChatOpened opens the chat.
type ChatOpened struct{}

// ChatClosed closes it for good: what was said stays to be read.
type ChatClosed struct{}

// MessageSent puts a message at the chat's end.
type MessageSent struct {
	Message string `json:"message"`
	User    string `json:"user"`
	Text    string `json:"text"`
}

// MessageEdited gives a message another text.
type MessageEdited struct {
	Message string `json:"message"`
	User    string `json:"user"`
	Text    string `json:"text"`
}

// MessageDeleted takes a message's text and reactions away.
type MessageDeleted struct {
	Message string `json:"message"`
	// Author is the message's.
	Author string `json:"author"`
}

// ReactionAdded adds a user's reaction to a message of the last page.
type ReactionAdded struct {
	Message  string `json:"message"`
	User     string `json:"user"`
	Reaction string `json:"reaction"`
}

// ReactionRemoved takes it back.
type ReactionRemoved struct {
	Message  string `json:"message"`
	User     string `json:"user"`
	Reaction string `json:"reaction"`
}

// SlowModeSet sets the slow mode, in seconds.
type SlowModeSet struct {
	Seconds int64 `json:"seconds"`
}

// UserMuted mutes a user.
type UserMuted struct {
	User string `json:"user"`
}

// UserUnmuted lifts it.
type UserUnmuted struct {
	User string `json:"user"`
}

// UserShadowed mutes a user for everybody but themselves. The user is not told.
type UserShadowed struct {
	User string `json:"user"`
}

// UserUnshadowed lifts it.
type UserUnshadowed struct {
	User string `json:"user"`
}

// AccessChanged is what the chat has learnt of its room.
type AccessChanged struct {
	ChatFact
}

// EventType is EventChatOpened.
func (*ChatOpened) EventType() string { return EventChatOpened }

// EventType is EventChatClosed.
func (*ChatClosed) EventType() string { return EventChatClosed }

// EventType is EventMessageSent.
func (*MessageSent) EventType() string { return EventMessageSent }

// EventType is EventMessageEdited.
func (*MessageEdited) EventType() string { return EventMessageEdited }

// EventType is EventMessageDeleted.
func (*MessageDeleted) EventType() string { return EventMessageDeleted }

// EventType is EventReactionAdded.
func (*ReactionAdded) EventType() string { return EventReactionAdded }

// EventType is EventReactionRemoved.
func (*ReactionRemoved) EventType() string { return EventReactionRemoved }

// EventType is EventSlowModeSet.
func (*SlowModeSet) EventType() string { return EventSlowModeSet }

// EventType is EventUserMuted.
func (*UserMuted) EventType() string { return EventUserMuted }

// EventType is EventUserUnmuted.
func (*UserUnmuted) EventType() string { return EventUserUnmuted }

// EventType is EventUserShadowed.
func (*UserShadowed) EventType() string { return EventUserShadowed }

// EventType is EventUserUnshadowed.
func (*UserUnshadowed) EventType() string { return EventUserUnshadowed }

// EventType is EventAccessChanged.
func (*AccessChanged) EventType() string { return EventAccessChanged }

var chatEvents = map[string]func() ChatEvent{
	EventChatOpened:      func() ChatEvent { return new(ChatOpened) },
	EventChatClosed:      func() ChatEvent { return new(ChatClosed) },
	EventMessageSent:     func() ChatEvent { return new(MessageSent) },
	EventMessageEdited:   func() ChatEvent { return new(MessageEdited) },
	EventMessageDeleted:  func() ChatEvent { return new(MessageDeleted) },
	EventReactionAdded:   func() ChatEvent { return new(ReactionAdded) },
	EventReactionRemoved: func() ChatEvent { return new(ReactionRemoved) },
	EventSlowModeSet:     func() ChatEvent { return new(SlowModeSet) },
	EventUserMuted:       func() ChatEvent { return new(UserMuted) },
	EventUserUnmuted:     func() ChatEvent { return new(UserUnmuted) },
	EventUserShadowed:    func() ChatEvent { return new(UserShadowed) },
	EventUserUnshadowed:  func() ChatEvent { return new(UserUnshadowed) },
	EventAccessChanged:   func() ChatEvent { return new(AccessChanged) },
}

// ChatEventTypes lists the types that DecodeChatEvent knows, sorted.
func ChatEventTypes() []string {
	out := make([]string, 0, len(chatEvents))
	for t := range chatEvents {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// DecodeChatEvent reads an event's body; it wraps ErrUnknownEvent for a type that this
// release does not know. Fields that it does not know are skipped.
func DecodeChatEvent(typ string, body []byte) (ChatEvent, error) {
	empty, ok := chatEvents[typ]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, clip(typ))
	}
	e := empty()
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("subjects: event %s: %w", typ, err)
	}
	return e, nil
}
