package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestMessages(t *testing.T) {
	scenario(t, "what is said stands until its author or a moderator takes it back", func(w *world) {
		one := w.says("ben", "  hello ")
		two := w.says("cleo", "hi")
		if got := w.s.Chat.Messages[one]; got.Text != "hello" || got.Author != user("ben") || got.At != w.now {
			t.Fatalf("%+v", got)
		}
		w.ok("ben", "edit", body{"message": one, "text": "hello, all"})
		w.nothing("ben", "edit", body{"message": one, "text": "hello, all "})
		w.no(subjects.CodeForbidden, "mo", "edit", body{"message": one, "text": "no"})
		w.no(subjects.CodeForbidden, "cleo", "delete", body{"message": one})
		w.ok("mo", "delete", body{"message": one})
		w.nothing("ben", "delete", body{"message": one})
		w.no(subjects.CodeNotFound, "ben", "edit", body{"message": one, "text": "again"})
		w.ok("cleo", "delete", body{"message": two})
		w.no(subjects.CodeNotFound, "ben", "delete", body{"message": subjects.MessageID(w.id, "x", "y", w.now, 3)})
		w.no(subjects.CodeNotFound, "ben", "delete", body{"message": subjects.MessageID(w.id, "x", "y", w.now, 0)})
	})
	scenario(t, "a text is 1 to 1000 characters", func(w *world) {
		w.no(subjects.CodeInvalid, "ben", "send", text("  "))
		w.no(subjects.CodeTooLarge, "ben", "send", text(strings.Repeat("é", 1001)))
		id := w.says("ben", strings.Repeat("é", 1000))
		w.no(subjects.CodeTooLarge, "ben", "edit", body{"message": id, "text": strings.Repeat("é", 1001)})
	})
	scenario(t, "moderators act on lower roles only", func(w *world) {
		w.member("mia", subjects.RoleModerator)
		ana, mia, ben := w.says("ana", "a"), w.says("mia", "m"), w.says("ben", "b")
		w.no(subjects.CodeForbidden, "mo", "delete", body{"message": ana})
		w.no(subjects.CodeForbidden, "mo", "delete", body{"message": mia})
		w.ok("sys", "delete", body{"message": ana})
		w.ok("ana", "delete", body{"message": mia})
		w.happens(subjects.FactGone, "ben")
		w.ok("mo", "delete", body{"message": ben}) // also of who has left
	})
	scenario(t, "a message off the page is found in the history", func(w *world) {
		first, other := w.says("ben", "first"), w.says("cleo", "second")
		for i := range subjects.ChatPage {
			w.says("cleo", fmt.Sprint(i))
		}
		if _, there := w.s.Chat.Messages[first]; there {
			t.Fatal("it is still on the page")
		}
		w.lag = true
		w.no(subjects.CodeUnavailable, "ben", "edit", body{"message": first, "text": "no"})
		w.lag = false
		w.ok("ben", "edit", body{"message": first, "text": "1st"})
		w.no(subjects.CodeForbidden, "ben", "delete", body{"message": other})
		w.no(subjects.CodeNotFound, "ben", "react", react(first, "like"))
		w.no(subjects.CodeNotFound, "ben", "delete", body{"message": subjects.MessageID(w.id, "x", "y", w.now, 1)})
		w.ok("mo", "delete", body{"message": first})
		w.nothing("mo", "delete", body{"message": first})
		if e := w.past[first]; e.Text != "" || !e.Deleted {
			t.Fatalf("%+v", e)
		}
	})
}

func TestReactions(t *testing.T) {
	scenario(t, "each once, on the last page", func(w *world) {
		id := w.says("ben", "look")
		w.ok("cleo", "react", react(id, "like"))
		w.nothing("cleo", "react", react(id, "like"))
		w.ok("cleo", "react", react(id, "fire"))
		w.ok("ana", "react", react(id, "like"))
		w.no(subjects.CodeInvalid, "ana", "react", react(id, "yawn"))
		if got := w.s.Chat.Messages[id].Reactions; got["like"] != 2 || got["fire"] != 1 {
			t.Fatalf("%v", got)
		}
		if got := w.s.You(user("cleo"), w.now).Reacted[id]; !slices.Equal(got, []string{"fire", "like"}) {
			t.Fatalf("%v", got)
		}
		w.ok("cleo", "unreact", react(id, "like"))
		w.nothing("cleo", "unreact", react(id, "like"))
		w.ok("ben", "delete", body{"message": id})
		w.no(subjects.CodeNotFound, "ben", "react", react(id, "like"))
		if got := w.s.You(user("cleo"), w.now).Reacted; len(got) != 0 {
			t.Fatalf("%v", got)
		}
	})
	scenario(t, "so many and no more", func(w *world) {
		id := w.says("ben", "look")
		var m subjects.Marks
		for i := range subjects.MaxChatReactions {
			e := &subjects.ReactionAdded{Message: id, User: user(fmt.Sprint(i)), Reaction: "like"}
			if err := w.s.Apply(subjects.Meta{At: w.now}, e, &m); err != nil {
				t.Fatal(err)
			}
		}
		w.no(subjects.CodeFull, "ben", "react", react(id, "wow"))
		w.log = nil // what was folded by hand is not in the log
		w.s, w.doc = w.m.New(w.id), nil
	})
}

func TestSlowMode(t *testing.T) {
	scenario(t, "one message in so many seconds", func(w *world) {
		w.says("ben", "before")
		w.no(subjects.CodeForbidden, "ben", "setSlowMode", slow(30))
		w.no(subjects.CodeInvalid, "mo", "setSlowMode", slow(subjects.MaxSlowMode+1))
		w.no(subjects.CodeInvalid, "mo", "setSlowMode", body{})
		w.ok("mo", "setSlowMode", slow(30))
		w.nothing("mo", "setSlowMode", slow(30))
		id := w.says("ben", "one")
		w.now += 10*second + 1
		err := w.send("ben", "send", text("two"))
		if subjects.CodeOf(err) != subjects.CodeTooFast || !strings.Contains(err.Error(), "in 20 s") {
			t.Fatalf("%v", err)
		}
		w.ok("ben", "edit", body{"message": id, "text": "one!"})
		w.says("cleo", "others go on")
		w.says("mo", "moderators")
		w.says("mo", "are not slowed")
		if at := w.s.You(user("ben"), w.now).SendAgainAt; at != w.now+20*second-1 {
			t.Fatalf("again at %d, now is %d", at, w.now)
		}
		w.now += 20*second - 1
		w.says("ben", "two")
		w.ok("mo", "setSlowMode", slow(0))
		w.says("ben", "three")
	})
}

func TestMutes(t *testing.T) {
	scenario(t, "the muted say nothing and may take back", func(w *world) {
		id := w.says("ben", "rude")
		w.no(subjects.CodeForbidden, "ben", "mute", about("cleo"))
		w.no(subjects.CodeForbidden, "mo", "mute", about("ana"))
		w.no(subjects.CodeInvalid, "mo", "mute", about("mo"))
		w.ok("mo", "mute", about("ben"))
		w.nothing("mo", "mute", about("ben"))
		if s := w.log[len(w.log)-1].Sealed; len(s) != 1 || !slices.Equal(s[0].To, []string{user("ben")}) {
			t.Fatalf("told %+v", s)
		}
		w.no(subjects.CodeMuted, "ben", "send", text("x"))
		w.no(subjects.CodeMuted, "ben", "edit", body{"message": id, "text": "x"})
		w.no(subjects.CodeMuted, "ben", "react", react(id, "like"))
		w.ok("ben", "delete", body{"message": id})
		if you := w.s.You(user("mo"), w.now); !slices.Equal(you.MutedUsers, []string{user("ben")}) {
			t.Fatalf("%+v", you)
		}
		if you := w.s.You(user("cleo"), w.now); len(you.MutedUsers) != 0 {
			t.Fatalf("%+v", you)
		}
		w.ok("mo", "unmute", about("ben"))
		w.nothing("mo", "unmute", about("ben"))
		w.says("ben", "sorry")
	})
	scenario(t, "there are so many and no more", func(w *world) {
		w.bulk = true
		for i := range subjects.MaxMutes {
			w.ok("mo", "mute", about(fmt.Sprint("m", i)))
			w.ok("mo", "shadowMute", about(fmt.Sprint("m", i)))
		}
		w.bulk = false
		w.no(subjects.CodeFull, "mo", "mute", about("ben"))
		w.no(subjects.CodeFull, "mo", "shadowMute", about("ben"))
	})
}

func TestShadowMute(t *testing.T) {
	scenario(t, "nobody else sees it, and its sender cannot tell", func(w *world) {
		mine := w.says("ben", "before")
		hers := w.says("cleo", "a message")
		w.ok("mo", "setSlowMode", slow(30))
		w.no(subjects.CodeForbidden, "ben", "shadowMute", about("cleo"))
		w.ok("mo", "shadowMute", about("ben"))
		w.nothing("mo", "shadowMute", about("ben"))
		shadowed := w.log[len(w.log)-1].Sealed
		if len(shadowed) != 1 || !slices.Equal(shadowed[0].To, []string{subjects.AudienceService}) {
			t.Fatalf("told %+v", shadowed)
		}
		from := len(w.log)
		w.now += 60 * second
		own := w.says("ben", "SECRET one")
		w.no(subjects.CodeTooFast, "ben", "send", text("SECRET two")) // as for everybody
		w.ok("ben", "edit", body{"message": own, "text": "SECRET 1"})
		w.ok("ben", "edit", body{"message": mine, "text": "SECRET edit"})
		w.ok("ben", "react", react(hers, "like"))
		w.nothing("ben", "react", react(hers, "like"))
		w.ok("ben", "react", react(own, "love"))
		for _, c := range w.log[from:] {
			public, _ := json.Marshal(c.Public)
			if len(c.Public.Events) > 0 || bytes.Contains(public, []byte("SECRET")) {
				t.Fatalf("public: %s", public)
			}
			for _, s := range c.Sealed {
				if !slices.Equal(s.To, []string{user("ben")}) {
					t.Fatalf("sealed to %v: %s", s.To, s.Body)
				}
			}
		}
		if bytes.Contains(w.doc, []byte("SECRET")) || len(w.s.Chat.Messages[hers].Reactions) > 0 {
			t.Fatalf("in the document: %s", w.doc)
		}
		you := w.s.You(user("ben"), w.now)
		if you.Messages[hers].Reactions["like"] != 1 || you.Messages[own].Reactions["love"] != 1 {
			t.Fatalf("its sender's reactions count %+v", you.Messages)
		}
		if you.Messages[own].Text != "SECRET 1" || you.Messages[mine].Text != "SECRET edit" || !slices.Equal(you.Reacted[hers], []string{"like"}) {
			t.Fatalf("its sender sees %+v", you)
		}
		for _, other := range []string{"cleo", "mo", "ana", ""} {
			if y := w.s.You(user(other), w.now); len(y.Messages) > 0 {
				t.Fatalf("%s sees %+v", other, y)
			}
			if _, ok := w.s.Message(user(other), own); ok {
				t.Fatalf("%s sees the message", other)
			}
		}
		if you.Muted || len(you.ShadowedUsers) > 0 {
			t.Fatalf("told: %+v", you)
		}
		w.no(subjects.CodeNotFound, "mo", "delete", body{"message": own})
		w.no(subjects.CodeNotFound, "cleo", "react", react(own, "like"))
		w.ok("ben", "unreact", react(hers, "like"))
		if m, there := w.s.You(user("ben"), w.now).Messages[hers]; there {
			t.Fatalf("%+v", m)
		}
		w.ok("ben", "delete", body{"message": own})
		w.no(subjects.CodeNotFound, "ben", "edit", body{"message": own, "text": "x"})
		w.ok("mo", "delete", body{"message": mine}) // what was public goes for everybody
		if y := w.s.You(user("ben"), w.now); y.Messages[mine].Text != "" || !y.Messages[own].Deleted {
			t.Fatalf("%+v", y)
		}
		w.ok("mo", "unshadow", about("ben"))
		w.now += 60 * second
		back := w.says("ben", "hello?")
		if w.s.Chat.Messages[back].Text != "hello?" {
			t.Fatal("not public")
		}
	})
	scenario(t, "only so much is remembered", func(w *world) {
		w.ok("mo", "shadowMute", about("ben"))
		first := w.says("ben", "first")
		w.ok("ben", "react", react(first, "like"))
		for range subjects.MaxSealedMessages {
			w.says("ben", "more")
		}
		if n := len(w.s.OwnSealed(user("ben"))); n != subjects.MaxSealedMessages {
			t.Fatalf("%d", n)
		}
		w.no(subjects.CodeNotFound, "ben", "edit", body{"message": first, "text": "x"})
	})
}

// TestAccess goes through who may do what: every verb, for everybody who is not an
// ordinary member of an open chat.
func TestAccess(t *testing.T) {
	w := open(t, true)
	id := w.says("cleo", "x")
	bodies := map[string]body{
		"send": text("x"), "edit": {"message": id, "text": "y"}, "delete": {"message": id},
		"react": react(id, "like"), "unreact": react(id, "like"), "setSlowMode": slow(1),
		"mute": about("cleo"), "unmute": about("cleo"), "shadowMute": about("cleo"), "unshadow": about("cleo"),
	}
	all := func(code subjects.Code, who string, but ...string) {
		t.Helper()
		for verb, b := range bodies {
			if !slices.Contains(but, verb) {
				w.no(code, who, verb, b)
			}
		}
	}
	all(subjects.CodeNotMember, "zoe")
	w.happens(subjects.FactBanned, "zoe")
	all(subjects.CodeBanned, "zoe")
	w.happens(subjects.FactUnbanned, "zoe")
	w.member("zoe", subjects.RoleGuest)
	all(subjects.CodeForbidden, "zoe", "unreact")
	w.no(subjects.CodeForbidden, "zoe", "follow", subjects.ChatFact{Rev: 99, Fact: subjects.FactClosed})
	w.fact(subjects.ChatFact{Fact: subjects.FactGrants, Role: subjects.RoleGuest, Verbs: []string{subjects.VerbChat}})
	w.says("zoe", "the room lets guests chat now")
	w.fact(subjects.ChatFact{Fact: subjects.FactGrants, Role: subjects.RoleMember, Verbs: []string{subjects.VerbModerateChat}})
	w.no(subjects.CodeForbidden, "ben", "send", text("x"))
	w.ok("ben", "setSlowMode", slow(1))
	w.no(subjects.CodeForbidden, "sys", "send", text("x"))
	w.fact(subjects.ChatFact{Fact: subjects.FactClosed})
	all(subjects.CodeClosed, "ana")
	all(subjects.CodeClosed, "sys")

	w = open(t, false)
	for _, who := range []string{"zoe", ""} {
		if w.s.CanSee(user(who)) {
			t.Errorf("%q sees a private chat", who)
		}
	}
	all(subjects.CodeNotFound, "zoe")
	w.happens(subjects.FactInvited, "zoe")
	if !w.s.CanSee(user("zoe")) {
		t.Error("the invited do not see it")
	}
	all(subjects.CodeNotMember, "zoe")
	w.happens(subjects.FactUninvited, "zoe")
	all(subjects.CodeNotFound, "zoe")
	w.happens(subjects.FactGone, "ben") // and not invited
	all(subjects.CodeNotFound, "ben")

	w = newWorld(t) // nobody has told it anything
	for _, who := range []string{"ana", "sys"} {
		w.no(subjects.CodeNotFound, who, "send", text("x"))
	}
}

// Facts may arrive in another order than they happened.
func TestFactsInAnyOrder(t *testing.T) {
	facts := []subjects.ChatFact{
		{Rev: 1, Fact: subjects.FactCreated, Creator: user("ana"), Open: true, Table: subjects.GrantTable},
		{Rev: 2, Fact: subjects.FactMember, User: user("ben"), Role: subjects.RoleMember},
		{Rev: 3, Fact: subjects.FactMember, User: user("ben"), Role: subjects.RoleModerator},
		{Rev: 4, Fact: subjects.FactMember, User: user("cleo"), Role: subjects.RoleMember},
		{Rev: 5, Fact: subjects.FactGone, User: user("cleo")},
		{Rev: 6, Fact: subjects.FactGrants, Role: subjects.RoleModerator, Verbs: []string{subjects.VerbModerateChat}},
		{Rev: 7, Fact: subjects.FactInvited, User: user("dan")},
		{Rev: 8, Fact: subjects.FactUninvited, User: user("dan")},
		{Rev: 9, Fact: subjects.FactBanned, User: user("eve")},
		{Rev: 10, Fact: subjects.FactVisibility, Open: false},
		{Rev: 11, Fact: subjects.FactVisibility, Open: true},
		{Rev: 12, Fact: subjects.FactVisibility, Open: false},
		{Rev: 13, Fact: subjects.FactClosed},
	}
	for round := range facts {
		w := newWorld(t)
		order := slices.Clone(facts)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		order = append(order[round:], order[:round]...)
		for _, f := range append(slices.Clone(order), order...) { // all of them twice
			f.Epoch = 1
			w.ok("sys", subjects.VerbFollow, f)
		}
		ben, cleo := user("ben"), user("cleo")
		if !w.s.Closed() || !w.s.IsMember(ben) || w.s.RoleOf(ben) != subjects.RoleModerator || w.s.IsMember(cleo) ||
			w.s.Allows(ben, subjects.VerbChat) || !w.s.Allows(ben, subjects.VerbModerateChat) ||
			w.s.Open() || w.s.CanSee(user("dan")) || !w.s.Banned(user("eve")) || w.s.Creator() != user("ana") {
			t.Fatalf("in the order %v: %+v", order, w.s.You(ben, 0))
		}
		w.refold()
	}
}
