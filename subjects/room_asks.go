package subjects

import (
	"strings"
	"unicode/utf8"
)

// Limits of polls and ready-checks.
const (
	// MaxPollQuestion and MaxPollOption bound the texts of a poll, in characters after
	// trimming.
	MaxPollQuestion = 200
	MaxPollOption   = 100
	// MinPollOptions and MaxPollOptions bound the choice.
	MinPollOptions = 2
	MaxPollOptions = 10
	// MinPollSeconds and MaxPollSeconds bound how long a poll that ends by itself is open.
	MinPollSeconds = 5
	MaxPollSeconds = 24 * 60 * 60
	// MaxPollAnswers bounds the answers to one poll.
	MaxPollAnswers = MaxMembers
	// MinReadySeconds and MaxReadySeconds bound how long a ready-check waits,
	// DefaultReadySeconds is how long it waits if nobody says.
	MinReadySeconds     = 5
	MaxReadySeconds     = 10 * 60
	DefaultReadySeconds = 30
)

// Poll is a question to the room, in its document: the one that is open, or the last one
// with its result.
type Poll struct {
	// ID counts the room's polls, from 1.
	ID       int64    `json:"id"`
	Question string   `json:"question"`
	Options  []string `json:"options"`
	// Counts are the answers by option: exact in a small room and when the poll is closed,
	// otherwise each within a sixty-fourth.
	Counts []int `json:"counts"`
	// By asked it.
	By string `json:"by"`
	At int64  `json:"at"`
	// EndsAt is when it closes by itself, 0 if never. ClosedAt is when it was closed, 0
	// while it is open.
	EndsAt   int64 `json:"endsAt"`
	ClosedAt int64 `json:"closedAt"`
}

// Open reports whether the poll takes answers.
func (p *Poll) Open() bool { return p != nil && p.ClosedAt == 0 }

// ReadyCheck asks everybody in the room whether they are ready, in its document: the one
// under way, or the last one with its outcome.
type ReadyCheck struct {
	// ID counts the room's ready-checks, from 1.
	ID int64  `json:"id"`
	By string `json:"by"`
	At int64  `json:"at"`
	// EndsAt is when it ends at the latest, EndedAt when it did, 0 while it is under way.
	EndsAt  int64 `json:"endsAt"`
	EndedAt int64 `json:"endedAt"`
	// Ready of the Of members who may answer have said that they are: exact in a small
	// room, otherwise each within a sixty-fourth.
	Ready int `json:"ready"`
	Of    int `json:"of"`
	// Users are the ready ones by id, sorted; empty in a room whose roster is paged.
	Users []string `json:"users"`
}

// Running reports whether the check takes answers.
func (c *ReadyCheck) Running() bool { return c != nil && c.EndedAt == 0 }

// PollAnswer is one's own answer to a poll.
type PollAnswer struct {
	Poll   int64 `json:"poll"`
	Option int   `json:"option"`
}

// Undoable is a change of the queue that can be taken back.
type Undoable struct {
	// Change is what undo calls it.
	Change int64 `json:"change"`
	// Verb made it: suggest, remove, shuffle or setQueue.
	Verb string `json:"verb"`
	By   string `json:"by"`
	At   int64  `json:"at"`
}

// OpenPoll asks the room a question.
type OpenPoll struct {
	// Question is 1 to MaxPollQuestion characters after trimming.
	Question string `json:"question"`
	// Options are MinPollOptions to MaxPollOptions, each 1 to MaxPollOption characters after
	// trimming, no two the same.
	Options []string `json:"options"`
	// Seconds is after how long it closes by itself, MinPollSeconds to MaxPollSeconds; 0 or
	// absent: it is closed by closePoll.
	Seconds int `json:"seconds,omitempty"`
}

// AnswerPoll answers the open poll; another answer replaces the first.
type AnswerPoll struct {
	Poll int64 `json:"poll"`
	// Option is an index into the poll's options.
	Option int `json:"option"`
}

// UnmarshalJSON wants both: no answer is guessed.
func (c *AnswerPoll) UnmarshalJSON(data []byte) error {
	var in struct {
		Poll   *int64 `json:"poll"`
		Option *int   `json:"option"`
	}
	if err := DecodeBody(data, &in); err != nil {
		return err
	}
	if in.Poll == nil {
		return RefuseField("poll", "say which poll, by its id")
	}
	if in.Option == nil {
		return RefuseField("option", "say which option, counted from 0")
	}
	c.Poll, c.Option = *in.Poll, *in.Option
	return nil
}

// ClosePoll closes the open poll.
type ClosePoll struct{}

// AskReady asks everybody in the room whether they are ready.
type AskReady struct {
	// Seconds is how long the check waits, MinReadySeconds to MaxReadySeconds;
	// DefaultReadySeconds if absent.
	Seconds int `json:"seconds,omitempty"`
}

// AnswerReady says whether the sender is.
type AnswerReady struct {
	Ready bool `json:"ready"`
}

// UnmarshalJSON wants the answer.
func (c *AnswerReady) UnmarshalJSON(data []byte) error {
	var in struct {
		Ready *bool `json:"ready"`
	}
	if err := DecodeBody(data, &in); err != nil {
		return err
	}
	if in.Ready == nil {
		return RefuseField("ready", "say true or false")
	}
	c.Ready = *in.Ready
	return nil
}

// Verb is VerbPoll.
func (*OpenPoll) Verb() string { return VerbPoll }

// Verb is VerbAnswer.
func (*AnswerPoll) Verb() string { return VerbAnswer }

// Verb is VerbClosePoll.
func (*ClosePoll) Verb() string { return VerbClosePoll }

// Verb is VerbReadyCheck.
func (*AskReady) Verb() string { return VerbReadyCheck }

// Verb is VerbReady.
func (*AnswerReady) Verb() string { return VerbReady }

// Check trims the texts and refuses what cannot be asked.
func (c *OpenPoll) Check() error {
	var err error
	if c.Question, err = pollText("question", c.Question, MaxPollQuestion); err != nil {
		return err
	}
	if len(c.Options) < MinPollOptions || len(c.Options) > MaxPollOptions {
		return RefuseField("options", "a poll has %d to %d options", MinPollOptions, MaxPollOptions)
	}
	seen := make(map[string]bool, len(c.Options))
	for i := range c.Options {
		if c.Options[i], err = pollText("options", c.Options[i], MaxPollOption); err != nil {
			return err
		}
		if seen[c.Options[i]] {
			return RefuseField("options", "two options are the same")
		}
		seen[c.Options[i]] = true
	}
	if c.Seconds != 0 && (c.Seconds < MinPollSeconds || c.Seconds > MaxPollSeconds) {
		return RefuseField("seconds", "a poll is open for %d to %d seconds; leave it out for a poll that is closed by hand", MinPollSeconds, MaxPollSeconds)
	}
	return nil
}

func pollText(field, text string, most int) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", RefuseField(field, "it is empty")
	case utf8.RuneCountInString(text) > most:
		return "", RefuseField(field, "at most %d characters", most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, invisible):
		return "", RefuseField(field, "no control characters and none that cannot be seen")
	}
	return text, nil
}

// Check wants a poll's id and an option that a poll can have.
func (c *AnswerPoll) Check() error {
	if c.Poll < 1 {
		return RefuseField("poll", "not the id of a poll")
	}
	if c.Option < 0 || c.Option >= MaxPollOptions {
		return RefuseField("option", "an option is 0 to %d", MaxPollOptions-1)
	}
	return nil
}

// Check finds nothing wrong with an empty body.
func (*ClosePoll) Check() error { return nil }

// Check fills in the default and looks at the bounds.
func (c *AskReady) Check() error {
	if c.Seconds == 0 {
		c.Seconds = DefaultReadySeconds
	}
	if c.Seconds < MinReadySeconds || c.Seconds > MaxReadySeconds {
		return RefuseField("seconds", "a ready-check waits %d to %d seconds", MinReadySeconds, MaxReadySeconds)
	}
	return nil
}

// Check finds nothing wrong with either answer.
func (*AnswerReady) Check() error { return nil }
