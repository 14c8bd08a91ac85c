package aggregate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// words gives the commands that wait for an aggregate which nobody runs, in order.
func words(t *testing.T, b *bus.Bus, o subjects.Origin) (ids []string, out []subjects.CommandRefused) {
	t.Helper()
	subject, err := subjects.Command{Service: o.Service, ID: o.ID, Verb: subjects.VerbRefused, Principal: subjects.System}.Routed(subjects.DoorQueue, b.Partitions())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.JetStream().Stream(t.Context(), subjects.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Subject != subject {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		env, err := subjects.DecodeEnvelope(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		c := subjects.CommandRefused{}
		if err := errors.Join(subjects.DecodeBody(env.Body, &c), c.Check()); err != nil {
			t.Fatal(err)
		}
		ids, out = append(ids, env.ID), append(out, c)
	}
	return ids, out
}

// A sender of queued commands that asks to be told hears of each that is refused for good,
// whatever it is refused for, and of no other.
func TestASenderIsToldOfWhatIsRefusedForGood(t *testing.T) {
	b := startBus(t)
	startHost(t, b, aggregatetest.Tally{Name: "tally", Limit: 5}, "one", aggregate.Options{
		AskOnly: func(verb string) bool { return verb == "ring" },
	})
	me := subjects.Origin{Service: subjects.ServiceRoom, ID: "boss"}
	send := func(verb, raw, cmd string, o *subjects.Origin) {
		t.Helper()
		to := subjects.Command{Service: "tally", ID: "a", Verb: verb, Principal: "user_1"}
		if err := b.Send(t.Context(), to, subjects.Envelope{ID: cmd, Body: json.RawMessage(raw), Refused: o}); err != nil {
			t.Fatal(err)
		}
	}
	full := newCommand()
	send("add", `{"n":4}`, newCommand(), &me)
	send("add", `{"n":4}`, full, &me)
	send("add", `{"n":4}`, newCommand(), nil) // nobody asks
	send("add", `{"n":-1}`, newCommand(), &me)
	send("ring", `{"at":1}`, newCommand(), &me)
	send("add", `{"n":4}`, full, &me) // once more
	send("add", `{"n":4}`, newCommand(), &subjects.Origin{Service: "other", ID: "boss"})
	send("add", `{"n":1}`, newCommand(), &me)
	waitFor(t, func() bool {
		s, err := b.StreamState(t.Context(), subjects.StreamCommands)
		return err == nil && s.Messages == 4
	})
	ids, told := words(t, b, me)
	var codes []subjects.Code
	first, again := "", ""
	for i, c := range told {
		codes = append(codes, c.Code)
		if c.Service != "tally" || c.ID != "a" || c.Principal != "user_1" || c.Message == "" {
			t.Errorf("%+v", c)
		}
		if c.Command == full {
			if first == "" {
				first = ids[i]
			}
			again = ids[i]
		}
	}
	slices.Sort(codes)
	if want := []subjects.Code{subjects.CodeFull, subjects.CodeFull, subjects.CodeInvalid, subjects.CodeInvalid}; !slices.Equal(codes, want) {
		t.Errorf("told of %v, want %v", codes, want)
	}
	if first == "" || first != again {
		t.Errorf("one refusal is told under %s and %s", first, again)
	}
	if f := view(t, aggregate.NewJournal(b, "tally"), "a"); f.State.Total != 5 {
		t.Errorf("the total is %d", f.State.Total)
	}
}

// However old the command and long the message, word of its refusal is one that is taken.
func TestWordOfARefusalIsTaken(t *testing.T) {
	b := startBus(t)
	why := strings.Repeat("é", subjects.MaxRefusalBytes)
	m := aggregatetest.Tally{Name: "tally", OnDecide: func(*aggregatetest.TallyState, aggregate.Call) error {
		return subjects.Refuse(subjects.CodeForbidden, "x%s", why)
	}}
	startHost(t, b, m, "one", aggregate.Options{})
	me := subjects.Origin{Service: subjects.ServiceRoom, ID: "boss"}
	old := subjects.NewID(subjects.PrefixCommand, time.Now().Add(-2*subjects.CommandHorizon))
	to := subjects.Command{Service: "tally", ID: "a", Verb: "add", Principal: "user_1"}
	if err := b.Send(t.Context(), to, subjects.Envelope{ID: old, Body: fmt.Appendf(nil, `{"n":1}`), Refused: &me}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { ids, _ := words(t, b, me); return len(ids) == 1 })
	ids, told := words(t, b, me)
	if told[0].Command != old || told[0].Code != subjects.CodeForbidden || !strings.HasSuffix(told[0].Message, "é") {
		t.Errorf("%+v", told[0])
	}
	if err := subjects.CheckCommandTime(ids[0], time.Now()); err != nil {
		t.Error(err)
	}
}
