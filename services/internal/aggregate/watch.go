package aggregate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// Metrics is what a kernel tells of each command and commit; what it counts anyway is in
// Stats. A nil Metrics takes everything and tells nobody.
type Metrics struct {
	service  string
	verbs    map[string]*verbMetrics // telemetry.Other among them; not changed any more
	answers  *telemetry.Family[telemetry.Counter]
	commands telemetry.Histogram
	events   telemetry.Histogram
	bytes    telemetry.Histogram
	appends  telemetry.Histogram
	loads    telemetry.Histogram
}

// verbMetrics reaches a verb's metrics without making anything.
type verbMetrics struct {
	took     telemetry.Histogram
	accepted telemetry.Counter

	mu      sync.Mutex
	refused map[subjects.Code]telemetry.Counter // at most one a code of the contract
}

// NewMetrics makes the metrics of a service's kernel in r. verbs lists the service's
// commands: what else somebody sends counts as telemetry.Other.
func NewMetrics(r *telemetry.Registry, service string, verbs []string) *Metrics {
	outcomes := []string{outcomeOK}
	for _, c := range subjects.Codes() {
		outcomes = append(outcomes, string(c))
	}
	s := telemetry.Label{Name: "service", Values: []string{service}}
	v := telemetry.Label{Name: "verb", Values: verbs}
	took := r.HistogramOf("tutti_command_duration_seconds", "Time from a command's arrival at its owner until its answer.",
		telemetry.Seconds(), s, v)
	size := func(name, help string, largest float64) telemetry.Histogram {
		return r.HistogramOf(name, help, telemetry.Sizes(largest), s).Of(service)
	}
	m := &Metrics{
		service: service, verbs: map[string]*verbMetrics{},
		answers: r.CounterOf("tutti_commands_total", "Commands answered by their owner, by what they were answered.",
			s, v, telemetry.Label{Name: "outcome", Values: outcomes}),
		commands: size("tutti_commit_commands", "Commands accepted together in one commit.", 512),
		events:   size("tutti_commit_events", "Events in one commit.", 1024),
		bytes:    size("tutti_commit_bytes", "Size of a commit.", 1<<20),
		appends: r.HistogramOf("tutti_commit_append_seconds", "Time in which a commit was stored.",
			telemetry.Seconds(), s).Of(service),
		loads: r.HistogramOf("tutti_aggregate_load_seconds", "Time in which an aggregate was folded from snapshot and log.",
			telemetry.Seconds(), s).Of(service),
	}
	for _, verb := range append([]string{telemetry.Other}, verbs...) {
		m.verbs[verb] = &verbMetrics{
			took: took.Of(service, verb), accepted: m.answers.Of(service, verb, outcomeOK),
			refused: map[subjects.Code]telemetry.Counter{},
		}
	}
	return m
}

// outcomeOK is the outcome of a command that was not refused; otherwise it is the code.
const outcomeOK = "ok"

func (m *Metrics) answered(verb string, code subjects.Code, took time.Duration) {
	v, ok := m.verbs[verb]
	if !ok {
		verb = telemetry.Other
		v = m.verbs[verb]
	}
	v.took.Observe(took.Seconds())
	if code == "" {
		v.accepted.Inc()
		return
	}
	v.mu.Lock()
	c, ok := v.refused[code]
	if !ok {
		c = m.answers.Of(m.service, verb, string(code))
		v.refused[code] = c
	}
	v.mu.Unlock()
	c.Inc()
}

func (m *Metrics) committed(commands, events, bytes int, took time.Duration) {
	m.commands.Observe(float64(commands))
	m.events.Observe(float64(events))
	m.bytes.Observe(float64(bytes))
	m.appends.Observe(took.Seconds())
}

func (m *Metrics) loaded(took time.Duration) {
	if m != nil {
		m.loads.Observe(took.Seconds())
	}
}

// seen is what is kept of a command while it is watched.
type seen struct {
	since time.Duration // on the process's own clock; 0 if nobody asks
	span  telemetry.Span
}

// began is a moment that seen.since counts from.
var began = time.Now()

// watch begins to watch a command that has come in.
func (o *Options) watch(call *Call, d *Delivery) (s seen) {
	if o.Metrics != nil {
		s.since = time.Since(began)
	}
	if !o.Tracer.On() {
		return s
	}
	kind := telemetry.KindServer
	if d.Queued {
		kind = telemetry.KindConsumer
	}
	ctx := o.Tracer.Follow(context.Background(), d.Trace)
	_, s.span = o.Tracer.Start(ctx, "decide "+d.To.Service+"."+o.verb(call.Verb), kind,
		telemetry.String(d.To.Service, call.ID), telemetry.String(telemetry.KeyCommand, call.Command))
	return s
}

// verb keeps what senders make up out of the names of spans.
func (o *Options) verb(verb string) string {
	if o.Metrics == nil || o.Metrics.verbs[verb] != nil {
		return verb
	}
	return telemetry.Other
}

// answered tells of a command's answer.
func (o *Options) answered(s *seen, verb string, a *subjects.Answer) {
	var code subjects.Code
	if a.Refusal != nil {
		code = a.Refusal.Code
	}
	if o.Metrics != nil && s.since > 0 {
		o.Metrics.answered(verb, code, time.Since(began)-s.since)
	}
	if !s.span.Recorded() {
		return
	}
	outcome := string(code)
	if code == "" {
		outcome = outcomeOK
		s.span.Set(telemetry.Int("rev", int(a.Rev)))
	}
	s.span.Set(telemetry.String(telemetry.KeyOutcome, outcome))
	if code == subjects.CodeInternal || code == subjects.CodeUnavailable {
		s.span.Fail(outcome)
	}
	s.span.End()
}

// appending begins the span of an append, under the spans of the commands in it.
func appending[C any](o *Options, d *draft[C], service string) telemetry.Span {
	if !o.Tracer.On() {
		return telemetry.Span{}
	}
	var of []telemetry.Span
	for i := range d.verdicts {
		if v := &d.verdicts[i]; v.accepted && v.it.seen.span.Recorded() {
			of = append(of, v.it.seen.span)
		}
	}
	return o.Tracer.StartLinked("append "+service, telemetry.KindClient, of, telemetry.Int("rev", int(d.commit.Rev)),
		telemetry.Int("commands", d.accepted()), telemetry.Int("events", len(d.order)))
}

// appended ends it.
func appended(span telemetry.Span, err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrFenced):
		span.Set(telemetry.String(telemetry.KeyOutcome, "fenced"))
	default:
		span.Fail("not stored")
	}
	span.End()
}

// accepted is how many commands the draft's commit holds.
func (d *draft[C]) accepted() int {
	n := 0
	for i := range d.verdicts {
		if d.verdicts[i].accepted {
			n++
		}
	}
	return n
}
