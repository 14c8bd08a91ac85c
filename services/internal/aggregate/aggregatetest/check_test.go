package aggregatetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// A checker that finds nothing is of no use: each way in which a history can be wrong
// must be told.
func TestCheckTellsWhatIsWrong(t *testing.T) {
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = subjects.DeriveID(subjects.PrefixCommand, time.UnixMilli(1), fmt.Sprint(i))
	}
	type h struct {
		sent []*Sent
		log  []subjects.Commit
	}
	fresh := func() *h {
		h := &h{}
		for i := range 3 {
			h.sent = append(h.sent, &Sent{
				To:      subjects.Command{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"},
				Command: ids[i], Body: TallyCommand{N: 1, K: int64(i + 1)}, Order: true,
				Answers: []subjects.Answer{{Command: ids[i], Epoch: 1, Rev: uint64(i + 1), At: 5}},
			})
			h.log = append(h.log, subjects.Commit{Epoch: 1, Rev: uint64(i + 1), At: 5, Public: subjects.Public{
				Events: []subjects.Event{{Type: eventAdded, By: "user_1", At: 5, Cmd: ids[i], Body: fmt.Appendf(nil, `{"n":1,"k":%d}`, i+1)}},
				Patch:  fmt.Appendf(nil, `{"total":%d,"count":%d}`, i+1, i+1),
			}})
		}
		return h
	}
	check := func(h *h) (Figures, error) {
		var history History
		for _, s := range h.sent {
			history.Note(s)
		}
		logs := map[string][]aggregate.Entry{}
		for i, c := range h.log {
			data, err := subjects.AppendCommit(nil, &c)
			if err != nil {
				t.Fatal(err)
			}
			logs["a"] = append(logs["a"], aggregate.Entry{Seq: uint64(i + 1), Data: data})
		}
		return history.Check(Tally{Name: "tally"}, logs)
	}
	if fig, err := check(fresh()); err != nil || fig.Accepted != 3 || fig.Events != 3 || fig.Missing+fig.Doubled+fig.Open != 0 {
		t.Fatalf("a good history: %v, %v", fig, err)
	}
	for _, c := range []struct {
		want  string
		spoil func(h *h)
	}{
		{"not in the log", func(h *h) { h.log = h.log[:2] }},
		{"follow epoch", func(h *h) { h.log[2].Rev = 4 }},
		{"follow epoch", func(h *h) { h.log[1].At = 4 }},
		{"follow epoch", func(h *h) { h.log[1].Epoch, h.log[0].Epoch = 1, 2 }},
		{"an event in it", func(h *h) { h.log[1].Public.Events[0].At = 6 }},
		{"patches give", func(h *h) { h.log[1].Public.Patch = []byte(`{"total":7}`) }},
		{"is in revisions", func(h *h) { h.log[2].Public.Events[0] = h.log[1].Public.Events[0] }},
		{"which was not sent", func(h *h) { h.log[2].Public.Events[0].Cmd = ids[4] }},
		{"which was not sent", func(h *h) { h.sent[2].To.ID = "b" }},
		{"became", func(h *h) { h.log[2].Public.Events[0].Body = []byte(`{"n":1,"k":9}`) }},
		{"follows number", func(h *h) {
			h.log[1].Public.Events, h.log[2].Public.Events = h.log[2].Public.Events, h.log[1].Public.Events
		}},
		{"and is at rev", func(h *h) { h.sent[1].Answers[0].Rev = 3 }},
		{"was refused", func(h *h) { h.sent[1].Answers[0].Refusal = subjects.Refuse(subjects.CodeFull, "full") }},
		{"and then", func(h *h) {
			h.sent[1].Answers = append(h.sent[1].Answers, subjects.Answer{Command: ids[1], Epoch: 1, Rev: 3, At: 5})
		}},
		{"and then", func(h *h) {
			a := h.sent[1].Answers[0]
			a.Refusal = subjects.Refuse(subjects.CodeFull, "full")
			h.sent[1].Answers = append(h.sent[1].Answers, a)
		}},
		{"was queued", func(h *h) { h.log = h.log[:2]; h.sent[2].Queued, h.sent[2].Answers = true, nil }},
		{"unknown event", func(h *h) { h.log[2].Public.Events[0].Type = "tally.other" }},
	} {
		h := fresh()
		c.spoil(h)
		if _, err := check(h); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}
