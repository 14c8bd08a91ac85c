package telemetry

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Other stands for every value of a label that is not in its set.
const Other = "other"

// Counter only grows.
type Counter interface {
	Inc()
	// Add takes zero or more; less panics.
	Add(float64)
}

// Gauge goes up and down.
type Gauge interface {
	Set(float64)
	Inc()
	Dec()
	Add(float64)
}

// Histogram sorts what it observes into buckets.
type Histogram interface {
	Observe(float64)
}

// Label is a dimension of a metric with all the values that it can have, but for Other,
// which is always one of them.
type Label struct {
	Name   string
	Values []string
}

// Registry is the metrics of one process.
type Registry struct {
	reg *prometheus.Registry
}

// NewRegistry makes a registry that tells of the Go runtime, the process and the build
// from the beginning.
func NewRegistry() *Registry {
	r := &Registry{reg: prometheus.NewRegistry()}
	r.reg.MustRegister(
		// Their new home, package collectors, would bring in database/sql.
		prometheus.NewGoCollector(),                                       //nolint:staticcheck // see above
		prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{}), //nolint:staticcheck // see above
	)
	version := Version()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tutti_build_info", Help: "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	info.Set(1)
	r.reg.MustRegister(info)
	return r
}

// register gives c a place, or the metric that has the place already: two kernels of one
// process count into the same one. What contradicts another metric is a defect.
func register[C prometheus.Collector](r *Registry, c C) C {
	if r == nil {
		return c
	}
	err := r.reg.Register(c)
	if err == nil {
		return c
	}
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(C); ok {
			return same
		}
	}
	panic(fmt.Sprintf("telemetry: %v", err))
}

// Counter makes a counter. It panics, as all of these do, if the name is taken by a
// metric of another kind.
func (r *Registry) Counter(name, help string) Counter {
	return register(r, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

// Gauge makes a gauge.
func (r *Registry) Gauge(name, help string) Gauge {
	return register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

// Histogram makes a histogram with the given upper bounds.
func (r *Registry) Histogram(name, help string, bounds []float64) Histogram {
	return register(r, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}))
}

// CounterOf makes a counter for each combination of the labels' values.
func (r *Registry) CounterOf(name, help string, labels ...Label) *Family[Counter] {
	v := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names(labels)))
	return newFamily(labels, func(values []string) Counter { return v.WithLabelValues(values...) })
}

// GaugeOf makes a gauge for each combination of the labels' values.
func (r *Registry) GaugeOf(name, help string, labels ...Label) *Family[Gauge] {
	v := register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names(labels)))
	return newFamily(labels, func(values []string) Gauge { return v.WithLabelValues(values...) })
}

// HistogramOf makes a histogram for each combination of the labels' values.
func (r *Registry) HistogramOf(name, help string, bounds []float64, labels ...Label) *Family[Histogram] {
	v := register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, names(labels)))
	return newFamily(labels, func(values []string) Histogram { return v.WithLabelValues(values...) })
}

func names(labels []Label) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = l.Name
	}
	return out
}

// Family is one metric in all its labels.
type Family[M any] struct {
	labels []Label
	make   func(values []string) M
	// ready holds a family of one label whole, so that the busiest counters are reached
	// without a lock.
	ready map[string]M
}

func newFamily[M any](labels []Label, with func([]string) M) *Family[M] {
	f := &Family[M]{labels: labels, make: with}
	if len(labels) == 1 {
		f.ready = make(map[string]M, len(labels[0].Values)+1)
		for _, v := range append([]string{Other}, labels[0].Values...) {
			f.ready[v] = lazily(with, v)
		}
	}
	return f
}

// lazily exists so that every value of a single label is there from the start: a rate of
// what has not happened yet is 0 then, not nothing.
func lazily[M any](with func([]string) M, v string) M { return with([]string{v}) }

// Of gives the metric for these values, in the order of the labels. A value outside a
// label's set counts as Other.
func (f *Family[M]) Of(values ...string) M {
	if f.ready != nil && len(values) == 1 {
		if m, ok := f.ready[values[0]]; ok {
			return m
		}
		return f.ready[Other]
	}
	known := make([]string, len(f.labels))
	for i, l := range f.labels {
		known[i] = Other
		if i < len(values) && slices.Contains(l.Values, values[i]) {
			known[i] = values[i]
		}
	}
	return f.make(known)
}

// Seconds are the bounds of latencies, from half a millisecond to ten seconds.
func Seconds() []float64 {
	return []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

// Sizes are bounds of counts and sizes: powers of four from 1 up to at least the largest.
func Sizes(largest float64) []float64 {
	out := []float64{1}
	for out[len(out)-1] < largest {
		out = append(out, out[len(out)-1]*4)
	}
	return out
}
