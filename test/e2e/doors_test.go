package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tuttihq/tutti/subjects"
)

// ear is a socket of which everything that comes is kept.
type ear struct {
	t    *testing.T
	conn *websocket.Conn

	mu    sync.Mutex
	heard []string
	news  chan struct{}
	done  chan struct{}
}

// listen opens a socket and says hello; with no token, as a guest.
func (w *person) listen(t *testing.T) *ear {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+w.p.http+subjects.SocketPath, nil)
	must(t, err)
	conn.SetReadLimit(8 << 20)
	e := &ear{t: t, conn: conn, news: make(chan struct{}, 1), done: make(chan struct{})}
	go e.read()
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-e.done
	})
	e.ask(subjects.ClientFrame{Type: subjects.FrameHello, Token: w.access, ID: "hello"}, subjects.FrameWelcome)
	return e
}

func (e *ear) read() {
	defer close(e.done)
	for {
		_, data, err := e.conn.Read(context.Background())
		if err != nil {
			return
		}
		e.mu.Lock()
		e.heard = append(e.heard, string(data))
		e.mu.Unlock()
		select {
		case e.news <- struct{}{}:
		default:
		}
	}
}

func (e *ear) send(f subjects.ClientFrame) {
	e.t.Helper()
	data, err := json.Marshal(f)
	must(e.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(e.t, e.conn.Write(ctx, websocket.MessageText, data))
}

// ask sends a frame and waits for one of a type that answers it, by id or by channel.
func (e *ear) ask(f subjects.ClientFrame, want string) subjects.ServerFrame {
	e.t.Helper()
	e.mu.Lock()
	from := len(e.heard)
	e.mu.Unlock()
	e.send(f)
	return e.await(from, want, func(got subjects.ServerFrame) bool {
		return got.ID == f.ID && f.ID != "" || f.ID == "" && got.Channel == f.Channel
	})
}

// await waits for a frame among those heard from a place on.
func (e *ear) await(from int, want string, fits func(subjects.ServerFrame) bool) subjects.ServerFrame {
	e.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		e.mu.Lock()
		heard := e.heard[from:]
		e.mu.Unlock()
		for _, text := range heard {
			var got subjects.ServerFrame
			must(e.t, json.Unmarshal([]byte(text), &got))
			if got.Type == want && fits(got) {
				return got
			}
		}
		from += len(heard)
		select {
		case <-e.news:
		case <-e.done:
			e.t.Fatalf("the socket ended while waiting for %s", want)
		case <-limit.C:
			e.t.Fatalf("no %s came", want)
		}
	}
}

// silent fails if anything heard from a place on contains a text; it gives the next place.
func (e *ear) silent(from int, texts ...string) int {
	e.t.Helper()
	e.ask(subjects.ClientFrame{Type: subjects.FramePing, ID: "ping"}, subjects.FramePong) // what was on its way has come
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, heard := range e.heard[from:] {
		for _, text := range texts {
			if strings.Contains(heard, text) {
				e.t.Fatalf("heard %s", heard)
			}
		}
	}
	return len(e.heard)
}

// Through no door of the socket does a private room show to who may not see it: neither by
// its channel, nor by commands, queries, the lobby or one's own channel; and to who may, it
// does, until they are put out.
func TestAPrivateRoomIsHiddenOnEverySocket(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, eve := p.register("ann"), p.register("bob"), p.register("eve")
	const name = "Cabinet noir"
	missing := subjects.RoomChannel(subjects.NewID(subjects.PrefixRoom, time.Now()))

	lobbies := []*ear{eve.listen(t), bob.listen(t), p.nobody().listen(t)}
	for i, e := range lobbies {
		e.ask(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelRooms}, subjects.FrameDocs)
		if i < 2 {
			e.ask(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelMe}, subjects.FrameDocs)
		}
	}
	id := ann.open(name, body{"open": false, "tracks": []string{"demo:aurora"}})
	room := subjects.RoomChannel(id)

	hidden := func(who *ear) {
		t.Helper()
		for _, f := range []subjects.ClientFrame{
			{Type: subjects.FrameSub, ID: "sub"}, {Type: subjects.FrameSub, ID: "since", Epoch: 1, Since: 1},
			{Type: subjects.FrameCmd, Verb: subjects.VerbJoin}, {Type: subjects.FrameCmd, Verb: subjects.VerbLeave},
			{Type: subjects.FrameCmd, Verb: subjects.VerbVote, Body: json.RawMessage(`{"track":"demo:aurora"}`)},
			{Type: subjects.FrameCmd, Verb: subjects.VerbSuggest, Body: json.RawMessage(`{"tracks":["demo:aurora"]}`)},
			{Type: subjects.FrameQuery, ID: "members", Query: subjects.QueryMembers},
		} {
			var answers [2]subjects.ServerFrame
			for i, ch := range []subjects.Channel{room, missing} {
				f := f
				if f.Type == subjects.FrameQuery {
					id, _ := ch.Room()
					f.Body = json.RawMessage(`{"room":"` + id + `"}`)
				} else {
					f.Channel = ch
				}
				if f.Type == subjects.FrameCmd {
					f.ID = subjects.NewID(subjects.PrefixCommand, time.Now())
				}
				answers[i] = who.ask(f, subjects.FrameErr)
				answers[i].ID, answers[i].Channel = "", ""
			}
			a, err := json.Marshal(answers[0])
			must(t, err)
			b, err := json.Marshal(answers[1])
			must(t, err)
			equal(t, "what tells a hidden room from none, by "+f.Type+" "+f.Verb, string(a), string(b))
		}
		found := who.ask(subjects.ClientFrame{Type: subjects.FrameQuery, ID: "find", Query: subjects.QueryRooms, Body: json.RawMessage(`{"prefix":"cabinet"}`)}, subjects.FrameResult)
		equal(t, "search", strings.Contains(string(found.Result), id), false)
	}
	hidden(eve.listen(t))
	for _, e := range lobbies {
		e.silent(0, id, name)
	}

	// The invited sees it, on every socket.
	ann.do(id, "invite", body{"user": bob.id})
	lobbies[1].await(0, subjects.FrameDoc, func(f subjects.ServerFrame) bool {
		return f.Channel == subjects.ChannelMe && f.DocID == id && strings.Contains(string(f.Doc), name)
	})
	inside := bob.listen(t)
	snap := inside.ask(subjects.ClientFrame{Type: subjects.FrameSub, Channel: room}, subjects.FrameSnap)
	equal(t, "what the invited reads", snap.Hash, ann.see(id).Hash)
	bob.do(id, "join", nil)
	inside.await(0, subjects.FrameYou, func(f subjects.ServerFrame) bool { return youSays(t, f).Member })

	// Put out, he hears nothing more.
	ann.do(id, "kick", body{"user": bob.id})
	out := inside.await(0, subjects.FrameGone, func(f subjects.ServerFrame) bool { return f.Channel == room })
	equal(t, "reason", out.Refusal.Code, subjects.CodeNotFound)
	from := inside.silent(0)
	lobbies[1].await(0, subjects.FrameDoc, func(f subjects.ServerFrame) bool { return f.DocID == id && len(f.Doc) == 0 })
	ann.do(id, "suggest", body{"tracks": []string{"demo:night-tram"}})
	ann.do(id, "play", nil)
	eventually(t, func() string {
		if ann.see(id).State.Playback.Playing {
			return ""
		}
		return "does not play"
	})
	inside.silent(from, id, name, "night-tram")
	hidden(inside)
	hidden(eve.listen(t))
	for _, e := range []*ear{lobbies[0], lobbies[2]} {
		e.silent(0, id, name)
	}
}
