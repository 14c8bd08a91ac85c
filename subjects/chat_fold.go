package subjects

import (
	"fmt"
	"maps"
)

// Apply changes the document by one public event and marks what it touched; a nil m marks
// nothing. It never refuses: an event in the log has happened. It returns an error that
// wraps ErrUnknownEvent for a type it does not know.
//
// Sealed events must not be given to it; ChatState.Apply keeps them apart.
func (c *Chat) Apply(meta Meta, ev ChatEvent, m *Marks) error {
	_, err := c.apply(meta, ev, m)
	return err
}

// apply gives the id of the message that left the page, if one did.
func (c *Chat) apply(meta Meta, ev ChatEvent, m *Marks) (left string, err error) {
	if c.Messages == nil {
		c.Messages = map[string]ChatMessage{}
	}
	switch e := ev.(type) {
	case *ChatOpened:
		c.Phase = PhaseOpen
		for _, k := range chatKeys {
			m.Mark(k)
		}
	case *ChatClosed:
		c.Phase = PhaseClosed
		m.Mark("phase")
	case *MessageSent:
		return c.push(meta, e, m), nil
	case *MessageEdited:
		if msg, ok := c.Messages[e.Message]; ok && !msg.Deleted {
			msg.Text, msg.Edited = e.Text, true
			c.Messages[e.Message] = msg
			m.Mark("messages", e.Message, "text")
			m.Mark("messages", e.Message, "edited")
		}
	case *MessageDeleted:
		c.erase(e.Message, m)
	case *ReactionAdded:
		c.react(e.Message, e.Reaction, 1, m)
	case *ReactionRemoved:
		c.react(e.Message, e.Reaction, -1, m)
	case *SlowModeSet:
		c.SlowMode = e.Seconds
		m.Mark("slowMode")
	default:
		return "", fmt.Errorf("%w: %T is not a public event of a chat", ErrUnknownEvent, ev)
	}
	return "", nil
}

// chatKeys are the keys of the document; all are there from the first commit on.
var chatKeys = [...]string{"id", "phase", "slowMode", "total", "messages"}

// push adds a message. The first of the page leaves it if it would grow past ChatPage.
func (c *Chat) push(meta Meta, e *MessageSent, m *Marks) (left string) {
	c.Messages[e.Message] = ChatMessage{Author: e.User, Text: e.Text, At: meta.At, Reactions: map[string]int{}}
	m.Mark("messages", e.Message)
	c.Total++
	m.Mark("total")
	if len(c.Messages) <= ChatPage {
		return ""
	}
	for id := range c.Messages {
		if left == "" || id < left {
			left = id
		}
	}
	delete(c.Messages, left)
	m.Mark("messages", left)
	return left
}

func (c *Chat) erase(id string, m *Marks) {
	msg, ok := c.Messages[id]
	if !ok || msg.Deleted {
		return
	}
	for name := range msg.Reactions {
		m.Mark("messages", id, "reactions", name)
	}
	msg.Text, msg.Edited, msg.Deleted, msg.Reactions = "", false, true, map[string]int{}
	c.Messages[id] = msg
	m.Mark("messages", id, "text")
	m.Mark("messages", id, "edited")
	m.Mark("messages", id, "deleted")
}

// react changes a count. The map is replaced, since a copy of the message may share it.
func (c *Chat) react(id, name string, by int, m *Marks) {
	msg, ok := c.Messages[id]
	if !ok || msg.Deleted {
		return
	}
	msg.Reactions = maps.Clone(msg.Reactions)
	Tally(msg.Reactions, name, by)
	c.Messages[id] = msg
	m.Mark("messages", id, "reactions", name)
}

// Tally moves a count of reactions; one that comes to nothing is absent.
func Tally(counts map[string]int, name string, by int) {
	if counts[name] += by; counts[name] <= 0 {
		delete(counts, name)
	}
}

// PatchValue gives what stands in the document at a path that Apply marked; false if
// nothing does. It is the lookup for Marks.Patch.
func (c *Chat) PatchValue(path []string) (any, bool) {
	switch path[0] {
	case "id":
		return c.ID, true
	case "phase":
		return c.Phase, true
	case "slowMode":
		return c.SlowMode, true
	case "total":
		return c.Total, true
	case "messages":
		if len(path) == 1 {
			return c.Messages, true
		}
		msg, ok := c.Messages[path[1]]
		if !ok || len(path) == 2 {
			return msg, ok
		}
		return msg.patchValue(path[2:])
	}
	return nil, false
}

func (m ChatMessage) patchValue(path []string) (any, bool) {
	switch path[0] {
	case "text":
		return m.Text, true
	case "edited":
		return m.Edited, true
	case "deleted":
		return m.Deleted, true
	case "reactions":
		n, ok := m.Reactions[path[len(path)-1]]
		return n, ok
	}
	return nil, false
}
