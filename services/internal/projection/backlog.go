package projection

import (
	"context"
	"sync"

	"github.com/tuttihq/tutti/services/internal/store"
)

// backlog is a queue of documents of which only the newest version matters. One
// goroutine puts, one takes. It holds at most limit documents; then put waits.
type backlog struct {
	limit int
	space chan struct{} // a token: something was taken
	work  chan struct{} // a token: something was put

	mu    sync.Mutex
	docs  map[string]store.Document
	order []string // ids in docs, the one that waits the longest first
}

func newBacklog(limit int) *backlog {
	return &backlog{
		limit: limit, space: make(chan struct{}, 1), work: make(chan struct{}, 1),
		docs: make(map[string]store.Document),
	}
}

// put adds a document, or replaces the one that waits under its id.
func (q *backlog) put(ctx context.Context, d store.Document) error {
	for !q.tryPut(d) {
		select {
		case <-q.space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	signal(q.work)
	return nil
}

func (q *backlog) tryPut(d store.Document) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.docs[d.ID]; !ok {
		if len(q.docs) >= q.limit {
			return false
		}
		q.order = append(q.order, d.ID)
	}
	q.docs[d.ID] = d
	return true
}

// take waits for a document.
func (q *backlog) take(ctx context.Context) (store.Document, error) {
	for {
		if d, ok := q.tryTake(); ok {
			signal(q.space)
			return d, nil
		}
		select {
		case <-q.work:
		case <-ctx.Done():
			return store.Document{}, ctx.Err()
		}
	}
}

func (q *backlog) tryTake() (store.Document, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return store.Document{}, false
	}
	id := q.order[0]
	q.order = q.order[1:]
	d := q.docs[id]
	delete(q.docs, id)
	return d, true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
