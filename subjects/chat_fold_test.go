package subjects_test

import (
	"encoding/json"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// FuzzChatFold folds arbitrary events, in an order that no chat would have: no panic, and
// the state survives a snapshot.
func FuzzChatFold(f *testing.F) {
	for i, h := range goldenChat() {
		body, err := json.Marshal(h.e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body, h.to != nil)
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte, sealed bool) {
		types := subjects.ChatEventTypes()
		ev, err := subjects.DecodeChatEvent(types[int(n)%len(types)], body)
		if err != nil {
			return
		}
		s := subjects.NewChatState(goldenRoom)
		var m subjects.Marks
		meta := subjects.Meta{By: ana, At: goldenTime.UnixMilli()}
		if sealed {
			meta.To = []string{ana}
		}
		_ = s.Apply(meta, ev, &m) // an audience that the type does not have is an error
		for _, h := range goldenChat() {
			if err := s.Apply(subjects.Meta{By: ana, At: goldenTime.UnixMilli(), To: h.to}, h.e, &m); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Patch(s.Chat.PatchValue); err != nil {
			t.Fatal(err)
		}
		raw, err := subjects.EncodeChatState(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := subjects.DecodeChatState(goldenRoom, raw); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
	})
}

// FuzzChatBody decodes arbitrary bodies: a checked command or a typed refusal, and what
// was checked passes again.
func FuzzChatBody(f *testing.F) {
	for i := range subjects.ChatVerbs() {
		f.Add(uint8(i), []byte(`{"text":" x ","message":"`+goldenMessage(1)+`"}`))
		f.Add(uint8(i), []byte(`{"user":"`+ben+`"}`))
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		verbs := subjects.ChatVerbs()
		verb := verbs[int(n)%len(verbs)]
		c, err := subjects.DecodeChatCommand(verb, body)
		if err != nil {
			if code := subjects.CodeOf(err); code != subjects.CodeInvalid && code != subjects.CodeTooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		if c.Verb() != verb || c.Check() != nil {
			t.Fatalf("%s: %+v does not pass again: %v", verb, c, c.Check())
		}
	})
}
