package aggregate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// Acknowledgements that nobody heard, as when the leader of the queue's consumer dies, do not
// keep what comes after them waiting, and nothing is done twice.
func TestLostAcknowledgementsFreeTheirPlaces(t *testing.T) {
	t.Parallel()
	s, b := besideServer(t, 1)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	if err := s.GlobalAccount().AddMapping("$JS.ACK.COMMANDS.>", "nowhere.>"); err != nil {
		t.Fatal(err)
	}
	const sent, aggregates = 300, 50 // more than may be in flight
	for i := range sent {
		sendAdd(t, b, fmt.Sprint("a-", i%aggregates), subjects.System, i)
	}
	decided := func() (n int) {
		for i := range aggregates {
			n += len(counts(t, b, fmt.Sprint("a-", i)))
		}
		return n
	}
	waitFor(t, func() bool { return decided() >= 256 }) // as many as may be in flight
	if !s.GlobalAccount().RemoveMapping("$JS.ACK.COMMANDS.>") {
		t.Fatal("acknowledgements still go nowhere")
	}
	for over := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // it is noticed when nothing came for a while
		st, err := b.StreamState(t.Context(), subjects.StreamCommands)
		if err == nil && st.Messages == 0 {
			break
		}
		if time.Now().After(over) {
			t.Fatalf("there are still %d commands: %v", st.Messages, err)
		}
	}
	if n := decided(); n != sent {
		t.Errorf("%d commits for %d commands", n, sent)
	}
}
