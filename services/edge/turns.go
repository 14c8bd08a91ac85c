package edge

import (
	"context"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// sender is one person's line to one room, playlist or chat.
type sender struct{ principal, service, id string }

// turns lets one command of a sender through at a time, in the order in which they came.
// Nothing is kept for a sender without a command under way, so it holds at most as many
// entries as there are requests.
type turns struct {
	waiters int // how many may wait for one sender

	mu    sync.Mutex
	lines map[sender][]chan struct{} // who waits, first come first; the entry stands for the one let through
}

func newTurns(waiters int) *turns {
	return &turns{waiters: waiters, lines: map[sender][]chan struct{}{}}
}

// take waits for the sender's turn; done gives it on and must be called once. It returns
// a Refusal of CodeBusy at once if too many wait already, and ctx's error if that ends
// first: nothing was sent then.
func (t *turns) take(ctx context.Context, s sender) (done func(), err error) {
	t.mu.Lock()
	line, taken := t.lines[s]
	if !taken {
		t.lines[s] = nil
		t.mu.Unlock()
		return func() { t.next(s) }, nil
	}
	if len(line) >= t.waiters {
		t.mu.Unlock()
		return nil, subjects.Refuse(subjects.CodeBusy, "too many of your commands wait for an answer here; send this one again when they have it")
	}
	turn := make(chan struct{})
	t.lines[s] = append(line, turn)
	t.mu.Unlock()

	select {
	case <-turn:
		return func() { t.next(s) }, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	for i, c := range t.lines[s] {
		if c == turn {
			t.lines[s] = append(t.lines[s][:i:i], t.lines[s][i+1:]...)
			t.mu.Unlock()
			return nil, ctx.Err()
		}
	}
	t.mu.Unlock()
	t.next(s) // the turn came in the same moment: hand it on
	return nil, ctx.Err()
}

func (t *turns) next(s sender) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.lines[s]
	if len(line) == 0 {
		delete(t.lines, s)
		return
	}
	t.lines[s] = line[1:]
	close(line[0])
}
