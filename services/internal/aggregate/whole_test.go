package aggregate_test

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

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// A log that lacks revisions, and whose archive does not have them, is not given as if it were
// whole.
func TestALogWithAGapIsBroken(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	for range 10 {
		r.grow("room", 1)
		r.grow("other", 1)
	}
	r.lose("room", 5)
	given := 0
	err := r.j.Read(t.Context(), "room", 1, func(aggregate.Entry) error {
		given++
		return nil
	})
	if !errors.Is(err, aggregate.ErrBrokenLog) || given != 4 {
		t.Errorf("%d were given, %v", given, err)
	}
	// Who reads all hears of it, after all of what is whole.
	all := map[string][]aggregate.Entry{}
	err = aggregate.ReadAll(t.Context(), r.b, "tally", func(id string, e aggregate.Entry) error {
		all[id] = append(all[id], e)
		return nil
	})
	if !errors.Is(err, aggregate.ErrBrokenLog) || len(all["room"]) != 9 || !sameEntries(all["other"], r.logs["other"]) {
		t.Errorf("%d and %d were given, %v", len(all["room"]), len(all["other"]), err)
	}
	errStop := errors.New("enough")
	err = aggregate.ReadAll(t.Context(), r.b, "tally", func(_ string, e aggregate.Entry) error {
		if e.Seq > r.logs["room"][4].Seq {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) {
		t.Errorf("stopped with %v", err)
	}
}

// A stream whose last message was deleted ends before its last sequence.
func TestAllOfAStreamWhoseEndWasDeleted(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	r.grow("room", 4)
	r.lose("room", 4)
	given := 0
	err := aggregate.ReadAll(t.Context(), r.b, "tally", func(string, aggregate.Entry) error {
		given++
		return nil
	})
	if err != nil || given != 3 {
		t.Errorf("%d were given, %v", given, err)
	}
}

// answer answers what is asked of JetStream under a subject, which comes without its beginning.
type answer func(m *nats.Msg, what string) (reply any)

// scripted is a bus to a server whose JetStream is a function.
func scripted(t *testing.T, f answer) *bus.Bus {
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
	_, err = b.Conn().Subscribe("$JS.API.>", func(m *nats.Msg) {
		reply := f(m, strings.TrimPrefix(m.Subject, "$JS.API."))
		if reply == nil {
			return
		}
		data, err := json.Marshal(reply)
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
	return b
}

type object = map[string]any

// A replica that lags has an end before that of the log.
func TestAllIsReadFromAReplicaThatLags(t *testing.T) {
	t.Parallel()
	const n, most = 6, 2 // the replica has so many more each time it is asked
	stream, subject := subjects.StreamEvents("tally"), subjects.Events("tally", "room")
	asked := 0
	b := scripted(t, func(m *nats.Msg, what string) any {
		switch what {
		case "STREAM.INFO." + stream:
			return object{"config": object{"name": stream}, "state": object{"messages": n, "first_seq": 1, "last_seq": n}}
		case "STREAM.MSG.GET." + stream:
			return object{"message": object{"subject": subject, "seq": n, "data": entry(1, n, 1), "time": time.Now()}}
		case "DIRECT.GET." + stream:
			var req struct {
				Seq uint64 `json:"seq"`
			}
			if err := json.Unmarshal(m.Data, &req); err != nil {
				t.Error(err)
			}
			asked++
			for seq := req.Seq; seq <= min(n, uint64(asked*most)); seq++ {
				r := nats.NewMsg(m.Reply)
				r.Data = entry(1, seq, 1)
				r.Header.Set("Nats-Sequence", fmt.Sprint(seq))
				r.Header.Set("Nats-Time-Stamp", time.Now().Format(time.RFC3339Nano))
				r.Header.Set("Nats-Subject", subject)
				if err := m.RespondMsg(r); err != nil {
					t.Error(err)
				}
			}
			end := nats.NewMsg(m.Reply)
			end.Header.Set("Status", "204")
			end.Header.Set("Nats-Num-Pending", "0")
			if err := m.RespondMsg(end); err != nil {
				t.Error(err)
			}
			return nil
		}
		return object{"error": object{"code": 404, "err_code": 10059}}
	})
	var got []uint64
	err := aggregate.ReadAll(t.Context(), b, "tally", func(_ string, e aggregate.Entry) error {
		got = append(got, e.Seq)
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[1 2 3 4 5 6]" {
		t.Errorf("%d, %v", got, err)
	}
}

// An archive that fewer servers keep than the log is no place to leave the only copy in.
func TestNothingIsPurgedForAnArchiveOfFewerReplicas(t *testing.T) {
	t.Parallel()
	stream, archive := subjects.StreamEvents("tally"), subjects.StreamArchive("tally")
	var mu sync.Mutex
	var asked []string
	b := scripted(t, func(_ *nats.Msg, what string) any {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, what)
		switch {
		case what == "STREAM.INFO."+stream:
			return object{"config": object{"name": stream, "num_replicas": 3}, "state": object{}}
		case what == "STREAM.INFO."+archive:
			return object{"config": object{"name": archive, "num_replicas": 1}, "state": object{}}
		case what == "CONSUMER.NAMES."+stream:
			return object{"total": 0, "consumers": []string{}}
		case strings.HasPrefix(what, "CONSUMER.CREATE."+stream):
			return object{"stream_name": stream, "name": "walk", "config": object{}, "num_pending": 0}
		}
		return object{"error": object{"code": 404, "err_code": 10059}}
	})
	var phases []string
	opt := now()
	opt.Phase = func(name string) { phases = append(phases, name) }
	if _, err := aggregate.Archive(t.Context(), b, "tally", opt); !errors.Is(err, bus.ErrReplicas) {
		t.Errorf("got %v after %v", err, phases)
	}
	mu.Lock()
	defer mu.Unlock()
	walks := 0
	for _, what := range asked {
		if strings.HasPrefix(what, "CONSUMER.CREATE.") {
			walks++
		}
	}
	if fmt.Sprint(phases) != "[copy purge]" || walks != 1 {
		t.Errorf("%v, %d walks over the log", phases, walks)
	}
}
