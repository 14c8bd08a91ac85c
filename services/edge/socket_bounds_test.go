package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/subjects"
)

// The bound on connections holds for sockets, which the HTTP server counts no more.
func TestSocketsAreBounded(t *testing.T) {
	cfg := unlimited()
	cfg.MaxConnections = 3
	s := newWorld().listening(t, cfg)
	at := strings.Replace(s.URL(), "http", "ws", 1) + subjects.SocketPath
	var open []*websocket.Conn
	for range cfg.MaxConnections {
		conn, _, err := websocket.DefaultDialer.Dial(at, nil)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	wait(t, "all are counted", s.sockets.full)
	_, answer, err := websocket.DefaultDialer.Dial(at, nil)
	if err == nil || answer == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %v, %v", err, answer)
	}
	_ = open[0].Close()
	wait(t, "there is room again", func() bool { return !s.sockets.full() })
	for _, c := range open[1:] {
		_ = c.Close()
	}
}

// A defect met by one client's command ends that client's socket and nothing else.
func TestAPanicEndsOneSocket(t *testing.T) {
	w := newWorld()
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) { panic("a defect") }
	s := w.listening(t, unlimited())
	c, other := s.open(t, bob), s.open(t, ada)
	c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID("x"), Channel: subjects.RoomChannel(open), Verb: subjects.VerbPlay})
	if code := c.closed(); code != subjects.CloseInternal {
		t.Errorf("closed with %d", code)
	}
	other.sub(open, false)
	if !strings.Contains(w.logged(), "a defect") {
		t.Error("the log does not tell")
	}
}

// Who was closed for being slow is heard no more, however much they go on talking, and is
// gone soon.
func TestASlowClientIsNotHeardAnyMore(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.Socket.QueueFrames = 8
	var mu sync.Mutex
	asked := 0
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return subjects.Answer{Epoch: 1, Rev: 7}, nil
	}
	s := w.listening(t, cfg)
	c := s.open(t, bob)
	s.sockets.mu.Lock()
	var k *socket
	for k = range s.sockets.open {
	}
	s.sockets.mu.Unlock()
	for range 1000 { // more than the writer gets rid of meanwhile
		k.out.say(seal(opText, append(draft(1<<16), make([]byte, 1<<16)...)))
	}
	if k.ended.Load() == 0 {
		t.Fatal("it was not too slow")
	}
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		data, err := json.Marshal(subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID(fmt.Sprint(i)), Channel: subjects.RoomChannel(open), Verb: subjects.VerbPlay})
		if err != nil {
			t.Fatal(err)
		}
		if c.conn.WriteMessage(websocket.TextMessage, data) != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket does not end")
		}
		time.Sleep(10 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked != 0 {
		t.Errorf("%d commands were carried out", asked)
	}
}

// Another document at the same epoch and revision is told: the log lost its end and has
// grown as long again.
func TestALogThatGrewAgainToTheSameLength(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	before := c.sub(open, false)
	w.replace(open, RoomView{Epoch: 1, Rev: 5, At: noon.UnixMilli(), State: room(open, ada, true, 1)})
	if got := c.next(subjects.FrameSnap); got.Rev != 5 || got.Hash == before.Hash || got.Reason != subjects.SnapReplace {
		t.Errorf("%+v", got)
	}
}

// A room that is read anew and holds what this release does not know is not shown.
func TestAReplacedRoomOfANewerRelease(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	c.sub(open, false)
	w.replace(open, RoomView{Epoch: 2, Rev: 9, At: noon.UnixMilli(), State: room(open, ada, true, 1), Unknown: errors.New("of tomorrow")})
	if got := c.next(subjects.FrameGone); got.Refusal.Code != subjects.CodeUpgrade {
		t.Errorf("%+v", got)
	}
}

// However many beginnings of names others look for, the lobby itself is there.
func TestTheLobbyItselfIsNeverRefused(t *testing.T) {
	s := newWorld().edge(t, unlimited())
	b := newLobbyOf(s)
	for i := range lobbyViews {
		q := lobbyQuery{prefix: fmt.Sprint("p", i), limit: 10}
		b.views[q] = &lobbyView{query: q, listeners: map[*listener]struct{}{}}
	}
	k := &socket{srv: s, subs: map[subjects.Channel]*listener{}}
	k.out = outbox{maxFrames: 512, maxBytes: 1 << 20, metrics: s.metrics, writing: true}
	join := func(prefix string) error {
		return b.join(t.Context(), &listener{sock: k, channel: subjects.ChannelRooms}, prefix, 10)
	}
	if err := join("one more"); subjects.CodeOf(err) != subjects.CodeBusy {
		t.Errorf("one more beginning: %v", err)
	}
	if err := join(""); err != nil {
		t.Errorf("the lobby: %v", err)
	}
}

// newLobbyOf makes a lobby that is filled by the test.
func newLobbyOf(s *Server) *lobby {
	b := &lobby{srv: s, rooms: map[string]*lobbyRoom{}, views: map[lobbyQuery]*lobbyView{}, loaded: make(chan struct{})}
	b.ready()
	return b
}

// staleLists answers the first reads with what was there before, as a replica that lags.
type staleLists struct {
	*world
	mu    sync.Mutex
	stale int
}

func (l *staleLists) Own(ctx context.Context, table, user string) (map[string]json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stale--; l.stale >= 0 {
		return map[string]json.RawMessage{}, nil
	}
	return l.world.Own(ctx, table, user)
}

func TestInvitationsThatAReplicaHasNotHeardOf(t *testing.T) {
	w := newWorld()
	d := w.deps()
	d.Lists = &staleLists{world: w, stale: 2}
	s, err := Start(t.Context(), unlimited(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelMe})
	c.next(subjects.FrameDocs)
	w.invite(bob, inner) // the hint's own read is the second
	if got := c.next(subjects.FrameDoc); got.DocID != inner {
		t.Errorf("%+v", got)
	}
}

// BenchmarkLobbyChange takes in a change of one of 50,000 rooms and tells a thousand
// different views of it.
func BenchmarkLobbyChange(b *testing.B) {
	s := newWorld().edge(b, unlimited())
	l := newLobbyOf(s)
	for i := range 50_000 {
		l.changed(fmt.Sprint("room", i), summary(b, fmt.Sprint("room", i), fmt.Sprint("r", i), i%97, nil))
	}
	for i := range 1000 {
		q := lobbyQuery{prefix: fmt.Sprint("r", i), limit: 100}
		l.views[q] = &lobbyView{query: q, listeners: map[*listener]struct{}{}, stale: true}
	}
	q := lobbyQuery{limit: 100}
	l.views[q] = &lobbyView{query: q, listeners: map[*listener]struct{}{}, stale: true}
	l.tell()
	for i := 0; b.Loop(); i++ {
		l.changed("room5", summary(b, "room5", "r5", i%97, nil))
		l.tell()
	}
}
