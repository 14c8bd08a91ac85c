package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// script answers in the place of a cluster's JetStream, and so as one of more servers than a
// test has. The answers are by the end of the subject; what it has none for is an API error.
type script struct {
	mu      sync.Mutex
	answers map[string]any
	asked   map[string]json.RawMessage
}

func scripted(t *testing.T, answers map[string]any) (*bus.Bus, *script) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	b, err := bus.Dial(t.Context(), bus.Config{URL: s.ClientURL(), Shards: 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	sc := &script{answers: answers, asked: map[string]json.RawMessage{}}
	_, err = b.Conn().Subscribe("$JS.API.>", func(m *nats.Msg) {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		what := strings.TrimPrefix(m.Subject, "$JS.API.")
		sc.asked[what] = append(json.RawMessage(nil), m.Data...)
		answer, ok := sc.answers[what]
		if !ok {
			answer = notFound
		}
		data, err := json.Marshal(answer)
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if err == nil {
		err = b.Conn().Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, sc
}

type object = map[string]any

var (
	notFound = object{"error": object{"code": 404, "err_code": 10059, "description": "stream not found"}}
	noLeader = object{"error": object{"code": 503, "err_code": 10008, "description": "JetStream system temporarily unavailable"}}
	gone     = object{"error": object{"code": 404, "err_code": 10014, "description": "consumer not found"}}
)

// A stream of three replicas, of which some follow.
func streamOf(name string, replicas int, current ...bool) object {
	var peers []object
	for i, c := range current {
		peers = append(peers, object{"name": fmt.Sprint("n", i+2), "current": c})
	}
	return object{
		"config":  object{"name": name, "num_replicas": replicas, "subjects": []string{"x"}},
		"state":   object{"messages": 10, "last_seq": 10},
		"cluster": object{"leader": "n1", "replicas": peers},
	}
}

func consumerOf(name, durable string, floor, pending int) object {
	return object{
		"stream_name": "EVENTS_TOY", "name": name, "config": object{"durable_name": durable},
		"ack_floor": object{"stream_seq": floor}, "num_pending": pending,
	}
}

// The server's list of consumers leaves out one without a leader, who may have seen nothing.
func TestAConsumerThatDoesNotAnswerHasNotSeenAll(t *testing.T) {
	stream := subjects.StreamEvents("toy")
	done, behind := consumerOf("done", "done", 10, 0), consumerOf("behind", "behind", 4, 6)
	for name, c := range map[string]struct {
		lost any
		want error
		upTo uint64
	}{
		"no leader":       {noLeader, bus.ErrUnavailable, 0},
		"listed, unknown": {gone, bus.ErrUnavailable, 0},
		"behind":          {behind, nil, 4},
		"of a reading":    {consumerOf("lost", "", 0, 10), nil, 10},
	} {
		b, _ := scripted(t, map[string]any{
			"STREAM.INFO." + stream:             streamOf(stream, 1),
			"CONSUMER.NAMES." + stream:          object{"total": 2, "limit": 1024, "consumers": []string{"done", "lost"}},
			"CONSUMER.LIST." + stream:           object{"total": 1, "limit": 256, "consumers": []any{done}, "missing": []string{"lost"}},
			"CONSUMER.INFO." + stream + ".done": done,
			"CONSUMER.INFO." + stream + ".lost": c.lost,
		})
		if upTo, _, err := b.Acknowledged(t.Context(), stream); !errors.Is(err, c.want) || upTo != c.upTo {
			t.Errorf("%s: acknowledged to %d, %v; want %d, %v", name, upTo, err, c.upTo, c.want)
		}
		readers, err := b.Readers(t.Context(), stream)
		if !errors.Is(err, c.want) || c.want == nil && readers["done"] != 10 || readers["behind"] != 0 && readers["behind"] != 4 {
			t.Errorf("%s: readers %v, %v; want %v", name, readers, err, c.want)
		}
	}
}

func TestAnArchiveIsKeptLikeItsLog(t *testing.T) {
	log, archive := subjects.StreamEvents("toy"), subjects.StreamArchive("toy")
	for name, c := range map[string]struct {
		there  any // the archive
		want   int
		asks   string // what is asked for so many replicas
		others error
	}{
		"it is made":           {notFound, 0, "STREAM.CREATE.", nil},
		"one that has fewer":   {streamOf(archive, 1), 0, "STREAM.UPDATE.", nil},
		"one that has as many": {streamOf(archive, 3, true, true), 0, "", nil},
		"fewer are asked for":  {notFound, 1, "", bus.ErrReplicas},
	} {
		b, s := scripted(t, map[string]any{
			"STREAM.INFO." + log: streamOf(log, 3, true, true), "STREAM.INFO." + archive: c.there,
			"STREAM.CREATE." + archive: streamOf(archive, 3), "STREAM.UPDATE." + archive: streamOf(archive, 3),
		})
		if err := b.EnsureArchive(t.Context(), "toy", bus.ArchiveOptions{Replicas: c.want}); !errors.Is(err, c.others) {
			t.Errorf("%s: %v", name, err)
		}
		s.mu.Lock()
		for _, verb := range []string{"STREAM.CREATE.", "STREAM.UPDATE."} {
			var cfg struct {
				Replicas int `json:"num_replicas"`
			}
			req, asked := s.asked[verb+archive]
			if asked {
				if err := json.Unmarshal(req, &cfg); err != nil {
					t.Error(err)
				}
			}
			if asked != (verb == c.asks) || asked && cfg.Replicas != 3 {
				t.Errorf("%s: %s %s", name, verb, req)
			}
		}
		s.mu.Unlock()
	}
}

func TestAnArchiveThatIsNotKeptLikeItsLogIsNoArchive(t *testing.T) {
	log, archive := subjects.StreamEvents("toy"), subjects.StreamArchive("toy")
	for _, c := range []struct {
		there any
		want  error
	}{
		{streamOf(archive, 1), bus.ErrReplicas},
		{streamOf(archive, 3, false, false), bus.ErrUnavailable}, // they were added just now
		{streamOf(archive, 3, true, false), nil},
		{streamOf(archive, 5, true, true, false, false), nil},
		{streamOf(archive, 5, true, false, false, false), bus.ErrUnavailable},
		{notFound, bus.ErrNoStream},
	} {
		b, _ := scripted(t, map[string]any{"STREAM.INFO." + log: streamOf(log, 3, true, true), "STREAM.INFO." + archive: c.there})
		if err := b.ArchiveKept(t.Context(), "toy"); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.there, err, c.want)
		}
	}
}

// many appends messages, so many to each of some subjects, one subject after the other.
func many(t *testing.T, b *bus.Bus, rooms, each int) {
	t.Helper()
	r := b.Refill(subjects.StreamEvents("toy"), 0)
	for i := range rooms * each {
		if err := r.Add(t.Context(), subjects.Events("toy", fmt.Sprint("room-", i/each)), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What is purged in the middle of a long reading is not waited for.
func TestALongReadingOutlivesAPurge(t *testing.T) {
	const n = 7000 // more than are fetched ahead
	stream := subjects.StreamEvents("toy")
	for _, below := range []uint64{n - 1, n, n + 1} {
		b := start(t, config(t))
		many(t, b, 1, n)
		var last, given uint64
		err := b.Read(t.Context(), stream, subjects.EventsWildcard("toy"), 1, func(e bus.Entry) error {
			if last, given = e.Seq, given+1; given == 700 {
				return b.Purge(t.Context(), stream, subjects.Events("toy", "room-0"), below)
			}
			return nil
		})
		if err != nil || given == n || below <= n && last != n {
			t.Errorf("purged below %d: %d messages to %d, %v", below, given, last, err)
		}
	}
}

// After a loss the server gives whatever comes next, and not the last of each.
func TestEachLastGivesNothingElse(t *testing.T) {
	const rooms = 5000 // more than are fetched ahead
	b := start(t, config(t))
	many(t, b, rooms, 2)
	stream := subjects.StreamEvents("toy")
	given := 0
	err := b.EachLast(t.Context(), stream, subjects.EventsWildcard("toy"), func(e bus.Entry) error {
		if e.Seq%2 == 1 {
			t.Fatalf("%d is not the last of %s", e.Seq, e.Subject)
		}
		if given++; given == 1 {
			return b.Conn().ForceReconnect()
		}
		return nil
	})
	if !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("%d of %d were given, %v", given, rooms, err)
	}
}
