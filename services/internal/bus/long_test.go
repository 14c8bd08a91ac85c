package bus_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// A long reading ends, whatever its context, when the server comes back without what it read.
func TestALongReadingEndsWithoutJetStream(t *testing.T) {
	dir := t.TempDir()
	run := func(port int, jetstream bool) *server.Server {
		s, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: port, JetStream: jetstream, StoreDir: dir, NoSigs: true, NoLog: true, MaxPayload: bus.MaxPayload,
		})
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
		return s
	}
	s := run(server.RANDOM_PORT, true)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(s.Addr())
	}
	cfg := bus.Defaults()
	cfg.URL, cfg.Partitions = s.ClientURL(), 4
	b := start(t, cfg)
	refill := b.Refill(subjects.StreamEvents("toy"), 0)
	for range 10_000 { // many more than are fetched at once
		if err := refill.Add(t.Context(), subjects.Events("toy", "a"), make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
	if err := refill.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := 0
	done := make(chan error, 1)
	go func() {
		done <- b.Read(context.WithoutCancel(t.Context()), subjects.StreamEvents("toy"), subjects.Events("toy", "a"), 1, func(bus.Entry) error {
			if read++; read == 3000 {
				s.Shutdown()
				s.WaitForShutdown()
				s = run(addr.Port, false)
			}
			return nil
		})
	}()
	select {
	case err := <-done:
		if !errors.Is(err, bus.ErrUnavailable) {
			t.Fatalf("after %d: %v", read, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the reading does not end")
	}
}
