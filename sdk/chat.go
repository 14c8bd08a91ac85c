package tutti

import (
	"maps"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// Chat is the chat of a room or of a playlist, which has the id of that. It holds nothing
// and costs nothing.
type Chat struct {
	aggregate[subjects.Chat, subjects.ChatYou, ChatView]
}

type chatFeed = docFeed[subjects.Chat, subjects.ChatYou, ChatView]

// ChatView is a chat at a revision. It is shared by who asked for it: do not change it.
type ChatView struct {
	Version
	// Chat is the document that everybody sees: the last subjects.ChatPage messages.
	Chat subjects.Chat
	// You is what the chat says about the client's user; it may be a moment behind Rev.
	// Nil for a guest, and in a snapshot of Updates that came before it was said.
	You *subjects.ChatYou
}

// Messages gives the last messages as the client's user sees them, the oldest first: those
// that everybody sees, and those of their own that only they see. What is older than the
// document's is in Chat.History.
func (v *ChatView) Messages() []subjects.ChatEntry {
	out := v.Chat.Ordered()
	if v.You == nil {
		return out
	}
	for i, e := range out {
		if mine, ok := v.You.Messages[e.ID]; ok && !e.Deleted {
			out[i].ChatMessage = mine
		}
	}
	all := int64(len(out)) == v.Chat.Total
	for id, m := range v.You.Messages {
		if _, there := v.Chat.Messages[id]; !there && (all || len(v.Chat.Messages) > 0 && id > out[0].ID) {
			out = append(out, subjects.ChatEntry{ID: id, ChatMessage: m})
		}
	}
	slices.SortFunc(out, subjects.ChatEntry.Compare)
	return out
}

var chatKind = &kind[subjects.Chat, subjects.ChatYou, ChatView]{
	noun: "chat", prefixes: []string{subjects.PrefixRoom, subjects.PrefixPlaylist}, channel: subjects.ChatChannel,
	fold: folding(subjects.DecodeChatEvent, (*subjects.Chat).Apply),
	keep: func(c subjects.Chat) subjects.Chat {
		c.Messages = maps.Clone(c.Messages)
		return c
	},
	view: func(v Version, c subjects.Chat, you *subjects.ChatYou) *ChatView {
		return &ChatView{Version: v, Chat: c, You: you}
	},
	seal: sealChat, signals: true,
}

// Chat gives the chat of a room or of a playlist, by its id.
func (c *Client) Chat(id string) *Chat {
	return &Chat{aggregate[subjects.Chat, subjects.ChatYou, ChatView]{client: c, id: id, kind: chatKind}}
}

// Chat gives the room's chat.
func (r *Room) Chat() *Chat { return r.client.Chat(r.id) }

// sealChat shows what only the user sees before the server has said the whole of it. An
// event that it does not know changes nothing: the server's word follows.
func sealChat(doc subjects.Chat, you *subjects.ChatYou, events []subjects.Event) *subjects.ChatYou {
	out := *you
	out.Messages = maps.Clone(you.Messages)
	if out.Messages == nil {
		out.Messages = map[string]subjects.ChatMessage{}
	}
	// change gives a message, as the user sees it, another form.
	change := func(id string, f func(*subjects.ChatMessage)) {
		m, ok := out.Messages[id]
		if !ok {
			if m, ok = doc.Messages[id]; !ok {
				return
			}
		}
		f(&m)
		out.Messages[id] = m
	}
	tally := func(id, name string, by int) {
		change(id, func(m *subjects.ChatMessage) {
			m.Reactions = maps.Clone(m.Reactions)
			if m.Reactions == nil {
				m.Reactions = map[string]int{}
			}
			subjects.Tally(m.Reactions, name, by)
		})
	}
	for _, e := range events {
		ev, err := subjects.DecodeChatEvent(e.Type, e.Body)
		if err != nil {
			continue
		}
		switch ev := ev.(type) {
		case *subjects.MessageSent:
			out.Messages[ev.Message] = subjects.ChatMessage{Author: ev.User, Text: ev.Text, At: e.At, Reactions: map[string]int{}}
		case *subjects.MessageEdited:
			change(ev.Message, func(m *subjects.ChatMessage) { m.Text, m.Edited = ev.Text, true })
		case *subjects.MessageDeleted:
			change(ev.Message, func(m *subjects.ChatMessage) {
				*m = subjects.ChatMessage{Author: m.Author, At: m.At, Deleted: true, Reactions: map[string]int{}}
			})
		case *subjects.ReactionAdded:
			tally(ev.Message, ev.Reaction, 1)
		case *subjects.ReactionRemoved:
			tally(ev.Message, ev.Reaction, -1)
		}
	}
	return &out
}
