package aggregate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func TestMemoryIsAJournal(t *testing.T) {
	aggregatetest.RunJournal(t, func(*testing.T) aggregate.Journal { return aggregatetest.NewMemory() })
}

func TestJetStreamIsAJournal(t *testing.T) {
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			aggregatetest.RunJournal(t, func(t *testing.T) aggregate.Journal {
				return aggregate.NewJournal(startShards(t, shards), "tally")
			})
		})
	}
}

func TestAScheduleArrivesAtTheAggregatesQueueAtMostASecondEarly(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	j := aggregate.NewJournal(b, "tally")
	sub, err := b.Consume(t.Context(), bus.ConsumerSpec{Stream: subjects.StreamCommands, Name: "look",
		Filters: []string{subjects.AllRouted(subjects.DoorQueue)}, InFlight: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	due := map[string]time.Time{}
	for i, d := range []time.Duration{-time.Hour, 300 * time.Millisecond, 1500 * time.Millisecond} {
		id := fmt.Sprint("room-", i)
		due[id] = time.Now().Add(d)
		if err := j.Schedule(t.Context(), id, due[id]); err != nil {
			t.Fatal(err)
		}
	}
	for range due {
		m, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, part, to, err := subjects.ParseRouted(m.Subject)
		if err != nil || to.Verb != subjects.VerbWake || !(aggregate.Call{Principal: to.Principal}).System() ||
			part != subjects.Partition(to.ID, b.Partitions()) {
			t.Fatalf("%s: %v", m.Subject, err)
		}
		if _, err := subjects.DecodeEnvelope(m.Data); err != nil {
			t.Errorf("%s: %v", to.ID, err)
		}
		if early := time.Until(due[to.ID]); early > time.Second {
			t.Errorf("%s came %v early", to.ID, early)
		}
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}
