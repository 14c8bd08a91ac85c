package services_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// kept is an exporter that keeps what it is given beyond its Shutdown.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

// trace gives the names of a trace's spans, each after its parent's name and an arrow.
func trace(spans tracetest.SpanStubs, id string) []string {
	names := map[string]string{}
	for _, s := range spans {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	var out []string
	for _, s := range spans {
		if s.SpanContext.TraceID().String() == id {
			out = append(out, names[s.Parent.SpanID().String()]+" → "+s.Name)
		}
	}
	slices.Sort(out)
	return out
}

// of gives the first span of that name with an attribute of that value.
func of(spans tracetest.SpanStubs, name, value string) (tracetest.SpanStub, bool) {
	for _, s := range spans {
		if s.Name != name {
			continue
		}
		for _, a := range s.Attributes {
			if a.Value.String() == value || value == "" {
				return s, true
			}
		}
	}
	return tracetest.SpanStub{}, false
}

func TestOneCommandIsOneTraceFromTheRequestToTheCommit(t *testing.T) {
	exporter := kept{tracetest.NewInMemoryExporter()}
	var _ sdktrace.SpanExporter = exporter
	s, err := services.StartTraced(t.Context(), config(t), exporter, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`, 201)
	token, _ := grant["access_token"].(string)
	room := call(t, "POST", s.HTTP+"/v1/rooms", token, `{"kind":"vote","name":"Friday","minimumScore":1,"open":true,"tracks":["demo:aurora"]}`, 201)
	id, _ := room["id"].(string)
	play := call(t, "POST", s.HTTP+"/v1/rooms/"+id+"/commands", token, `{"verb":"play","body":{}}`, 200)
	command, _ := play["id"].(string)

	// The same through the queue, from somebody who traces.
	other, err := telemetry.NewTracer(t.Context(), telemetry.TraceOptions{Exporter: exporter, Sample: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Dial(t.Context(), bus.Config{URL: s.NATS, Name: "bot"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	user, _ := room["by"].(string)
	if user == "" {
		me := call(t, "GET", s.HTTP+"/v1/me", token, "", 200)
		user, _ = me["id"].(string)
	}
	ctx, span := other.Start(t.Context(), "bot", telemetry.KindInternal)
	queued := subjects.NewID(subjects.PrefixCommand, time.Now())
	to := subjects.Command{Service: subjects.ServiceRoom, ID: id, Verb: subjects.VerbPause, Principal: user}
	if err := b.Send(ctx, to, subjects.Envelope{ID: queued}); err != nil {
		t.Fatal(err)
	}
	span.End()
	waitFor(t, "the queued command", func() bool {
		r := call(t, "GET", s.HTTP+"/v1/rooms/"+id, token, "", 200)
		state, _ := r["rev"].(float64)
		return state >= 3
	})
	b.Close(t.Context())
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, s) // flushes

	spans := exporter.GetSpans()
	decide, ok := of(spans, "decide room.play", command)
	if !ok {
		t.Fatalf("the command was not traced: %v", spans)
	}
	want := []string{
		" → POST /v1/rooms/:id/commands",
		"POST /v1/rooms/:id/commands → ask room.play",
		"ask room.play → decide room.play",
		"decide room.play → append room",
	}
	slices.Sort(want)
	if got := trace(spans, decide.SpanContext.TraceID().String()); !slices.Equal(got, want) {
		t.Errorf("the trace of a command over HTTP is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	want = []string{" → bot", "bot → send room.pause", "decide room.pause → append room", "send room.pause → decide room.pause"}
	if got := trace(spans, span.TraceID()); !slices.Equal(got, want) {
		t.Errorf("the trace of a queued command is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	register, ok := of(spans, "POST /v1/auth/register", "")
	want = []string{" → POST /v1/auth/register", "POST /v1/auth/register → query auth.register", "query auth.register → answer auth.register"}
	if got := trace(spans, register.SpanContext.TraceID().String()); !ok || !slices.Equal(got, want) {
		t.Errorf("the trace of a query is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if created, ok := of(spans, "decide room.create", id); !ok {
		t.Error("the room's creation was not traced")
	} else if got := trace(spans, created.SpanContext.TraceID().String()); !slices.Contains(got, "decide room.create → prepare") {
		t.Errorf("looking up the tracks is not in the trace: %v", got)
	}
	for _, s := range spans { // who it was, and what they wrote, is nobody's business
		for _, a := range s.Attributes {
			if v := a.Value.String(); strings.Contains(v, user) || strings.Contains(v, "Friday") || strings.Contains(v, "ada") {
				t.Errorf("span %q tells %s=%s", s.Name, a.Key, v)
			}
		}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestWithoutACollectorNoTraceIsSent(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	s, err := services.Start(t.Context(), config(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	b, err := bus.Dial(t.Context(), bus.Config{URL: s.NATS, Name: "ear"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	ear, err := b.Conn().SubscribeSync(subjects.AllRouted(subjects.DoorAsk))
	if err != nil {
		t.Fatal(err)
	}
	queries, err := b.Conn().SubscribeSync(subjects.Query(subjects.ServiceAuth, subjects.AuthRegister))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`, 201)
	token, _ := grant["access_token"].(string)
	call(t, "POST", s.HTTP+"/v1/rooms", token, `{"kind":"vote","name":"Friday","minimumScore":1,"open":true,"tracks":["demo:aurora"]}`, 201)
	m, err := ear.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Header[subjects.HeaderTrace]; ok || len(m.Header) == 0 {
		t.Errorf("the command's headers are %v", m.Header)
	}
	q, err := queries.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Header) != 0 {
		t.Errorf("the query's headers are %v", q.Header)
	}
}

// lockedBuffer is a buffer that many goroutines write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
