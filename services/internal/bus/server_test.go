package bus_test

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"

	"github.com/tuttihq/tutti/services/internal/bus"
)

// An address that is in use is told at once, as the reason that the system gives.
func TestAnAddressInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Listen = l.Addr().String()
	if _, err := bus.Start(t.Context(), cfg, nil, slog.New(slog.DiscardHandler)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want EADDRINUSE", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, cfg) // the directory was let go of
}
