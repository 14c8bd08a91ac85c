package edge

import (
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func TestTypingIsToldLive(t *testing.T) {
	w := newWorld()
	w.openChat(t, open, true)
	s := w.listening(t, unlimited())
	ch := subjects.ChatChannel(open)
	enter := func(user string) *wire {
		c := s.open(t, user)
		c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: ch})
		c.next(subjects.FrameSnap)
		if user != "" {
			c.next(subjects.FrameYou)
		}
		return c
	}
	adas, bobs, cems, guest := enter(ada), enter(bob), enter(cem), enter("")
	typing := subjects.ClientFrame{Type: subjects.FrameLive, Channel: ch, Kind: subjects.LiveTyping, ID: "t"}

	bobs.send(typing)
	bobs.send(typing) // at once: dropped
	for _, c := range []*wire{adas, cems, guest} {
		if f := c.next(subjects.FrameLive); f.User != bob || f.Kind != subjects.LiveTyping || f.Channel != ch {
			t.Fatalf("got %+v", f)
		}
	}
	cems.send(typing) // is not in the room: nobody is told, and it is not an error
	guest.send(typing)
	if f := guest.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeUnauthenticated {
		t.Fatalf("got %+v", f)
	}
	// An edge may lie: who may not write is not believed to type.
	if err := w.signals.Signal(subjects.Live(subjects.ServiceChat, open, subjects.LiveTyping), []byte(`{"user":"`+cem+`"}`)); err != nil {
		t.Fatal(err)
	}
	w.chat(t, open, ada, []string{subjects.AudienceService}, &subjects.UserShadowed{User: bob})
	for _, c := range []*wire{adas} {
		c.next(subjects.FrameYou) // a moderator is told
	}
	if err := w.signals.Signal(subjects.Live(subjects.ServiceChat, open, subjects.LiveTyping), []byte(`{"user":"`+bob+`"}`)); err != nil {
		t.Fatal(err)
	}
	w.chat(t, open, ada, nil, &subjects.SlowModeSet{Seconds: 3})
	for name, c := range map[string]*wire{"ada": adas, "bob": bobs, "cem": cems, "guest": guest} {
		if f := c.next(""); f.Type != subjects.FrameEvt {
			t.Errorf("%s is told %+v in between", name, f)
		}
	}
}

func TestAChatThatIsNotThereYetIsWaitedFor(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(open)})
	wait(t, "the chat is looked for", func() bool {
		w.chats.mu.Lock()
		defer w.chats.mu.Unlock()
		return w.chats.looks > 2
	})
	w.openChat(t, open, true)
	c.next(subjects.FrameSnap)
	c.next(subjects.FrameYou)

	w.chats.mu.Lock()
	before := w.chats.looks
	w.chats.mu.Unlock()
	for _, id := range []string{inner, gone, sunday} {
		c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(id), ID: id})
		if f := c.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeNotFound {
			t.Errorf("%s: got %+v", id, f)
		}
	}
	w.chats.mu.Lock()
	defer w.chats.mu.Unlock()
	if n := w.chats.looks - before; n != 0 {
		t.Errorf("it was looked %d times for three chats that cannot be seen", n)
	}
}

func TestADeletedMessageIsNotReplayed(t *testing.T) {
	w := newWorld()
	w.openChat(t, open, true)
	s := w.listening(t, unlimited())
	c := s.open(t, "") // keeps the topic
	sub := subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(open)}
	c.send(sub)
	c.next(subjects.FrameSnap)
	message := subjects.MessageID(open, bob, "x", noon.UnixMilli(), 1)
	w.chat(t, open, bob, nil, &subjects.MessageSent{Message: message, User: bob, Text: "regretted words"})
	c.next(subjects.FrameEvt)
	w.chat(t, open, bob, nil, &subjects.SlowModeSet{Seconds: 1})
	c.next(subjects.FrameEvt)

	sub.Epoch, sub.Since = 1, 1
	back := s.open(t, "")
	back.send(sub)
	back.next(subjects.FrameResumed)
	if f := back.next(subjects.FrameEvt); !strings.Contains(string(f.Public.Patch), "regretted") {
		t.Fatalf("what was said is not replayed: %+v", f)
	}
	back.next(subjects.FrameEvt)

	w.chat(t, open, bob, nil, &subjects.MessageDeleted{Message: message, Author: bob})
	c.next(subjects.FrameEvt)
	late := s.open(t, "")
	late.send(sub)
	if f := late.next(subjects.FrameSnap); f.Reason != subjects.SnapTooOld || strings.Contains(string(f.State), "regretted") {
		t.Fatalf("got %+v", f)
	}
	sub.Since = 3 // has seen it: the deletion is all there is to tell
	late.send(sub)
	late.next(subjects.FrameResumed)
	if f := late.next(subjects.FrameEvt); f.Rev != 4 || strings.Contains(string(f.Public.Patch), "regretted") {
		t.Fatalf("got %+v", f)
	}
}

func TestAChatIsClosedToWhoIsPutOut(t *testing.T) {
	w := newWorld()
	w.openChat(t, inner, false)
	w.commit(t, inner, ada, happen{&subjects.InvitationSent{User: bob}, []string{bob}})
	w.commit(t, inner, bob, joined(bob)...)
	s := w.listening(t, unlimited())
	sub := subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(inner)}
	c := s.open(t, bob)
	c.send(sub)
	c.next(subjects.FrameSnap)
	c.next(subjects.FrameYou)
	w.commit(t, inner, ada, happen{&subjects.InvitationWithdrawn{User: bob}, []string{bob}},
		happen{&subjects.UserBanned{User: bob}, []string{bob, subjects.AudienceService}},
		happen{event: &subjects.MemberLeft{User: bob, Reason: subjects.LeftKicked}})
	if f := c.next(subjects.FrameGone); f.Channel != sub.Channel || f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("got %+v", f)
	}
	w.chat(t, inner, ada, nil, &subjects.MessageSent{Message: subjects.MessageID(inner, ada, "x", noon.UnixMilli(), 1), User: ada, Text: "SECRET"})
	c.send(sub)
	if f := c.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("got %+v", f)
	}
	for _, x := range []call{
		{method: "GET", path: "/v1/chats/" + inner, as: bob}, {method: "GET", path: "/v1/chats/" + inner + "/messages", as: bob},
		{method: "POST", path: "/v1/chats/" + inner + "/commands", as: bob, body: `{"verb":"send","body":{"text":"x"}}`},
	} {
		if r := s.do(t, x); r.status != 404 {
			t.Errorf("%s %s: %v", x.method, x.path, r)
		}
	}
	if r := s.do(t, call{method: "GET", path: "/v1/chats/" + inner, as: ada}); r.status != 200 {
		t.Errorf("who is in it: %v", r)
	}
	c.send(subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: sub.Channel})
	c.next(subjects.FrameOK)
}
