package chat

import "github.com/tuttihq/tutti/subjects"

// send puts a message at the chat's end; that of somebody who is shadow-muted reaches them
// alone.
func (d *decision) send(body *subjects.SendMessage) error {
	if err := d.speak(); err != nil {
		return err
	}
	who, now := d.call.Principal, d.call.At
	if again := d.s.SendAgainAt(who, now); again > 0 {
		return subjects.Refuse(subjects.CodeTooFast, "the chat is in slow mode: send again in %d s (at %d)", (again-now+999)/1000, again)
	}
	if d.s.Chat.Total >= subjects.MaxChatMessages {
		return subjects.Refuse(subjects.CodeFull, "a chat has at most %d messages", subjects.MaxChatMessages)
	}
	id := subjects.MessageID(d.call.ID, who, d.call.Command, now, d.s.Chat.Total+1)
	d.utter(&subjects.MessageSent{Message: id, User: who, Text: body.Text}, d.s.Shadowed(who))
	return nil
}

// edit replaces the text of a message of one's own.
func (d *decision) edit(body *subjects.EditMessage) error {
	if err := d.speak(); err != nil {
		return err
	}
	who := d.call.Principal
	m, err := d.message(body.Message)
	switch {
	case err != nil:
		return err
	case m.Author != who:
		return subjects.Refuse(subjects.CodeForbidden, "only its author edits a message")
	case m.Deleted:
		return subjects.Refuse(subjects.CodeNotFound, "the message was deleted")
	case m.Text == body.Text:
		return nil
	}
	alone := d.s.Shadowed(who) || d.s.Sealed(body.Message)
	d.utter(&subjects.MessageEdited{Message: body.Message, User: who, Text: body.Text}, alone)
	return nil
}

// delete takes a message's text away: the sender's own, or another's by who moderates.
// The muted may delete what they said.
func (d *decision) delete(body *subjects.DeleteMessage) error {
	if err := d.enter(); err != nil {
		return err
	}
	m, err := d.message(body.Message)
	if err != nil {
		return err
	}
	if m.Author != d.call.Principal {
		if err := d.moderate(); err != nil {
			return err
		}
		if err := d.over(m.Author); err != nil {
			return err
		}
	}
	if m.Deleted {
		return nil
	}
	d.utter(&subjects.MessageDeleted{Message: body.Message, Author: m.Author}, d.s.Sealed(body.Message))
	return nil
}

// react adds a reaction to a message of the last page.
func (d *decision) react(body *subjects.React) error {
	if err := d.speak(); err != nil {
		return err
	}
	who := d.call.Principal
	m, ok := d.s.Message(who, body.Message)
	switch {
	case !ok:
		return subjects.Refuse(subjects.CodeNotFound, "there is no such message among the last %d", subjects.ChatPage)
	case m.Deleted:
		return subjects.Refuse(subjects.CodeNotFound, "the message was deleted")
	case d.s.Reacted(who, body.Message, body.Reaction):
		return nil
	case d.s.ReactionCount(body.Message) >= subjects.MaxChatReactions:
		return subjects.Refuse(subjects.CodeFull, "a message has at most %d reactions", subjects.MaxChatReactions)
	}
	alone := d.s.Shadowed(who) || d.s.Sealed(body.Message)
	d.utter(&subjects.ReactionAdded{Message: body.Message, User: who, Reaction: body.Reaction}, alone)
	return nil
}

// unreact takes a reaction back, also of somebody who was muted since.
func (d *decision) unreact(body *subjects.Unreact) error {
	if err := d.enter(); err != nil {
		return err
	}
	who := d.call.Principal
	if _, ok := d.s.Message(who, body.Message); !ok {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such message among the last %d", subjects.ChatPage)
	}
	if d.s.Reacted(who, body.Message, body.Reaction) {
		openly := d.s.ReactedOpenly(who, body.Message, body.Reaction)
		d.utter(&subjects.ReactionRemoved{Message: body.Message, User: who, Reaction: body.Reaction}, !openly)
	}
	return nil
}

// message gives a message as the sender sees it, wherever it is.
func (d *decision) message(id string) (subjects.ChatMessage, error) {
	m, known, err := d.lookUp(id)
	switch {
	case err != nil || known:
		return m, err
	case !d.cmd.prepared: // it has left the page since it was looked for
		return m, subjects.Refuse(subjects.CodeBusy, "the message is just leaving the last page")
	case d.cmd.found == nil:
		return m, noMessage()
	}
	return d.cmd.found.ChatMessage, nil
}

// lookUp gives a message that the state knows; known is false for one that only the history
// can tell of.
func (d *decision) lookUp(id string) (m subjects.ChatMessage, known bool, err error) {
	if m, ok := d.s.Message(d.call.Principal, id); ok {
		return m, true, nil
	}
	place, err := subjects.MessagePlace(id)
	if err != nil || place < 1 || place > d.s.Chat.Total-int64(len(d.s.Chat.Messages)) || d.s.Sealed(id) {
		return m, false, noMessage()
	}
	return m, false, nil
}

func noMessage() error { return subjects.Refuse(subjects.CodeNotFound, "there is no such message") }
