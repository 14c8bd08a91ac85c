package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Keys of log lines and of spans, the same everywhere. The id of a room, or of another
// aggregate, stands under the name of its service: "room".
const (
	// KeyRequest is the id of an HTTP request, as in the header X-Request-Id.
	KeyRequest = "request"
	// KeyConnection is the id of a socket, as in its welcome.
	KeyConnection = "connection"
	// KeyCommand is the id of a command.
	KeyCommand = "command"
	// KeyOutcome, of spans, is "ok" or the code of a refusal.
	KeyOutcome = "outcome"
)

// Handler gives a log line the trace_id and span_id of the span in its context, if there
// is one.
type Handler struct{ next slog.Handler }

// NewHandler makes a Handler before next.
func NewHandler(next slog.Handler) Handler { return Handler{next} }

// Enabled implements slog.Handler.
func (h Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h Handler) Handle(ctx context.Context, r slog.Record) error {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", c.TraceID().String()), slog.String("span_id", c.SpanID().String()))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h Handler) WithAttrs(attrs []slog.Attr) slog.Handler { return Handler{h.next.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h Handler) WithGroup(name string) slog.Handler { return Handler{h.next.WithGroup(name)} }
