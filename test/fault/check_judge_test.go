package fault

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

var chat = thing{subjects.ServiceChat, "room_01M7Z5CPH9YV35BGQ9F797KWPC"}

// chatLog is the log of a chat, a commit for each list of messages: by whom and under which
// command.
func chatLog(t *testing.T, commits ...[][2]string) []entry {
	t.Helper()
	var out []entry
	doc := &subjects.Chat{ID: chat.id}
	for i, said := range append([][][2]string{nil}, commits...) {
		c := subjects.Commit{Epoch: 1, Rev: uint64(i + 1), At: int64(1000 * (i + 1))}
		note := func(by, cmd string, ev subjects.ChatEvent) {
			body, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			c.Public.Events = append(c.Public.Events, subjects.Event{Type: ev.EventType(), By: by, At: c.At, Cmd: cmd, Body: body})
			if err := doc.Apply(subjects.Meta{By: by, Cmd: cmd, At: c.At}, ev, nil); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			note(subjects.System, "cmd_0", &subjects.ChatOpened{})
		}
		for j, m := range said {
			note(m[0], m[1], &subjects.MessageSent{Message: subjects.MessageID(chat.id, m[0], m[1]+string(rune('a'+j)), c.At, doc.Total+1), User: m[0], Text: "hello"})
		}
		after, err := subjects.CanonicalOf(doc)
		if err != nil {
			t.Fatal(err)
		}
		// The whole document is a patch too, as long as nothing leaves it.
		c.Public.Patch = after
		data, err := subjects.AppendCommit(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{uint64(i + 1), data})
	}
	return out
}

func sentAt(client int, cmd string, sent, done int, rev uint64) *op {
	o := told0(client, cmd, sent, done)
	o.outcome, o.epoch, o.rev = accepted, 1, rev
	return o
}

func told0(client int, cmd string, sent, done int) *op {
	return &op{
		client: client, user: "user_" + string(rune('A'+client)), at: chat, verb: subjects.VerbSend, cmd: cmd,
		sent: zero.Add(time.Duration(sent) * time.Millisecond), done: zero.Add(time.Duration(done) * time.Millisecond),
	}
}

func no(client int, cmd string, code subjects.Code) *op {
	o := told0(client, cmd, 500, 510)
	o.outcome, o.code, o.rev = refused, code, 3
	return o
}

// sound is a trial in which all went well: two clients, one commit with a message of each,
// one with another, a refusal, and a command without an answer that took effect.
func sound(t *testing.T) (evidence, []entry) {
	t.Helper()
	raw := chatLog(t, [][2]string{{"user_A", "cmd_1"}, {"user_B", "cmd_2"}}, [][2]string{{"user_A", "cmd_3"}}, [][2]string{{"user_B", "cmd_5"}})
	log, err := fold(chat, raw)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := subjects.CanonicalOf(log.doc)
	if err != nil {
		t.Fatal(err)
	}
	silent := sentAt(1, "cmd_6", 600, 610, 4)
	silent.silent = true
	return evidence{
		ops: []*op{
			sentAt(0, "cmd_1", 0, 20, 2), sentAt(1, "cmd_2", 1, 21, 2), sentAt(0, "cmd_3", 30, 40, 3),
			no(0, "cmd_4", subjects.CodeTooFast), told0(1, "cmd_5", 700, 800), silent,
		},
		logs:      map[thing]*folded{chat: log},
		views:     []view{{0, chat, 1, 4, log.hash, nil}, {1, chat, 1, 4, log.hash, nil}},
		documents: []document{{"history", chat, doc, doc}},
	}, raw
}

func TestASoundTrialIsFoundSound(t *testing.T) {
	e, _ := sound(t)
	r := check(e)
	if len(r.wrong) > 0 {
		t.Error(strings.Join(r.wrong, "\n"))
	}
	if r.sent != 6 || r.acknowledged != 4 || r.found != 3 || r.traceless != 1 || r.refused != 1 || r.unknown != 1 ||
		r.lost != 0 || r.duplicated != 0 || r.converged != 3 {
		t.Errorf("%+v", r)
	}
}

// Each rule is seen to fail.
func TestWhatIsWrongIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		doctor func(e *evidence)
		want   string
		is     func(r *report) bool
	}{
		"an acknowledged command that is not in the log": {
			func(e *evidence) { e.ops = append(e.ops, sentAt(0, "cmd_9", 50, 60, 4)) },
			"it is not in the log", func(r *report) bool { return r.lost == 1 },
		},
		"one that is there twice": {
			func(e *evidence) {
				e.logs[chat] = refold(t, [][2]string{{"user_A", "cmd_1"}, {"user_B", "cmd_2"}}, [][2]string{{"user_A", "cmd_3"}},
					[][2]string{{"user_B", "cmd_5"}, {"user_A", "cmd_3"}})
			},
			"it is in the log 2 times", func(r *report) bool { return r.duplicated == 1 },
		},
		"one that is there twice in one commit": {
			func(e *evidence) {
				e.logs[chat] = refold(t, [][2]string{{"user_A", "cmd_1"}, {"user_B", "cmd_2"}, {"user_A", "cmd_1"}}, [][2]string{{"user_A", "cmd_3"}},
					[][2]string{{"user_B", "cmd_5"}})
			},
			"it is in the log 2 times", func(r *report) bool { return r.duplicated == 1 },
		},
		"one without an answer that is there twice": {
			func(e *evidence) {
				e.logs[chat] = refold(t, [][2]string{{"user_A", "cmd_1"}, {"user_B", "cmd_2"}}, [][2]string{{"user_A", "cmd_3"}},
					[][2]string{{"user_B", "cmd_5"}, {"user_B", "cmd_5"}})
			},
			"it is in the log 2 times", func(r *report) bool { return r.duplicated == 1 },
		},
		"one at another revision than the answer's": {
			func(e *evidence) { e.ops[2].rev = 4 }, "it is in the log at 1.3", func(r *report) bool { return r.found == 3 },
		},
		"a refused command in the log": {
			func(e *evidence) { e.ops[2] = no(0, "cmd_3", subjects.CodeMuted) }, "it is in the log: ", nil,
		},
		"a defect as an answer": {
			func(e *evidence) { e.ops[3].code = subjects.CodeInternal }, "nothing that was sent deserves this", nil,
		},
		"a command that nobody sent": {
			func(e *evidence) { e.ops = e.ops[1:] }, "which nobody sent", nil, // its sender is known by cmd_3
		},
		"a command that was sent elsewhere": {
			func(e *evidence) {
				e.ops[0].at = thing{subjects.ServiceChat, "room_other"}
				e.logs[e.ops[0].at] = &folded{}
			}, "which was sent to", nil,
		},
		"an order that is not that of the senders": {
			func(e *evidence) {
				e.ops[1].sent, e.ops[1].done = zero.Add(50*time.Millisecond), zero.Add(60*time.Millisecond)
			},
			"the log has them at 3 and 2", nil,
		},
		"two in one commit, one sent after the other was answered": {
			func(e *evidence) {
				e.ops[1].sent, e.ops[1].done = zero.Add(21*time.Millisecond), zero.Add(25*time.Millisecond)
			},
			"the log has them at 2 and 2", nil,
		},
		"a client that shows something else": {
			func(e *evidence) { e.views[1].hash = "00" }, "client 1 shows", func(r *report) bool { return r.converged == 2 },
		},
		"a client that is behind": {
			func(e *evidence) { e.views[0].rev = 3 }, "client 0 shows", nil,
		},
		"a client in another epoch": {
			func(e *evidence) { e.views[0].epoch = 2 }, "client 0 shows", nil,
		},
		"a client that does not arrive": {
			func(e *evidence) { e.views[0].err = errNotShown }, "does not show", nil,
		},
		"a document that is old": {
			func(e *evidence) { e.documents[0].got = []byte("{}") }, "history holds {}", func(r *report) bool { return r.converged == 2 },
		},
		"what a client should not meet": {
			func(e *evidence) { e.faults = append(e.faults, "a gap") }, "a gap", nil,
		},
		"no log": {
			func(e *evidence) { delete(e.logs, chat) }, "there is no log", nil,
		},
		"a verb that nobody explained": {
			func(e *evidence) { e.ops[0].verb = "dance" }, "by what events it is known", nil,
		},
	} {
		e, _ := sound(t)
		c.doctor(&e)
		r := check(e)
		if !strings.Contains(strings.Join(r.wrong, "\n"), c.want) || c.is != nil && !c.is(r) {
			t.Errorf("%s: want %q, got %+v", name, c.want, r)
		}
	}
}

func refold(t *testing.T, commits ...[][2]string) *folded {
	t.Helper()
	f, err := fold(chat, chatLog(t, commits...))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A log that is not as it must be is not folded.
func TestADamagedLogIsNotFolded(t *testing.T) {
	_, raw := sound(t)
	change := func(i int, from, to string) func() []entry {
		return func() []entry {
			out := append([]entry(nil), raw...)
			data := strings.Replace(string(out[i].data), from, to, 1)
			if data == string(out[i].data) {
				t.Fatalf("%s holds no %s", data, from)
			}
			out[i] = entry{out[i].seq, []byte(data)}
			return out
		}
	}
	for name, c := range map[string]struct {
		log  func() []entry
		want string
	}{
		"a gap":                               {func() []entry { return append(append([]entry(nil), raw[:2]...), raw[3:]...) }, "revision 4 follows 2"},
		"a commit twice":                      {func() []entry { return append(append([]entry(nil), raw[:2]...), raw[1:]...) }, "revision 2 follows 2"},
		"the first is gone":                   {func() []entry { return raw[1:] }, "revision 2 follows 0"},
		"an epoch that falls":                 {change(2, `"epoch":1`, `"epoch":0`), "epoch 0"},
		"a time that falls":                   {change(2, `"at":3000`, `"at":1000`), "time 1000"},
		"events that the patches do not tell": {change(1, `"text":"hello"`, `"text":"hullo"`), "its patches"},
		"an event of nobody's making":         {change(1, `message.sent`, `message.sung`), "unknown event type"},
		"not a commit":                        {change(1, `"rev"`, `"rav"`), "not a commit"},
	} {
		if _, err := fold(chat, c.log()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
}

// Pauses are those of what was under way, and deliveries are counted from the answer.
func TestPausesAreMeasured(t *testing.T) {
	ms := func(n int) time.Time { return zero.Add(time.Duration(n) * time.Millisecond) }
	ops := []*op{sentAt(0, "cmd_1", 0, 900, 2), sentAt(0, "cmd_2", 1000, 1300, 3), sentAt(1, "cmd_3", 1000, 1100, 4)}
	sights := []sight{
		{0, chat, 1, 2, ms(900)}, {0, chat, 1, 3, ms(1290)}, {0, chat, 1, 4, ms(1310)},
		{1, chat, 1, 2, ms(1000)}, {1, chat, 1, 4, ms(1450)},
	}
	p := measure(ops, sights, ms(950))
	if p.command != 300*time.Millisecond || p.slowest != ops[1] || p.delivery != 350*time.Millisecond {
		t.Errorf("%+v", p)
	}
	if p := measure(ops, sights, ms(0)); p.command != 900*time.Millisecond {
		t.Errorf("%+v", p)
	}
}
