package bus

import (
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// watch is what a bus tells of itself; docs/guide/observability.md describes each.
type watch struct {
	reg     *telemetry.Registry
	errors  telemetry.Counter
	retries telemetry.Counter
	forget  func()
}

func newWatch(r *telemetry.Registry) *watch {
	return &watch{
		reg:    r,
		errors: r.Counter("tutti_bus_errors_total", "What the NATS client reported beside an answer: subscribers too slow, permissions."),
		retries: r.Counter("tutti_bus_ask_retries_total",
			"Commands asked again because there was no owner, no room in its queue, or no answer."),
		forget: func() {},
	}
}

// read has the connection's own counters read when somebody asks. b is ready for use.
func (w *watch) read(b *Bus) {
	set := telemetry.NewReads(nil)
	connected := set.Gauge("tutti_bus_connected", "1 while this process is connected to NATS.")
	reconnects := set.Counter("tutti_bus_reconnects_total", "Connections to NATS that were made again.")
	messagesIn := set.Counter("tutti_bus_messages_in_total", "Messages received from NATS.")
	messagesOut := set.Counter("tutti_bus_messages_out_total", "Messages sent to NATS.")
	bytesIn := set.Counter("tutti_bus_bytes_in_total", "Payload received from NATS.")
	bytesOut := set.Counter("tutti_bus_bytes_out_total", "Payload sent to NATS.")
	offset := set.Gauge("tutti_clock_offset_seconds", "What this machine's clock lacks to the log's.")
	w.forget = w.reg.Read(set, func(set func(telemetry.Reading, float64)) {
		up := 0.0
		if b.nc.IsConnected() {
			up = 1
		}
		s := b.nc.Stats()
		set(connected, up)
		set(reconnects, float64(s.Reconnects))
		set(messagesIn, float64(s.InMsgs))
		set(messagesOut, float64(s.OutMsgs))
		set(bytesIn, float64(s.InBytes))
		set(bytesOut, float64(s.OutBytes))
		set(offset, b.clock.Offset().Seconds())
	})
}

// endpointWatch is what is told of one endpoint that this process serves.
type endpointWatch struct {
	service, name string
	took          telemetry.Histogram
	queries       *telemetry.Family[telemetry.Counter]
}

func (w *watch) endpoint(service string, all []string, name string) endpointWatch {
	outcomes := []string{outcomeOK}
	for _, c := range subjects.Codes() {
		outcomes = append(outcomes, string(c))
	}
	s := telemetry.Label{Name: "service", Values: []string{service}}
	e := telemetry.Label{Name: "endpoint", Values: all}
	return endpointWatch{
		service: service, name: name,
		took: w.reg.HistogramOf("tutti_query_duration_seconds", "Time in which a service answered a query.",
			telemetry.Seconds(), s, e).Of(service, name),
		queries: w.reg.CounterOf("tutti_queries_total", "Queries that a service answered, by what they were answered.",
			s, e, telemetry.Label{Name: "outcome", Values: outcomes}),
	}
}

// outcomeOK is the outcome of what was not refused; otherwise it is the refusal's code.
const outcomeOK = "ok"

func (e endpointWatch) answered(code subjects.Code, took time.Duration) {
	e.took.Observe(took.Seconds())
	outcome := string(code)
	if code == "" {
		outcome = outcomeOK
	}
	e.queries.Of(e.service, e.name, outcome).Inc()
}

// about is what a span says of a command: never who sent it, nor what is in it.
func about(to subjects.Command, env subjects.Envelope) []telemetry.Attr {
	return []telemetry.Attr{
		telemetry.String(to.Service, to.ID), telemetry.String(telemetry.KeyCommand, env.ID),
	}
}

// told writes an outcome into a span: a refusal by its code, a failure as one.
func told(span telemetry.Span, refusal, failure error) {
	var r *subjects.Refusal
	switch {
	case errors.As(refusal, &r), errors.As(failure, &r) && !errors.Is(failure, ErrUnavailable):
		span.Set(telemetry.String(telemetry.KeyOutcome, string(r.Code)))
		if r.Code == subjects.CodeInternal || r.Code == subjects.CodeUnavailable {
			span.Fail(string(r.Code))
		}
	case errors.Is(failure, ErrUnavailable):
		span.Set(telemetry.String(telemetry.KeyOutcome, string(subjects.CodeUnavailable)))
		span.Fail("unavailable")
	case failure != nil:
		span.Fail("failed")
	default:
		span.Set(telemetry.String(telemetry.KeyOutcome, outcomeOK))
	}
}
