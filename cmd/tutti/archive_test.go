package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
)

// What an export holds is the same, however much of the logs is archived.
func TestArchive(t *testing.T) {
	data := full(t, 3, 40)
	want := fingerprint(t, data)
	cfg := services.Defaults()
	cfg.Data, cfg.Edge.Listen, cfg.NATS.Listen, cfg.Auth.Cost = data, "127.0.0.1:0", "127.0.0.1:0", 4
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if stopped {
			return
		}
		stopped = true
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	defer stop()
	if said := refused(t, "archive", "--nats-url", s.NATS, "--idle", "0s"); !strings.Contains(said, "--idle") {
		t.Error(said)
	}
	if said := refused(t, "archive", "--nats-url", s.NATS, "--service", "auth"); !strings.Contains(said, "keeps no log") {
		t.Error(said)
	}
	// How many commits were deleted from the chats' log. A copy that is too young is left alone.
	deleted := func(args ...string) string {
		t.Helper()
		out := said(t, append([]string{"archive", "--nats-url", s.NATS, "--service", "chat", "--idle", "1s", "--no-wait"}, args...)...)
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 5 && f[0] == "chat" {
				return f[5]
			}
		}
		t.Fatal(out)
		return ""
	}
	if n := deleted("--settle", "1h"); n != "0" {
		t.Errorf("%s commits were deleted an hour too early", n)
	}
	for end := time.Now().Add(30 * time.Second); deleted("--settle", "0s") == "0"; {
		if time.Now().After(end) {
			t.Fatal("nothing is deleted")
		}
	}
	stop()
	if got := fingerprint(t, data); got != want {
		t.Errorf("the export of an archived system holds\n%s\nand held\n%s", got, want)
	}
}
