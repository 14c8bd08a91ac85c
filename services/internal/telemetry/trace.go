package telemetry

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in what is exported.
const scope = "github.com/tuttihq/tutti"

// Kind says which side of a conversation a span is.
type Kind int

// Kinds of spans.
const (
	KindInternal Kind = iota
	KindServer        // answers somebody who waits
	KindClient        // waits for somebody's answer
	KindProducer      // leaves something in a stream
	KindConsumer      // takes something out of a stream
)

var kinds = [...]trace.SpanKind{trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer}

// Attr is something that a span says of what it stands for.
type Attr = attribute.KeyValue

// String makes an attribute.
func String(key, value string) Attr { return attribute.String(key, value) }

// Int makes an attribute.
func Int(key string, value int) Attr { return attribute.Int(key, value) }

// Tracer begins spans. A nil Tracer begins none; what it costs then is a comparison.
// NewTracer makes one.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	exporter *watched
}

// Span is something that takes time. The zero Span stands for nothing, and its methods do
// nothing.
type Span struct{ s trace.Span }

// On reports whether spans are recorded at all. Ask it before making attributes that cost.
func (t *Tracer) On() bool { return t != nil }

// Start begins a span under the one in ctx, or at the top of a new trace, and puts it
// into the context that it returns. End it.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind, attrs ...Attr) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(kinds[kind]), trace.WithAttributes(attrs...))
	return ctx, Span{s}
}

// StartLinked begins a span under the first of the given ones that is recorded, linked
// with the others, and they with it: it stands for something done for all of them
// together. It is the zero Span if none of them is recorded.
func (t *Tracer) StartLinked(name string, kind Kind, of []Span, attrs ...Attr) Span {
	if t == nil {
		return Span{}
	}
	var parent Span
	var links []trace.Link
	for _, o := range of {
		switch {
		case !o.Recorded():
		case parent.s == nil:
			parent = o
		default:
			links = append(links, trace.Link{SpanContext: o.s.SpanContext()})
		}
	}
	if parent.s == nil {
		return Span{}
	}
	ctx := trace.ContextWithSpan(context.Background(), parent.s)
	_, s := t.tracer.Start(ctx, name, trace.WithSpanKind(kinds[kind]), trace.WithLinks(links...), trace.WithAttributes(attrs...))
	for _, o := range of {
		if o.Recorded() && o.s != parent.s {
			o.s.AddLink(trace.Link{SpanContext: s.SpanContext()})
		}
	}
	return Span{s}
}

// Child begins a span under the one in ctx, with that one's tracer. If there is none it
// does nothing, and allocates nothing as long as attrs is empty.
func Child(ctx context.Context, name string, kind Kind, attrs ...Attr) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, s := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kinds[kind]), trace.WithAttributes(attrs...))
	return ctx, Span{s}
}

// Traced reports whether a span in ctx is recorded.
func Traced(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// Followed reports whether there is a span in ctx, recorded or not: then whether to record
// is decided.
func Followed(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// Current gives the span in ctx.
func Current(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.SpanContext().IsValid() {
		return Span{s}
	}
	return Span{}
}

// Recorded reports whether anything is made of the span.
func (s Span) Recorded() bool { return s.s != nil && s.s.IsRecording() }

// Set adds attributes, or changes them.
func (s Span) Set(attrs ...Attr) {
	if s.s != nil {
		s.s.SetAttributes(attrs...)
	}
}

// Fail marks the span as failed for a reason that is not secret. What was merely refused
// has not failed.
func (s Span) Fail(reason string) {
	if s.s != nil {
		s.s.SetStatus(codes.Error, reason)
	}
}

// End ends the span. A second End does nothing.
func (s Span) End() {
	if s.s != nil {
		s.s.End()
	}
}

// In puts the span into a context, so that a log line written with it names the trace.
func (s Span) In(ctx context.Context) context.Context {
	if s.s == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.s)
}

// TraceID is the hexadecimal id of the span's trace; empty for the zero Span.
func (s Span) TraceID() string {
	if s.s == nil {
		return ""
	}
	return s.s.SpanContext().TraceID().String()
}

// traceparentLen is the length of version 00 of the header: "00-" trace "-" span "-" flags.
const traceparentLen = 2 + 1 + 32 + 1 + 16 + 1 + 2

// Traceparent spells the span in ctx as the W3C header of that name; empty without one.
func Traceparent(ctx context.Context) string {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return ""
	}
	id, span := c.TraceID(), c.SpanID()
	out := make([]byte, 0, traceparentLen)
	out = append(out, "00-"...)
	out = hex.AppendEncode(out, id[:])
	out = append(out, '-')
	out = hex.AppendEncode(out, span[:])
	out = append(out, '-')
	out = hex.AppendEncode(out, []byte{byte(c.TraceFlags() & trace.FlagsSampled)})
	return string(out)
}

// Follow puts the span that a W3C traceparent names into ctx, so that the next one begins
// under it. What is no traceparent is passed over.
func (t *Tracer) Follow(ctx context.Context, traceparent string) context.Context {
	if t == nil || traceparent == "" {
		return ctx
	}
	c, ok := parseTraceparent(traceparent)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, c)
}

// parseTraceparent reads the header. Of a later version than 00 it reads what 00 has, as
// the standard asks.
func parseTraceparent(s string) (c trace.SpanContext, ok bool) {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return c, false
	}
	var version, flags [1]byte
	var id trace.TraceID
	var span trace.SpanID
	for _, f := range [...]struct {
		to   []byte
		from string
	}{{version[:], s[:2]}, {id[:], s[3:35]}, {span[:], s[36:52]}, {flags[:], s[53:55]}} {
		for i := range len(f.from) {
			if b := f.from[i]; b >= 'A' && b <= 'F' { // the standard has lower case alone
				return c, false
			}
		}
		if _, err := hex.Decode(f.to, []byte(f.from)); err != nil {
			return c, false
		}
	}
	switch {
	case version[0] == 0xff, version[0] == 0 && len(s) != traceparentLen, len(s) > traceparentLen && s[traceparentLen] != '-':
		return c, false
	}
	c = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: span, TraceFlags: trace.TraceFlags(flags[0]) & trace.FlagsSampled, Remote: true,
	})
	return c, c.IsValid()
}
