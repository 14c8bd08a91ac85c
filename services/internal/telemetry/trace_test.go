package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

// kept keeps what it is given beyond its Shutdown.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

func newTestTracer(t testing.TB, sample float64) (*Tracer, kept) {
	t.Helper()
	k := kept{tracetest.NewInMemoryExporter()}
	tr, err := NewTracer(context.Background(), TraceOptions{Exporter: k, Sample: sample, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tr, k
}

func closed(t testing.TB, tr *Tracer) {
	t.Helper()
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestASpanGoesOnInAnotherProcess(t *testing.T) {
	here, k := newTestTracer(t, 1)
	there, _ := newTestTracer(t, 0) // by itself it records nothing
	ctx, a := here.Start(t.Context(), "ask", KindClient, String("x", "y"))
	header := Traceparent(ctx)
	far := there.Follow(context.Background(), header)
	if Traced(far) || !Followed(far) {
		t.Error("a span elsewhere passes for one of ours, or for none")
	}
	_, b := there.Start(far, "decide", KindServer)
	if !b.Recorded() || b.TraceID() != a.TraceID() {
		t.Errorf("%s goes on as %s, recorded %v", a.TraceID(), b.TraceID(), b.Recorded())
	}
	if ctx, c := there.Start(context.Background(), "own", KindServer); c.Recorded() || !strings.HasSuffix(Traceparent(ctx), "-00") {
		t.Error("what is not sampled is recorded, or says that it is")
	}
	b.End()
	a.End()
	closed(t, here)
	closed(t, there)
	spans := k.GetSpans()
	if len(spans) != 1 || spans[0].Name != "ask" || spans[0].SpanKind != trace.SpanKindClient {
		t.Errorf("%v", spans)
	}
}

func TestWhatIsOffDoesNothingAndAllocatesNothing(t *testing.T) {
	var off *Tracer
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		c, s := off.Start(off.Follow(ctx, ""), "x", KindServer)
		c, child := Child(c, "y", KindClient)
		if Traceparent(c) != "" || Traced(c) || s.Recorded() || off.On() {
			t.Error("something is on")
		}
		child.Fail("z")
		child.End()
		s.End()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if off.StartLinked("x", KindClient, []Span{{}, {}}).Recorded() || (Span{}).TraceID() != "" || (Span{}).In(ctx) != ctx {
		t.Error("something is made of nothing")
	}
	if err := off.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestWhatIsDoneForManyIsLinkedWithAll(t *testing.T) {
	tr, k := newTestTracer(t, 1)
	_, a := tr.Start(t.Context(), "a", KindServer)
	_, b := tr.Start(t.Context(), "b", KindServer)
	both := tr.StartLinked("both", KindClient, []Span{{}, a, b})
	both.End()
	a.End()
	b.End()
	closed(t, tr)
	by := map[string]tracetest.SpanStub{}
	for _, s := range k.GetSpans() {
		by[s.Name] = s
	}
	s := by["both"]
	if s.Parent.SpanID() != by["a"].SpanContext.SpanID() || s.SpanContext.TraceID() != by["a"].SpanContext.TraceID() {
		t.Error("it is not under the first")
	}
	if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != by["b"].SpanContext.SpanID() {
		t.Errorf("it is linked with %v", s.Links)
	}
	if l := by["b"].Links; len(l) != 1 || l[0].SpanContext.SpanID() != s.SpanContext.SpanID() {
		t.Errorf("the second is linked with %v", l)
	}
	if len(by["a"].Links) != 0 {
		t.Error("the first is its parent and linked too")
	}
}

func TestATraceparentIsReadAsTheStandardSays(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, ok := range map[string]bool{
		"00-" + id + "-" + span + "-01":                      true,
		"00-" + id + "-" + span + "-00":                      true,
		"00-" + id + "-" + span + "-ff":                      true,  // flags of the future
		"cc-" + id + "-" + span + "-01-what-comes":           true,  // a version of the future
		"cc-" + id + "-" + span + "-01":                      true,  //
		"cc-" + id + "-" + span + "-01.x":                    false, //
		"00-" + id + "-" + span + "-01-more":                 false, // version 00 has no more
		"ff-" + id + "-" + span + "-01":                      false, // not a version
		"00-" + strings.ToUpper(id) + "-" + span + "-01":     false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": false,
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   false,
		"00-" + id + "-" + span:                              false,
		"00_" + id + "-" + span + "-01":                      false,
		"":                                                   false,
		"0g-" + id + "-" + span + "-01":                      false,
	} {
		c, got := parseTraceparent(text)
		if got != ok {
			t.Errorf("%q: %v", text, got)
		}
		if got && (c.TraceID().String() != id || c.SpanID().String() != span || !c.IsRemote()) {
			t.Errorf("%q is read as %v", text, c)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cfg trace.SpanContextConfig
		copy(cfg.TraceID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
		copy(cfg.SpanID[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "span"))
		cfg.TraceFlags = trace.TraceFlags(rapid.ByteMax(1).Draw(t, "flags"))
		c := trace.NewSpanContext(cfg)
		text := Traceparent(trace.ContextWithSpanContext(context.Background(), c))
		back, ok := parseTraceparent(text)
		if ok != c.IsValid() || ok && !back.Equal(c.WithRemote(true)) {
			t.Fatalf("%v was written as %q and read as %v", c, text, back)
		}
	})
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseTraceparent(text)
		if !ok {
			return
		}
		if again := Traceparent(trace.ContextWithSpanContext(context.Background(), c)); again[3:52] != text[3:52] {
			t.Errorf("%q came out as %q", text, again)
		}
	})
}

func TestLinesOfATraceNameIt(t *testing.T) {
	tr, _ := newTestTracer(t, 1)
	defer closed(t, tr)
	var out bytes.Buffer
	log := slog.New(NewHandler(slog.NewJSONHandler(&out, nil))).With("service", "edge")
	ctx, s := tr.Start(t.Context(), "x", KindServer)
	defer s.End()
	read := func() (l map[string]any) {
		t.Helper()
		if err := json.Unmarshal(out.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		return l
	}
	log.InfoContext(ctx, "in")
	if l := read(); l["trace_id"] != s.TraceID() || l["span_id"] == nil || l["service"] != "edge" {
		t.Errorf("%v", l)
	}
	log.InfoContext(s.In(context.Background()), "in")
	if l := read(); l["trace_id"] != s.TraceID() {
		t.Errorf("%v", l)
	}
	log.Info("out")
	if l := read(); l["trace_id"] != nil || l["service"] != "edge" {
		t.Errorf("%v", l)
	}
	log.WithGroup("g").DebugContext(ctx, "too quiet")
	if out.Len() > 0 {
		t.Error("the level does not hold")
	}
}
