package subjects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Apply changes the state by one event of the log, public or sealed (meta.To), and marks
// what it touched in the public document. It never refuses: an event in the log has
// happened. It returns an error that wraps ErrUnknownEvent for a type it does not know.
func (s *ChatState) Apply(meta Meta, ev ChatEvent, m *Marks) error {
	sealed := meta.To != nil
	known := s.applyPrivate(meta, ev, sealed)
	if sealed {
		if !known {
			return fmt.Errorf("%w: %T is not a sealed event of a chat", ErrUnknownEvent, ev)
		}
		return nil
	}
	left, err := s.Chat.apply(meta, ev, m)
	if left != "" {
		s.dropReactions(left)
	}
	return err
}

// applyPrivate folds what the document does not hold; it reports whether it had anything
// to do with the event.
func (s *ChatState) applyPrivate(meta Meta, ev ChatEvent, sealed bool) bool {
	switch e := ev.(type) {
	case *MessageSent:
		s.noteSend(e.User, meta.At)
		if sealed {
			s.keepOwn(ownMessage{ChatEntry: ChatEntry{ID: e.Message, ChatMessage: ChatMessage{
				Author: e.User, Text: e.Text, At: meta.At, Reactions: map[string]int{},
			}}})
		}
	case *MessageEdited:
		s.edited(e, sealed)
	case *MessageDeleted:
		s.deleted(e.Message, sealed)
	case *ReactionAdded:
		s.reacted.add(e.User, reactionKeyOf(e.Message, e.Reaction, sealed))
	case *ReactionRemoved:
		s.reacted.remove(e.User, reactionKeyOf(e.Message, e.Reaction, sealed))
	case *SlowModeSet:
		if e.Seconds == 0 {
			s.sends, s.sentAt = nil, map[string]int64{}
		}
		return !sealed
	case *UserMuted:
		s.muted[e.User] = meta.At
	case *UserUnmuted:
		delete(s.muted, e.User)
	case *UserShadowed:
		s.shadowed[e.User] = meta.At
	case *UserUnshadowed:
		delete(s.shadowed, e.User)
	case *AccessChanged:
		s.access.apply(&e.ChatFact, meta.At)
	default:
		return false
	}
	return true
}

// noteSend remembers when somebody sent in slow mode, and forgets whom it does not slow
// any more; past MaxMembers, the oldest.
func (s *ChatState) noteSend(user string, at int64) {
	if s.Chat.SlowMode == 0 {
		return
	}
	s.sentAt[user] = at
	s.sends = append(s.sends, chatSend{user, at})
	drop := 0
	for _, old := range s.sends {
		void := s.sentAt[old.User] != old.At
		if !void && at-old.At < s.slowMs() && len(s.sends)-drop <= MaxMembers {
			break
		}
		if !void {
			delete(s.sentAt, old.User)
		}
		drop++
	}
	s.sends = s.sends[drop:]
}

func (s *ChatState) edited(e *MessageEdited, sealed bool) {
	i := s.ownIndex(e.Message)
	switch {
	case !sealed: // it is for everybody again
		s.forgetOwn(e.Message)
	case i >= 0:
		s.own[i].Text, s.own[i].Edited = e.Text, true
	default:
		m, ok := s.Chat.Messages[e.Message]
		if !ok {
			m = ChatMessage{Author: e.User, At: messageAt(e.Message), Reactions: map[string]int{}}
		}
		m.Text, m.Edited = e.Text, true
		s.keepOwn(ownMessage{ChatEntry: ChatEntry{ID: e.Message, ChatMessage: m}, Public: true})
	}
}

func (s *ChatState) deleted(id string, sealed bool) {
	s.dropReactions(id)
	if !sealed {
		s.forgetOwn(id)
		return
	}
	if i := s.ownIndex(id); i >= 0 {
		m := &s.own[i]
		m.Text, m.Edited, m.Deleted = "", false, true
	}
}

func (s *ChatState) keepOwn(m ownMessage) {
	s.own = append(s.own, m)
	if len(s.own) > MaxSealedMessages {
		if !s.own[0].Public {
			s.dropReactions(s.own[0].ID)
		}
		s.own = slices.Delete(s.own, 0, 1)
	}
}

func (s *ChatState) forgetOwn(id string) {
	if i := s.ownIndex(id); i >= 0 {
		s.own = slices.Delete(s.own, i, i+1)
	}
}

// dropReactions forgets who reacted to a message.
func (s *ChatState) dropReactions(message string) {
	for _, name := range reactions {
		s.reacted.drop(reactionKeyOf(message, name, false))
		s.reacted.drop(reactionKeyOf(message, name, true))
	}
}

// reactionKeyOf is under what ballots remember a reaction, for everybody or for its user
// alone.
func reactionKeyOf(message, reaction string, sealed bool) string {
	if sealed {
		return "~" + message + "/" + reaction
	}
	return message + "/" + reaction
}

func splitReactionKey(key string) (message, reaction string, ok bool) {
	return strings.Cut(strings.TrimPrefix(key, "~"), "/")
}

// remove takes a vote back.
func (b *ballots) remove(user, track string) {
	if !b.has(user, track) {
		return
	}
	slot := b.slotOf[user]
	set := b.tracks[track]
	set[slot/64] &^= 1 << (slot % 64)
	if b.held[slot]--; b.held[slot] == 0 {
		delete(b.slotOf, user)
		b.users[slot] = ""
		b.free++
		b.lowest = min(b.lowest, slot)
	}
	if b.count(track) == 0 {
		delete(b.tracks, track)
	}
}

// chatStateJSON is a ChatState in a snapshot.
type chatStateJSON struct {
	Chat     Chat             `json:"chat"`
	Access   chatAccess       `json:"access"`
	Reacted  ballotsJSON      `json:"reacted"`
	Muted    map[string]int64 `json:"muted"`
	Shadowed map[string]int64 `json:"shadowed"`
	Sends    []chatSend       `json:"sends"`
	Own      []ownMessage     `json:"own"`
}

// EncodeChatState writes a snapshot's state. Equal states give equal bytes.
func EncodeChatState(s *ChatState) ([]byte, error) {
	sends, own := s.sends, s.own
	if sends == nil {
		sends = []chatSend{}
	}
	if own == nil {
		own = []ownMessage{}
	}
	out, err := json.Marshal(chatStateJSON{
		Chat: s.Chat, Access: s.access, Reacted: s.reacted.encode(), Muted: s.muted, Shadowed: s.shadowed, Sends: sends, Own: own,
	})
	if err != nil {
		return nil, fmt.Errorf("subjects: encode chat: %w", err)
	}
	return out, nil
}

// DecodeChatState reads what EncodeChatState wrote of the chat with this id.
func DecodeChatState(id string, data []byte) (*ChatState, error) {
	var in chatStateJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("subjects: decode chat: %w", err)
	}
	if in.Chat.ID != id {
		return nil, fmt.Errorf("subjects: decode chat: the state is of %q, not of %q", clip(in.Chat.ID), id)
	}
	reacted, err := decodeBallots(in.Reacted)
	if err != nil {
		return nil, err
	}
	s := NewChatState(id)
	s.Chat, s.access, s.reacted, s.sends, s.own = in.Chat, in.Access, reacted, in.Sends, in.Own
	if s.Chat.Messages == nil {
		s.Chat.Messages = map[string]ChatMessage{}
	}
	s.access.restore()
	maps.Copy(s.muted, in.Muted)
	maps.Copy(s.shadowed, in.Shadowed)
	for _, send := range s.sends {
		s.sentAt[send.User] = send.At
	}
	return s, nil
}
