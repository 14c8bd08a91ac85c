package aggregate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// limit sets the bytes that the log may take; -1 lifts the limit.
func limit(t *testing.T, b *bus.Bus, bytes int64) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), subjects.StreamEvents("tally"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes = bytes
	if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// When the log has no room, commands are refused for now and at once; nothing that was
// accepted goes, and with room again the same commands are carried out.
func TestAFullLogRefusesForNow(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	limit(t, b, 20_000)
	j, fold := aggregate.NewJournal(b, "tally"), aggregatetest.Tally{Name: "tally"}
	// An unknown outcome would be looked into for an hour: this one is known.
	e := aggregate.NewEngine(fold, j, aggregate.Options{Resolve: time.Hour})
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	give := func(id, cmd string) subjects.Answer {
		t.Helper()
		payload, err := json.Marshal(subjects.Envelope{ID: cmd, Body: []byte(`{"n":1,"k":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan subjects.Answer, 1)
		e.Submit(aggregate.Delivery{
			To:      subjects.Command{Service: "tally", ID: id, Verb: "add", Principal: "user_1"},
			Payload: payload, Answer: func(a subjects.Answer) { answers <- a },
		})
		select {
		case a := <-answers:
			return a
		case <-time.After(20 * time.Second):
			t.Fatal("no answer")
			return subjects.Answer{}
		}
	}
	accepted := map[string]uint64{}
	var refused []string // commands
	for i := 0; len(refused) < 20; i++ {
		if i == 1000 {
			t.Fatal("the log does not get full")
		}
		id, cmd := fmt.Sprint("room-", i%4), newCommand()
		a := give(id, cmd)
		switch {
		case a.Refusal == nil:
			if accepted[id]++; a.Rev != accepted[id] {
				t.Fatalf("revision %d of %s, want %d", a.Rev, id, accepted[id])
			}
		case a.Refusal.Code != subjects.CodeUnavailable || a.Refusal.Code.Final() || !strings.Contains(a.Refusal.Message, "no room"):
			t.Fatalf("%+v", a.Refusal)
		default:
			refused = append(refused, id+" "+cmd)
		}
	}
	check := func() {
		t.Helper()
		for id, rev := range accepted {
			f, err := aggregate.LoadAsOf(t.Context(), j, fold, id, rev+1) // from the first commit on
			if err != nil || f.Rev != rev || f.State.Total != int64(rev) {
				t.Errorf("%s is at revision %d, total %d, want %d; %v", id, f.Rev, f.State.Total, rev, err)
			}
		}
	}
	check()
	limit(t, b, -1)
	for range 2 { // the second time they are repeats
		for _, r := range refused {
			id, cmd, _ := strings.Cut(r, " ")
			if a := give(id, cmd); a.Refusal != nil {
				t.Errorf("with room again: %v", a.Refusal)
			}
		}
	}
	for _, r := range refused {
		id, _, _ := strings.Cut(r, " ")
		accepted[id]++
	}
	check()
}
