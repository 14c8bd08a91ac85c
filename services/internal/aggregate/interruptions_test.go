package aggregate

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/bus"
)

// An outage is two lines, however many partitions it stops and however often each is tried.
func TestInterruptedQueuesAreToldTogether(t *testing.T) {
	var out bytes.Buffer
	i := newInterruptions(slog.New(slog.NewTextHandler(&out, nil)))
	var queues []*queue
	for p := range 16 {
		queues = append(queues, &queue{bus: &bus.Bus{}, partition: p})
	}
	expect := func(when, want string) {
		t.Helper()
		if said := out.String(); strings.Count(said, "\n") != min(1, len(want)) || !strings.Contains(said, want) {
			t.Errorf("%s: told %q, want %q", when, said, want)
		}
		out.Reset()
	}
	i.ended(queues[0])
	expect("at the start", "")
	for range 3 {
		for _, q := range queues {
			i.began(q, errors.New("gone"))
		}
	}
	expect("an outage", "level=WARN")
	for _, q := range queues[1:] {
		i.ended(q)
	}
	expect("some go on", "")
	// The last is given up, as when the connection is new, and what takes its place goes on.
	i.left(queues[0])
	expect("one is given up", "")
	i.ended(&queue{bus: &bus.Bus{}})
	expect("all go on", "level=INFO")
	i.ended(queues[1])
	expect("afterwards", "")
	i.began(queues[1], errors.New("gone again"))
	expect("the next outage", "level=WARN")
}
