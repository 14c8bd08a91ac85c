package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

var people = []string{"ana", "mo", "ben", "cleo", "dan", "sys"}

// history draws what happens in a world.
type drawn struct {
	w *world
	t *rapid.T
}

// TestHistories runs arbitrary histories. After every commit the world checks what must
// always hold (world.check), document and patches first; at the end log, snapshot and live
// state must agree, and nothing sealed is public.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawn{open(t, rapid.Bool().Draw(t, "open")), t}
		for range rapid.IntRange(1, steps(80)).Draw(t, "steps") {
			h.step()
		}
		h.w.refold()
		h.sealed()
	})
}

// steps is how long a history is at most.
func steps(n int) int {
	if Raced {
		return n / 4
	}
	return n
}

// try sends a command; any typed refusal will do, whatever else is a defect.
func (h drawn) try(who, verb string, body any) {
	before := len(h.w.log)
	err := h.w.send(who, verb, body)
	var r *subjects.Refusal
	if err != nil && (!errors.As(err, &r) || r.Code == subjects.CodeInternal || r.Message == "") {
		h.t.Fatalf("%s %s %v: %v", who, verb, body, err)
	}
	if err != nil && len(h.w.log) != before {
		h.t.Fatalf("%s %s is refused and has happened", who, verb)
	}
}

// message draws one of all that there ever were, often one of the last.
func (h drawn) message() string {
	ids := []string{subjects.MessageID(h.w.id, "nobody", "", h.w.now, rapid.Int64Range(0, 100).Draw(h.t, "place"))}
	for id := range h.w.past {
		ids = append(ids, id)
	}
	for _, who := range people {
		for _, e := range h.w.s.OwnSealed(user(who)) {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	if rapid.Bool().Draw(h.t, "recent") {
		ids = ids[max(0, len(ids)-3):]
	}
	return rapid.SampledFrom(ids).Draw(h.t, "message")
}

func (h drawn) step() {
	w, t := h.w, h.t
	who, whom := rapid.SampledFrom(people).Draw(t, "who"), rapid.SampledFrom(people[:5]).Draw(t, "whom")
	verbs := append(subjects.ChatVerbs(), "later", "flood", "send", "send", "send")
	// What the shadow-muted say is marked, so that it can be looked for.
	says := "said"
	if w.s.Shadowed(user(who)) {
		says = "SEALED"
	}
	says = fmt.Sprint(says, len(w.log))
	switch verb := rapid.SampledFrom(verbs).Draw(t, "verb"); verb {
	case "later":
		w.now += rapid.Int64Range(0, 60*second).Draw(t, "ms")
	case "flood":
		for i := range rapid.IntRange(1, steps(60)).Draw(t, "messages") {
			h.try("mo", "send", text(fmt.Sprint("flood", i)))
			if w.s.Shadowed(user("mo")) {
				break
			}
		}
	case "send":
		h.try(who, verb, text(says))
	case "edit":
		h.try(who, verb, body{"message": h.message(), "text": says})
	case "delete":
		h.try(who, verb, body{"message": h.message()})
	case "react", "unreact":
		h.try(who, verb, react(h.message(), rapid.SampledFrom(subjects.Reactions()[:3]).Draw(t, "reaction")))
	case "setSlowMode":
		h.try(who, verb, slow(rapid.SampledFrom([]int64{0, 1, 30}).Draw(t, "seconds")))
	case "follow":
		f := subjects.ChatFact{
			Epoch: 1, Rev: uint64(rapid.IntRange(1, 100).Draw(t, "rev")), User: user(whom),
			Fact: rapid.SampledFrom([]string{
				subjects.FactMember, subjects.FactMember, subjects.FactGone, subjects.FactInvited, subjects.FactUninvited,
				subjects.FactBanned, subjects.FactUnbanned, subjects.FactGrants, subjects.FactCreated, subjects.FactVisibility,
			}).Draw(t, "fact"),
			Role:    rapid.SampledFrom(subjects.Roles()).Draw(t, "role"),
			Creator: user("ana"), Open: rapid.Bool().Draw(t, "public"), Table: subjects.GrantTable,
			Verbs: rapid.SliceOfN(rapid.SampledFrom([]string{subjects.VerbChat, subjects.VerbModerateChat}), 0, 2).Draw(t, "verbs"),
		}
		h.try("sys", verb, f)
	default:
		h.try(who, verb, about(whom))
	}
}

// sealed checks that what the shadow-muted said is public nowhere, and that who is muted
// is not.
func (h drawn) sealed() {
	for i := range h.w.log {
		public, err := json.Marshal(h.w.log[i].Public)
		if err != nil || bytes.Contains(public, []byte("SEALED")) {
			h.t.Fatalf("public: %s, %v", public, err)
		}
		for _, e := range h.w.log[i].Public.Events {
			if e.Type == subjects.EventUserMuted || e.Type == subjects.EventUserShadowed || e.Type == subjects.EventAccessChanged {
				h.t.Fatalf("%s is public", e.Type)
			}
		}
		for _, s := range h.w.log[i].Sealed {
			if len(s.To) != 1 || s.To[0] != subjects.AudienceService && !bytes.Contains(s.Body, []byte(`"`+s.To[0]+`"`)) {
				h.t.Fatalf("sealed to %v: %s", s.To, s.Body)
			}
		}
	}
}

// FuzzBodies sends arbitrary bytes to every verb of a living chat: typed refusals, or events
// that keep what must hold.
func FuzzBodies(f *testing.F) {
	for i := range subjects.ChatVerbs() {
		f.Add(i, []byte(`{}`))
	}
	f.Add(0, []byte(`{"text":"x","message":"msg_01KQHPHXG1000000AGRZ7RNNGK"}`))
	f.Add(1, []byte(`{"user":"user_01KQHPHXG08JM0G05TK1VT3VQR"}`))
	f.Fuzz(func(t *testing.T, verb int, raw []byte) {
		w := open(t, true)
		w.says("ben", "hello")
		verbs := subjects.ChatVerbs()
		v := verbs[((verb%len(verbs))+len(verbs))%len(verbs)]
		for _, who := range []string{"ana", "ben", "sys"} {
			if !json.Valid(raw) {
				continue
			}
			if err := w.send(who, v, json.RawMessage(raw)); subjects.CodeOf(err) == subjects.CodeInternal {
				t.Fatalf("%s: %v", v, err)
			}
		}
		w.refold()
	})
}
