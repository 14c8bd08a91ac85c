package subjects

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The verbs of a chat. Whether somebody may use them follows from the grant table of the
// room: "chat" and "moderate" are its rows VerbChat and VerbModerateChat. Every verb needs
// membership of the room. Whoever may not see the room is answered not_found, whatever the
// verb; in a closed chat everything is refused with closed.
//
//	verb         body                                 who           what it does, and what it is refused with
//	send         {"text": t}                          chat          muted, too_fast, too_large, full
//	edit         {"message": id, "text": t}           its author    muted, too_large, not_found
//	delete       {"message": id}                      its author, moderate
//	                                                                the text is gone for good; again is nothing. not_found, forbidden
//	react        {"message": id, "reaction": name}    chat          a message of the last page; again is nothing. muted, not_found, full
//	unreact      {"message": id, "reaction": name}    chat          takes it back; again is nothing. not_found
//	setSlowMode  {"seconds": n}                       moderate      0 is off; moderators are not slowed
//	mute         {"user": id}                         moderate      until unmute; again is nothing. forbidden, full
//	unmute       {"user": id}                         moderate      again is nothing
//	shadowMute   {"user": id}                         moderate      from now on only the user sees what the user sends. forbidden, full
//	unshadow     {"user": id}                         moderate      again is nothing
//	follow       ChatFact                             the platform  tells the chat what happened to its room's members
const (
	VerbSend        = "send"
	VerbEdit        = "edit"
	VerbDelete      = "delete"
	VerbReact       = "react"
	VerbUnreact     = "unreact"
	VerbSetSlowMode = "setSlowMode"
	VerbMute        = "mute"
	VerbUnmute      = "unmute"
	VerbShadowMute  = "shadowMute"
	VerbUnshadow    = "unshadow"
	VerbFollow      = "follow"
)

// ChatCommand is the decoded body of a command to a chat.
type ChatCommand interface {
	// Verb is the verb that the body belongs to.
	Verb() string
	// Check returns a *Refusal of CodeInvalid or CodeTooLarge that names the field that
	// cannot be right, whatever the chat's state.
	Check() error
}

var chatVerbs = map[string]func() ChatCommand{
	VerbSend:        func() ChatCommand { return new(SendMessage) },
	VerbEdit:        func() ChatCommand { return new(EditMessage) },
	VerbDelete:      func() ChatCommand { return new(DeleteMessage) },
	VerbReact:       func() ChatCommand { return new(React) },
	VerbUnreact:     func() ChatCommand { return new(Unreact) },
	VerbSetSlowMode: func() ChatCommand { return new(SetSlowMode) },
	VerbMute:        func() ChatCommand { return new(MuteUser) },
	VerbUnmute:      func() ChatCommand { return new(UnmuteUser) },
	VerbShadowMute:  func() ChatCommand { return new(ShadowMuteUser) },
	VerbUnshadow:    func() ChatCommand { return new(UnshadowUser) },
	VerbFollow:      func() ChatCommand { return new(ChatFact) },
}

// ChatVerbs lists the verbs of a chat, sorted.
func ChatVerbs() []string {
	out := make([]string, 0, len(chatVerbs))
	for v := range chatVerbs {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// DecodeChatCommand reads and checks the body of a command. Errors are *Refusal of
// CodeUnknownVerb, CodeInvalid or CodeTooLarge.
func DecodeChatCommand(verb string, body []byte) (ChatCommand, error) {
	empty, ok := chatVerbs[verb]
	if !ok {
		return nil, Refuse(CodeUnknownVerb, "a chat has no command %q", clip(verb))
	}
	cmd := empty()
	if err := DecodeBody(body, cmd); err != nil {
		return nil, err
	}
	if err := cmd.Check(); err != nil {
		return nil, err
	}
	return cmd, nil
}

// SendMessage says something.
type SendMessage struct {
	// Text is 1 to MaxChatText characters once what a message does not hold is gone from it:
	// spaces around it, control characters other than tabs and line ends, and characters that
	// turn the direction of what follows them. Every kind of line end becomes "\n".
	Text string `json:"text"`
}

// EditMessage replaces the text of a message of one's own.
type EditMessage struct {
	Message string `json:"message"`
	Text    string `json:"text"`
}

// DeleteMessage removes a message's text for good.
type DeleteMessage struct {
	Message string `json:"message"`
}

// React adds a reaction of the sender to a message.
type React struct {
	Message string `json:"message"`
	// Reaction is one of Reactions.
	Reaction string `json:"reaction"`
}

// Unreact takes it back.
type Unreact struct {
	Message  string `json:"message"`
	Reaction string `json:"reaction"`
}

// SetSlowMode sets how long a sender waits between two messages.
type SetSlowMode struct {
	// Seconds is 0 (off) to MaxSlowMode.
	Seconds *int64 `json:"seconds"`
}

// MuteUser keeps a user from sending, editing and reacting.
type MuteUser struct {
	User string `json:"user"`
}

// UnmuteUser lifts it.
type UnmuteUser struct {
	User string `json:"user"`
}

// ShadowMuteUser has only the user see what the user sends from now on.
type ShadowMuteUser struct {
	User string `json:"user"`
}

// UnshadowUser lifts it; what was sent meanwhile stays with its sender.
type UnshadowUser struct {
	User string `json:"user"`
}

// Verb is VerbSend.
func (*SendMessage) Verb() string { return VerbSend }

// Verb is VerbEdit.
func (*EditMessage) Verb() string { return VerbEdit }

// Verb is VerbDelete.
func (*DeleteMessage) Verb() string { return VerbDelete }

// Verb is VerbReact.
func (*React) Verb() string { return VerbReact }

// Verb is VerbUnreact.
func (*Unreact) Verb() string { return VerbUnreact }

// Verb is VerbSetSlowMode.
func (*SetSlowMode) Verb() string { return VerbSetSlowMode }

// Verb is VerbMute.
func (*MuteUser) Verb() string { return VerbMute }

// Verb is VerbUnmute.
func (*UnmuteUser) Verb() string { return VerbUnmute }

// Verb is VerbShadowMute.
func (*ShadowMuteUser) Verb() string { return VerbShadowMute }

// Verb is VerbUnshadow.
func (*UnshadowUser) Verb() string { return VerbUnshadow }

// Check cleans the text.
func (c *SendMessage) Check() (err error) {
	c.Text, err = checkText(c.Text)
	return err
}

// Check wants a message id, and cleans the text.
func (c *EditMessage) Check() (err error) {
	if err := checkMessage(c.Message); err != nil {
		return err
	}
	c.Text, err = checkText(c.Text)
	return err
}

// Check wants a message id.
func (c *DeleteMessage) Check() error { return checkMessage(c.Message) }

// Check wants a message id and a reaction that there is.
func (c *React) Check() error { return checkReaction(c.Message, c.Reaction) }

// Check wants a message id and a reaction that there is.
func (c *Unreact) Check() error { return checkReaction(c.Message, c.Reaction) }

// Check wants 0 to MaxSlowMode seconds.
func (c *SetSlowMode) Check() error {
	if c.Seconds == nil || *c.Seconds < 0 || *c.Seconds > MaxSlowMode {
		return RefuseField("seconds", "the slow mode is 0 (off) to %d seconds", MaxSlowMode)
	}
	return nil
}

// Check wants a user id.
func (c *MuteUser) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *UnmuteUser) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *ShadowMuteUser) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *UnshadowUser) Check() error { return checkUser(c.User) }

// checkText gives the text without what SendMessage says a message does not hold: people paste
// it, and do not see what they would be refused for.
func checkText(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", RefuseField("text", "a message is UTF-8")
	}
	text = strings.TrimSpace(strings.Map(shown, strings.ReplaceAll(text, "\r\n", "\n")))
	switch {
	case !strings.ContainsFunc(text, func(r rune) bool { return !invisible(r) && !unicode.IsSpace(r) }):
		return "", RefuseField("text", "a message needs some text")
	case utf8.RuneCountInString(text) > MaxChatText:
		r := Refuse(CodeTooLarge, "a message has at most %d characters", MaxChatText)
		r.Field = "text"
		return "", r
	}
	return text, nil
}

// shown gives what stands in a message for a character: itself, a line end for any kind of
// one, -1 for nothing. The marks U+200E and U+200F stay, and so do the joiners: what they do
// ends with the word.
func shown(r rune) rune {
	const (
		nextLine, lineSeparator, paragraphSeparator = '\u0085', '\u2028', '\u2029'
		byteOrderMark                               = '\ufeff'
	)
	switch {
	case r == '\n' || r == '\t':
		return r
	case r == '\r' || r == nextLine || r == lineSeparator || r == paragraphSeparator:
		return '\n'
	case unicode.IsControl(r), r == byteOrderMark, r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u206f', r >= '\ufff9' && r <= '\ufffb':
		return -1
	}
	return r
}

func checkMessage(id string) error {
	if _, err := MessagePlace(id); err != nil {
		return RefuseField("message", "not a message id")
	}
	return nil
}

func checkReaction(message, reaction string) error {
	if err := checkMessage(message); err != nil {
		return err
	}
	if !slices.Contains(reactions, reaction) {
		return RefuseField("reaction", "a reaction is one of %s", strings.Join(reactions, ", "))
	}
	return nil
}
