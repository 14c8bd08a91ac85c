package aggregatetest

import (
	"context"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
)

// Gate is a Journal that can stand still, as it does for an owner whose process is frozen:
// a call that reaches it then waits, whether it was on its way there or on its way back,
// and goes on afterwards as if nothing had been.
type Gate struct {
	aggregate.Journal

	mu     sync.Mutex
	frozen chan struct{} // closed by Thaw; nil while calls pass
}

// Freeze stops all calls until Thaw.
func (g *Gate) Freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen == nil {
		g.frozen = make(chan struct{})
	}
}

// Thaw lets calls go on.
func (g *Gate) Thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen != nil {
		close(g.frozen)
		g.frozen = nil
	}
}

func (g *Gate) pass() {
	for {
		g.mu.Lock()
		frozen := g.frozen
		g.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

// Append implements aggregate.Journal.
func (g *Gate) Append(ctx context.Context, id string, data []byte, after uint64) (uint64, error) {
	g.pass()
	defer g.pass()
	return g.Journal.Append(ctx, id, data, after)
}

// Head implements aggregate.Journal.
func (g *Gate) Head(ctx context.Context, id string) (aggregate.Entry, error) {
	g.pass()
	defer g.pass()
	return g.Journal.Head(ctx, id)
}

// Read implements aggregate.Journal.
func (g *Gate) Read(ctx context.Context, id string, from uint64, f func(aggregate.Entry) error) error {
	g.pass()
	defer g.pass()
	return g.Journal.Read(ctx, id, from, f)
}

// LoadSnapshot implements aggregate.Journal.
func (g *Gate) LoadSnapshot(ctx context.Context, id string) ([]byte, error) {
	g.pass()
	defer g.pass()
	return g.Journal.LoadSnapshot(ctx, id)
}

// SaveSnapshot implements aggregate.Journal.
func (g *Gate) SaveSnapshot(ctx context.Context, id string, data []byte) error {
	g.pass()
	defer g.pass()
	return g.Journal.SaveSnapshot(ctx, id, data)
}

// Schedule implements aggregate.Journal.
func (g *Gate) Schedule(ctx context.Context, id string, at time.Time) error {
	g.pass()
	defer g.pass()
	return g.Journal.Schedule(ctx, id, at)
}
