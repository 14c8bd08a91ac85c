package subjects

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Tables of chats. Neither is public: what a chat holds is read from its log, or asked of
// the chat service, which looks at who asks.
const (
	// TableChats holds a ChatSummary of each chat.
	TableChats = "chats"
	// TableChatHistory holds the messages of each chat, ChatPage to a document.
	TableChatHistory = "chat_history"
)

// QueryChatHistory is the endpoint of the chat service that pages through a chat
// (ChatHistory, ChatHistoryPage).
const QueryChatHistory = "history"

// LiveTyping is the kind of the live subject on which an edge tells the others that
// somebody is typing in a chat: Live(ServiceChat, id, LiveTyping), with a ChatTyping.
// It is not logged, and nobody answers.
const LiveTyping = "typing"

// ChatTyping says that somebody is typing. It counts for a few seconds.
type ChatTyping struct {
	User string `json:"user"`
}

// Chat is the public document of a chat: the last page of its messages, and how it is set.
// A chat has the id of what it belongs to (a room or a playlist) and opens and closes with
// it. What is said here and below of the room goes for the playlist too. Who is muted is not in it.
//
// Messages is a map by message id, at most ChatPage; the ids sort in the order in which
// the messages were sent (Ordered). A message that is pushed out of the page leaves the
// document; it is then read with the query QueryChatHistory.
type Chat struct {
	ID string `json:"id"`
	// Phase is empty before the chat was opened, then PhaseOpen, then PhaseClosed.
	Phase string `json:"phase"`
	// SlowMode is how many seconds a sender waits between two messages; 0 is off.
	SlowMode int64 `json:"slowMode"`
	// Total counts the messages ever sent, deleted ones too.
	Total    int64                  `json:"total"`
	Messages map[string]ChatMessage `json:"messages"`
}

// ChatMessage is what everybody sees of a message.
type ChatMessage struct {
	Author string `json:"author"`
	// Text is empty in a deleted message.
	Text    string `json:"text"`
	At      int64  `json:"at"`
	Edited  bool   `json:"edited"`
	Deleted bool   `json:"deleted"`
	// Reactions counts reactions by name (Reactions); what nobody chose is absent.
	Reactions map[string]int `json:"reactions"`
}

// ChatEntry is a message with its id, as history pages list it.
type ChatEntry struct {
	ID string `json:"id"`
	ChatMessage
}

// ChatHistory asks for a page of a chat's history: the messages just before one, just
// after one, or the last.
type ChatHistory struct {
	Chat string `json:"chat"`
	// Viewer is a user id, empty for somebody without an account.
	Viewer string `json:"viewer"`
	// Before and After are message ids; at most one of them. The page does not hold the
	// message itself.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Limit is 1 to MaxChatHistory, ChatPage if 0.
	Limit int `json:"limit,omitempty"`
}

// ChatHistoryPage is a page of a chat's history, the oldest message first.
type ChatHistoryPage struct {
	Messages []ChatEntry `json:"messages"`
	// Earlier and Later tell whether there are messages before the first and after the
	// last one; of an empty page, before and after what was asked for.
	Earlier bool `json:"earlier"`
	Later   bool `json:"later"`
	// Total is the document's.
	Total int64 `json:"total"`
}

// ChatSummary is the document of a chat in the table TableChats.
type ChatSummary struct {
	ID    string `json:"id"`
	Phase string `json:"phase"`
	Total int64  `json:"total"`
	// LastAt is when the newest message was sent, 0 if there is none.
	LastAt int64 `json:"lastAt"`
}

// reactions are the names of the reactions; how each is drawn is the client's.
var reactions = []string{"like", "dislike", "love", "laugh", "wow", "sad", "cheer", "fire"}

// Reactions lists the reactions that a message takes.
func Reactions() []string { return slices.Clone(reactions) }

// MessageID makes the id of a message: "msg_" and 26 characters that hold the time, the
// message's place in the chat (from 1), and 48 bits that follow from the command. So ids
// sort in the order of sending, and an id tells where in the history its message stands.
// A message of somebody who is shadow-muted has the place that the next public one gets.
func MessageID(chat, principal, command string, at, place int64) string {
	h := sha256.Sum256([]byte(chat + "\x00" + principal + "\x00" + command))
	var b [16]byte
	putMillis(&b, at)
	binary.BigEndian.PutUint32(b[6:], uint32(place))
	copy(b[10:], h[:6])
	return encodeID(PrefixMessage, b)
}

// MessagePlace reads the place in the chat from a message id; it wraps ErrBadID for what
// is none.
func MessagePlace(id string) (int64, error) {
	if err := CheckID(PrefixMessage, id); err != nil {
		return 0, err
	}
	b, err := IDBytes(id)
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint32(b[6:])), nil
}

// messageAt is the time in a message id, in Unix milliseconds.
func messageAt(id string) int64 {
	at, err := IDTime(id)
	if err != nil {
		at = time.UnixMilli(0)
	}
	return at.UnixMilli()
}

// Ordered gives the messages of the page, the oldest first.
func (c *Chat) Ordered() []ChatEntry {
	out := make([]ChatEntry, 0, len(c.Messages))
	for id, m := range c.Messages {
		out = append(out, ChatEntry{ID: id, ChatMessage: m})
	}
	slices.SortFunc(out, ChatEntry.Compare)
	return out
}

// Compare is the order of messages: that of sending.
func (e ChatEntry) Compare(o ChatEntry) int {
	switch {
	case e.ID < o.ID:
		return -1
	case e.ID > o.ID:
		return 1
	}
	return 0
}

// Summary gives the chat's summary.
func (c *Chat) Summary() ChatSummary {
	s := ChatSummary{ID: c.ID, Phase: c.Phase, Total: c.Total}
	for _, m := range c.Messages {
		s.LastAt = max(s.LastAt, m.At)
	}
	return s
}
