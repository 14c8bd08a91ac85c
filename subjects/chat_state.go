package subjects

import (
	"maps"
	"slices"
	"time"
)

// ChatState is all there is to know about a chat: the public document, and what is not
// public. It is folded from the whole log, sealed events included.
//
// It is bounded whatever the number of messages: the last page of them, who reacted to
// those, who is muted (MaxMutes), who sent last in slow mode (MaxMembers), what the
// shadow-muted sent (MaxSealedMessages), and who may do what in the room.
//
// A ChatState is not safe for concurrent use while it is changed.
type ChatState struct {
	// Chat is the public document.
	Chat Chat

	access   chatAccess
	reacted  ballots // by reactionKeyOf: public ones, and those only their user sees
	muted    map[string]int64
	shadowed map[string]int64
	// sends holds who sent a message in slow mode, from the oldest to the newest; sentAt the
	// newest of each.
	sends  []chatSend
	sentAt map[string]int64
	// own holds what only its author sees, from the oldest to the newest.
	own []ownMessage
}

type chatSend struct {
	User string `json:"user"`
	At   int64  `json:"at"`
}

// ownMessage is what only its author sees: a message, or (Public) one that everybody sees
// otherwise, because its author has edited it since being shadow-muted.
type ownMessage struct {
	ChatEntry
	Public bool `json:"public"`
}

// NewChatState gives the state of a chat whose log is empty.
func NewChatState(id string) *ChatState {
	return &ChatState{
		Chat: Chat{ID: id, Messages: map[string]ChatMessage{}}, access: newChatAccess(), reacted: newBallots(),
		muted: map[string]int64{}, shadowed: map[string]int64{}, sentAt: map[string]int64{},
	}
}

// Exists reports whether the chat was opened.
func (s *ChatState) Exists() bool { return s.Chat.Phase != "" }

// Open reports whether everybody may see the chat.
func (s *ChatState) Open() bool { return s.access.Open }

// Closed reports whether it was closed.
func (s *ChatState) Closed() bool { return s.Chat.Phase == PhaseClosed }

// CanSee reports whether somebody may know of the chat: whoever may know of its room. To
// whom it is false the chat does not exist.
func (s *ChatState) CanSee(principal string) bool { return s.Exists() && s.access.canSee(principal) }

// IsMember reports whether somebody is in the room.
func (s *ChatState) IsMember(user string) bool { _, ok := s.access.Members[user]; return ok }

// RoleOf gives somebody's role in the room; who is not in it is a guest.
func (s *ChatState) RoleOf(user string) Role { return s.access.roleOf(user) }

// Banned reports whether somebody is banned from the room.
func (s *ChatState) Banned(user string) bool { return s.access.Banned[user] }

// Allows reports whether the room's grants let somebody use VerbChat or VerbModerateChat.
// The platform moderates and does not chat.
func (s *ChatState) Allows(principal, verb string) bool {
	if principal == System {
		return verb == VerbModerateChat
	}
	return s.IsMember(principal) && s.access.allows(s.access.roleOf(principal), verb)
}

// Creator is who made the room.
func (s *ChatState) Creator() string { return s.access.Creator }

// RoomClosed reports whether the room is known to be closed; the chat may not be opened yet.
func (s *ChatState) RoomClosed() bool { return s.access.Closed }

// Knows reports whether something newer is known about what a fact speaks of.
func (s *ChatState) Knows(f *ChatFact) bool { return s.access.known(f) }

// Muted reports whether somebody is muted.
func (s *ChatState) Muted(user string) bool { _, ok := s.muted[user]; return ok }

// Mutes is the number of the muted.
func (s *ChatState) Mutes() int { return len(s.muted) }

// Shadowed reports whether somebody is shadow-muted.
func (s *ChatState) Shadowed(user string) bool { _, ok := s.shadowed[user]; return ok }

// Shadows is the number of the shadow-muted.
func (s *ChatState) Shadows() int { return len(s.shadowed) }

// SendAgainAt is when the slow mode lets somebody send again, in Unix milliseconds; 0 if
// it does now or there is none. Moderators are not slowed.
func (s *ChatState) SendAgainAt(user string, at int64) int64 {
	last, ok := s.sentAt[user]
	if !ok || s.Chat.SlowMode == 0 || s.Allows(user, VerbModerateChat) {
		return 0
	}
	if again := last + s.slowMs(); again > at {
		return again
	}
	return 0
}

func (s *ChatState) slowMs() int64 {
	return (time.Duration(s.Chat.SlowMode) * time.Second).Milliseconds()
}

// Message gives a message as somebody sees it, if it is on the last page or only they see
// it.
func (s *ChatState) Message(viewer, id string) (ChatMessage, bool) {
	if i := s.ownIndex(id); i >= 0 && s.own[i].Author == viewer {
		return s.own[i].ChatMessage, true
	}
	m, ok := s.Chat.Messages[id]
	return m, ok
}

// Sealed reports whether the chat remembers a message that was sealed to its author: there is
// no public one with this id.
func (s *ChatState) Sealed(id string) bool {
	i := s.ownIndex(id)
	return i >= 0 && !s.own[i].Public
}

// OwnSealed lists what only a viewer sees, as the viewer sees it: messages sealed to them,
// and public ones that they have edited, or reacted to, while shadow-muted. Of an edited
// message that has left the page only text and edited are to be gone by. In no order;
// MaxSealedMessages and ChatPage bound them.
func (s *ChatState) OwnSealed(viewer string) []ChatEntry {
	var out []ChatEntry
	for _, e := range s.own {
		if e.Author != viewer {
			continue
		}
		if page, ok := s.Chat.Messages[e.ID]; ok {
			e.Reactions = page.Reactions
		}
		out = append(out, e.ChatEntry)
	}
	for _, key := range s.reacted.of(viewer) {
		message, name, ok := splitReactionKey(key)
		if !ok || key != reactionKeyOf(message, name, true) {
			continue
		}
		i := slices.IndexFunc(out, func(e ChatEntry) bool { return e.ID == message })
		if i < 0 {
			page, ok := s.Chat.Messages[message]
			if !ok {
				continue
			}
			i = len(out)
			out = append(out, ChatEntry{ID: message, ChatMessage: page})
		}
		out[i].Reactions = maps.Clone(out[i].Reactions)
		Tally(out[i].Reactions, name, 1)
	}
	return out
}

func (s *ChatState) ownIndex(id string) int {
	return slices.IndexFunc(s.own, func(e ownMessage) bool { return e.ID == id })
}

// Reacted reports whether somebody's reaction to a message of the last page stands, for
// them.
func (s *ChatState) Reacted(user, message, reaction string) bool {
	return s.reacted.has(user, reactionKeyOf(message, reaction, false)) || s.reacted.has(user, reactionKeyOf(message, reaction, true))
}

// ReactedOpenly reports whether it stands for everybody.
func (s *ChatState) ReactedOpenly(user, message, reaction string) bool {
	return s.reacted.has(user, reactionKeyOf(message, reaction, false))
}

// ReactionCount counts the reactions to a message that everybody sees.
func (s *ChatState) ReactionCount(message string) int {
	n := 0
	for _, name := range reactions {
		n += s.reacted.count(reactionKeyOf(message, name, false))
	}
	return n
}

// ChatYou is what one viewer may know about themselves in a chat.
type ChatYou struct {
	Member bool `json:"member"`
	Role   Role `json:"role"`
	Banned bool `json:"banned"`
	Muted  bool `json:"muted"`
	// MaySend and MayModerate say what the room's grants allow; false in a closed chat.
	MaySend     bool `json:"maySend"`
	MayModerate bool `json:"mayModerate"`
	// SendAgainAt is when the slow mode lets the viewer send again, 0 for now.
	SendAgainAt int64 `json:"sendAgainAt"`
	// Reacted lists the viewer's reactions by message of the last page, each sorted.
	Reacted map[string][]string `json:"reacted"`
	// Messages are those that are shown to the viewer in addition to, or in place of,
	// the document's.
	Messages map[string]ChatMessage `json:"messages"`
	// MutedUsers and ShadowedUsers are for who may moderate, sorted; empty for others.
	MutedUsers    []string `json:"mutedUsers"`
	ShadowedUsers []string `json:"shadowedUsers"`
}

// You gives what the chat's state says about a viewer at a time.
func (s *ChatState) You(principal string, at int64) ChatYou {
	y := ChatYou{
		Member: s.IsMember(principal), Role: s.RoleOf(principal), Banned: s.Banned(principal), Muted: s.Muted(principal),
		MaySend: !s.Closed() && s.Allows(principal, VerbChat), MayModerate: !s.Closed() && s.Allows(principal, VerbModerateChat),
		SendAgainAt: s.SendAgainAt(principal, at), Reacted: map[string][]string{}, Messages: map[string]ChatMessage{},
		MutedUsers: []string{}, ShadowedUsers: []string{},
	}
	for _, key := range s.reacted.of(principal) {
		if message, name, ok := splitReactionKey(key); ok {
			y.Reacted[message] = append(y.Reacted[message], name)
		}
	}
	for _, names := range y.Reacted {
		slices.Sort(names)
	}
	for _, e := range s.OwnSealed(principal) {
		y.Messages[e.ID] = e.ChatMessage
	}
	if y.MayModerate {
		y.MutedUsers = append(y.MutedUsers, slices.Sorted(maps.Keys(s.muted))...)
		for _, user := range slices.Sorted(maps.Keys(s.shadowed)) {
			if user != principal { // not told of themselves
				y.ShadowedUsers = append(y.ShadowedUsers, user)
			}
		}
	}
	return y
}
