package tutti

import (
	"context"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Poll asks the room a question: one at a time, whose result stays in the document until
// the next. It closes by itself after a time in whole seconds, or with ClosePoll alone for 0.
func (r *Room) Poll(ctx context.Context, question string, options []string, after time.Duration) error {
	return r.do(ctx, subjects.VerbPoll, subjects.OpenPoll{Question: question, Options: options, Seconds: seconds(after)})
}

// Answer answers the poll of this id with one of its options, from 0; another answer
// replaces the first.
func (r *Room) Answer(ctx context.Context, poll int64, option int) error {
	return r.do(ctx, subjects.VerbAnswer, subjects.AnswerPoll{Poll: poll, Option: option})
}

// ClosePoll closes the open poll.
func (r *Room) ClosePoll(ctx context.Context) error {
	return r.do(ctx, subjects.VerbClosePoll, nil)
}

// ReadyCheck asks everybody in the room whether they are ready. It ends when all are, and
// at the latest after a time in whole seconds; 0 is subjects.DefaultReadySeconds.
func (r *Room) ReadyCheck(ctx context.Context, atMost time.Duration) error {
	return r.do(ctx, subjects.VerbReadyCheck, subjects.AskReady{Seconds: seconds(atMost)})
}

// Ready says whether the client's user is ready.
func (r *Room) Ready(ctx context.Context, ready bool) error {
	return r.do(ctx, subjects.VerbReady, subjects.AnswerReady{Ready: ready})
}

// seconds gives a duration in seconds, rounded up: less than a second does not become none.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
