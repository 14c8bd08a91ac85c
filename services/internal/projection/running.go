package projection

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tuttihq/tutti/services/internal/aggregate"
)

// Running is a service that runs: the host that decides, the projector that keeps its
// documents, and whatever else it has started. A service embeds it.
type Running[S, C, E any] struct {
	host      *aggregate.Host[S, C, E]
	projector *Projector[S, E]
	log       *slog.Logger
	stops     []func()
}

// Run begins to project. Stop ends it.
func Run[S, C, E any](host *aggregate.Host[S, C, E], projector *Projector[S, E], log *slog.Logger) *Running[S, C, E] {
	r := &Running[S, C, E]{host: host, projector: projector, log: log}
	r.Keep(projector.Run)
	return r
}

// Keep runs something until Stop, which waits for it. What ends it before is a defect of the
// deployment: it is logged, and the service goes on deciding.
func (r *Running[S, C, E]) Keep(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			r.log.Error("documents are not kept up any more", "err", err)
		}
	})
	r.OnStop(func() { cancel(); wg.Wait() })
}

// OnStop has Stop call something, the last first.
func (r *Running[S, C, E]) OnStop(stop ...func()) { r.stops = append(r.stops, stop...) }

// Stats gives the kernel's counters.
func (r *Running[S, C, E]) Stats() aggregate.Stats { return r.host.Engine().Stats() }

// Projected gives the projector's counters.
func (r *Running[S, C, E]) Projected() Stats { return r.projector.Stats() }

// Unprojected tells how many commits wait for a projector, over all replicas; it asks the
// NATS server.
func (r *Running[S, C, E]) Unprojected(ctx context.Context) (uint64, error) {
	return r.projector.Behind(ctx)
}

// Queued tells how many commands wait in the queue of this replica's aggregates, and how
// many of them are being worked on; it asks the NATS server.
func (r *Running[S, C, E]) Queued(ctx context.Context) (waiting uint64, flight int, err error) {
	return r.host.Queued(ctx)
}

// Partitions is how many of the partitions this replica owns now.
func (r *Running[S, C, E]) Partitions() int { return r.host.Partitions() }

// Stop lets go of the aggregates: another replica takes them over at once. It waits for what
// is under way until ctx ends.
func (r *Running[S, C, E]) Stop(ctx context.Context) error {
	for i := len(r.stops) - 1; i >= 0; i-- {
		r.stops[i]()
	}
	return r.host.Stop(ctx)
}
