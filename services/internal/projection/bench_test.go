package projection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
)

// BenchmarkProject projects a log that is there: 50 aggregates of 100 commits.
func BenchmarkProject(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		const n = 5000
		for i := range n {
			w.commit(fmt.Sprintf("b%d", i%50), put(fmt.Sprint(i%3), i))
		}
		b.StartTimer()
		start := time.Now()
		p, stop := w.start(w.db, specOf(boxFold{}), projection.Options{})
		if !eventually(func() bool { return p.Stats().Commits >= n }) {
			b.Fatalf("%+v", p.Stats())
		}
		b.ReportMetric(n/time.Since(start).Seconds(), "commits/s")
		s := p.Stats()
		b.ReportMetric(float64(s.Writes)/n, "writes/commit")
		b.StopTimer()
		stop()
		b.StartTimer()
	}
}

// BenchmarkRebuild folds a log anew; the documents fit, or have to be loaded one by one.
func BenchmarkRebuild(b *testing.B) {
	w := newWorld(b)
	const n = 20_000
	for i := range n {
		w.commit(fmt.Sprintf("b%d", i%400), put(fmt.Sprint(i%3), i))
	}
	for name, opt := range map[string]projection.RebuildOptions{
		"in memory": {Drop: true},
		"spread":    {Drop: true, Aggregates: 100},
		"in place":  {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.t = b
				w.mustRebuild(boxFold{}, opt)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkPublish publishes a table to an empty STATE stream, then compares it again.
func BenchmarkPublish(b *testing.B) {
	w := newWorld(b)
	const n = 5000
	for i := range n {
		w.write(fmt.Sprintf("b%d", i), 1, i, true)
	}
	p := openBoxes
	p.Workers, p.Backlog = 0, 0
	p.Public = func(d store.Document) (json.RawMessage, bool) { return d.Body, true }
	run := func(done func() bool) {
		stop := w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, w.db, p) })
		if !eventually(done) {
			b.Fatal("not published")
		}
		stop()
	}
	for b.Loop() {
		start := time.Now()
		before := w.stateSeq()
		run(func() bool { return w.stateSeq()-before >= n })
		b.ReportMetric(n/time.Since(start).Seconds(), "documents/s")
		b.StopTimer()
		for i := range n {
			w.write(fmt.Sprintf("b%d", i), int(before)+2, i, true)
		}
		b.StartTimer()
	}
}
