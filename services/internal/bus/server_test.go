package bus_test

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
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

// An answer goes where an asker listens, and never where only the platform speaks.
func TestAnswersGoToInboxes(t *testing.T) {
	b := start(t, config(t))
	for _, to := range []string{
		"", subjects.Events("toy", "a"), subjects.DLQ("toy"), subjects.Root + ".x", "$JS.API.STREAM.PURGE." + subjects.StreamEvents("toy"), "$SYS.REQ",
	} {
		if err := b.Reply(to, nil); !errors.Is(err, bus.ErrNoInbox) {
			t.Errorf("an answer to %q: got %v, want ErrNoInbox", to, err)
		}
	}
	for _, to := range []string{"_INBOX.x.y", "_R_.x.y", "inbox_of_somebody.1"} {
		if err := b.Reply(to, nil); err != nil {
			t.Errorf("an answer to %q: %v", to, err)
		}
	}
}
