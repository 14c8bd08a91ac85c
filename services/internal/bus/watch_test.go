package bus_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
	"github.com/tuttihq/tutti/subjects"
)

func TestABusTellsOfItsConnectionAndItsQueries(t *testing.T) {
	cfg := config(t)
	cfg.Metrics = telemetry.NewRegistry()
	b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := b.Serve("toy", "1.0.0", map[string]bus.Endpoint{
		"good": func(context.Context, json.RawMessage) (any, error) { return 1, nil },
		"bad": func(context.Context, json.RawMessage) (any, error) {
			return nil, subjects.Refuse(subjects.CodeNotFound, "no")
		},
		"broken": func(context.Context, json.RawMessage) (any, error) { panic("broken") },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Query(t.Context(), "toy", "good", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, endpoint := range []string{"bad", "broken"} {
		if err := b.Query(t.Context(), "toy", endpoint, nil, nil); err == nil {
			t.Fatalf("%s succeeds", endpoint)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	to := subjects.Command{Service: "toy", ID: "a", Verb: "add", Principal: "user"}
	if _, err := b.Ask(ctx, to, subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now())}); err == nil {
		t.Fatal("nobody answers, and it succeeds")
	}
	stop() // the counts of queries under way are in
	text := telemetrytest.Scrape(t, cfg.Metrics)
	for _, want := range []string{
		`tutti_queries_total\{endpoint="good",outcome="ok",service="toy"\} 2`,
		`tutti_queries_total\{endpoint="bad",outcome="not_found",service="toy"\} 1`,
		`tutti_queries_total\{endpoint="broken",outcome="internal",service="toy"\} 1`,
		`tutti_query_duration_seconds_count\{endpoint="good",service="toy"\} 2`,
		`tutti_bus_connected 1`,
		`tutti_bus_reconnects_total 0`,
		`tutti_bus_ask_retries_total [1-9]\d*`,
		`tutti_bus_messages_in_total [1-9].*`,
		`tutti_bus_bytes_out_total [1-9].*`,
		`tutti_clock_offset_seconds -?\d.*`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text) {
			t.Errorf("there is no %s", want)
		}
	}
	b.Close(t.Context())
	if text := telemetrytest.Scrape(t, cfg.Metrics); strings.Contains(text, "tutti_bus_connected") {
		t.Error("a bus that is closed is asked how it is")
	}
}
