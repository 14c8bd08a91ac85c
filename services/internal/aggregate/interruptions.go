package aggregate

import (
	"context"
	"log/slog"
	"sync"
)

// interruptions tells the log of a service's queues that cannot be read: once when the first
// of them stops, and once when all go on, whether in this replica's hands or, read anew, in
// those of a later queue. It is safe for use by many goroutines.
type interruptions struct {
	log *slog.Logger

	mu   sync.Mutex
	down map[*queue]struct{} // at most one a partition, and those that are being given up
	told bool                // the log knows of an outage and not of its end
}

func newInterruptions(log *slog.Logger) *interruptions {
	return &interruptions{log: log, down: map[*queue]struct{}{}}
}

func (i *interruptions) began(q *queue, err error) {
	level := lostLevel(q.bus)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down[q] = struct{}{}
	if i.told {
		level = slog.LevelDebug
	}
	i.told = i.told || level > slog.LevelDebug
	i.log.Log(context.Background(), level, "command queue interrupted", "partition", q.partition, "err", err)
}

func (i *interruptions) ended(q *queue) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.down, q)
	if i.told && len(i.down) == 0 {
		i.told = false
		i.log.Info("command queue goes on")
	}
}

// left forgets a queue that is given up. That is no end: who has its partition now tells that.
func (i *interruptions) left(q *queue) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.down, q)
}
