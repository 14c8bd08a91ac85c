package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Reading is a metric whose value is looked up when somebody reads the metrics.
type Reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// Reads describes the readings of one source, which is asked once for all of them.
type Reads struct {
	readings []Reading
	read     func(set func(r Reading, value float64))
	fixed    prometheus.Labels
}

// NewReads makes an empty set of readings with fixed labels, as name and value.
func NewReads(fixed map[string]string) *Reads {
	return &Reads{fixed: fixed}
}

// Counter adds a reading of what only grows.
func (s *Reads) Counter(name, help string) Reading {
	return s.add(name, help, prometheus.CounterValue)
}

// Gauge adds a reading of what goes up and down.
func (s *Reads) Gauge(name, help string) Reading { return s.add(name, help, prometheus.GaugeValue) }

func (s *Reads) add(name, help string, kind prometheus.ValueType) Reading {
	r := Reading{prometheus.NewDesc(name, help, nil, s.fixed), kind}
	s.readings = append(s.readings, r)
	return r
}

// Describe implements prometheus.Collector.
func (s *Reads) Describe(to chan<- *prometheus.Desc) {
	for _, r := range s.readings {
		to <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (s *Reads) Collect(to chan<- prometheus.Metric) {
	s.read(func(r Reading, value float64) {
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, value)
	})
}

// Read has the readings of s taken by read whenever the metrics are read. read must be
// quick and safe for use by many goroutines; what it does not set is left out. The
// returned function ends that. It panics if a metric of the set is there already.
func (r *Registry) Read(s *Reads, read func(set func(r Reading, value float64))) (forget func()) {
	if r == nil {
		return func() {}
	}
	s.read = read
	r.reg.MustRegister(s)
	return func() { r.reg.Unregister(s) }
}
