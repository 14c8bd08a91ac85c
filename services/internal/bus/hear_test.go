package bus_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func profileDocument(id, body string, rev uint64) bus.Document {
	return bus.Document{Table: subjects.TableProfiles, ID: id, Version: bus.StateVersion{Rev: rev}, Body: json.RawMessage(body), Deleted: body == ""}
}

// Who hears a table is told of what changes from then on, and after its server was away
// that something may have been missed; then of what changes again.
func TestHearing(t *testing.T) {
	cfg := config(t)
	cfg.Listen = "127.0.0.1:0"
	home := start(t, cfg)
	cfg.Listen = strings.TrimPrefix(home.Address(), "nats://")
	far := bus.Defaults()
	far.URL = home.Address()
	b := start(t, far)

	put(t, home, profileDocument("one", `{"n":1}`, 1))
	put(t, home, profileDocument("two", `{"n":1}`, 1))
	ctx, cancel := context.WithCancel(t.Context())
	heard, done := make(chan string, 64), make(chan error, 1)
	go func() {
		done <- b.Hear(ctx, subjects.TableProfiles, func(id string, body json.RawMessage) {
			heard <- id + string(body)
		}, func() { heard <- "begun" })
	}()
	hear := func() string {
		t.Helper()
		select {
		case got := <-heard:
			return got
		case <-time.After(30 * time.Second):
			t.Fatal("heard nothing")
			return ""
		}
	}
	next := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := hear(); got != w {
				t.Fatalf("heard %s, want %s", got, w)
			}
		}
	}
	next("begun")
	put(t, home, bus.Document{Table: subjects.TableRooms, ID: "one", Version: bus.StateVersion{Rev: 9}, Body: json.RawMessage(`{}`)})
	put(t, home, profileDocument("two", `{"n":2}`, 2))
	put(t, home, profileDocument("one", "", 2))
	next(`two{"n":2}`, "one")

	stop, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	home.Close(stop)
	home = start(t, cfg)
	put(t, home, profileDocument("two", `{"n":3}`, 3)) // perhaps before it hears again
	if got := hear(); got == `two{"n":3}` {
		next("begun")
	} else if got != "begun" {
		t.Fatalf("heard %s, want begun", got)
	}
	put(t, home, profileDocument("two", `{"n":4}`, 4))
	if got := hear(); got == `two{"n":3}` { // it was put before begun, and heard after
		next(`two{"n":4}`)
	} else if got != `two{"n":4}` {
		t.Fatalf("heard %s", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
