package projection_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/subjects"
)

// lagging has the readings of a stream answered as a replica would: the first of them by one
// that has no more than some of its messages, the others by one that has all. It gives how many
// were asked for.
func (w *world) lagging(stream string, has uint64) func() int {
	w.t.Helper()
	nc := w.bus.Conn()
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowDirect = false // the server itself does not answer
	if s, err = js.UpdateStream(w.t.Context(), cfg); err != nil {
		w.t.Fatal(err)
	}
	asked := 0
	sub, err := nc.Subscribe("$JS.API.DIRECT.GET."+stream, func(m *nats.Msg) {
		w.mu.Lock()
		asked++
		upTo := s.CachedInfo().State.LastSeq
		if asked == 1 {
			upTo = has
		}
		w.mu.Unlock()
		if err := answer(s, m, upTo); err != nil {
			w.t.Error(err)
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed
	return func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return asked
	}
}

// answer answers one reading with the messages up to a sequence.
func answer(s jetstream.Stream, m *nats.Msg, upTo uint64) error {
	var req struct {
		Seq     uint64 `json:"seq"`
		Subject string `json:"next_by_subj"`
	}
	if err := json.Unmarshal(m.Data, &req); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for seq := req.Seq; seq <= upTo; seq++ {
		e, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(req.Subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return err
		}
		if seq = e.Sequence; seq > upTo {
			break
		}
		out := nats.NewMsg(m.Reply)
		out.Data = e.Data
		out.Header.Set("Nats-Subject", e.Subject)
		out.Header.Set("Nats-Sequence", strconv.FormatUint(seq, 10))
		out.Header.Set("Nats-Time-Stamp", e.Time.Format(time.RFC3339Nano))
		if err := m.RespondMsg(out); err != nil {
			return err
		}
	}
	end := nats.NewMsg(m.Reply)
	end.Header.Set("Status", "204")
	end.Header.Set("Nats-Num-Pending", "0")
	return m.RespondMsg(end)
}

// A replica that lacks the newest commits is not the end of the log.
func TestRebuildDoesNotEndWithAReplicaThatLacksTheNewest(t *testing.T) {
	w := newWorld(t)
	w.fill(5, 50)
	asked := w.lagging(subjects.Log{Service: "box", Shards: 1}.Streams()[0], 30)
	r := w.mustRebuild(boxFold{}, projection.RebuildOptions{})
	if r.Commits != 50 || r.Deleted != 0 || asked() < 2 {
		t.Fatalf("%+v after %d readings", r, asked())
	}
	w.converge(boxFold{})
}

// What was last in the log when the rebuild began may not be there any more.
func TestRebuildEndsWhereTheLogDoes(t *testing.T) {
	w := newWorld(t)
	w.fill(5, 50)
	stream := subjects.Log{Service: "box", Shards: 1}.Streams()[0]
	if err := w.bus.Put(t.Context(), subjects.Events("box", "gone"), []byte("no commit")); err != nil {
		t.Fatal(err)
	}
	if err := w.bus.Purge(t.Context(), stream, subjects.Events("box", "gone"), 52); err != nil {
		t.Fatal(err)
	}
	if r := w.mustRebuild(boxFold{}, projection.RebuildOptions{}); r.Commits != 50 {
		t.Fatalf("%+v", r)
	}
	w.converge(boxFold{})
}
