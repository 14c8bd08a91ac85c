package tutti_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// said gives what a viewer reads: "text", "text*" if edited, "-" if deleted, then reactions.
func said(entries []subjects.ChatEntry) string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Text
		if e.Edited {
			out[i] += "*"
		}
		if e.Deleted {
			out[i] += "-"
		}
		for _, name := range subjects.Reactions() {
			if n := e.Reactions[name]; n > 0 {
				out[i] += fmt.Sprintf(" %s:%d", name, n)
			}
		}
	}
	return strings.Join(out, ", ")
}

// What only its author sees stands among what everybody sees, as soon as it is told and also
// after the server has said the whole of it.
func TestOwnMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id, l := s.chat()
		c := s.user(t, "ada")
		defer c.Close()
		s.happen(l, &subjects.MessageSent{Message: messageID(1), User: "user", Text: "one"})
		s.happen(l, &subjects.MessageSent{Message: messageID(2), User: "ada", Text: "two"})
		sees := func(what, want string) {
			t.Helper()
			synctest.Wait()
			v, err := c.Chat(id).View(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := said(v.Messages()); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for _, err := range c.Chat(id).Views(ctx) { // followed all the while
				if err != nil {
					t.Error(err)
				}
			}
		}()
		sees("at first", "one, two")
		seal := func(events ...event) { s.do(func() { s.seal(l, "", events...) }) }
		seal(&subjects.MessageSent{Message: messageID(3), User: "ada", Text: "three"})
		sees("one of one's own", "one, two, three")
		seal(&subjects.MessageEdited{Message: messageID(2), User: "ada", Text: "2"}, &subjects.MessageEdited{Message: messageID(3), User: "ada", Text: "3"})
		sees("edited", "one, 2*, 3*")
		seal(&subjects.ReactionAdded{Message: messageID(1), User: "ada", Reaction: "like"}, &subjects.ReactionAdded{Message: messageID(3), User: "ada", Reaction: "love"})
		seal(&subjects.ReactionRemoved{Message: messageID(3), User: "ada", Reaction: "love"}, &subjects.UserMuted{User: "ada"})
		sees("reactions", "one like:1, 2*, 3*")
		said := subjects.ChatYou{Messages: map[string]subjects.ChatMessage{messageID(3): {Author: "ada", Text: "3", Edited: true}}}
		s.do(func() {
			s.tell(subjects.ServerFrame{Type: subjects.FrameYou, Channel: l.channel, Epoch: 1, Rev: uint64(len(l.commits)), You: answer(200, said).Body})
			s.tell(subjects.ServerFrame{Type: subjects.FrameSealed, Channel: l.channel, Epoch: 1, Rev: uint64(len(l.commits)), Events: []subjects.Event{
				logged(&subjects.MessageSent{Message: messageID(4), User: "ada", Text: "in it already"}, "", 1),
			}})
		})
		sees("the server's word", "one, two, 3*")
		s.happen(l, &subjects.MessageSent{Message: messageID(5), User: "user", Text: "five"})
		sees("between others", "one, two, 3*, five")
		seal(&subjects.MessageDeleted{Message: messageID(3), Author: "ada"}, &subjects.MessageEdited{Message: messageID(1), User: "ada", Text: "mine"})
		s.happen(l, &subjects.MessageDeleted{Message: messageID(1), Author: "user"})
		sees("deleted", "-, two, -, five")
		for i := range int64(subjects.ChatPage) {
			s.happen(l, &subjects.MessageSent{Message: messageID(10 + i), User: "user", Text: "x"})
		}
		sees("pushed out of the page", strings.TrimSuffix(strings.Repeat("x, ", subjects.ChatPage), ", "))
		cancel()
		<-ended
	})
}

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id, l := s.chat()
		c := s.user(t, "ada")
		defer c.Close()
		chat := c.Chat(id)
		if err := chat.Typing(); !errors.Is(err, tutti.ErrNotFollowed) {
			t.Errorf("a chat that is not followed: %v", err)
		}
		var lists []string
		began := time.Now()
		ended := make(chan error, 1)
		go func() {
			for users, err := range chat.Typists(t.Context()) {
				if err != nil {
					ended <- err
					return
				}
				line := fmt.Sprint(time.Since(began).Round(time.Second), users)
				s.do(func() { lists = append(lists, line) })
			}
		}()
		types := func(user string) {
			s.do(func() {
				s.tell(subjects.ServerFrame{Type: subjects.FrameLive, Channel: l.channel, Kind: subjects.LiveTyping, User: user})
			})
		}
		pass(time.Second)
		types("bob")
		pass(3 * time.Second)
		types("bob") // until 9
		types("eve") // until 9
		s.do(func() {
			s.tell(subjects.ServerFrame{Type: subjects.FrameLive, Channel: l.channel, Kind: "waving", User: "eve"})
		})
		pass(2 * time.Second)
		s.happen(l, &subjects.MessageSent{Message: messageID(1), User: "eve", Text: "hi"})
		pass(10 * time.Second)
		for i := range 100 {
			types(fmt.Sprint("user", i))
		}
		pass(time.Second)
		s.do(func() {
			if n := strings.Count(lists[len(lists)-1], "user"); n != 64 {
				t.Errorf("%d are listed", n)
			}
		})
		pass(10 * time.Second)
		want := []string{"0s []", "1s [bob]", "4s [bob eve]", "6s [bob]", "9s []"}
		s.do(func() {
			if !slices.Equal(lists[:len(want)], want) || lists[len(lists)-1] != "21s []" {
				t.Errorf("lists: %v … %s", lists[:len(want)], lists[len(lists)-1])
			}
		})
		// Every key is told of, not with every key.
		for range 100 {
			if err := chat.Typing(); err != nil {
				t.Fatal(err)
			}
			pass(100 * time.Millisecond)
		}
		if n := len(s.live); n != 5 || s.live[0].Channel != l.channel || s.live[0].Kind != subjects.LiveTyping {
			t.Errorf("told %d times in 10 s: %+v", n, s.live)
		}
		s.do(func() { s.onDial = func(int) error { return errors.New("down") } })
		s.cut(0)
		pass(time.Second)
		if err := chat.Typing(); err != nil {
			t.Errorf("without a connection: %v", err)
		}
		s.do(func() { s.onDial = nil })
		pass(time.Minute)
		if n := len(s.live); n != 5 {
			t.Errorf("told later: %+v", s.live[5:])
		}
		s.send(subjects.ServerFrame{Type: subjects.FrameGone, Channel: l.channel, Refusal: subjects.Refuse(subjects.CodeNotFound, "gone")})
		if err := <-ended; subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("gone: %v", err)
		}
		for _, err := range c.Chat("room_nonsense").Typists(t.Context()) {
			if subjects.CodeOf(err) != subjects.CodeNotFound {
				t.Errorf("what is no id: %v", err)
			}
		}
		guest := s.dial(t)
		defer guest.Close()
		if err := guest.Chat(id).Typing(); subjects.CodeOf(err) != subjects.CodeUnauthenticated {
			t.Errorf("a guest: %v", err)
		}
	})
}

// pageOf answers a page of a chat with messages 1 to total.
func pageOf(t *testing.T, path string, total int64) subjects.ChatHistoryPage {
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	limit, err := strconv.ParseInt(q.Get("limit"), 10, 64)
	if err != nil || q.Has("before") && q.Has("after") {
		t.Errorf("asked for %s", path)
	}
	from, to := total-limit+1, total
	if before := q.Get("before"); before != "" {
		place, _ := subjects.MessagePlace(before)
		from, to = place-limit, place-1
	}
	if after := q.Get("after"); after != "" {
		place, err := subjects.MessagePlace(after)
		if err != nil {
			t.Error(err)
		}
		from, to = place+1, place+limit
	}
	from, to = max(1, from), min(to, total)
	page := subjects.ChatHistoryPage{Messages: []subjects.ChatEntry{}, Earlier: from > 1, Later: to < total, Total: total}
	for n := from; n <= to; n++ {
		page.Messages = append(page.Messages, subjects.ChatEntry{ID: messageID(n), ChatMessage: subjects.ChatMessage{Text: fmt.Sprint(n)}})
	}
	return page
}

func TestHistoryBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 2*subjects.MaxChatHistory + 30
		s := newFake(t)
		c := s.dial(t)
		defer c.Close()
		chat := c.Chat(subjects.NewID(subjects.PrefixPlaylist, time.Now()))
		s.onHTTP = func(_, path string) *tutti.Response {
			if !strings.HasPrefix(path, "/v1/chats/"+chat.ID()+"/messages?") {
				t.Errorf("asked for %s", path)
			}
			r := answer(200, pageOf(t, path, total))
			return &r
		}
		page, err := chat.History(t.Context(), tutti.HistoryQuery{Before: messageID(20), Limit: 5})
		if err != nil || len(page.Messages) != 5 || page.Messages[0].Text != "15" || !page.Earlier || !page.Later {
			t.Errorf("before: %+v, %v", page, err)
		}
		page, err = chat.History(t.Context(), tutti.HistoryQuery{After: messageID(20), Limit: 5})
		if err != nil || page.Messages[0].Text != "21" {
			t.Errorf("after: %+v, %v", page, err)
		}
		requests := len(s.requests)
		next := 1
		for e, err := range chat.Later(t.Context(), "") {
			if err != nil || e.Text != fmt.Sprint(next) {
				t.Fatalf("%+v, %v; want %d", e, err, next)
			}
			next++
		}
		if next != total+1 || len(s.requests)-requests != 3 {
			t.Errorf("%d messages in %d requests", next-1, len(s.requests)-requests)
		}
		for e, err := range chat.Earlier(t.Context(), "") {
			if next--; err != nil || e.Text != fmt.Sprint(next) {
				t.Fatalf("%+v, %v; want %d", e, err, next)
			}
		}
		if next != 1 {
			t.Errorf("%d left", next-1)
		}
		for e, err := range chat.Earlier(t.Context(), messageID(total)) {
			if err != nil || e.Text != fmt.Sprint(total-1) {
				t.Errorf("%+v, %v", e, err)
			}
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range chat.Later(ctx, "") {
			if n++; n == 5 {
				cancel()
			}
			if n == subjects.MaxChatHistory+1 && !errors.Is(err, context.Canceled) {
				t.Errorf("after ctx ended: %v", err)
			}
		}
		if n != subjects.MaxChatHistory+1 {
			t.Errorf("%d messages though ctx ended", n)
		}
		// A server that gives the same page for ever is not read for ever.
		s.do(func() {
			s.onHTTP = func(string, string) *tutti.Response {
				r := answer(200, subjects.ChatHistoryPage{Messages: []subjects.ChatEntry{{ID: messageID(3)}}, Earlier: true, Later: true})
				return &r
			}
		})
		n, err = 0, nil
		for _, err = range chat.Later(t.Context(), messageID(1)) {
			n++
		}
		if n != 2 || !errors.Is(err, tutti.ErrProtocol) {
			t.Errorf("%d messages, %v", n, err)
		}
		if _, err := c.Chat("nonsense").History(t.Context(), tutti.HistoryQuery{}); subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("what is no id: %v", err)
		}
	})
}
