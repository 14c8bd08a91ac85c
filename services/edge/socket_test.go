package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

func public(events ...subjects.RoomEvent) []happen {
	out := make([]happen, len(events))
	for i, e := range events {
		out[i].event = e
	}
	return out
}

// Until it has said hello a connection may only ping; then it may do what its user may.
func TestFramesFollowTheConnectionsState(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	ch := subjects.RoomChannel(open)
	command := subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID("1"), Channel: ch, Verb: subjects.VerbPlay}

	fresh := s.open(t, "-")
	for _, f := range []subjects.ClientFrame{
		{Type: subjects.FrameSub, ID: "1", Channel: ch}, {Type: subjects.FrameUnsub, ID: "1", Channel: ch},
		{Type: subjects.FrameQuery, ID: "1", Query: subjects.QueryTracks}, command,
	} {
		fresh.send(f)
		if got := fresh.next(subjects.FrameErr); got.ID != f.ID || got.Refusal.Code != subjects.CodeUnauthenticated {
			t.Errorf("%s before hello: %+v", f.Type, got)
		}
	}
	fresh.send(subjects.ClientFrame{Type: subjects.FramePing, ID: "p", Sent: 1.25})
	if got := fresh.next(subjects.FramePong); got.ID != "p" || got.Sent != 1.25 || got.ServerTime != noon.UnixMilli() {
		t.Errorf("pong: %+v", got)
	}

	guest := s.open(t, "")
	guest.send(command)
	if got := guest.next(subjects.FrameErr); got.ID != command.ID || got.Refusal.Code != subjects.CodeUnauthenticated {
		t.Errorf("a guest's command: %+v", got)
	}
	guest.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelMe})
	if got := guest.next(subjects.FrameErr); got.Refusal.Code != subjects.CodeUnauthenticated || got.Channel != subjects.ChannelMe {
		t.Errorf("a guest's own channel: %+v", got)
	}
	if snap := guest.sub(open, true); snap.Reason != subjects.SnapNew || snap.Rev != 5 {
		t.Errorf("a guest's snapshot: %+v", snap)
	}

	user := s.open(t, bob)
	user.send(command)
	if got := user.next(subjects.FrameOK); got.ID != command.ID || got.Rev != 7 || got.Channel != ch {
		t.Errorf("a user's command: %+v", got)
	}
	if len(w.asked) != 1 || w.asked[0].to.Principal != bob || w.asked[0].env.ID != command.ID {
		t.Errorf("asked %+v", w.asked)
	}
}

func TestHello(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())

	t.Run("a token that is not valid", func(t *testing.T) {
		c := s.open(t, "-")
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, ID: "h", Token: "nonsense"})
		if got := c.next(subjects.FrameErr); got.ID != "h" || got.Refusal.Code != subjects.CodeUnauthenticated {
			t.Errorf("%+v", got)
		}
		if code := c.closed(); code != subjects.CloseUnauthenticated || code.ComeBack() {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("a token that names no user", func(t *testing.T) {
		c := s.open(t, "-")
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: "token-of-sys"})
		c.next(subjects.FrameErr)
		if code := c.closed(); code != subjects.CloseUnauthenticated {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("a fresh token of the same user", func(t *testing.T) {
		c := s.open(t, bob)
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: "token-of-" + bob})
		if got := c.next(subjects.FrameWelcome); got.User != bob {
			t.Errorf("%+v", got)
		}
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, ID: "bad", Token: "nonsense"})
		c.next(subjects.FrameErr)
		c.send(subjects.ClientFrame{Type: subjects.FramePing})
		c.next(subjects.FramePong) // the old token still counts
	})
	for name, token := range map[string]string{"another user": "token-of-" + ada, "a guest": ""} {
		t.Run(name, func(t *testing.T) {
			c := s.open(t, bob)
			c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: token})
			if code := c.closed(); code != subjects.CloseOtherUser {
				t.Errorf("closed with %d", code)
			}
		})
	}
	t.Run("keys that cannot be had", func(t *testing.T) {
		w := newWorld()
		w.verify = func(string) (token.Principal, error) {
			return token.Principal{}, subjects.Refuse(subjects.CodeUnavailable, "no keys")
		}
		c := w.listening(t, unlimited()).open(t, "-")
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: "x"})
		if got := c.next(subjects.FrameErr); !got.Retry || got.RetryMs == 0 {
			t.Errorf("%+v", got)
		}
		if code := c.closed(); code != subjects.CloseUnavailable || !code.ComeBack() {
			t.Errorf("closed with %d", code)
		}
	})
}

// Pages of other origins are kept out, clients that are no browsers are not.
func TestOriginsOfSockets(t *testing.T) {
	cfg := unlimited()
	cfg.AllowedOrigins = []string{"https://app.example"}
	s := newWorld().listening(t, cfg)
	at := strings.Replace(s.URL(), "http", "ws", 1) + subjects.SocketPath
	for origin, ok := range map[string]bool{
		"": true, s.URL(): true, "https://app.example": true, "https://APP.example": true,
		"https://evil.example": false, "null": false, "http://127.0.0.1:1": false, "https://app.example.evil.example": false,
	} {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		conn, answer, err := websocket.DefaultDialer.Dial(at, h)
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != ok || !ok && answer.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: %v, %v", origin, err, answer)
		}
	}
	if got := s.do(t, call{method: "GET", path: subjects.SocketPath}); got.status != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: %v", got)
	} else {
		got.problem(t)
	}
}

// What is no frame is refused with its id where it has one; who sends much of it is sent
// away for good.
func TestMalformedFrames(t *testing.T) {
	c := newWorld().listening(t, unlimited()).open(t, bob)
	for text, code := range map[string]subjects.Code{
		``: subjects.CodeInvalid, `x`: subjects.CodeInvalid, `[]`: subjects.CodeInvalid, `{}`: subjects.CodeInvalid,
		`{"type":"dance","id":"7"}`:                                               subjects.CodeInvalid,
		`{"type":"sub","id":"7","channel":"room.nope"}`:                           subjects.CodeInvalid,
		`{"type":"sub","id":"7","channel":"rooms","limit":-1}`:                    subjects.CodeInvalid,
		`{"type":"sub","id":"7","channel":"rooms","colour":"red"}`:                subjects.CodeInvalid,
		`{"type":"cmd","id":"7","channel":"rooms","verb":"x"}`:                    subjects.CodeInvalid,
		`{"type":"cmd","id":"` + cmdID("z") + `","channel":"rooms","verb":"x"}`:   subjects.CodeUnknownVerb,
		`{"type":"cmd","id":"` + cmdID("z") + `","channel":"me","verb":"create"}`: subjects.CodeUnknownVerb,
		`{"type":"qry","id":"7","query":"everything"}`:                            subjects.CodeInvalid,
		`{"type":"qry","id":"7","query":"rooms","body":{"limit":5000}}`:           subjects.CodeInvalid,
	} {
		c.text(text)
		got := c.next(subjects.FrameErr)
		if got.Refusal.Code != code || got.Retry || strings.Contains(text, `"7"`) && got.ID != "7" {
			t.Errorf("%s: %+v %+v", text, got, got.Refusal)
		}
	}
	for range 300 { // fewer answers than would make it a slow client
		if c.conn.WriteMessage(websocket.TextMessage, []byte("nonsense")) != nil {
			break // sent away already
		}
	}
	if code := c.closed(); code != subjects.CloseMalformed || code.ComeBack() {
		t.Errorf("closed with %d", code)
	}
}

func TestAFrameTooLarge(t *testing.T) {
	c := newWorld().listening(t, unlimited()).open(t, bob)
	c.text(`{"type":"ping","id":"` + strings.Repeat("x", subjects.MaxFrameBytes) + `"}`)
	if code := c.closed(); code != subjects.CloseTooLarge {
		t.Errorf("closed with %d", code)
	}
}

func TestTooManyFrames(t *testing.T) {
	cfg := unlimited()
	cfg.Socket.Frames = Rate{PerSecond: 1, Burst: 5}
	cfg.Socket.QueueFrames = 2 * floods // room for every refusal, whoever is slow here
	c := newWorld().listening(t, cfg).open(t, bob)
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() { // while the answers are read
		for range floods + 10 {
			if c.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping","id":"p"}`)) != nil {
				return
			}
		}
	})
	pongs, refused := 0, 0
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		_, data, err := c.conn.ReadMessage()
		var end *websocket.CloseError
		if errors.As(err, &end) {
			if subjects.CloseCode(end.Code) != subjects.CloseFlooding {
				t.Errorf("closed with %d", end.Code)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var f subjects.ServerFrame
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Type == subjects.FramePong:
			pongs++
		case f.Refusal.Code == subjects.CodeRateLimited && f.Retry && f.RetryMs > 0 && f.ID == "p":
			refused++
		default:
			t.Fatalf("got %s", data)
		}
	}
	if pongs < 4 || pongs > 10 {
		t.Errorf("%d pongs, %d refusals", pongs, refused)
	}
}

// Commands over the socket count against the same limit as those over HTTP.
func TestCommandLimitsAreOfTheUser(t *testing.T) {
	cfg := unlimited()
	cfg.Limits.Commands = Rate{PerSecond: 0.001, Burst: 2}
	s := newWorld().listening(t, cfg)
	c := s.open(t, bob)
	f := subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID("1"), Channel: subjects.RoomChannel(open), Verb: subjects.VerbPlay}
	c.send(f)
	c.next(subjects.FrameOK)
	if got := s.do(t, call{method: "POST", path: "/v1/rooms/" + open + "/commands", as: bob, body: `{"verb":"play"}`}); got.status != http.StatusOK {
		t.Fatal(got)
	}
	c.send(f)
	if got := c.next(subjects.FrameErr); got.Refusal.Code != subjects.CodeRateLimited || got.RetryMs < 1000 {
		t.Errorf("%+v", got)
	}
}

// One client's commands to one room are sent one after the other, those to another room
// and queries meanwhile.
func TestCommandsOfOneRoomKeepTheirOrder(t *testing.T) {
	w := newWorld()
	release := make(chan struct{})
	w.ask = func(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error) {
		if to.ID == open && env.ID == cmdID("0") {
			select {
			case <-release:
			case <-ctx.Done():
				return subjects.Answer{}, ctx.Err()
			}
		}
		return subjects.Answer{Epoch: 1, Rev: 7}, nil
	}
	c := w.listening(t, unlimited()).open(t, bob)
	for _, n := range []string{"0", "1", "2"} {
		c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID(n), Channel: subjects.RoomChannel(open), Verb: subjects.VerbPlay})
	}
	c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID("other"), Channel: subjects.RoomChannel(inner), Verb: subjects.VerbPlay})
	c.send(subjects.ClientFrame{Type: subjects.FrameQuery, ID: "q", Query: subjects.QueryTracks})
	early := map[string]bool{}
	for range 2 {
		early[c.next("").ID] = true
	}
	if !early[cmdID("other")] || !early["q"] {
		t.Fatalf("answered first: %v", early)
	}
	close(release)
	for _, n := range []string{"0", "1", "2"} {
		if got := c.next(subjects.FrameOK); got.ID != cmdID(n) {
			t.Errorf("answered %s, want the command %s", got.ID, n)
		}
	}
}

func TestTooMuchWaits(t *testing.T) {
	w := newWorld()
	w.ask = func(ctx context.Context, _ subjects.Command, _ subjects.Envelope) (subjects.Answer, error) {
		<-ctx.Done()
		return subjects.Answer{}, ctx.Err()
	}
	cfg := unlimited()
	cfg.Socket.Waiting = 3
	c := w.listening(t, cfg).open(t, bob)
	for i := range 4 {
		c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID(string(rune('a' + i))), Channel: subjects.RoomChannel(open), Verb: subjects.VerbPlay})
	}
	if got := c.next(subjects.FrameErr); got.ID != cmdID("d") || got.Refusal.Code != subjects.CodeBusy || !got.Retry {
		t.Errorf("%+v", got)
	}
}

func TestTooManySocketsOfOneUser(t *testing.T) {
	cfg := unlimited()
	cfg.Socket.PerUser, cfg.Socket.PerAddress = 2, 1
	s := newWorld().listening(t, cfg)
	for _, who := range []struct {
		token string
		most  int
	}{{"token-of-" + bob, 2}, {"", 1}} {
		var kept []*wire
		for range who.most {
			c := s.open(t, "-")
			c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: who.token})
			c.next(subjects.FrameWelcome)
			kept = append(kept, c)
		}
		c := s.open(t, "-")
		c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: who.token})
		if code := c.closed(); code != subjects.CloseFull || !code.ComeBack() {
			t.Errorf("closed with %d", code)
		}
		_ = kept[0].conn.Close()
		deadline := time.Now().Add(patience)
		for {
			c := s.open(t, "-")
			c.send(subjects.ClientFrame{Type: subjects.FrameHello, Token: who.token})
			_ = c.conn.SetReadDeadline(time.Now().Add(patience))
			if _, _, err := c.conn.ReadMessage(); err == nil {
				break // the place of the one that went is free
			}
			if time.Now().After(deadline) {
				t.Fatal("a socket that went is still counted")
			}
		}
	}
}

// A server that goes down says so to every client and waits for them to go.
func TestShutdownTellsSocketsToComeBack(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c, guest := s.open(t, bob), s.open(t, "")
	c.sub(open, false)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	for _, c := range []*wire{c, guest} {
		if code := c.closed(); code != subjects.CloseRestart || !code.ComeBack() {
			t.Errorf("closed with %d", code)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(w.followed[open]); n != 0 {
		t.Errorf("%d still followed", n)
	}
}

// An edge that is out of reach of the services sends its clients away and takes no others,
// until it is back.
func TestAnEdgeThatIsCutOffSendsItsClientsAway(t *testing.T) {
	w := newWorld()
	var out atomic.Int64
	deps := w.deps()
	deps.CutOff = func() time.Duration { return time.Duration(out.Load()) }
	s := listeningWith(t, unlimited(), deps)
	c, guest := s.open(t, bob), s.open(t, "")
	c.sub(open, false)
	out.Store(int64(cutOffGrace)) // no longer than a connection takes to find another server
	c.send(subjects.ClientFrame{Type: subjects.FramePing})
	c.next(subjects.FramePong)
	out.Store(int64(cutOffGrace + time.Second))
	for _, c := range []*wire{c, guest} {
		if code := c.closed(); code != subjects.CloseRestart {
			t.Errorf("closed with %d", code)
		}
	}
	conn, resp, err := websocket.DefaultDialer.Dial(strings.Replace(s.URL(), "http", "ws", 1)+subjects.SocketPath, http.Header{})
	if err == nil {
		_ = conn.Close()
	}
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket meanwhile: %v, %v", resp, err)
	}
	out.Store(0)
	s.open(t, bob)
}

// A client that does not answer is not waited for longer than a goodbye takes.
func TestShutdownCutsOffWhoStays(t *testing.T) {
	s := newWorld().listening(t, unlimited())
	c := s.open(t, bob)
	c.conn.SetCloseHandler(func(int, string) error { return nil })
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > goodbye+3*time.Second {
		t.Errorf("took %v", took)
	}
}
