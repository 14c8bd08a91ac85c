package aggregate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func sendAdd(t testing.TB, b *bus.Bus, id, principal string, k int) {
	t.Helper()
	to := subjects.Command{Service: "tally", ID: id, Verb: "add", Principal: principal}
	if err := b.Send(t.Context(), to, subjects.Envelope{ID: newCommand(), Body: fmt.Appendf(nil, `{"n":1,"k":%d}`, k)}); err != nil {
		t.Fatal(err)
	}
}

// counts lists the senders' counts in an aggregate's log.
func counts(t testing.TB, b *bus.Bus, id string) (ks []int) {
	t.Helper()
	logs, err := logsOf(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range logs[id] {
		c, err := subjects.DecodeCommit(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Public.Events {
			var b struct{ K int }
			if err := json.Unmarshal(e.Body, &b); err != nil {
				t.Fatal(err)
			}
			ks = append(ks, b.K)
		}
	}
	return ks
}

func queueEmpty(t testing.TB, b *bus.Bus) {
	t.Helper()
	waitFor(t, func() bool {
		s, err := b.StreamState(context.Background(), subjects.StreamCommands)
		return err == nil && s.Messages == 0
	})
}

func upTo(n int) (ks []int) {
	for k := range n {
		ks = append(ks, k+1)
	}
	return ks
}

func TestTheNextOwnerCarriesTheQueueOnInOrder(t *testing.T) {
	b := startBus(t)
	var stuck atomic.Bool
	m := aggregatetest.Tally{Name: "tally", OnDecide: func(s *aggregatetest.TallyState, _ aggregate.Call) error {
		if stuck.Load() && s.Count >= 50 {
			return subjects.Refuse(subjects.CodeUnavailable, "not here")
		}
		return nil
	}}
	stuck.Store(true)
	one := startHost(t, b, m, "one", aggregate.Options{})
	const n = 400 // more than one owner takes from the stream at once
	for k := range n {
		sendAdd(t, b, "a", "user_1", k+1)
	}
	waitFor(t, func() bool { return len(counts(t, b, "a")) == 50 })
	stopHost(t, one)
	if got := counts(t, b, "a"); len(got) != 50 {
		t.Fatalf("%d are done", len(got))
	}
	stuck.Store(false)
	startHost(t, b, m, "two", aggregate.Options{})
	queueEmpty(t, b)
	if got := counts(t, b, "a"); !slices.Equal(got, upTo(n)) {
		t.Errorf("%d in this order: %v", len(got), got)
	}
}

func TestAQueuedCommandIsTriedUntilItHasAFinalAnswer(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	var tries atomic.Int64
	m := aggregatetest.Tally{Name: "tally", OnDecide: func(s *aggregatetest.TallyState, call aggregate.Call) error {
		if call.Principal == "user_1" && s.Count == 2 && tries.Add(1) <= 4 {
			return subjects.Refuse([]subjects.Code{subjects.CodeBusy, subjects.CodeUnavailable}[tries.Load()%2], "not now")
		}
		return nil
	}}
	startHost(t, b, m, "one", aggregate.Options{})
	for k := range 20 {
		sendAdd(t, b, "a", "user_1", k+1)
	}
	queueEmpty(t, b)
	if got := counts(t, b, "a"); !slices.Equal(got, upTo(20)) || tries.Load() != 5 {
		t.Errorf("after %d tries: %v", tries.Load(), got)
	}
}

func TestWhatCannotBeReadIsBuriedWithTheReason(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	garbage := []byte("\x00 no command")
	if err := b.Conn().Publish(subjects.Root+".cmdq.tally.a.add.user_1", garbage); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		s, err := b.StreamState(context.Background(), subjects.StreamDLQ)
		return err == nil && s.Messages == 1
	})
	queueEmpty(t, b)
	s, err := b.JetStream().Stream(t.Context(), subjects.StreamDLQ)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), subjects.DLQ("tally"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, to, err := subjects.ParseRouted(m.Header.Get(subjects.HeaderSubject))
	if err != nil || to != (subjects.Command{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"}) {
		t.Errorf("found at %q, %v", m.Header.Get(subjects.HeaderSubject), err)
	}
	if reason := m.Header.Get(subjects.HeaderReason); reason == "" || !bytes.Equal(m.Data, garbage) {
		t.Errorf("%q, because %q", m.Data, reason)
	}
}

func TestWhatIsOnlyAskedForIsNotKept(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{
		AskOnly: func(verb string) bool { return verb == "ring" },
	})
	if a, err := ask(t, b, "a", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil || a.Refusal != nil {
		t.Fatal(a, err)
	}
	for verb, raw := range map[string]string{
		"ring": `{"at":1}`, // asked for only
		"slow": `{"n":-1}`, // refused for what it is: a dead letter
	} {
		to := subjects.Command{Service: "tally", ID: "a", Verb: verb, Principal: "user_1"}
		if err := b.Send(t.Context(), to, subjects.Envelope{ID: newCommand(), Body: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	queueEmpty(t, b)
	s, err := b.StreamState(t.Context(), subjects.StreamDLQ)
	if err != nil || s.Messages != 1 {
		t.Errorf("%d dead letters, %v", s.Messages, err)
	}
	if f := view(t, aggregate.NewJournal(b, "tally"), "a"); f.Rev != 1 {
		t.Errorf("revision %d", f.Rev)
	}
}

// The server stores what a schedule says as whoever left it asked, without looking whether
// they may say that: so a schedule wakes its own aggregate and does nothing else.
func TestAScheduleSpeaksForNobody(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	routed := func(c subjects.Command) string {
		to, err := c.Routed(subjects.DoorQueue, b.Partitions())
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	for i, c := range []subjects.Command{
		{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"},
		{Service: "tally", ID: "a", Verb: "add", Principal: subjects.System},
		{Service: "tally", ID: "b", Verb: subjects.VerbWake, Principal: subjects.System}, // another's timer
	} {
		data := fmt.Appendf(nil, `{"id":%q,"body":{"n":1}}`, newCommand())
		if err := b.Schedule(t.Context(), subjects.Timer("tally", "a", int64(i)), routed(c), time.Now(), data); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool {
		s, err := b.StreamState(t.Context(), subjects.StreamDLQ)
		return err == nil && s.Messages == 3
	})
	queueEmpty(t, b)
	if f := view(t, aggregate.NewJournal(b, "tally"), "a"); f.Rev != 0 {
		t.Errorf("a schedule brought the aggregate to revision %d", f.Rev)
	}
}

func TestASenderThroughTheQueueMayHaveTheAnswer(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally", Limit: 5}, "one", aggregate.Options{})
	inbox := b.Conn().NewInbox()
	sub, err := b.Conn().SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	first := newCommand()
	for _, c := range []struct {
		cmd  string
		n    int
		code subjects.Code
		rev  uint64
	}{
		{first, 4, "", 1}, {newCommand(), 4, subjects.CodeFull, 1}, {newCommand(), 1, "", 2}, {first, 4, "", 1},
		{newCommand(), -1, subjects.CodeInvalid, 0},
	} {
		m := nats.NewMsg(subjects.Root + ".cmdq.tally.a.add.user_1")
		m.Header.Set(subjects.HeaderReplyTo, inbox)
		m.Data = fmt.Appendf(nil, `{"id":%q,"body":{"n":%d}}`, c.cmd, c.n)
		if _, err := b.JetStream().PublishMsg(t.Context(), m, jetstream.WithExpectStream(subjects.StreamCommands)); err != nil {
			t.Fatal(err)
		}
		reply, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var a subjects.Answer
		if err := json.Unmarshal(reply.Data, &a); err != nil {
			t.Fatal(err)
		}
		if a.Command != c.cmd || subjects.CodeOf(a.Err()) != c.code || a.Rev != c.rev {
			t.Errorf("add %d was answered %+v, want %q at rev %d", c.n, a, c.code, c.rev)
		}
	}
	queueEmpty(t, b)
}

// echo answers each event of a source with a command to the aggregate "echo".
func echo(react func()) aggregate.Reaction {
	return aggregate.Reaction{
		Service: "tally", Name: "echo",
		React: func(_ context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			if react != nil {
				react()
			}
			if c.ID == "echo" {
				return nil, nil
			}
			return []aggregate.Send{{
				To:   subjects.Command{Service: "tally", ID: "echo", Verb: "add", Principal: subjects.System},
				Body: fmt.Appendf(nil, `{"n":1,"k":%d}`, c.Rev),
			}}, nil
		},
	}
}

func TestEveryEventHasOneReactionAlthoughItsProcessStops(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	log := slog.New(slog.DiscardHandler)
	const n = 300
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			if a, err := ask(t, b, "source", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil || a.Refusal != nil {
				t.Errorf("%+v, %v", a, err)
				return
			}
		}
	})
	for stops := range 4 {
		// It is stopped while it has fetched more than it has handled.
		var handled atomic.Int64
		many := make(chan struct{})
		stop := aggregate.StartReaction(b, echo(func() {
			if handled.Add(1) == int64(20+10*stops) {
				close(many)
			}
		}), log)
		select {
		case <-many:
		case <-time.After(15 * time.Second):
			t.Error("the reaction does not go on")
		}
		stop()
	}
	wg.Wait()
	stop := aggregate.StartReaction(b, echo(nil), log)
	defer stop()
	// What a stopped reaction had fetched it gives back: this waits for less than the minute
	// after which it would come again anyway.
	waitFor(t, func() bool { return len(counts(t, b, "echo")) >= n })
	queueEmpty(t, b)
	got := counts(t, b, "echo")
	if slices.Sort(got); !slices.Equal(got, upTo(n)) {
		t.Errorf("%d reactions: %v", len(got), got)
	}
}
