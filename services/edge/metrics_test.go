package edge

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
	"github.com/tuttihq/tutti/subjects"
)

// kept keeps the spans that it is given beyond its Shutdown.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

func newTracer(t *testing.T, sample float64) (*telemetry.Tracer, kept) {
	t.Helper()
	k := kept{tracetest.NewInMemoryExporter()}
	tr, err := telemetry.NewTracer(t.Context(), telemetry.TraceOptions{Exporter: k, Sample: sample, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tr, k
}

func closeTracer(t *testing.T, tr *telemetry.Tracer) {
	t.Helper()
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// traceOf hands a request with a traceparent to an edge and gives what the owner of the
// room was sent.
func traceOf(t *testing.T, from, given string, sample float64) (sent, spans string) {
	t.Helper()
	tr, k := newTracer(t, sample)
	w := newWorld()
	w.ask = func(ctx context.Context, _ subjects.Command, _ subjects.Envelope) (subjects.Answer, error) {
		sent = telemetry.Traceparent(ctx)
		return subjects.Answer{Epoch: 1, Rev: 7, At: noon.UnixMilli()}, nil
	}
	deps := w.deps()
	deps.Tracer = tr
	cfg := unlimited()
	cfg.TrustedProxies = []string{"10.0.0.0/8"}
	s, err := newServer(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	r := s.do(t, call{method: "POST", path: "/v1/rooms/" + open + "/commands", as: ada, from: from, body: `{"verb":"join"}`,
		header: map[string]string{"traceparent": given}})
	if r.status != 200 {
		t.Fatal(r)
	}
	closeTracer(t, tr)
	for _, s := range k.GetSpans() {
		spans += s.Name + " "
	}
	return sent, spans
}

// Whoever could make up the beginning of a trace could have everything recorded.
func TestATraceFromOutsideIsBelievedOfTrustedProxiesAlone(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	const given = "00-" + id + "-b7ad6b7169203331-01"
	if sent, spans := traceOf(t, "10.1.2.3", given, 0); !strings.Contains(sent, id) || !strings.HasSuffix(sent, "-01") || spans != "POST /v1/rooms/:id/commands " {
		t.Errorf("a proxy's trace goes on as %q, with %q", sent, spans)
	}
	if sent, spans := traceOf(t, "192.0.2.1", given, 0); strings.Contains(sent, id) || !strings.HasSuffix(sent, "-00") || spans != "" {
		t.Errorf("an outsider's trace goes on as %q, with %q", sent, spans)
	}
	if sent, spans := traceOf(t, "192.0.2.1", given, 1); strings.Contains(sent, id) || !strings.HasSuffix(sent, "-01") || spans != "POST /v1/rooms/:id/commands " {
		t.Errorf("an outsider's request is traced as %q, with %q", sent, spans)
	}
	if sent, _ := traceOf(t, "10.1.2.3", "nonsense", 1); sent == "" || strings.Contains(sent, "nonsense") {
		t.Errorf("nonsense goes on as %q", sent)
	}
}

func TestRequestsAndCommandsAreCounted(t *testing.T) {
	reg := telemetry.NewRegistry()
	tr, k := newTracer(t, 1)
	w := newWorld()
	deps := w.deps()
	deps.Metrics, deps.Tracer = reg, tr
	cfg := unlimited()
	cfg.Limits.Reads = Rate{PerSecond: 0.001, Burst: 1}
	s, err := newServer(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	commands := call{method: "POST", path: "/v1/rooms/" + open + "/commands", as: ada, body: `{"verb":"join"}`}
	s.do(t, commands)
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		return subjects.Answer{Epoch: 1, Rev: 7, Refusal: subjects.Refuse(subjects.CodeBanned, "no")}, nil
	}
	s.do(t, commands)
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		return subjects.Answer{}, bus.ErrUnavailable
	}
	s.do(t, commands)
	// Over a socket there is no request around it.
	if _, err := s.ask(t.Context(), order{to: s.kinds.room, who: ada, id: open, verb: subjects.VerbVote, command: cmdID("x")}); err == nil {
		t.Error("what nobody answers is accepted")
	}
	for range 3 {
		s.do(t, call{method: "GET", path: "/v1/rooms/" + open, as: ada})
	}
	s.do(t, call{method: "BREW", path: "/v1/" + open})
	s.do(t, call{method: "DELETE", path: "/v1/" + open})
	s.do(t, call{method: "GET", path: "/healthz"})
	closeTracer(t, tr)

	text := telemetrytest.Scrape(t, reg)
	for _, want := range []string{
		`tutti_http_requests_total{method="POST",route="/v1/rooms/:id/commands",status="2xx"} 1`,
		`tutti_http_requests_total{method="POST",route="/v1/rooms/:id/commands",status="4xx"} 1`,
		`tutti_http_requests_total{method="POST",route="/v1/rooms/:id/commands",status="5xx"} 1`,
		`tutti_http_requests_total{method="GET",route="/v1/rooms/:id",status="2xx"} 1`,
		`tutti_http_requests_total{method="GET",route="/v1/rooms/:id",status="4xx"} 2`,
		`tutti_http_requests_total{method="DELETE",route="other",status="4xx"} 1`,
		`tutti_http_request_duration_seconds_count{method="GET",route="/v1/rooms/:id"} 3`,
		`tutti_edge_rate_limited_total{class="reads"} 2`,
		`tutti_edge_rate_limited_total{class="logins"} 0`,
		`tutti_edge_command_duration_seconds_count{outcome="ok",service="room",verb="join"} 1`,
		`tutti_edge_command_duration_seconds_count{outcome="banned",service="room",verb="join"} 1`,
		`tutti_edge_command_duration_seconds_count{outcome="unavailable",service="room",verb="join"} 1`,
		`tutti_edge_command_duration_seconds_count{outcome="unavailable",service="room",verb="vote"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(text, open) || strings.Contains(text, ada) {
		t.Error("an id is a label")
	}
	names := map[string]int{}
	for _, s := range k.GetSpans() {
		names[s.Name]++
	}
	if names["POST /v1/rooms/:id/commands"] != 3 || names["command vote"] != 1 || names["GET /v1/rooms/:id"] != 3 || len(names) != 3 {
		t.Errorf("the spans are %v", names)
	}
}
