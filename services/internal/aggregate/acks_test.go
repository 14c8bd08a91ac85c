package aggregate_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Acknowledgements that nobody heard, as when the leader of the queue's consumer dies, do not
// keep what comes after them waiting, and nothing is done twice.
func TestLostAcknowledgementsFreeTheirPlaces(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: bus.MaxPayload,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := s.GlobalAccount().AddMapping(subjects.Mapping(d, 1)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	cfg := bus.Defaults()
	cfg.URL, cfg.Partitions = s.ClientURL(), 1
	b, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
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
