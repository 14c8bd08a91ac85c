package projection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
)

// errUnavailable is wrapped by what is worth another try.
var errUnavailable = errors.New("projection: unavailable")

func unavailable(err error) error { return fmt.Errorf("%w: %w", errUnavailable, err) }

// transient reports whether err will mend by itself.
func transient(err error) bool {
	for _, t := range []error{errUnavailable, store.ErrUnavailable, store.ErrFeedLost, aggregate.ErrUnavailable, bus.ErrUnavailable, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// outage tells the log of the first failure and of the end of it, not of each try.
type outage struct {
	log *slog.Logger

	mu   sync.Mutex
	down bool
}

func (o *outage) begin(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.down {
		o.down = true
		o.log.Warn("projection waits for what is unavailable", "err", err)
	}
}

// under reports whether the outage lasts.
func (o *outage) under() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		o.down = false
		o.log.Info("projection goes on")
	}
}

// source tells the log of a changefeed: of the first loss, and of its being whole again, not
// of each try in between. One goroutine uses it.
type source struct {
	log  *slog.Logger
	down bool
}

func (s *source) lost(err error) {
	if s.down {
		s.log.Debug("changefeed not opened", "err", err)
		return
	}
	s.down = true
	s.log.Warn("changefeed lost; it is opened again", "err", err)
}

func (s *source) synced() {
	if s.down {
		s.down = false
		s.log.Info("changefeed is followed again")
	}
}

// quiet is watermill's logger: an outage is told once by outage, and what the router says
// while all is well is for debugging.
type quiet struct{ log *slog.Logger }

var _ watermill.LoggerAdapter = quiet{}

func (q quiet) Error(msg string, err error, f watermill.LogFields) {
	if err == nil || !transient(err) {
		q.log.Warn(msg, append(attrs(f), "err", err)...)
	}
}
func (q quiet) Info(msg string, f watermill.LogFields)  { q.log.Debug(msg, attrs(f)...) }
func (q quiet) Debug(msg string, f watermill.LogFields) { q.log.Debug(msg, attrs(f)...) }
func (quiet) Trace(string, watermill.LogFields)         {}

func (q quiet) With(f watermill.LogFields) watermill.LoggerAdapter {
	return quiet{q.log.With(attrs(f)...)}
}

func attrs(f watermill.LogFields) []any {
	out := make([]any, 0, 2*len(f))
	for k, v := range f {
		out = append(out, k, v)
	}
	return out
}

// clip makes a reason that fits a header: one line of a bounded length.
func clip(s string) string {
	const most = 512
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
