package aggregate

import (
	"context"
	"fmt"
	"sync"
)

// Following is one aggregate that is followed. It has a goroutine until it ends.
type Following struct {
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	poke   chan struct{} // cap 1: there is something in the orders

	mu     sync.Mutex
	orders orders
	ended  bool
	loaded bool
	at     tip // what is folded
}

// orders is what others want of the goroutine that folds.
type orders struct {
	syncs []chan error
	// want is a sequence that the log is known to have reached.
	want uint64
	// doubt says that the log may not be the one that was folded.
	doubt bool
	// look has the log's head be read once more.
	look bool
	// hurry has what waits to be tried again be tried at once.
	hurry bool
}

// Sync returns once the sink has been given everything that was in the log when it was
// called; calls made at the same time share a reading of the log's head. The error wraps
// ErrUnavailable, also when ctx ends or the following does, or ErrBrokenLog.
func (n *Following) Sync(ctx context.Context) error {
	answer := make(chan error, 1)
	n.mu.Lock()
	if n.ended {
		n.mu.Unlock()
		return errNotFollowed(n.id)
	}
	n.orders.syncs = append(n.orders.syncs, answer)
	n.mu.Unlock()
	n.wake()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: sync %s: %w", ErrUnavailable, n.id, ctx.Err())
	}
}

// Stop ends it and returns when no call to the sink is running or will come. It must not
// be called from the sink or with its lock held.
func (n *Following) Stop() {
	n.cancel()
	<-n.done
}

// end answers those who wait.
func (n *Following) end() {
	n.cancel()
	n.mu.Lock()
	n.ended = true
	syncs := n.orders.syncs
	n.orders = orders{}
	n.mu.Unlock()
	for _, s := range syncs {
		s <- errNotFollowed(n.id)
	}
}

func errNotFollowed(id string) error {
	return fmt.Errorf("%w: %s is not followed any more", ErrUnavailable, id)
}

func (n *Following) wake() {
	select {
	case n.poke <- struct{}{}:
	default:
	}
}

// take gives the orders and forgets them.
func (n *Following) take() orders {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := n.orders
	n.orders = orders{}
	return o
}

// place tells what is folded; loaded is false before anything is.
func (n *Following) place() (at tip, loaded bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at, n.loaded
}

func (n *Following) setPlace(at tip) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at, n.loaded = at, true
}

// compare looks at a head that was read after before was folded, perhaps from a replica
// that lags, and has the fold be mended where they do not fit. hurry is set after a lost connection.
func (n *Following) compare(before, head tip, hurry bool) {
	n.mu.Lock()
	o := &n.orders
	switch {
	case head.seq > n.at.seq:
		o.want = max(o.want, head.seq)
		// After a lost connection the log may have lost its tail and grown anew.
		o.doubt = o.doubt || hurry
	case head.seq < before.seq, head.seq == n.at.seq && head != n.at:
		o.doubt = true
	}
	o.hurry = o.hurry || hurry
	poke := o.want > 0 || o.doubt || o.hurry
	n.mu.Unlock()
	if poke {
		n.wake()
	}
}

// look has the head be read again after what is under way: it was not compared.
func (n *Following) look(hurry bool) {
	n.mu.Lock()
	n.orders.look = true
	n.orders.hurry = n.orders.hurry || hurry
	n.mu.Unlock()
	n.wake()
}
