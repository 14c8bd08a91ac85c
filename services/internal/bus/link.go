package bus

import (
	"context"
	"sync"
	"time"
)

// linkSlot is how far apart the deadlines are that requests share.
const linkSlot = 100 * time.Millisecond

// link hands out contexts that end when the connection is lost, so that who waits for an
// answer which can no longer come does not wait on. They are shared by all requests that
// begin within one linkSlot: a request on the hot path makes none of its own.
type link struct {
	mu     sync.Mutex
	lost   context.Context // ends with the connection
	drop   context.CancelFunc
	shared context.Context
	until  time.Time // when shared is not handed out any more
}

func newLink() *link {
	l := &link{}
	l.restore()
	return l
}

// within gives a context that ends after answerWait, or up to a linkSlot later, or when the
// connection is lost.
func (l *link) within() context.Context {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shared == nil || !now.Before(l.until) {
		ctx, cancel := context.WithTimeout(l.lost, answerWait+linkSlot)
		context.AfterFunc(ctx, cancel) // it ends by its deadline; nobody ends it before
		l.shared, l.until = ctx, now.Add(linkSlot)
	}
	return l.shared
}

// bounded gives ctx, ended after wait too, and when the connection is lost. Call the
// returned function when done with it.
func (b *Bus) bounded(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	b.link.mu.Lock()
	lost := b.link.lost
	b.link.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, wait)
	stop := context.AfterFunc(lost, cancel)
	return ctx, func() { stop(); cancel() }
}

// sever ends every context that was handed out.
func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	l.shared = nil
}

// restore begins with a new connection.
func (l *link) restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drop != nil {
		l.drop()
	}
	l.lost, l.drop = context.WithCancel(context.Background())
	l.shared = nil
}
