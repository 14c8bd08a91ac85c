package subjects_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func goldenMessage(n int64) string {
	return subjects.MessageID(goldenRoom, ana, "cmd", goldenTime.UnixMilli()+n, n)
}

// told is an event with its audience.
type told struct {
	e  subjects.ChatEvent
	to []string
}

// goldenChat is a history that holds every event once at least, in an order that can be
// folded.
func goldenChat() []told {
	service, toBen := []string{subjects.AudienceService}, []string{ben}
	one, two := goldenMessage(1), goldenMessage(2)
	own := subjects.MessageID(goldenRoom, ben, "cmd", goldenTime.UnixMilli()+3, 3)
	fact := func(f subjects.ChatFact) told {
		f.Epoch, f.Rev = 1, 7
		return told{&subjects.AccessChanged{ChatFact: f}, service}
	}
	return []told{
		fact(subjects.ChatFact{Fact: subjects.FactCreated, Creator: ana, Open: true, Table: 1}),
		{&subjects.ChatOpened{}, nil},
		fact(subjects.ChatFact{Fact: subjects.FactMember, User: ana, Role: subjects.RoleCreator}),
		fact(subjects.ChatFact{Fact: subjects.FactMember, User: ben, Role: subjects.RoleMember}),
		fact(subjects.ChatFact{Fact: subjects.FactGrants, Role: subjects.RoleGuest, Verbs: []string{subjects.VerbJoin, subjects.VerbChat}}),
		{&subjects.MessageSent{Message: one, User: ana, Text: "hello"}, nil},
		{&subjects.MessageSent{Message: two, User: ana, Text: "oh"}, nil},
		{&subjects.MessageEdited{Message: one, User: ana, Text: "hello, all"}, nil},
		{&subjects.ReactionAdded{Message: one, User: ben, Reaction: "like"}, nil},
		{&subjects.ReactionAdded{Message: one, User: ana, Reaction: "fire"}, nil},
		{&subjects.ReactionRemoved{Message: one, User: ana, Reaction: "fire"}, nil},
		{&subjects.MessageDeleted{Message: two, Author: ana}, nil},
		{&subjects.SlowModeSet{Seconds: 30}, nil},
		{&subjects.UserShadowed{User: ben}, service},
		{&subjects.MessageSent{Message: own, User: ben, Text: "anybody there?"}, toBen},
		{&subjects.ReactionAdded{Message: one, User: ben, Reaction: "wow"}, toBen},
		{&subjects.UserUnshadowed{User: ben}, service},
		{&subjects.UserMuted{User: ben}, toBen},
		{&subjects.UserUnmuted{User: ben}, toBen},
		{&subjects.UserMuted{User: ben}, toBen},
		fact(subjects.ChatFact{Fact: subjects.FactBanned, User: ben}),
		fact(subjects.ChatFact{Fact: subjects.FactVisibility, Open: true}),
		{&subjects.ChatClosed{}, nil},
	}
}

func TestChatEventGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range goldenChat() {
		typ := h.e.EventType()
		body, err := json.Marshal(h.e)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[typ] {
			golden(t, "chat_events/"+typ, body)
		}
		seen[typ] = true
		back, err := subjects.DecodeChatEvent(typ, body)
		if err != nil || !reflect.DeepEqual(back, h.e) {
			t.Errorf("%s comes back as %+v, %v", typ, back, err)
		}
	}
	if types := subjects.ChatEventTypes(); len(types) != len(seen) {
		t.Errorf("%d types have golden files of %d", len(seen), len(types))
	}
	if _, err := subjects.DecodeChatEvent("chat.exploded", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "chat.exploded") {
		t.Error(err)
	}
	noStrays(t, "chat_events", subjects.ChatEventTypes())
}

func TestChatCommandGolden(t *testing.T) {
	seconds := int64(30)
	id := goldenMessage(1)
	seen := map[string]bool{}
	for _, c := range []subjects.ChatCommand{
		&subjects.SendMessage{Text: "hello\nall"},
		&subjects.EditMessage{Message: id, Text: "hello"},
		&subjects.DeleteMessage{Message: id},
		&subjects.React{Message: id, Reaction: "like"},
		&subjects.Unreact{Message: id, Reaction: "like"},
		&subjects.SetSlowMode{Seconds: &seconds},
		&subjects.MuteUser{User: ben},
		&subjects.UnmuteUser{User: ben},
		&subjects.ShadowMuteUser{User: ben},
		&subjects.UnshadowUser{User: ben},
		&subjects.ChatFact{Epoch: 1, Rev: 7, Fact: subjects.FactGrants, Role: subjects.RoleMember, Verbs: []string{subjects.VerbChat}},
	} {
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "chat_commands/"+c.Verb(), body)
		seen[c.Verb()] = true
		back, err := subjects.DecodeChatCommand(c.Verb(), body)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s comes back as %+v, %v", c.Verb(), back, err)
		}
		if !subjects.Token(c.Verb()) || len(c.Verb()) > subjects.MaxVerbBytes {
			t.Errorf("%q cannot stand in a subject", c.Verb())
		}
	}
	if verbs := subjects.ChatVerbs(); len(verbs) != len(seen) {
		t.Errorf("%d verbs have golden files of %v", len(seen), verbs)
	}
	noStrays(t, "chat_commands", subjects.ChatVerbs())
}

func TestChatGolden(t *testing.T) {
	s := subjects.NewChatState(goldenRoom)
	var doc []byte
	var marks subjects.Marks
	for i, h := range goldenChat() {
		marks.Reset()
		at := goldenTime.UnixMilli() + int64(i)*1000
		if err := s.Apply(subjects.Meta{By: ana, At: at, To: h.to}, h.e, &marks); err != nil {
			t.Fatal(err)
		}
		if h.to != nil && !marks.Empty() {
			t.Errorf("%s is sealed and changes the document", h.e.EventType())
		}
		patch, err := marks.Patch(s.Chat.PatchValue)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err = subjects.ApplyPatch(doc, patch); err != nil {
			t.Fatal(err)
		}
		if typed, err := subjects.CanonicalOf(&s.Chat); err != nil || i > 0 && !bytes.Equal(typed, doc) {
			t.Fatalf("after %s the patches give\n%s\nwant\n%s, %v", h.e.EventType(), doc, typed, err)
		}
	}
	golden(t, "chat_document", doc)
	hash, err := subjects.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"chat_document_hash": hash,
		"chat_summary":       s.Chat.Summary(),
		"chat_you":           s.You(ben, goldenTime.UnixMilli()),
		"chat_typing":        subjects.ChatTyping{User: ben},
		"chat_history":       subjects.ChatHistory{Chat: goldenRoom, Viewer: ben, Before: goldenMessage(2), Limit: 10},
		"chat_history_page":  subjects.ChatHistoryPage{Messages: s.Chat.Ordered(), Earlier: true, Total: 2},
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, raw)
	}
	state, err := subjects.EncodeChatState(s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "chat_state", state)
	back, err := subjects.DecodeChatState(goldenRoom, state)
	if err != nil || !reflect.DeepEqual(back.You(ben, 0), s.You(ben, 0)) {
		t.Fatalf("the snapshot gives another state, %v", err)
	}
	if _, err := subjects.DecodeChatState("room_other", state); err == nil {
		t.Error("another chat's state is taken")
	}
}

// The ids of messages sort as they were sent and tell their place.
func TestMessageID(t *testing.T) {
	ids := []string{}
	for place := int64(1); place < 300; place++ {
		id := subjects.MessageID(goldenRoom, ana, "c", goldenTime.UnixMilli()+place/100, place)
		if got, err := subjects.MessagePlace(id); err != nil || got != place {
			t.Fatalf("%s has place %d, %v; want %d", id, got, err, place)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 299 {
		t.Error("not in order")
	}
	if subjects.MessageID(goldenRoom, ana, "c", 1, 1) == subjects.MessageID(goldenRoom, ben, "c", 1, 1) {
		t.Error("two messages have one id")
	}
	for _, bad := range []string{"", "msg_", goldenRoom, "msg_" + strings.Repeat("Z", 26)} {
		if _, err := subjects.MessagePlace(bad); err == nil {
			t.Errorf("%q is taken for a message id", bad)
		}
	}
}

// What a message may say.
func TestMessageText(t *testing.T) {
	for text, want := range map[string]subjects.Code{
		"x": "", " hello\n": "", "two\nlines": "", "😀": "", "שלום": "",
		strings.Repeat("ä", 1000): "", " " + strings.Repeat("ä", 1000) + " ": "",
		strings.Repeat("ä", 1001): subjects.CodeTooLarge,
		"":                        subjects.CodeInvalid, " \n\t": subjects.CodeInvalid, "\u200b\u2800": subjects.CodeInvalid,
		"\x07\u202e": subjects.CodeInvalid, "not \xff UTF-8": subjects.CodeInvalid,
	} {
		c := &subjects.SendMessage{Text: text}
		if got := subjects.CodeOf(c.Check()); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if want == "" && c.Text != strings.TrimSpace(text) {
			t.Errorf("%q is taken as %q", text, c.Text)
		}
	}
}

// What people paste is taken without what they do not see.
func TestPastedText(t *testing.T) {
	for text, want := range map[string]string{
		"a\r\nb\rc\u2028d\u0085e":                       "a\nb\nc\nd\ne",
		"\ufeff\x07 \x1b[1mbold\x00 ":                   "[1mbold",
		"\u202eevil\u202c \u2066x\u2069":                "evil x",
		"\u200fשלום\u200e":                              "\u200fשלום\u200e",
		"می\u200cخواهم 👩\u200d👩\ufe0f a\tb":             "می\u200cخواهم 👩\u200d👩\ufe0f a\tb",
		strings.Repeat("x", 1000) + "\u202a\r":          strings.Repeat("x", 1000),
		strings.Repeat("x\r\n", 499) + "xx\u2060\u206f": strings.Repeat("x\n", 499) + "xx",
	} {
		c, again := &subjects.EditMessage{Message: subjects.MessageID(goldenRoom, ana, "c", 1, 1), Text: text}, &subjects.SendMessage{}
		if err := c.Check(); err != nil || c.Text != want {
			t.Errorf("%q is taken as %q, %v", text, c.Text, err)
		}
		if again.Text = c.Text; again.Check() != nil || again.Text != want {
			t.Errorf("%q is taken as %q again", want, again.Text)
		}
	}
}

// The log of a room that is older than chat folds to what it folded to, and its chat goes
// by the default table.
func TestOldRoomsKeepTheirGrants(t *testing.T) {
	for table, want := range map[int]bool{0: false, subjects.GrantTable: true} {
		var r subjects.Room
		created := &subjects.RoomCreated{Kind: subjects.KindVote, Creator: ana, Table: table}
		if err := r.Apply(subjects.Meta{}, created, nil); err != nil {
			t.Fatal(err)
		}
		for _, role := range subjects.Roles() {
			inTable := r.Grants.Allows(role, subjects.VerbChat)
			if inTable != (want && role != subjects.RoleGuest) {
				t.Errorf("table %d: %s may chat: %t", table, role, inTable)
			}
		}
		s := subjects.NewChatState(goldenRoom)
		for _, f := range []subjects.ChatFact{
			{Rev: 1, Fact: subjects.FactCreated, Creator: ana, Table: table},
			{Rev: 2, Fact: subjects.FactMember, User: ben, Role: subjects.RoleMember},
			{Rev: 3, Fact: subjects.FactGrants, Role: subjects.RoleMember, Verbs: []string{subjects.VerbVote}},
		} {
			if err := s.Apply(subjects.Meta{To: []string{subjects.AudienceService}}, &subjects.AccessChanged{ChatFact: f}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if s.Allows(ben, subjects.VerbChat) == want {
			t.Errorf("table %d: a member whose row lists no chat may chat: %t", table, !want)
		}
	}
}
