package sqlite

import (
	"sync"

	"github.com/tuttihq/tutti/services/internal/store"
)

// hub hands what the writer has committed to the feeds, in the order of commit. This
// process is the only one that writes, so the hub hears of everything.
type hub struct {
	buffer int

	mu     sync.Mutex
	seq    int64 // of the last write that was published
	closed bool
	feeds  map[int64]map[*feed]struct{} // by table
}

// written is one committed write. A cleared table is one without documents.
type written struct {
	table    int64
	seq      int64
	old, new *store.Document
}

func (w written) size() int {
	n := 0
	if w.old != nil {
		n += len(w.old.Body)
	}
	if w.new != nil {
		n += len(w.new.Body)
	}
	return n
}

func newHub(buffer int) *hub {
	return &hub{buffer: buffer, feeds: make(map[int64]map[*feed]struct{})}
}

// publish hands over one commit, whose last write has the number seq.
func (h *hub) publish(seq int64, writes []written) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq = seq
	for _, w := range writes {
		for f := range h.feeds[w.table] {
			if w.new == nil {
				f.end(errCleared)
			} else {
				f.offer(w)
			}
		}
	}
}

// add registers a feed, and returns the number of the last write before those that
// the feed hears of.
func (h *hub) add(f *feed) (seq int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, store.ErrClosed
	}
	if h.feeds[f.table.num] == nil {
		h.feeds[f.table.num] = make(map[*feed]struct{})
	}
	h.feeds[f.table.num][f] = struct{}{}
	return h.seq, nil
}

func (h *hub) remove(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.feeds[f.table.num], f)
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, feeds := range h.feeds {
		for f := range feeds {
			f.end(store.ErrClosed)
		}
	}
}
