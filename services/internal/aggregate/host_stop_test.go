package aggregate_test

import (
	"context"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
)

// A replica whose NATS server is gone has nobody to say farewell to, and does not wait.
func TestAReplicaStopsWithoutAServer(t *testing.T) {
	s, b := besideServer(t, 4)
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
