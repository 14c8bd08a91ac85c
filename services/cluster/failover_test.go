//go:build unix

package cluster

import (
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// BenchmarkFailover kills the NATS server that leads the rooms' log, and reports the
// seconds until another leads it.
func BenchmarkFailover(b *testing.B) {
	c := start(b, Config{Edges: 1})
	stream := subjects.StreamEvents(subjects.ServiceRoom)
	var total, most time.Duration
	for b.Loop() {
		leader, err := c.Leader(b.Context(), stream)
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := c.Kill(leader); err != nil {
			b.Fatal(err)
		}
		eventually(b, func() string {
			if _, err := c.Leader(b.Context(), stream); err != nil {
				return err.Error()
			}
			return ""
		})
		took := time.Since(begin)
		b.Logf("%s was killed; another leads after %v", leader, took.Round(time.Millisecond))
		total, most = total+took, max(most, took)
		if err := c.Launch(b.Context(), leader); err != nil {
			b.Fatal(err)
		}
		if err := c.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(total.Seconds()/float64(b.N), "s/failover")
	b.ReportMetric(most.Seconds(), "s/longest")
}
