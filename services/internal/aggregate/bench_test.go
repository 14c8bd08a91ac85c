package aggregate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// The benchmarks of the kernel run on real JetStream, files and all, and report each
// figure as a ratio to raw publishing in the same run: machines differ and are noisy, the
// ratio is what can be compared.

// rawWindow is how long the raw rate is measured.
func rawWindow() time.Duration {
	if testing.Short() {
		return 200 * time.Millisecond
	}
	return 2 * time.Second
}

// rawRate measures synchronous publishes a second by so many senders, of a payload as
// large as a small commit, each sender to a subject of its own.
func rawRate(b *testing.B, bs *bus.Bus, senders int) float64 {
	b.Helper()
	conns := connect(b, bs)
	payload := make([]byte, 230)
	for i := range payload {
		payload[i] = 'x'
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(rawWindow())
	start := time.Now()
	run := rand.Uint64()
	for s := range senders {
		wg.Go(func() {
			subject := subjects.Events("tally", fmt.Sprintf("raw-%x-%d", run, s))
			for time.Now().Before(end) {
				ack, err := conns[s%len(conns)].Request(subject, payload, 10*time.Second)
				if err != nil || !bytes.Contains(ack.Data, []byte(`"seq"`)) {
					b.Errorf("%v, %v", ack, err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

// clients is how many connections the senders share.
const clients = 4

// connect opens the senders' connections: over TCP, as senders in other processes do.
func connect(b *testing.B, bs *bus.Bus) []*nats.Conn {
	b.Helper()
	out := make([]*nats.Conn, clients)
	for i := range out {
		nc, err := nats.Connect(bs.Address())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(nc.Close)
		out[i] = nc
	}
	return out
}

// askRaw sends one add by request-reply, without retries.
func askRaw(nc *nats.Conn, id, principal string) error {
	data, err := json.Marshal(subjects.Envelope{ID: newCommand(), Body: []byte(`{"n":1}`)})
	if err != nil {
		return err
	}
	to, err := subjects.Command{Service: "tally", ID: id, Verb: "add", Principal: principal}.Subject(subjects.DoorAsk)
	if err != nil {
		return err
	}
	reply, err := nc.Request(to, data, 10*time.Second)
	if err != nil {
		return err
	}
	var a subjects.Answer
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return err
	}
	return a.Err()
}

// askMany makes b.N commands from so many senders to so many rooms and returns the rate.
func askMany(b *testing.B, bs *bus.Bus, rooms, senders int) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	run := rand.Uint64()
	conns := connect(b, bs)
	b.ResetTimer()
	start := time.Now()
	for s := range senders {
		wg.Go(func() {
			id := fmt.Sprintf("room-%x-%d", run, s%rooms)
			principal := fmt.Sprintf("user_%d", s)
			for next.Add(1) <= int64(b.N) {
				if err := askRaw(conns[s%len(conns)], id, principal); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rate := float64(b.N) / time.Since(start).Seconds()
	b.StopTimer()
	return rate
}

func benchHost(b *testing.B, opt aggregate.Options) (*bus.Bus, *tallyHost) {
	b.Helper()
	cfg := bus.Defaults()
	cfg.DataDir = b.TempDir()
	cfg.Listen = "127.0.0.1:0"
	bs, err := bus.Start(b.Context(), cfg, []string{"tally"}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bs.Close(context.Background()) })
	h := startHost(b, bs, aggregatetest.Tally{Name: "tally"}, "bench", opt)
	return bs, h
}

// One room with many senders, who share commits. Aim: 3 times serial publishing.
func BenchmarkHotRoom(b *testing.B) {
	bs, h := benchHost(b, aggregate.Options{})
	raw := rawRate(b, bs, 1)
	before := h.Engine().Stats()
	rate := askMany(b, bs, 1, 256)
	after := h.Engine().Stats()
	b.ReportMetric(rate, "cmds/s")
	b.ReportMetric(raw, "raw-serial/s")
	b.ReportMetric(rate/raw, "x-serial")
	b.ReportMetric(float64(b.N)/float64(after.Commits-before.Commits), "cmds/commit")
}

// As many rooms as senders, nobody shares a commit. Aim: half of raw publishing by as
// many senders.
func BenchmarkManyRooms(b *testing.B) {
	const n = 64
	bs, _ := benchHost(b, aggregate.Options{})
	raw := rawRate(b, bs, n)
	rate := askMany(b, bs, n, n)
	b.ReportMetric(rate, "cmds/s")
	b.ReportMetric(raw, "raw/s")
	b.ReportMetric(rate/raw, "x-raw")
}

// One sender to one room: what one command takes from question to answer.
func BenchmarkCommitLatency(b *testing.B) {
	bs, _ := benchHost(b, aggregate.Options{})
	raw := rawRate(b, bs, 1)
	nc := connect(b, bs)[0]
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		if err := askRaw(nc, "room", "user_1"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	b.ReportMetric(float64(p50.Microseconds()), "p50-µs")
	b.ReportMetric(float64(p99.Microseconds()), "p99-µs")
	b.ReportMetric(p50.Seconds()*raw, "p50-in-publishes")
}

// fillLog writes a log of commits with so many events each and returns the events.
func fillLog(b *testing.B, bs *bus.Bus, id string, commits, events int) int {
	b.Helper()
	var after uint64
	for rev := range commits {
		c := subjects.Commit{Epoch: 1, Rev: uint64(rev + 1), At: int64(1_700_000_000_000 + rev)}
		for range events {
			c.Public.Events = append(c.Public.Events, subjects.Event{
				Type: "tally.added", By: "user_01HF7YAT00000000000000000A", At: c.At, Cmd: newCommand(), Body: []byte(`{"n":1,"k":1}`),
			})
		}
		c.Public.Patch = fmt.Appendf(nil, `{"count":%d,"total":%d}`, (rev+1)*events, (rev+1)*events)
		data, err := subjects.AppendCommit(nil, &c)
		if err != nil {
			b.Fatal(err)
		}
		if after, err = bs.Append(context.Background(), subjects.Events("tally", id), data, after); err != nil {
			b.Fatal(err)
		}
	}
	return commits * events
}

// Folding a log without a snapshot. Aim: 200,000 events a second.
func BenchmarkColdStart(b *testing.B) {
	for _, shape := range []struct{ commits, events int }{{20_000, 1}, {2_000, 20}} {
		b.Run(fmt.Sprintf("%d-events-a-commit", shape.events), func(b *testing.B) {
			if testing.Short() {
				shape.commits /= 20
			}
			bs := startBus(b)
			events := fillLog(b, bs, "cold", shape.commits, shape.events)
			j := aggregate.NewJournal(bs, "tally")
			b.ResetTimer()
			for range b.N {
				f, err := aggregate.Load(context.Background(), j, aggregatetest.Tally{Name: "tally"}, "cold")
				if err != nil || f.State.Count != int64(events) {
					b.Fatalf("%v, %v", f, err)
				}
			}
			b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// Ten thousand rooms asleep, woken at random by one command each.
func BenchmarkWakeAtRandom(b *testing.B) {
	rooms := 10_000
	if testing.Short() {
		rooms = 200
	}
	bs, _ := benchHost(b, aggregate.Options{Live: 256})
	name := func(i int) string { return fmt.Sprintf("sleeper-%d", i) }
	conns := connect(b, bs)
	var wg sync.WaitGroup
	const writers = 32
	for w := range writers {
		wg.Go(func() {
			for i := w; i < rooms; i += writers {
				for range 3 {
					if err := askRaw(conns[w%clients], name(i), "user_1"); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	raw := rawRate(b, bs, writers)
	var next atomic.Int64
	b.ResetTimer()
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if err := askRaw(conns[w%clients], name(rand.IntN(rooms)), "user_1"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rate := float64(b.N) / time.Since(start).Seconds()
	b.StopTimer()
	b.ReportMetric(rate, "wakes/s")
	b.ReportMetric(rate/raw, "x-raw")
}
