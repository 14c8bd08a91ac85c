package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func start(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	return b
}

func config(t testing.TB) bus.Config {
	cfg := bus.Defaults()
	cfg.DataDir = t.TempDir()
	return cfg
}

func TestAppendIsFencedByTheSequenceOfItsSubject(t *testing.T) {
	b := start(t, config(t))
	subject := subjects.Events("toy", "a")
	first, err := b.Append(t.Context(), subject, []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(t.Context(), subjects.Events("toy", "b"), []byte("x"), 0); err != nil {
		t.Fatalf("another subject has a fence of its own: %v", err)
	}
	if _, err := b.Append(t.Context(), subject, []byte("2"), 0); !errors.Is(err, bus.ErrFenced) {
		t.Fatalf("stale append: got %v, want ErrFenced", err)
	}
	second, err := b.Append(t.Context(), subject, []byte("2"), first)
	if err != nil {
		t.Fatal(err)
	}
	head, err := b.Head(t.Context(), subjects.StreamEvents("toy"), subject)
	if err != nil || head.Seq != second || string(head.Data) != "2" || head.Subject != subject {
		t.Fatalf("head = %+v, %v; want seq %d", head, err, second)
	}
	if _, err := b.Head(t.Context(), subjects.StreamEvents("toy"), subjects.Events("toy", "none")); !errors.Is(err, bus.ErrNoMessage) {
		t.Fatalf("head of an empty log: got %v, want ErrNoMessage", err)
	}
}

func TestReadGivesEveryMessageOfASubjectInOrder(t *testing.T) {
	b := start(t, config(t))
	const n = 4000 // more than what is read in batches
	var after uint64
	for i := range n {
		seq, err := b.Append(t.Context(), subjects.Events("toy", "a"), fmt.Appendf(nil, "%d", i), after)
		if err != nil {
			t.Fatal(err)
		}
		after = seq
		if i%3 == 0 {
			if err := b.Put(t.Context(), subjects.Events("toy", "other"), []byte("noise")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, from := range []uint64{0, 700} {
		next, last := -1, uint64(0)
		err := b.Read(t.Context(), subjects.StreamEvents("toy"), subjects.Events("toy", "a"), from, func(e bus.Entry) error {
			var i int
			if err := json.Unmarshal(e.Data, &i); err != nil {
				return err
			}
			if next >= 0 && i != next {
				return fmt.Errorf("read %d, want %d", i, next)
			}
			if e.Seq < from || e.Seq <= last {
				return fmt.Errorf("sequence %d after %d, from %d", e.Seq, last, from)
			}
			next, last = i+1, e.Seq
			return nil
		})
		if err != nil || next != n {
			t.Fatalf("from %d: ended before %d: %v", from, next, err)
		}
	}
	if err := b.Read(t.Context(), subjects.StreamEvents("toy"), subjects.Events("toy", "none"), 1, func(bus.Entry) error {
		return errors.New("there is nothing to read")
	}); err != nil {
		t.Fatal(err)
	}
}

func TestBothDoorsLeadToThePartitionThatGoComputes(t *testing.T) {
	cfg := config(t)
	cfg.Partitions = 7
	b := start(t, cfg)
	for i := range 40 {
		id := subjects.NewID(subjects.PrefixRoom, time.UnixMilli(int64(i)))
		c := subjects.Command{Service: "toy", ID: id, Verb: "go", Principal: "user_1"}
		want, _ := c.Routed(subjects.DoorAsk, 7)
		sub, err := b.Conn().SubscribeSync(want)
		if err != nil {
			t.Fatal(err)
		}
		to, _ := c.Subject(subjects.DoorAsk)
		if err := b.Conn().Publish(to, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.NextMsg(2 * time.Second); err != nil {
			t.Fatalf("%s did not arrive at %s: %v", to, want, err)
		}
		_ = sub.Unsubscribe()
		if err := b.Send(t.Context(), c, subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now())}); err != nil {
			t.Fatal(err)
		}
		queued, _ := c.Routed(subjects.DoorQueue, 7)
		if _, err := b.Head(t.Context(), subjects.StreamCommands, queued); err != nil {
			t.Fatalf("nothing under %s: %v", queued, err)
		}
	}
}

func TestAScheduledMessageArrivesAndSurvivesARestart(t *testing.T) {
	cfg := config(t)
	b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	target, err := subjects.Command{Service: "toy", ID: "a", Verb: subjects.VerbWake, Principal: subjects.System}.Routed(subjects.DoorQueue, cfg.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(2 * time.Second)
	for range 2 { // two schedules of different seconds do not replace each other
		if err := b.Schedule(t.Context(), subjects.Timer("toy", "a", due.Unix()), target, due, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		due = due.Add(time.Second)
	}
	b.Close(t.Context())
	b = start(t, cfg)
	sub, err := b.Consume(t.Context(), bus.ConsumerSpec{Stream: subjects.StreamCommands, Name: "toy", Filters: []string{target}, InFlight: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 {
		m, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != target {
			t.Fatalf("arrived at %s", m.Subject)
		}
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnOldDocumentCannotReplaceANewerOne(t *testing.T) {
	b := start(t, config(t))
	put := func(rev uint64) error {
		return b.PutState(t.Context(), bus.Document{Table: "rooms", ID: "r", Version: bus.StateVersion{Rev: rev}, Body: json.RawMessage(`{}`)})
	}
	if err := put(2); err != nil {
		t.Fatal(err)
	}
	for _, rev := range []uint64{1, 2} {
		if err := put(rev); !errors.Is(err, bus.ErrStale) {
			t.Fatalf("rev %d over 2: got %v, want ErrStale", rev, err)
		}
	}
	done := make(chan error, 8)
	for rev := range uint64(8) {
		go func() { done <- put(rev + 3) }()
	}
	for range 8 {
		if err := <-done; err != nil && !errors.Is(err, bus.ErrStale) {
			t.Fatal(err)
		}
	}
	d, err := b.LastState(t.Context(), "rooms", "r")
	if err != nil || d.Version.Rev != 10 {
		t.Fatalf("after a race: %+v, %v; want rev 10", d, err)
	}
}

func TestQueriesCarryAnswersAndRefusals(t *testing.T) {
	b := start(t, config(t))
	stop, err := b.Serve("toy", "1.0.0", map[string]bus.Endpoint{
		"echo": func(_ context.Context, req json.RawMessage) (any, error) { return req, nil },
		"refuse": func(context.Context, json.RawMessage) (any, error) {
			return nil, subjects.Refuse(subjects.CodeExists, "there")
		},
		"fail":  func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("secret detail") },
		"panic": func(context.Context, json.RawMessage) (any, error) { panic("secret detail") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var out map[string]int
	if err := b.Query(t.Context(), "toy", "echo", map[string]int{"a": 1}, &out); err != nil || out["a"] != 1 {
		t.Fatalf("echo = %v, %v", out, err)
	}
	for endpoint, want := range map[string]subjects.Code{"refuse": subjects.CodeExists, "fail": subjects.CodeInternal, "panic": subjects.CodeInternal} {
		var r *subjects.Refusal
		err := b.Query(t.Context(), "toy", endpoint, nil, nil)
		if !errors.As(err, &r) || r.Code != want || r.Message == "secret detail" {
			t.Fatalf("%s: got %v, want code %s without the detail", endpoint, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := b.Query(ctx, "nobody", "x", nil, nil); !errors.Is(err, bus.ErrUnavailable) {
		t.Fatalf("nobody there: got %v, want ErrUnavailable", err)
	}
}

func TestADeploymentKeepsItsPartitionsAndItsDataToItself(t *testing.T) {
	cfg := config(t)
	b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Start(t.Context(), cfg, nil, slog.New(slog.DiscardHandler)); !errors.Is(err, bus.ErrLocked) {
		t.Fatalf("second process on the same data: got %v, want ErrLocked", err)
	}
	b.Close(t.Context())
	cfg.Partitions++
	if _, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler)); !errors.Is(err, bus.ErrPartitions) {
		t.Fatalf("other number of partitions: got %v, want ErrPartitions", err)
	}
}

func TestARestartedConsumerBeginsAtTheOldestUnfinished(t *testing.T) {
	b := start(t, config(t))
	c := subjects.Command{Service: "toy", ID: "a", Verb: "go", Principal: "user_1"}
	filter := subjects.PartitionWildcard(subjects.DoorQueue, "toy", subjects.Partition("a", b.Partitions()))
	for range 5 {
		if err := b.Send(t.Context(), c, subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now())}); err != nil {
			t.Fatal(err)
		}
	}
	spec := bus.ConsumerSpec{Stream: subjects.StreamCommands, Name: "toy", Filters: []string{filter}, InFlight: 10, AckWait: time.Hour, Restart: true}
	var first []uint64
	for round := range 2 {
		sub, err := b.Consume(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for len(got) < 5-round {
			m, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Seq)
			if round == 0 && len(got) == 2 { // only the second is finished
				if err := m.AckSync(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		sub.Stop()
		if round == 0 {
			first = got
			continue
		}
		want := append([]uint64{first[0]}, first[2:]...)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("second reader got %v, want %v", got, want)
		}
	}
}

func TestADeletedConsumerIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two missed heartbeats")
	}
	b := start(t, config(t))
	sub, err := b.Consume(t.Context(), bus.ConsumerSpec{Stream: subjects.StreamCommands, Name: "gone", InFlight: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	if err := b.JetStream().DeleteConsumer(t.Context(), subjects.StreamCommands, "gone"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := sub.Next(ctx); !errors.Is(err, bus.ErrConsumerLost) {
		t.Fatalf("got %v, want ErrConsumerLost", err)
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:4222": true, "[::1]:0": true,
		"0.0.0.0:4222": false, ":4222": false, "192.0.2.1:4222": false, "example.org:1": false,
	} {
		cfg := bus.Defaults()
		cfg.Listen = address
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPasswordsAreHidden(t *testing.T) {
	got := bus.RedactURL("nats://ann:secret@a:4222,nats://token@b:4222,nats://c:4222")
	if strings.Contains(got, "secret") || strings.Contains(got, "token") || !strings.Contains(got, "c:4222") {
		t.Fatal(got)
	}
}

func TestALargeDeadLetterKeepsItsBeginning(t *testing.T) {
	b := start(t, config(t))
	if err := b.DeadLetter(t.Context(), "toy", "somewhere", "not JSON", make([]byte, bus.MaxPayload)); err != nil {
		t.Fatal(err)
	}
	e, err := b.Last(t.Context(), subjects.StreamDLQ, subjects.DLQ("toy"))
	if err != nil || len(e.Data) == 0 || len(e.Data) == bus.MaxPayload {
		t.Fatalf("%d bytes, %v", len(e.Data), err)
	}
}

func TestStartingLeavesNothingInTheQueue(t *testing.T) {
	cfg := config(t)
	for range 3 {
		b, err := bus.Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		s, err := b.StreamState(t.Context(), subjects.StreamCommands)
		if err != nil || s.LastSeq != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		b.Close(t.Context())
	}
}
