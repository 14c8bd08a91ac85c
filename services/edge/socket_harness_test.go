package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/subjects"
)

// Follow implements Live over the world's rooms, whose logs grow by commit.
func (w *world) Follow(id string, sink Sink[*subjects.RoomState]) Following {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &following{world: w, room: id, sink: sink}
	w.followed[id] = append(w.followed[id], f)
	v, ok := w.rooms[id]
	if !ok {
		v = RoomView{State: subjects.NewRoomState(id)}
	}
	sink.Lock()
	defer sink.Unlock()
	sink.Reset(v)
	return f
}

type following struct {
	world *world
	room  string
	sink  Sink[*subjects.RoomState]
}

func (f *following) Sync(ctx context.Context) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	return f.world.unreadable
}

func (f *following) Stop() {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.followed[f.room] = slices.DeleteFunc(f.world.followed[f.room], func(o *following) bool { return o == f })
}

// happen is an event and, if it is sealed, whom it is for.
type happen struct {
	event subjects.RoomEvent
	to    []string
}

// commit adds a commit to a room's log and tells who follows it.
func (w *world) commit(t testing.TB, room, by string, events ...happen) subjects.Commit {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.rooms[room]
	followers := w.followed[room]
	for _, f := range followers { // they read the state that changes now
		f.sink.Lock()
	}
	defer func() {
		for _, f := range followers {
			f.sink.Unlock()
		}
	}()
	v.Rev++
	c := subjects.Commit{Epoch: v.Epoch, Rev: v.Rev, At: v.At}
	var marks subjects.Marks
	for _, h := range events {
		body, err := json.Marshal(h.event)
		if err != nil {
			t.Fatal(err)
		}
		e := subjects.Event{Type: h.event.EventType(), By: by, At: v.At, Cmd: cmdID("c"), Body: body}
		meta := subjects.Meta{By: by, Cmd: e.Cmd, At: v.At, To: h.to}
		if err := v.State.Apply(meta, h.event, &marks); err != nil {
			t.Fatal(err)
		}
		if h.to == nil {
			c.Public.Events = append(c.Public.Events, e)
			c.Order += "p"
		} else {
			c.Sealed = append(c.Sealed, subjects.Sealed{To: h.to, Event: e})
			c.Order += "s"
		}
	}
	var err error
	if c.Public.Patch, err = marks.Patch(v.State.Room.PatchValue); err != nil {
		t.Fatal(err)
	}
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	w.rooms[room] = v
	for _, f := range followers {
		f.sink.Commit(v, data, &c)
	}
	return c
}

// replace has a room's log be another one.
func (w *world) replace(room string, v RoomView) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rooms[room] = v
	for _, f := range w.followed[room] {
		f.sink.Lock()
		f.sink.Reset(v)
		f.sink.Unlock()
	}
}

// Watch implements Lists: the documents of docs, then what doc says.
func (w *world) Watch(ctx context.Context, _ string, changed func(string, json.RawMessage), ready, again func()) error {
	w.lists.Lock()
	for id, body := range w.docs {
		changed(id, body)
	}
	ready()
	w.changed, w.again, w.loaded = changed, again, ready
	w.lists.Unlock()
	<-ctx.Done()
	return nil
}

// doc changes a document of the lobby; a nil body takes it out.
func (w *world) doc(id string, body json.RawMessage) {
	w.lists.Lock()
	defer w.lists.Unlock()
	if w.changed != nil {
		w.changed(id, body)
	}
}

// Own implements Lists.
func (w *world) Own(_ context.Context, _, user string) (map[string]json.RawMessage, error) {
	w.lists.Lock()
	defer w.lists.Unlock()
	out := map[string]json.RawMessage{}
	for id, body := range w.invites[user] {
		out[id] = body
	}
	return out, nil
}

// OnOwn implements Lists.
func (w *world) OnOwn(_, user string, f func()) (func(), error) {
	w.lists.Lock()
	defer w.lists.Unlock()
	w.hints[user] = f
	return func() {
		w.lists.Lock()
		defer w.lists.Unlock()
		delete(w.hints, user)
	}, nil
}

// invite adds a document of a user's own.
func (w *world) invite(user, room string) {
	w.lists.Lock()
	defer w.lists.Unlock()
	if w.invites[user] == nil {
		w.invites[user] = map[string]json.RawMessage{}
	}
	w.invites[user][room] = json.RawMessage(`{"user":"` + user + `","room":"` + room + `"}`)
	if f := w.hints[user]; f != nil {
		f()
	}
}

// listWorld is the part of a world that lists are made of.
type listWorld struct {
	lists   sync.Mutex
	docs    map[string]json.RawMessage
	invites map[string]map[string]json.RawMessage
	hints   map[string]func()
	changed func(string, json.RawMessage)
	again   func()
	loaded  func()
}

// listening starts an edge on a port of its own.
func (w *world) listening(t testing.TB, cfg Config) *Server {
	t.Helper()
	return listeningWith(t, cfg, w.deps())
}

func listeningWith(t testing.TB, cfg Config, deps Deps) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// wire is a client's end of a socket.
type wire struct {
	t    testing.TB
	conn *websocket.Conn
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// open connects and, unless token is "-", says hello; an empty token is a guest's.
func (s *Server) open(t testing.TB, user string) *wire {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(s.URL(), "http", "ws", 1)+subjects.SocketPath, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t, conn}
	t.Cleanup(func() { _ = conn.Close() })
	if user == "-" {
		return w
	}
	hello := subjects.ClientFrame{Type: subjects.FrameHello}
	if user != "" {
		hello.Token = "token-of-" + user
	}
	w.send(hello)
	w.next(subjects.FrameWelcome)
	return w
}

func (w *wire) send(f subjects.ClientFrame) {
	w.t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		w.t.Fatal(err)
	}
	w.text(string(data))
}

func (w *wire) text(s string) {
	w.t.Helper()
	if err := w.conn.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
		w.t.Fatal(err)
	}
}

// next reads the next frame, which must be of the type; "" takes any.
func (w *wire) next(typ string) subjects.ServerFrame {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	_, data, err := w.conn.ReadMessage()
	if err != nil {
		w.t.Fatalf("waiting for %s: %v", typ, err)
	}
	var f subjects.ServerFrame
	if err := json.Unmarshal(data, &f); err != nil {
		w.t.Fatalf("%v in %s", err, data)
	}
	if typ != "" && f.Type != typ {
		w.t.Fatalf("got %s, want %s", data, typ)
	}
	return f
}

// until reads frames up to the first of a type, which it gives.
func (w *wire) until(typ string) subjects.ServerFrame {
	w.t.Helper()
	for {
		if f := w.next(""); f.Type == typ {
			return f
		}
	}
}

// closed reads until the server closes, and gives its code.
func (w *wire) closed() subjects.CloseCode {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	for {
		_, _, err := w.conn.ReadMessage()
		var c *websocket.CloseError
		if errors.As(err, &c) {
			return subjects.CloseCode(c.Code)
		}
		if err != nil {
			w.t.Fatalf("waiting for a close: %v", err)
		}
	}
}

// sub follows a room and reads the snapshot, with what it says of the user unless that is
// a guest.
func (w *wire) sub(room string, guest bool) subjects.ServerFrame {
	w.t.Helper()
	w.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(room)})
	snap := w.next(subjects.FrameSnap)
	if !guest {
		w.next(subjects.FrameYou)
	}
	return snap
}

// youIn reads what a frame says about the user.
func youIn[Y any](t testing.TB, f subjects.ServerFrame) Y {
	t.Helper()
	var you Y
	if err := json.Unmarshal(f.You, &you); err != nil {
		t.Fatalf("%v in %s", err, f.You)
	}
	return you
}
