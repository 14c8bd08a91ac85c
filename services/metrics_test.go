package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
)

// metric is what a scrape, or the guide, says of one metric.
type metric struct {
	kind   string
	labels []string // sorted
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
	guideLine  = regexp.MustCompile("(?m)^\\| `(tutti_[a-z_]+)` \\| (counter|gauge|histogram) \\|([^|]*)\\| [^|]+ \\|$")
)

// scraped reads our metrics out of a scrape, and the values of their labels.
func scraped(text string) (found map[string]metric, values []string) {
	found = map[string]metric{}
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "tutti_") {
			found[m[1]] = metric{kind: m[2]}
		}
	}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if found[name].kind == "" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
		}
		f, ok := found[name]
		if !ok {
			continue
		}
		f.labels = nil
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if l[1] == "le" {
				continue
			}
			f.labels = append(f.labels, l[1])
			values = append(values, l[2])
		}
		slices.Sort(f.labels)
		found[name] = f
	}
	return found, values
}

func documented(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile("../docs/guide/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]metric{}
	for _, m := range guideLine.FindAllStringSubmatch(string(text), -1) {
		labels := regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1)
		d := metric{kind: m[2]}
		for _, l := range labels {
			d.labels = append(d.labels, l[1])
		}
		slices.Sort(d.labels)
		if _, twice := out[m[1]]; twice {
			t.Errorf("the guide lists %s twice", m[1])
		}
		out[m[1]] = d
	}
	return out
}

func TestAScrapeListsWhatTheGuideDescribes(t *testing.T) {
	cfg := config(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	s, err := services.StartTraced(t.Context(), cfg, kept{tracetest.NewInMemoryExporter()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`, 201)
	token, _ := grant["access_token"].(string)
	room := call(t, "POST", s.HTTP+"/v1/rooms", token, `{"kind":"vote","name":"Friday","minimumScore":1,"open":true,"tracks":["demo:aurora"]}`, 201)
	id, _ := room["id"].(string)
	call(t, "POST", s.HTTP+"/v1/rooms/"+id+"/commands", token, `{"verb":"play","body":{}}`, 200)
	call(t, "POST", s.HTTP+"/v1/rooms/"+id+"/commands", token, `{"verb":"play","body":{}}`, 409)
	if status, _ := telemetrytest.Get(t, s.HTTP+"/metrics"); status != http.StatusNotFound {
		t.Errorf("the public address answers /metrics with %d", status)
	}
	telemetrytest.Get(t, s.HTTP+"/no/such/path?"+id)

	status, text := telemetrytest.Get(t, s.Metrics)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	found, values := scraped(text)
	guide := documented(t)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		f, d := found[name], guide[name]
		if d.kind == "" {
			t.Errorf("the guide says nothing of %s, a %s with %v", name, f.kind, f.labels)
		} else if d.kind != f.kind || !slices.Equal(d.labels, f.labels) {
			t.Errorf("%s is a %s with %v; the guide says a %s with %v", name, f.kind, f.labels, d.kind, d.labels)
		}
		if (f.kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, f.kind)
		}
	}
	for name := range guide {
		if found[name].kind == "" {
			t.Errorf("the guide describes %s, which no scrape has", name)
		}
	}
	identifier := regexp.MustCompile(`(room|user|cmd|req|node|sess)_[0-9A-Z]{10}`)
	for _, v := range values {
		if identifier.MatchString(v) || strings.Contains(v, "no/such") {
			t.Errorf("a label has the value %q", v)
		}
	}
	for _, want := range []string{
		`tutti_commands_total{outcome="ok",service="room",verb="play"} 1`,
		`tutti_commands_total{outcome="already",service="room",verb="play"} 1`,
		`tutti_http_requests_total{method="POST",route="/v1/rooms/:id/commands",status="2xx"} 1`,
		`tutti_http_requests_total{method="GET",route="other",status="4xx"} 2`,
		`tutti_edge_command_duration_seconds_count{outcome="already",service="room",verb="play"} 1`,
		`tutti_commit_events_count{service="room"} 2`,
		`tutti_commits_total{service="room"} 2`,
		`tutti_catalog_lookups_total{outcome="ok"} 1`,
		`tutti_queries_total{endpoint="register",outcome="ok",service="auth"} 1`,
		`tutti_bus_connected 1`,
		`tutti_command_queue_waiting{service="room"} 0`,
		"# TYPE go_goroutines gauge",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}

func TestTheMetricsListenerTellsTheTruth(t *testing.T) {
	cfg := config(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(s.Metrics, "/metrics")
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/debug/pprof/": 404} {
		if status, text := telemetrytest.Get(t, base+path); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	second := config(t)
	second.Metrics.Listen = strings.TrimPrefix(base, "http://")
	if _, err := services.Start(t.Context(), second, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("an address in use: %v", err)
	} else if services.Hint(err) == "" {
		t.Error("nothing is said of what to do")
	}
	for _, f := range services.Check(t.Context(), second) {
		if (f.Part == "metrics") == f.OK {
			t.Errorf("%+v", f)
		}
	}
	stop(t, s)
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), time.Second)
	if err == nil {
		_ = conn.Close()
		t.Error("the listener outlives the system")
	}
}

// A line that is written while a request is traced names the trace.
func TestLogLinesNameTheTrace(t *testing.T) {
	var lines lockedBuffer
	log, err := services.NewLogger(services.LogConfig{Level: "info", Format: "json"}, &lines)
	if err != nil {
		t.Fatal(err)
	}
	exporter := kept{tracetest.NewInMemoryExporter()}
	s, err := services.StartTraced(t.Context(), config(t), exporter, log)
	if err != nil {
		t.Fatal(err)
	}
	call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`, 201)
	stop(t, s)
	span, ok := of(exporter.GetSpans(), "POST /v1/auth/register", "")
	if !ok {
		t.Fatal("the request was not traced")
	}
	found := false
	for _, line := range strings.Split(strings.TrimSpace(lines.String()), "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l["msg"] == "request" && l["trace_id"] == span.SpanContext.TraceID().String() {
			found = l["request"] != "" && l["path"] == "/v1/auth/register"
		}
	}
	if !found {
		t.Errorf("no line has the trace %s:\n%s", span.SpanContext.TraceID(), lines.String())
	}
}

func TestSettingsOfMetricsAndTracesAreChecked(t *testing.T) {
	cfg := services.Defaults()
	cfg.Metrics.Listen, cfg.Telemetry.OTLP, cfg.Telemetry.Sample = "9090", "http://ann:topsecret@collector:4318", 1.5
	err := cfg.Validate()
	for _, want := range []string{"metrics.listen", "telemetry.otlp", "telemetry.sample"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a password is told: %v", err)
	}
	cfg = config(t)
	cfg.Telemetry.OTLP = "http://127.0.0.1:1" // nobody is there
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("a collector that is away stops the system: %v", err)
	}
	call(t, "GET", s.HTTP+"/v1/time", "", "", 200)
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	http.DefaultClient.CloseIdleConnections()
}
