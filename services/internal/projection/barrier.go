package projection

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// barrier has those who finished writing wait together until the store has it on disk: one
// sync at a time, for all who came before it began. It bounds nobody: who waits is a
// message in flight.
type barrier struct {
	owner context.Context //nolint:containedctx // its end ends the syncs
	hurry <-chan struct{} // closed when nobody is to wait for the time of the next sync
	sync  func(context.Context) error
	every time.Duration // from the begin of a sync to that of the next, at least
	limit time.Duration // for one sync
	// told is called after a sync.
	told func(error)
	// fails counts the syncs that failed. What was written before one of them returned may be
	// lost, and the next one would not tell.
	fails *atomic.Uint64

	wg   sync.WaitGroup
	last time.Time // when the last sync began; of the one who runs

	mu      sync.Mutex
	running bool
	next    *crossing // those who wait for the next sync; nil if there are none
}

// crossing is what those who wait for one sync share.
type crossing struct {
	done chan struct{} // closed when err is final
	err  error
}

// pause waits for the time of the next sync.
func (b *barrier) pause() {
	t := time.NewTimer(b.every - time.Since(b.last))
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.hurry:
	case <-b.owner.Done():
	}
}

// errMayBeLost meets who was still on his way to the barrier when a sync failed.
var errMayBeLost = errors.New("projection: written before a sync that failed")

// join takes part in the next sync. fails is what the counter said before the writing began.
func (b *barrier) join(fails uint64) *crossing {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fails != b.fails.Load() {
		c := &crossing{done: make(chan struct{}), err: errMayBeLost}
		close(c.done)
		return c
	}
	if b.next == nil {
		b.next = &crossing{done: make(chan struct{})}
	}
	c := b.next
	if !b.running {
		b.running = true
		b.wg.Go(b.run)
	}
	return c
}

// run syncs until nobody waits.
func (b *barrier) run() {
	for {
		b.pause()
		now := b.take()
		b.last = time.Now()
		limited, cancel := context.WithTimeout(b.owner, b.limit)
		now.err = b.sync(limited)
		cancel()
		if now.err != nil {
			if late := b.fail(); late != nil {
				late.err = now.err
				close(late.done)
			}
		}
		b.told(now.err)
		close(now.done)
		if b.idle() {
			return
		}
	}
}

// fail counts, and takes those who came too early.
func (b *barrier) fail() *crossing {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails.Add(1)
	c := b.next
	b.next = nil
	return c
}

// take takes those who wait.
func (b *barrier) take() *crossing {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.next
	b.next = nil
	return c
}

// idle reports that nobody waits, and that who comes next has to run anew.
func (b *barrier) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = b.next != nil
	return !b.running
}
