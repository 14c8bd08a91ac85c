package aggregate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

type tallyHost = aggregate.Host[*aggregatetest.TallyState, aggregatetest.TallyCommand, aggregatetest.TallyEvent]

func startBus(t testing.TB) *bus.Bus {
	t.Helper()
	return startShards(t, 1)
}

// startShards starts a server whose logs are spread over so many streams.
func startShards(t testing.TB, n int) *bus.Bus {
	t.Helper()
	cfg := bus.Defaults()
	cfg.DataDir, cfg.Shards = t.TempDir(), n
	return startOn(t, cfg)
}

// startOn connects a bus that the test closes.
func startOn(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
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

func startHost(t testing.TB, b *bus.Bus, m aggregatetest.Tally, replica string, opt aggregate.Options) *tallyHost {
	t.Helper()
	h, err := aggregate.StartHost(t.Context(), b, m, replica, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopHost(t, h) })
	return h
}

var stopped sync.Map

func stopHost(t testing.TB, h *tallyHost) {
	t.Helper()
	if _, done := stopped.LoadOrStore(h, true); done {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func newCommand() string { return subjects.NewID(subjects.PrefixCommand, time.Now()) }

func ask(t testing.TB, b *bus.Bus, id, principal, verb, cmd string, body any) (subjects.Answer, error) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return b.Ask(ctx, subjects.Command{Service: "tally", ID: id, Verb: verb, Principal: principal}, subjects.Envelope{ID: cmd, Body: raw})
}

func view(t testing.TB, j aggregate.Journal, id string) *aggregate.Folded[*aggregatetest.TallyState] {
	t.Helper()
	f, err := aggregate.Load(context.Background(), j, aggregatetest.Tally{Name: "tally"}, id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestACommandTakesEffectOnceThroughBothDoors(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally", Limit: 10}, "one", aggregate.Options{})
	cmd := newCommand()
	first, err := ask(t, b, "a", "user_1", "add", cmd, map[string]int{"n": 4})
	if err != nil || first.Refusal != nil || first.Rev != 1 {
		t.Fatalf("first answer %+v, %v", first, err)
	}
	if _, err := ask(t, b, "a", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	again, err := ask(t, b, "a", "user_1", "add", cmd, map[string]int{"n": 4})
	if err != nil || again != first {
		t.Fatalf("a repeat was answered %+v, %v; the first was %+v", again, err, first)
	}
	to := subjects.Command{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"}
	for range 2 {
		if err := b.Send(t.Context(), to, subjects.Envelope{ID: cmd, Body: []byte(`{"n":4}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(t.Context(), to, subjects.Envelope{ID: newCommand(), Body: []byte(`{"n":2}`)}); err != nil {
		t.Fatal(err)
	}
	j := aggregate.NewJournal(b, "tally")
	waitFor(t, func() bool { return view(t, j, "a").State.Count == 3 })
	waitFor(t, func() bool {
		s, err := b.StreamState(t.Context(), subjects.StreamCommands)
		return err == nil && s.Messages == 0
	})
	if s := view(t, j, "a").State; s.Total != 7 {
		t.Fatalf("total is %d, want 4+1+2", s.Total)
	}
	full, err := ask(t, b, "a", "user_1", "add", newCommand(), map[string]int{"n": 9})
	if err != nil || subjects.CodeOf(full.Err()) != subjects.CodeFull || full.Rev != 3 {
		t.Fatalf("over the limit: %+v, %v", full, err)
	}
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not come true in a minute")
		}
	}
}

func TestGarbageAtBothDoorsIsRefusedOrBuried(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	if a, err := ask(t, b, "a", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil || a.Refusal != nil {
		t.Fatal(a, err)
	}
	garbage := [][]byte{nil, []byte("\x00\xff"), []byte("{"), []byte(`{"id":7}`), []byte(`{"id":"x","body":{}}`), []byte(`[]`),
		fmt.Appendf(nil, `{"id":%q,"body":{"n":"one"}}`, newCommand()), fmt.Appendf(nil, `{"id":%q,"body":{"unknown":1}}`, newCommand()),
		make([]byte, subjects.MaxCommandBytes+1)}
	for _, g := range garbage {
		reply, err := b.Conn().Request(subjects.Root+".cmd.tally.a.add.user_1", g, 5*time.Second)
		if err != nil {
			t.Fatalf("%.40q: %v", g, err)
		}
		var a subjects.Answer
		if err := json.Unmarshal(reply.Data, &a); err != nil || a.Refusal == nil || a.Refusal.Message == "" {
			t.Fatalf("%.40q was answered %s", g, reply.Data)
		}
		if err := b.Conn().Publish(subjects.Root+".cmdq.tally.a.add.user_1", g); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := ask(t, b, "a", "user_1", "nonsense", newCommand(), nil); err != nil || subjects.CodeOf(a.Err()) != subjects.CodeUnknownVerb {
		t.Fatal(a, err)
	}
	waitFor(t, func() bool {
		dead, err := b.StreamState(t.Context(), subjects.StreamDLQ)
		left, err2 := b.StreamState(t.Context(), subjects.StreamCommands)
		return err == nil && err2 == nil && dead.Messages == uint64(len(garbage)) && left.Messages == 0
	})
	if a, err := ask(t, b, "a", "user_1", "boom", newCommand(), nil); err != nil || subjects.CodeOf(a.Err()) != subjects.CodeInternal {
		t.Fatalf("a defect was answered %+v, %v", a, err)
	}
	if a, err := ask(t, b, "a", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil || a.Refusal != nil || a.Rev != 2 {
		t.Fatalf("after all that: %+v, %v", a, err)
	}
}

func TestReplicasShareThePartitionsAndTakeOver(t *testing.T) {
	b := startBus(t)
	m := aggregatetest.Tally{Name: "tally"}
	one := startHost(t, b, m, "one", aggregate.Options{})
	if got := one.Partitions(); got != b.Partitions() {
		t.Fatalf("alone it owns %d of %d", got, b.Partitions())
	}
	two := startHost(t, b, m, "two", aggregate.Options{})
	waitFor(t, func() bool {
		return one.Partitions()+two.Partitions() == b.Partitions() && one.Partitions() > 0 && two.Partitions() > 0
	})
	add := func(i int) {
		id := fmt.Sprint("room-", i)
		a, err := ask(t, b, id, "user_1", "add", newCommand(), map[string]int{"n": 1})
		if err != nil || a.Refusal != nil {
			t.Errorf("%s: %+v, %v", id, a, err)
		}
	}
	for i := range 40 {
		add(i)
	}
	if one.Engine().Stats().Commits == 0 || two.Engine().Stats().Commits == 0 {
		t.Fatal("one of them did all the work")
	}
	stopHost(t, one)
	for i := range 40 {
		add(i)
	}
	if got := two.Partitions(); got != b.Partitions() {
		t.Fatalf("the one left owns %d", got)
	}
	j := aggregate.NewJournal(b, "tally")
	for i := range 40 {
		if s := view(t, j, fmt.Sprint("room-", i)).State; s.Total != 2 {
			t.Fatalf("room %d holds %d", i, s.Total)
		}
	}
}

// Whoever asks while a replica comes or goes is heard at once: a partition that changes hands
// is never without an owner.
func TestAPartitionThatChangesHandsIsNeverWithoutAnOwner(t *testing.T) {
	b := startBus(t)
	m := aggregatetest.Tally{Name: "tally"}
	startHost(t, b, m, "one", aggregate.Options{})
	stop := make(chan struct{})
	var asking sync.WaitGroup
	var asked atomic.Int64
	for w := range 4 {
		asking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				to := fmt.Sprint(subjects.Root, ".cmd.tally.room-", i%200, ".add.user_", w)
				if _, err := b.Conn().Request(to, encoded(t, newCommand(), json.RawMessage(`{"n":1}`)), 10*time.Second); err != nil {
					t.Errorf("%s: %v", to, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	some := func() {
		n := asked.Load() + 400
		waitFor(t, func() bool { return t.Failed() || asked.Load() >= n })
	}
	some()
	two := startHost(t, b, m, "two", aggregate.Options{})
	waitFor(t, func() bool { return two.Partitions() > 0 })
	some()
	if two.Engine().Stats().Commits == 0 {
		t.Error("the second replica did nothing")
	}
	stopHost(t, two)
	some()
	close(stop)
	asking.Wait()
}

// While two processes believe that they own a partition, each attempt of a command reaches
// one of them only: what one refused for good the other would carry out.
func TestAnAttemptReachesOneOwnerOnly(t *testing.T) {
	b := startBus(t)
	var other atomic.Int64
	for p := range b.Partitions() {
		sub, err := b.Conn().QueueSubscribe(subjects.PartitionWildcard(subjects.DoorAsk, "tally", p), "owner", func(m *nats.Msg) {
			other.Add(1)
			_ = m.Respond([]byte("other"))
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "node_living", aggregate.Options{})
	const attempts = 200
	here := int64(0)
	for i := range attempts {
		m, err := b.Conn().Request(fmt.Sprint(subjects.Root, ".cmd.tally.room-", i, ".add.user_1"), encoded(t, newCommand(), json.RawMessage(`{"n":1}`)), 10*time.Second)
		if err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
		if string(m.Data) != "other" {
			here++
		}
	}
	if here == 0 || here == attempts || here+other.Load() != attempts {
		t.Errorf("of %d attempts %d were answered here and %d reached the other", attempts, here, other.Load())
	}
}

func encoded(t testing.TB, id string, body json.RawMessage) []byte {
	t.Helper()
	data, err := json.Marshal(subjects.Envelope{ID: id, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAPartitionLetGoWhileTheConnectionBreaksIsLetGoOnTheServerToo(t *testing.T) {
	t.Parallel()
	cfg := bus.Defaults()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server, err := bus.Start(t.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(server)
	remote := bus.Defaults()
	remote.URL = server.Address()
	b, err := bus.Start(t.Context(), remote, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(b)
	h := startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{})
	defer stopHost(t, h)
	if err := b.Conn().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	for p := range b.Partitions() {
		h.LetGo(p)
	}
	waitFor(t, func() bool { return b.Conn().IsConnected() && h.Partitions() == b.Partitions() })
	time.Sleep(time.Second) // it may have to connect once more
	waitFor(t, func() bool { return b.Conn().IsConnected() && h.Partitions() == b.Partitions() })
	for i := range 50 {
		id := fmt.Sprint("room-", i)
		began := time.Now()
		a, err := ask(t, server, id, "user_1", "add", newCommand(), map[string]int{"n": 1})
		if err != nil || a.Refusal != nil {
			t.Fatalf("%s: %+v, %v", id, a, err)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Fatalf("%s was answered after %v: somebody took the command and did not answer", id, took)
		}
	}
}

func TestTimersRingWhileTheOwnerLivesAndAfterItSlept(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{Idle: 200 * time.Millisecond, StayUp: time.Second})
	j := aggregate.NewJournal(b, "tally")
	for id, wait := range map[string]time.Duration{"soon": 300 * time.Millisecond, "asleep": 2500 * time.Millisecond} {
		at := time.Now().Add(wait).UnixMilli()
		if a, err := ask(t, b, id, "user_1", "ring", newCommand(), map[string]int64{"at": at}); err != nil || a.Refusal != nil {
			t.Fatal(a, err)
		}
		waitFor(t, func() bool { return len(view(t, j, id).State.Rings) == 1 })
		rang := view(t, j, id).State.Rings[0]
		if rang < at {
			t.Fatalf("%s rang %d ms early", id, at-rang)
		}
	}
}

func TestAReaderSeesWhatWasAcceptedBefore(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{SnapshotEvery: 5})
	r, err := aggregate.NewReader(aggregate.NewJournal(b, "tally"), aggregatetest.Tally{Name: "tally"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		id := fmt.Sprint("room-", i%3) // one more than the cache holds
		a, err := ask(t, b, id, "user_1", "add", newCommand(), map[string]int{"n": 1})
		if err != nil || a.Refusal != nil {
			t.Fatal(a, err)
		}
		err = r.View(t.Context(), id, func(f *aggregate.Folded[*aggregatetest.TallyState]) error {
			if f.Rev != a.Rev || f.State.Total != int64(i/3+1) {
				return fmt.Errorf("%s shows rev %d total %d after rev %d", id, f.Rev, f.State.Total, a.Rev)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("stop")
	if err := r.View(t.Context(), "none", func(f *aggregate.Folded[*aggregatetest.TallyState]) error {
		if f.Rev != 0 {
			t.Error("an empty log has a revision")
		}
		return stop
	}); !errors.Is(err, stop) {
		t.Fatalf("look's error came back as %v", err)
	}
}

// besideServer starts a server of its own, as a deployment has one, and connects to it.
func besideServer(t *testing.T, partitions int) (*server.Server, *bus.Bus) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: bus.MaxPayload,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := s.GlobalAccount().AddMapping(subjects.Mapping(d, partitions)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	cfg := bus.Defaults()
	cfg.URL, cfg.Partitions = s.ClientURL(), partitions
	return s, startOn(t, cfg)
}
