package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// spanQueue bounds the spans that wait to be exported; further ones are dropped.
	spanQueue = 4096
	spanBatch = 512
	spanDelay = 2 * time.Second
	// exportWait bounds one export with its repetitions; then the batch is given up.
	exportWait = 10 * time.Second
	// closeWait bounds how long Close waits for an export that was called off.
	closeWait  = time.Second
	tracesPath = "/v1/traces"
)

// Exporter takes spans that have ended.
type Exporter = sdktrace.SpanExporter

// TraceOptions say where spans go.
type TraceOptions struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP, such as
	// "http://127.0.0.1:4318"; without a path, /v1/traces is meant. Empty: as the
	// environment says (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT).
	Endpoint string
	// Sample is the share of the traces that begin here which are recorded, from 0 to 1.
	// What comes from elsewhere is recorded if it was there.
	Sample float64
	// Version of the program and Instance of it, new for each start.
	Version, Instance string
	Log               *slog.Logger
	// Metrics gets how many spans were exported and how many were not; nil: nobody.
	Metrics *Registry
	// Exporter takes the place of the collector.
	Exporter Exporter
}

// EnvironmentNames reports whether the environment names a collector.
func EnvironmentNames() bool {
	return os.Getenv("OTEL_SDK_DISABLED") != "true" &&
		(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "")
}

// CheckEndpoint reports what is wrong with TraceOptions.Endpoint.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("not a URL") // what is wrong may quote a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return errors.New("not a URL such as http://127.0.0.1:4318")
	case u.User != nil:
		return errors.New("a password does not belong here: set OTEL_EXPORTER_OTLP_HEADERS in the environment")
	}
	return nil
}

// NewTracer makes a tracer and starts its exporter. It does not connect: a collector that
// is not there costs a log line and the spans. Close it.
func NewTracer(ctx context.Context, opt TraceOptions) (*Tracer, error) {
	exporter := opt.Exporter
	if exporter == nil {
		options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: 500 * time.Millisecond, MaxInterval: 3 * time.Second, MaxElapsedTime: exportWait,
		})}
		if opt.Endpoint != "" {
			if err := CheckEndpoint(opt.Endpoint); err != nil {
				return nil, fmt.Errorf("telemetry: endpoint: %w", err)
			}
			u, err := url.Parse(opt.Endpoint)
			if err != nil {
				return nil, errors.New("telemetry: endpoint: not a URL")
			}
			if u.Path == "" || u.Path == "/" {
				u.Path = tracesPath
			}
			options = append(options, otlptracehttp.WithEndpointURL(u.String()))
		}
		var err error
		if exporter, err = otlptracehttp.New(ctx, options...); err != nil {
			return nil, fmt.Errorf("telemetry: exporter: %w", err)
		}
	}
	about := resource.NewSchemaless(
		attribute.String("service.name", "tutti"), attribute.String("service.version", opt.Version),
		attribute.String("service.instance.id", opt.Instance))
	named, err := resource.New(ctx, resource.WithFromEnv()) // OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
	if err == nil {
		about, err = resource.Merge(about, named)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: resource: %w", err), exporter.Shutdown(ctx))
	}
	w := &watched{SpanExporter: exporter, log: opt.Log, done: make(chan struct{}), outcome: opt.Metrics.CounterOf(
		"tutti_trace_spans_total", "Spans that were given to the collector, or could not be.",
		Label{"outcome", []string{"exported", "failed"}})}
	w.base, w.giveUp = context.WithCancel(context.Background())
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(opt.Sample))),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: 256, AttributeCountLimit: 32, EventCountLimit: 32, LinkCountLimit: 128,
			AttributePerEventCountLimit: 8, AttributePerLinkCountLimit: 8,
		}),
		sdktrace.WithBatcher(w,
			sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithMaxExportBatchSize(spanBatch),
			sdktrace.WithBatchTimeout(spanDelay), sdktrace.WithExportTimeout(exportWait)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope), exporter: w}, nil
}

// Close exports what has ended and stops, until ctx ends. Spans that end later are lost.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	err := t.provider.Shutdown(ctx)
	t.exporter.giveUp()
	// The library's goroutine ends once the export that it is in has.
	late := time.NewTimer(closeWait)
	defer late.Stop()
	select {
	case <-t.exporter.done:
	case <-late.C:
	}
	if err != nil {
		return fmt.Errorf("telemetry: last spans: %w", err)
	}
	return nil
}

// Flush exports what has ended by now.
func (t *Tracer) Flush(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.ForceFlush(ctx)
}

// watched counts what is exported, and tells the log of the first failure and of the end
// of it, not of each try.
type watched struct {
	sdktrace.SpanExporter
	log     *slog.Logger
	outcome *Family[Counter]
	down    atomic.Bool

	base   context.Context // ends when nothing is to be exported any more
	giveUp context.CancelFunc
	done   chan struct{} // closed by Shutdown
}

// Shutdown implements sdktrace.SpanExporter.
func (w *watched) Shutdown(ctx context.Context) error {
	defer close(w.done)
	return w.SpanExporter.Shutdown(ctx)
}

// ExportSpans implements sdktrace.SpanExporter.
func (w *watched) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.base, cancel)()
	err := w.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		w.outcome.Of("failed").Add(float64(len(spans)))
		if !w.down.Swap(true) {
			w.log.Warn("spans are not exported and lost", "err", err)
		}
		return nil // it is told; the library would print it on standard error
	}
	w.outcome.Of("exported").Add(float64(len(spans)))
	if w.down.Swap(false) {
		w.log.Info("spans are exported again")
	}
	return nil
}
