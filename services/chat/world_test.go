package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failer is what *testing.T and *rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// dawn is when every world begins.
var dawn = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const second = int64(1000)

// user gives the id of somebody called name; "sys" stays the platform.
func user(name string) string {
	if name == subjects.System || name == "" {
		return name
	}
	return subjects.DeriveID(subjects.PrefixUser, dawn, name)
}

func roomID(name string) string { return subjects.DeriveID(subjects.PrefixRoom, dawn, name) }

type body map[string]any

func about(name string) body { return body{"user": user(name)} }

func text(s string) body { return body{"text": s} }

func react(message, name string) body { return body{"message": message, "reaction": name} }

func slow(seconds int64) body { return body{"seconds": seconds} }

// world is a chat with its log, run as the kernel runs it, and a model of its history.
type world struct {
	t    failer
	m    *Machine
	id   string
	s    *subjects.ChatState
	now  int64
	rev  uint64 // of the room
	doc  []byte // the public document as a client has it, by patches alone
	log  []subjects.Commit
	past map[string]subjects.ChatEntry
	sent int
	lag  bool // the history is behind
	bulk bool // many alike: only what comes after is checked
}

// Message implements Past.
func (w *world) Message(_ context.Context, _, id string) (*subjects.ChatEntry, error) {
	if w.lag {
		return nil, ErrBehind
	}
	if e, ok := w.past[id]; ok {
		return &e, nil
	}
	return nil, nil
}

// Heard implements Rooms.
func (*world) Heard(context.Context, string, string) error { return nil }

func newWorld(t failer) *world {
	w := &world{t: t, id: roomID("room"), now: dawn.UnixMilli(), past: map[string]subjects.ChatEntry{}}
	w.m = New(w, w)
	w.s = w.m.New(w.id)
	return w
}

// open gives a chat of a room that ana made, in which ben, cleo and mo are; mo moderates.
func open(t failer, public bool) *world {
	w := newWorld(t)
	w.fact(subjects.ChatFact{Fact: subjects.FactCreated, Creator: user("ana"), Open: public, Table: subjects.GrantTable})
	w.member("ana", subjects.RoleCreator)
	w.member("mo", subjects.RoleModerator)
	w.member("ben", subjects.RoleMember)
	w.member("cleo", subjects.RoleMember)
	return w
}

func (w *world) fact(f subjects.ChatFact) {
	w.t.Helper()
	w.rev++
	f.Epoch, f.Rev = 1, w.rev
	w.ok("sys", subjects.VerbFollow, f)
}

func (w *world) member(name string, role subjects.Role) {
	w.t.Helper()
	w.fact(subjects.ChatFact{Fact: subjects.FactMember, User: user(name), Role: role})
}

func (w *world) happens(fact, name string) {
	w.t.Helper()
	w.fact(subjects.ChatFact{Fact: fact, User: user(name)})
}

// send lets somebody use a verb and gives the refusal, if any.
func (w *world) send(name, verb string, body any) error {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatalf("body: %v", err)
	}
	w.sent++
	call := aggregate.Call{
		ID: w.id, Verb: verb, Principal: user(name), At: w.now,
		Command: subjects.DeriveID(subjects.PrefixCommand, dawn, fmt.Sprint(w.sent)),
	}
	cmd, err := w.m.DecodeCommand(verb, raw)
	if err != nil {
		return err
	}
	prepare, err := w.m.Admit(w.s, call, cmd)
	if err != nil {
		return err
	}
	if prepare {
		if cmd, err = w.m.Prepare(context.Background(), call, cmd); err != nil {
			return subjects.Refuse(subjects.CodeUnavailable, "%v", err) // as the kernel does
		}
	}
	outs, err := w.m.Decide(w.s, call, cmd)
	if err != nil {
		if len(outs) > 0 {
			w.t.Fatalf("%s is refused and has events", verb)
		}
		return err
	}
	if len(outs) > 0 {
		w.commit(call, outs)
	}
	return nil
}

func (w *world) commit(call aggregate.Call, outs []Out) {
	w.t.Helper()
	c := subjects.Commit{Epoch: 1, Rev: uint64(len(w.log)) + 1, At: call.At}
	var marks subjects.Marks
	for _, o := range outs {
		body, err := json.Marshal(o.Event)
		if err != nil {
			w.t.Fatalf("event: %v", err)
		}
		e := subjects.Event{Type: w.m.EventType(o.Event), By: call.Principal, At: call.At, Cmd: call.Command, Body: body}
		if o.To == nil {
			c.Public.Events, c.Order = append(c.Public.Events, e), c.Order+"p"
			w.model(o.Event, call.At)
		} else {
			c.Sealed, c.Order = append(c.Sealed, subjects.Sealed{To: o.To, Event: e}), c.Order+"s"
		}
		meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: o.To}
		if err := w.m.Evolve(w.s, meta, o.Event, &marks); err != nil {
			w.t.Fatalf("evolve %s: %v", e.Type, err)
		}
	}
	patch, err := w.m.Patch(w.s, &marks)
	if err != nil {
		w.t.Fatalf("patch: %v", err)
	}
	c.Public.Patch = patch
	w.log = append(w.log, c)
	if w.doc, err = subjects.ApplyPatch(w.doc, patch); err != nil {
		w.t.Fatalf("apply patch %s: %v", patch, err)
	}
	if !w.bulk {
		w.check()
	}
}

// model keeps what everybody's history holds, by the plainest means.
func (w *world) model(e subjects.ChatEvent, at int64) {
	change := func(id string, f func(*subjects.ChatEntry)) {
		m := w.past[id]
		f(&m)
		w.past[id] = m
	}
	switch e := e.(type) {
	case *subjects.MessageSent:
		w.past[e.Message] = subjects.ChatEntry{ID: e.Message, ChatMessage: subjects.ChatMessage{
			Author: e.User, Text: e.Text, At: at, Reactions: map[string]int{},
		}}
	case *subjects.MessageEdited:
		change(e.Message, func(m *subjects.ChatEntry) { m.Text, m.Edited = e.Text, true })
	case *subjects.MessageDeleted:
		change(e.Message, func(m *subjects.ChatEntry) {
			m.Text, m.Edited, m.Deleted, m.Reactions = "", false, true, map[string]int{}
		})
	case *subjects.ReactionAdded:
		change(e.Message, func(m *subjects.ChatEntry) { m.Reactions[e.Reaction]++ })
	case *subjects.ReactionRemoved:
		change(e.Message, func(m *subjects.ChatEntry) {
			if m.Reactions[e.Reaction]--; m.Reactions[e.Reaction] == 0 {
				delete(m.Reactions, e.Reaction)
			}
		})
	}
}

// check looks at what must hold after every commit.
func (w *world) check() {
	w.t.Helper()
	if !w.s.Exists() {
		return
	}
	w.forgotten()
	typed, err := subjects.CanonicalOf(&w.s.Chat)
	if err != nil {
		w.t.Fatalf("document: %v", err)
	}
	if !bytes.Equal(typed, w.doc) {
		w.t.Fatalf("the patches lead to another document:\n%.4000s\nwant\n%.4000s", w.doc, typed)
	}
	c := &w.s.Chat
	if int64(len(w.past)) != c.Total || len(c.Messages) != min(len(w.past), subjects.ChatPage) {
		w.t.Fatalf("%d messages of %d, counted as %d", len(c.Messages), len(w.past), c.Total)
	}
	for i, e := range c.Ordered() {
		place, err := subjects.MessagePlace(e.ID)
		if err != nil || place != c.Total-int64(len(c.Messages))+int64(i)+1 {
			w.t.Fatalf("%s is at place %d of the page: %v", e.ID, i, err)
		}
		want, _ := subjects.CanonicalOf(w.past[e.ID])
		if got, _ := subjects.CanonicalOf(e); !bytes.Equal(got, want) {
			w.t.Fatalf("the page has %s\nwant %s", got, want)
		}
		n := 0
		for _, count := range e.Reactions {
			n += count
		}
		if n != w.s.ReactionCount(e.ID) {
			w.t.Fatalf("%d reactions are shown of %d", n, w.s.ReactionCount(e.ID))
		}
	}
}

// forgotten checks that no reaction is remembered of a message that takes none any more.
func (w *world) forgotten() {
	w.t.Helper()
	for _, who := range people {
		for id := range w.s.You(user(who), w.now).Reacted {
			if m, ok := w.s.Message(user(who), id); !ok || m.Deleted {
				w.t.Fatalf("%s's reaction to %s is kept", who, id)
			}
		}
	}
}

// refold checks that the log, and a snapshot of the state, give the state again.
func (w *world) refold() {
	w.t.Helper()
	live, err := w.m.EncodeState(w.s)
	if err != nil {
		w.t.Fatalf("encode: %v", err)
	}
	fromSnapshot, err := w.m.DecodeState(w.id, live)
	if err != nil {
		w.t.Fatalf("decode: %v", err)
	}
	fromLog := w.m.New(w.id)
	client := subjects.Chat{ID: w.id}
	for i := range w.log {
		raw, err := subjects.AppendCommit(nil, &w.log[i])
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		c, err := subjects.DecodeCommit(raw)
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		err = c.Each(func(e *subjects.Event, to []string) error {
			ev, err := w.m.DecodeEvent(e.Type, e.Body)
			if err != nil {
				return err
			}
			meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}
			if to == nil {
				err = client.Apply(meta, ev, nil)
			}
			return errors.Join(err, w.m.Evolve(fromLog, meta, ev, nil))
		})
		if err != nil {
			w.t.Fatalf("refold: %v", err)
		}
	}
	for name, s := range map[string]*subjects.ChatState{"snapshot": fromSnapshot, "log": fromLog} {
		again, err := w.m.EncodeState(s)
		if err != nil || !bytes.Equal(again, live) {
			w.t.Fatalf("the state from the %s is\n%s\nwant\n%s (%v)", name, again, live, err)
		}
	}
	if got, _ := subjects.CanonicalOf(&client); w.s.Exists() && !bytes.Equal(got, w.doc) {
		w.t.Fatalf("public events alone give\n%s\nwant\n%s", got, w.doc)
	}
}

// ok expects the command to be accepted.
func (w *world) ok(name, verb string, body any) {
	w.t.Helper()
	if err := w.send(name, verb, body); err != nil {
		w.t.Fatalf("%s %s %v: %v", name, verb, body, err)
	}
}

// nothing expects it to be accepted and to change nothing.
func (w *world) nothing(name, verb string, body any) {
	w.t.Helper()
	n := len(w.log)
	w.ok(name, verb, body)
	if len(w.log) != n {
		w.t.Fatalf("%s %s %v: has events: %+v", name, verb, body, w.log[n])
	}
}

// no expects it to be refused with a code.
func (w *world) no(code subjects.Code, name, verb string, body any) {
	w.t.Helper()
	if got := subjects.CodeOf(w.send(name, verb, body)); got != code {
		w.t.Fatalf("%s %s %v: answered %q, want %q", name, verb, body, got, code)
	}
}

// says sends a text and gives the message's id.
func (w *world) says(name, t string) string {
	w.t.Helper()
	w.ok(name, subjects.VerbSend, text(t))
	c := w.log[len(w.log)-1]
	var sent subjects.MessageSent
	err := c.Each(func(e *subjects.Event, _ []string) error { return json.Unmarshal(e.Body, &sent) })
	if err != nil || sent.Message == "" {
		w.t.Fatalf("no message in %+v: %v", c, err)
	}
	return sent.Message
}

func scenario(t *testing.T, name string, f func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w := open(t, true)
		f(w)
		w.refold()
	})
}
