package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// ErrStarting is why a process is not ready before it has started, and once it stops. It is
// in the order of things, and no line for an operator.
var ErrStarting = errors.New("the process is starting or stopping")

// Readiness tells the log when readiness changes, and not of each probe in between. It is
// safe for use by many goroutines.
type Readiness struct {
	log *slog.Logger

	mu   sync.Mutex
	lost bool
}

// NewReadiness tells log.
func NewReadiness(log *slog.Logger) *Readiness { return &Readiness{log: log} }

// Probed notes what a probe has found out: nil, or why the process is not ready.
func (r *Readiness) Probed(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, ErrStarting), err != nil && r.lost:
		r.log.DebugContext(ctx, "not ready", "err", err)
	case err != nil:
		r.lost = true
		r.log.WarnContext(ctx, "not ready", "err", err)
	case r.lost:
		r.lost = false
		r.log.InfoContext(ctx, "ready again")
	}
}
