package aggregate_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// A replica whose NATS server is gone has nobody to say farewell to, and does not wait.
func TestAReplicaStopsWithoutAServer(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := s.GlobalAccount().AddMapping(subjects.Mapping(d, 4)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	cfg := bus.Defaults()
	cfg.URL, cfg.Partitions = s.ClientURL(), 4
	b, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h, err := aggregate.StartHost(t.Context(), b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	s.WaitForShutdown()
	waitFor(t, func() bool { return b.DownFor() > 0 })
	stopped := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second) // a flush waits for 10
	defer cancel()
	go func() {
		err := h.Stop(ctx)
		b.Close(ctx)
		stopped <- err
	}()
	select {
	case err := <-stopped:
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	case <-ctx.Done():
		t.Errorf("it waits for a server that is gone, and then: %v", <-stopped)
	}
}
