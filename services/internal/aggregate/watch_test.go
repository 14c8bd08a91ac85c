package aggregate_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
	"github.com/tuttihq/tutti/subjects"
)

// kept keeps the spans that it is given beyond its Shutdown.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

func tracer(t testing.TB) (*telemetry.Tracer, kept) {
	t.Helper()
	k := kept{tracetest.NewInMemoryExporter()}
	tr, err := telemetry.NewTracer(context.Background(), telemetry.TraceOptions{Exporter: k, Sample: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tr, k
}

func finish(t testing.TB, tr *telemetry.Tracer) {
	t.Helper()
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// outcomes gives the spans of that name by the outcome that they tell, sorted.
func outcomes(spans tracetest.SpanStubs, name string) (out []string) {
	for _, s := range spans {
		if s.Name != name {
			continue
		}
		for _, a := range s.Attributes {
			if string(a.Key) == telemetry.KeyOutcome {
				out = append(out, a.Value.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

// Commands of one commit share one append, each in a trace of its own.
func TestCommandsOfOneCommitAreLinkedWithItsAppend(t *testing.T) {
	tr, k := tracer(t)
	senders, _ := tracer(t)
	ctx, sender := senders.Start(t.Context(), "sender", telemetry.KindClient)
	header := telemetry.Traceparent(ctx)
	sender.End()
	finish(t, senders)
	e := aggregate.NewEngine(aggregatetest.Tally{Name: "tally", Limit: 100}, aggregatetest.NewMemory(), aggregate.Options{Tracer: tr})
	answers := make(chan subjects.Answer, 8)
	submit := func(verb, body, trace string) {
		d := aggregate.Delivery{
			To:     subjects.Command{Service: "tally", ID: "room-1", Verb: verb, Principal: "user_1"},
			Answer: func(a subjects.Answer) { answers <- a }, Trace: trace,
			Payload: []byte(`{"id":"` + newCommand() + `","body":` + body + `}`),
		}
		e.Submit(d)
	}
	// What is prepared comes together with what waits behind it: one batch.
	submit("slow", `{"n":1}`, header)
	submit("add", `{"n":2}`, "")
	submit("add", `{"n":3}`, "")
	submit("add", `{"n":1000}`, "")
	submit("nonsense", `{}`, "")
	for range 5 {
		<-answers
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	finish(t, tr)
	spans := k.GetSpans()
	by := map[string]tracetest.SpanStub{}
	for _, s := range spans {
		by[s.SpanContext.SpanID().String()] = s
	}
	commands := 0
	for _, s := range spans {
		if s.Name != "append tally" {
			continue
		}
		parent := by[s.Parent.SpanID().String()]
		if !strings.HasPrefix(parent.Name, "decide tally.") || parent.SpanContext.TraceID() != s.SpanContext.TraceID() {
			t.Errorf("an append is under %q", parent.Name)
		}
		commands += 1 + len(s.Links)
		for _, l := range s.Links {
			of := by[l.SpanContext.SpanID().String()]
			if len(of.Links) != 1 || of.Links[0].SpanContext.SpanID() != s.SpanContext.SpanID() {
				t.Errorf("%s is not linked with its append: %v", of.Name, of.Links)
			}
		}
	}
	if commands != 3 {
		t.Errorf("the appends tell of %d commands", commands)
	}
	if got := outcomes(spans, "decide tally.slow"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("slow: %v", got)
	}
	if got := outcomes(spans, "decide tally.add"); !slices.Equal(got, []string{"full", "ok", "ok"}) {
		t.Errorf("add: %v", got)
	}
	if got := outcomes(spans, "decide tally.nonsense"); !slices.Equal(got, []string{"unknown_verb"}) {
		t.Errorf("nonsense: %v", got)
	}
	for _, s := range spans {
		if s.Name == "decide tally.slow" && s.SpanContext.TraceID().String() != sender.TraceID() {
			t.Error("a command does not go on the sender's trace")
		}
	}
}

func TestEveryCommandIsCountedOnceUnderAVerbThatIsKnown(t *testing.T) {
	reg := telemetry.NewRegistry()
	e := aggregate.NewEngine(aggregatetest.Tally{Name: "tally", Limit: 10}, aggregatetest.NewMemory(),
		aggregate.Options{Metrics: aggregate.NewMetrics(reg, "tally", []string{"add"})})
	answers := make(chan subjects.Answer, 1)
	submit := func(id, verb, body string) {
		e.Submit(aggregate.Delivery{
			To:      subjects.Command{Service: "tally", ID: "room-1", Verb: verb, Principal: "user_1"},
			Payload: []byte(`{"id":"` + id + `","body":` + body + `}`), Answer: func(a subjects.Answer) { answers <- a },
		})
		<-answers
	}
	first := newCommand()
	submit(first, "add", `{"n":1}`)
	submit(first, "add", `{"n":1}`) // a repeat
	submit(newCommand(), "add", `{"n":100}`)
	for _, verb := range []string{"room_01ABC", "user_01ABC"} { // made up by whoever sends
		submit(newCommand(), verb, `{}`)
	}
	if s := e.Stats(); s.Waiting != 0 || s.Commands != 5 || s.Repeats != 1 || s.Commits != 1 {
		t.Errorf("%+v", s)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := telemetrytest.Scrape(t, reg)
	for _, want := range []string{
		`tutti_commands_total{outcome="ok",service="tally",verb="add"} 2`,
		`tutti_commands_total{outcome="full",service="tally",verb="add"} 1`,
		`tutti_commands_total{outcome="unknown_verb",service="tally",verb="other"} 2`,
		`tutti_command_duration_seconds_count{service="tally",verb="add"} 3`,
		`tutti_commit_commands_count{service="tally"} 1`,
		`tutti_commit_events_sum{service="tally"} 1`,
		`tutti_aggregate_load_seconds_count{service="tally"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the scrape lacks %s", want)
		}
	}
	if strings.Contains(text, "01ABC") {
		t.Error("a sender's text is a label")
	}
}

// What is awake, waiting and under way is counted while it is.
func TestStatsTellWhatWaits(t *testing.T) {
	virtual(t, func(r *rig) {
		hold := make(chan struct{})
		r.m.OnPrepare = func(context.Context, aggregate.Call) error { <-hold; return nil }
		e := r.engine(aggregate.Options{})
		slow, behind := r.give(e, "room-1", "user_1", "slow", body{N: 1}), r.give(e, "room-1", "user_1", "add", body{N: 1})
		synctest.Wait()
		if s := e.Stats(); s.Waiting != 2 || s.Preparing != 1 || s.Live != 1 || s.Loading != 0 {
			r.Errorf("while one is prepared: %+v", s)
		}
		close(hold)
		slow.ok()
		behind.ok()
		if s := e.Stats(); s.Waiting != 0 || s.Preparing != 0 || s.Commands != 2 {
			r.Errorf("afterwards: %+v", s)
		}
	})
}

func traced(d *aggregate.Delivery, trace string) { d.Trace = trace }

func BenchmarkEngineWithMetrics(b *testing.B) {
	benchmarkEngine(b, aggregate.Options{Metrics: aggregate.NewMetrics(telemetry.NewRegistry(), "tally", []string{"add"})}, "")
}

func BenchmarkEngineTraced(b *testing.B) {
	tr, _ := tracer(b)
	defer finish(b, tr)
	benchmarkEngine(b, aggregate.Options{Tracer: tr}, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
}

// The queue's length is the server's, and of what is being worked on the host's.
func TestAHostTellsHowLongItsQueueIs(t *testing.T) {
	b := startBus(t)
	hold := make(chan struct{})
	m := aggregatetest.Tally{Name: "tally", Limit: 1 << 40, OnPrepare: func(context.Context, aggregate.Call) error { <-hold; return nil }}
	h := startHost(t, b, m, "one", aggregate.Options{PrepareTimeout: time.Minute})
	const sent = 300 // to one partition, of which 256 are taken at once
	to := subjects.Command{Service: "tally", ID: "a", Verb: "slow", Principal: "user_1"}
	for range sent {
		if err := b.Send(t.Context(), to, subjects.Envelope{ID: newCommand(), Body: []byte(`{"n":1}`)}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool {
		waiting, flight, err := h.Queued(t.Context())
		return err == nil && flight == 256 && waiting == sent-256
	})
	close(hold)
	waitFor(t, func() bool {
		waiting, flight, err := h.Queued(t.Context())
		return err == nil && flight == 0 && waiting == 0
	})
	if s := h.Engine().Stats(); s.Commands != sent || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// A wake of the kernel's own is taken in and answered like a command.
func TestTimersAreCounted(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		r.give(e, "room-1", "user_1", "ring", body{At: time.Now().Add(5 * time.Second).UnixMilli()}).ok()
		if s := e.Stats(); s.Scheduled != 1 || s.Wakes != 0 || s.Waiting != 0 {
			r.Errorf("before it goes off: %+v", s)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.Wakes != 1 || s.Waiting != 0 || s.Commands != 2 {
			r.Errorf("after it went off: %+v", s)
		}
	})
}
