package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func TestARefillIsInOrderAndGoesOn(t *testing.T) {
	b := start(t, config(t))
	const many = 3000
	stream := subjects.StreamEvents("toy")
	add := func(r *bus.Refill, from, to int) error {
		for i := from; i < to; i++ {
			if err := r.Add(t.Context(), subjects.Events("toy", fmt.Sprint("room-", i%7)), fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		return r.Flush(t.Context())
	}
	if err := add(b.Refill(stream, 0), 0, many); err != nil {
		t.Fatal(err)
	}
	// One that believes to be elsewhere stores nothing.
	for _, wrong := range []uint64{0, many - 1, many + 1} {
		if err := add(b.Refill(stream, wrong), 0, 1); !errors.Is(err, bus.ErrFenced) {
			t.Errorf("behind %d: %v", wrong, err)
		}
	}
	if err := add(b.Refill(stream, many), many, many+10); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := b.Read(t.Context(), stream, subjects.EventsWildcard("toy"), 1, func(e bus.Entry) error {
		if string(e.Data) != fmt.Sprint(n) || e.Seq != uint64(n+1) || e.Subject != subjects.Events("toy", fmt.Sprint("room-", n%7)) {
			t.Fatalf("message %d: %d, %s under %s", n+1, e.Seq, e.Data, e.Subject)
		}
		n++
		return nil
	})
	if err != nil || n != many+10 {
		t.Fatalf("%d messages, %v", n, err)
	}
	// Somebody gets in between.
	r := b.Refill(stream, many+10)
	if err := add(r, 0, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(t.Context(), subjects.Events("toy", "stranger"), []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := add(r, 1, 2); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("behind a stranger: %v", err)
	}
	if err := b.Refill(stream, 0).Add(t.Context(), subjects.Events("toy", "large"), make([]byte, b.MaxPayload())); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("a message that is too large: %v", err)
	}
}

func TestReadersAreAdvanced(t *testing.T) {
	b := start(t, config(t))
	stream := subjects.StreamEvents("toy")
	fill(t, b, 10, 10)
	spec := bus.ConsumerSpec{Stream: stream, Name: "reader", InFlight: 20}
	first := func(want uint64) {
		t.Helper()
		sub, err := b.Consume(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Return()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		m, err := sub.Next(ctx)
		if err != nil || m.Seq != want {
			t.Fatalf("the reader gets %+v, %v; want %d", m, err, want)
		}
		if err := m.AckSync(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stands := func(want map[string]uint64) {
		t.Helper()
		if got, err := b.Readers(t.Context(), stream); err != nil || !maps.Equal(got, want) {
			t.Fatalf("%v, %v; want %v", got, err, want)
		}
	}
	stands(map[string]uint64{})
	first(1)
	stands(map[string]uint64{"reader": 1})
	if err := b.Advance(t.Context(), stream, "reader", 7); err != nil {
		t.Fatal(err)
	}
	stands(map[string]uint64{"reader": 7})
	first(8)
	// Back, and one that nobody has opened yet.
	for name, behind := range map[string]uint64{"reader": 2, "new": 10} {
		if err := b.Advance(t.Context(), stream, name, behind); err != nil {
			t.Fatal(err)
		}
	}
	stands(map[string]uint64{"reader": 2, "new": 10})
	first(3)
	spec.Name = "new"
	if _, err := b.Append(t.Context(), subjects.Events("toy", "one-more"), []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	first(11)
}

func TestCommandsThatWaitAreSeenAndStay(t *testing.T) {
	b := start(t, config(t))
	var sent []string
	for i := range 5 {
		env := subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now())}
		to := subjects.Command{Service: "toy", ID: fmt.Sprint("room-", i), Verb: "do", Principal: subjects.System}
		if err := b.Send(t.Context(), to, env); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, to.ID+" "+env.ID)
	}
	for range 2 {
		var got []string
		err := b.Commands(t.Context(), func(to subjects.Command, payload []byte) error {
			env, err := subjects.DecodeEnvelope(payload)
			got = append(got, to.ID+" "+env.ID)
			return err
		})
		if err != nil || !slices.Equal(got, sent) {
			t.Fatalf("%v, %v; want %v", got, err, sent)
		}
	}
	stop := errors.New("enough")
	if err := b.Commands(t.Context(), func(subjects.Command, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
