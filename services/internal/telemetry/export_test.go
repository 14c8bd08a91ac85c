package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// collector takes OTLP over HTTP and keeps the bytes, in which names stand as they are.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	paths []string
	got   bytes.Buffer
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paths = append(c.paths, r.URL.Path)
		if _, err := io.Copy(&c.got, r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) received() (string, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String(), c.paths
}

func TestClosingExportsWhatHasEnded(t *testing.T) {
	for _, env := range []bool{false, true} {
		c := newCollector(t)
		opt := TraceOptions{Sample: 1, Version: "1.2.3", Instance: "node_7", Log: slog.New(slog.DiscardHandler), Metrics: NewRegistry()}
		if env {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
			if !EnvironmentNames() {
				t.Error("the environment's collector is not seen")
			}
		} else {
			opt.Endpoint = c.URL
		}
		tr, err := NewTracer(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		_, s := tr.Start(t.Context(), "decide room.vote", KindServer)
		s.End()
		closed(t, tr)
		got, paths := c.received()
		if len(paths) != 1 || paths[0] != "/v1/traces" {
			t.Errorf("environment %v: asked %v", env, paths)
		}
		for _, want := range []string{"decide room.vote", "1.2.3", "node_7", "tutti"} {
			if !strings.Contains(got, want) {
				t.Errorf("environment %v: %q was not exported", env, want)
			}
		}
		has(t, scrape(t, opt.Metrics), `tutti_trace_spans_total{outcome="exported"} 1`, `tutti_trace_spans_total{outcome="failed"} 0`)
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if EnvironmentNames() {
		t.Error("what the environment switched off is on")
	}
}

// broken fails until it is mended.
type broken struct {
	kept
	mu     sync.Mutex
	mended bool
}

func (b *broken) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mended {
		return errors.New("no collector there")
	}
	return b.kept.ExportSpans(ctx, spans)
}

func TestACollectorThatIsAwayIsToldOnceAndComesBack(t *testing.T) {
	b := &broken{kept: kept{tracetest.NewInMemoryExporter()}}
	var out bytes.Buffer
	reg := NewRegistry()
	tr, err := NewTracer(t.Context(), TraceOptions{Exporter: b, Sample: 1, Metrics: reg, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	one := func() {
		_, s := tr.Start(t.Context(), "x", KindServer)
		s.End()
		if err := tr.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	one()
	one()
	b.mu.Lock()
	b.mended = true
	b.mu.Unlock()
	one()
	closed(t, tr)
	if n := strings.Count(out.String(), "spans are not exported"); n != 1 || !strings.Contains(out.String(), "exported again") {
		t.Errorf("the log says\n%s", out.String())
	}
	has(t, scrape(t, reg), `tutti_trace_spans_total{outcome="exported"} 1`, `tutti_trace_spans_total{outcome="failed"} 2`)
}

// stuck never answers.
type stuck struct{ kept }

func (stuck) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestACollectorThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	tr, err := NewTracer(t.Context(), TraceOptions{Exporter: stuck{kept{tracetest.NewInMemoryExporter()}}, Sample: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 3 * spanQueue {
		_, s := tr.Start(t.Context(), "x", KindServer)
		s.End()
	}
	if took := time.Since(begin); took > exportWait/2 {
		t.Errorf("%d spans took %v", 3*spanQueue, took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin = time.Now()
	if err := tr.Close(ctx); err == nil {
		t.Error("what was not exported is not told")
	}
	if took := time.Since(begin); took > exportWait/2 {
		t.Errorf("closing took %v", took)
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	for text, ok := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://collector.example/v1/traces": true,
		"127.0.0.1:4318": false, "ftp://x": false, "http://": false, "http://a:b@c": false, "http://c?x=1": false, "http://[::1": false,
	} {
		err := CheckEndpoint(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if ok {
			continue
		}
		if _, err := NewTracer(t.Context(), TraceOptions{Endpoint: text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
