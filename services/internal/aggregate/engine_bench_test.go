package aggregate_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// BenchmarkEngine is the kernel's own part of a command that is alone in its commit: the
// log is in memory. Unlike the figures of bench_test.go it can be compared by what it
// allocates.
func BenchmarkEngine(b *testing.B) { benchmarkEngine(b, aggregate.Options{}, "") }

func benchmarkEngine(b *testing.B, opt aggregate.Options, trace string) {
	opt.SnapshotEvery = 1 << 30
	e := aggregate.NewEngine(aggregatetest.Tally{Name: "tally"}, aggregatetest.NewMemory(), opt)
	defer func() {
		if err := e.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	answers := make(chan subjects.Answer, 1)
	d := aggregate.Delivery{
		To:     subjects.Command{Service: "tally", ID: "room-1", Verb: "add", Principal: "user_1"},
		Answer: func(a subjects.Answer) { answers <- a },
	}
	traced(&d, trace)
	b.ReportAllocs()
	for b.Loop() {
		data, err := json.Marshal(subjects.Envelope{ID: newCommand(), Body: []byte(`{"n":1}`)})
		if err != nil {
			b.Fatal(err)
		}
		d.Payload = data
		e.Submit(d)
		if a := <-answers; a.Refusal != nil {
			b.Fatal(a.Refusal)
		}
	}
}
