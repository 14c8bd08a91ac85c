package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/subjects"
)

// The states of a connection.
const (
	stateFresh = iota // no hello yet
	stateGuest
	stateUser
	stateSubscribed // a user who follows a room, the lobby and what is theirs
	states
)

var stateNames = [states]string{"fresh", "guest", "user", "subscribed"}

// prober sends frames to an edge over a connection that is in a state again before each.
type prober struct {
	t     testing.TB
	srv   *Server
	state int
	conn  *wire
	pings int
	opens int
	// seen counts the kinds of answers.
	seen map[string]int
}

func (p *prober) ready() {
	p.t.Helper()
	if p.conn != nil {
		return
	}
	p.opens++
	switch p.state {
	case stateFresh:
		p.conn = p.srv.open(p.t, "-")
	case stateGuest:
		p.conn = p.srv.open(p.t, "")
	case stateUser:
		p.conn = p.srv.open(p.t, bob)
	case stateSubscribed:
		p.conn = p.srv.open(p.t, bob)
		p.conn.sub(open, false)
		for _, ch := range []subjects.Channel{subjects.ChannelRooms, subjects.ChannelMe} {
			p.conn.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: ch})
			p.conn.until(subjects.FrameDocs)
		}
	}
}

func (p *prober) leave() {
	if p.conn != nil {
		_ = p.conn.conn.Close()
		p.conn = nil
	}
}

// probe sends a message and then a ping, and reads until both are answered or the
// connection is closed. It reports what was not as it must be.
func (p *prober) probe(kind int, data []byte) error {
	p.t.Helper()
	p.ready()
	f, bad := subjects.DecodeClientFrame(data)
	p.pings++
	mark := fmt.Sprint("mark", p.pings)
	ping, err := json.Marshal(subjects.ClientFrame{Type: subjects.FramePing, ID: mark})
	if err != nil {
		return err
	}
	for _, m := range []struct {
		kind int
		data []byte
	}{{kind, data}, {websocket.TextMessage, ping}} {
		if p.conn.conn.WriteMessage(m.kind, m.data) != nil {
			break // it is closed, which is read below
		}
	}
	if err := p.conn.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for marked, answered := false, false; !marked || !answered; {
		_, raw, err := p.conn.conn.ReadMessage()
		if err != nil {
			p.leave()
			var closed *websocket.CloseError
			if !errors.As(err, &closed) {
				if len(data) > subjects.MaxFrameBytes {
					return nil // cut off before it was all read
				}
				return fmt.Errorf("no answer: %w", err)
			}
			p.seen[fmt.Sprint("closed ", closed.Code)]++
			return p.mayClose(f, bad, len(data), subjects.CloseCode(closed.Code))
		}
		var got subjects.ServerFrame
		if err := json.Unmarshal(raw, &got); err != nil {
			return fmt.Errorf("%w in the answer %s", err, raw)
		}
		p.seen[got.Type]++
		if got.Type == subjects.FramePong && got.ID == mark {
			marked = true
			continue
		}
		if got.Type == subjects.FrameErr {
			p.seen[string(got.Refusal.Code)]++
		}
		if answered {
			if unasked := got.Type == subjects.FrameYou || got.Type == subjects.FrameDoc; !unasked {
				return fmt.Errorf("one answer too many: %s", raw)
			}
			continue
		}
		if kind != websocket.TextMessage {
			bad = subjects.Refuse(subjects.CodeInvalid, "not text")
			f = subjects.ClientFrame{}
		}
		if answered, err = p.isAnswer(f, bad, &got); err != nil {
			return fmt.Errorf("%w: %s", err, raw)
		}
	}
	if p.state == stateFresh && f.Type == subjects.FrameHello && bad == nil {
		p.leave() // it is not fresh any more
	}
	return nil
}

// isAnswer reports whether a frame of the server's is the answer to f, and what is wrong
// with it.
func (p *prober) isAnswer(f subjects.ClientFrame, bad error, got *subjects.ServerFrame) (bool, error) {
	if got.Type == subjects.FrameErr {
		switch r := got.Refusal; {
		case r == nil || r.Message == "" || !slices.Contains(subjects.Codes(), r.Code):
			return false, errors.New("an err without a known reason")
		case r.Code == subjects.CodeInternal:
			return false, errors.New("a defect")
		case got.ID != f.ID:
			return false, fmt.Errorf("an err for %q, want %q", got.ID, f.ID)
		case bad != nil && r.Code != subjects.CodeOf(bad):
			return false, fmt.Errorf("refused as %s, want %s", r.Code, subjects.CodeOf(bad))
		case got.Retry == r.Code.Final():
			return false, errors.New("retry does not follow from the code")
		case bad == nil && p.state == stateFresh && f.Type != subjects.FrameHello && r.Code != subjects.CodeUnauthenticated:
			return false, errors.New("something else than hello was looked at")
		}
		return true, nil
	}
	if bad != nil {
		return false, errors.New("an answer to what is no frame")
	}
	if p.state == stateFresh && f.Type != subjects.FrameHello && f.Type != subjects.FramePing {
		return false, errors.New("taken before hello")
	}
	var want []string
	switch f.Type {
	case subjects.FrameHello:
		want = []string{subjects.FrameWelcome}
	case subjects.FramePing:
		want = []string{subjects.FramePong}
	case subjects.FrameSub:
		want = []string{subjects.FrameDocs}
		if _, ok := f.Channel.Room(); ok {
			want = []string{subjects.FrameSnap, subjects.FrameResumed}
		}
		if got.Channel != f.Channel {
			return false, fmt.Errorf("of channel %q", got.Channel)
		}
	case subjects.FrameUnsub, subjects.FrameCmd:
		want = []string{subjects.FrameOK}
	case subjects.FrameQuery:
		want = []string{subjects.FrameResult}
	}
	if !slices.Contains(want, got.Type) {
		return false, fmt.Errorf("want one of %v", want)
	}
	if f.Type == subjects.FrameSub {
		return true, nil // told by its channel
	}
	if got.ID != f.ID {
		return false, fmt.Errorf("an answer for %q, want %q", got.ID, f.ID)
	}
	if f.Type == subjects.FrameCmd && p.state == stateGuest {
		return false, errors.New("a guest's command was carried out")
	}
	return true, nil
}

// mayClose says what is wrong with being closed after a frame; nil if nothing is.
func (p *prober) mayClose(f subjects.ClientFrame, bad error, size int, code subjects.CloseCode) error {
	switch {
	case code == subjects.CloseMalformed, code == subjects.CloseTooLarge && size > subjects.MaxFrameBytes:
		return nil
	case bad == nil && f.Type == subjects.FrameHello && (code == subjects.CloseUnauthenticated || code == subjects.CloseOtherUser):
		return nil
	}
	return fmt.Errorf("closed with %s (%d)", code, int(code))
}

// dice makes frames that are right, nearly right, and nothing of the kind.
type dice struct{ *rand.Rand }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) id() string {
	return pick(d, "", "7", "q-1", strings.Repeat("x", d.IntN(100)), "\x00", "ü€", cmdID(fmt.Sprint(d.IntN(50))), `"\`)
}

func (d dice) value() any {
	switch d.IntN(12) {
	case 0:
		return nil
	case 1:
		return d.IntN(2) == 0
	case 2:
		return d.Int64() - d.Int64()
	case 3:
		return d.NormFloat64() * 1e20
	case 4:
		return []any{d.value(), d.IntN(3)}
	case 5:
		return map[string]any{d.id(): d.value(), "id": d.id()}
	case 6:
		return json.Number("1e400")
	}
	return pick(d, "", "hello", "sub", "cmd", "rooms", "me", string(subjects.RoomChannel(open)), "vote", "create", ada, "demo:t001", "token-of-"+bob, strings.Repeat("é", d.IntN(300)))
}

func (d dice) body() json.RawMessage {
	if d.IntN(3) == 0 {
		data, err := json.Marshal(map[string]any{pick(d, "track", "tracks", "user", "positionMs", "limit", "prefix", "ids", "q", "query", "room", "kind", "name", "role", "verbs"): d.value()})
		if err == nil {
			return data
		}
	}
	return json.RawMessage(pick(d, "{}", "null", `{"track":"demo:t001"}`, `{"tracks":["a",{"url":"http://x"},{"id":1}]}`, `{"positionMs":-1}`, `{"user":"`+ada+`"}`,
		`{"kind":"vote","name":"x"}`, `{"limit":5,"prefix":"e"}`, `{"room":"`+open+`"}`, `{"room":"`+inner+`","limit":-1}`, `{"ids":["`+ada+`","x"]}`, `{"q":"a"}`, `{"query":"a"}`,
		`{"a":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`}`, `7`, `"x"`, `[]`))
}

// frame makes a frame that has the right shape.
func (d dice) frame() subjects.ClientFrame {
	room := pick(d, open, inner, gone)
	f := subjects.ClientFrame{
		ID:      d.id(),
		Type:    pick(d, subjects.FrameHello, subjects.FrameSub, subjects.FrameSub, subjects.FrameUnsub, subjects.FrameCmd, subjects.FrameCmd, subjects.FrameCmd, subjects.FrameQuery, subjects.FrameQuery, subjects.FramePing),
		Channel: pick(d, subjects.RoomChannel(room), subjects.RoomChannel(room), subjects.ChannelRooms, subjects.ChannelMe),
	}
	switch f.Type {
	case subjects.FrameHello:
		f.Token, f.Channel = pick(d, "", "token-of-"+bob, "token-of-"+ada, "nonsense", "token-of-nobody", strings.Repeat("t", d.IntN(5000))), ""
	case subjects.FrameSub:
		f.Epoch, f.Since = pick(d, 0, 1, 1, 2, d.Uint64()), pick(d, 0, 1, 5, 6, d.Uint64())
		f.Prefix, f.Limit = pick(d, "", "e", "É", strings.Repeat("p", d.IntN(150))), pick(d, 0, 1, 100, 101, -1)
	case subjects.FrameCmd:
		if f.ID = cmdID(fmt.Sprint(d.IntN(1000))); d.IntN(10) == 0 {
			f.ID = d.id()
		}
		f.Verb, f.Body = pick(d, append(subjects.RoomVerbs(), "", "fly", strings.Repeat("v", d.IntN(100)))...), d.body()
	case subjects.FrameQuery:
		f.Query, f.Body = pick(d, subjects.QueryRooms, subjects.QueryMembers, subjects.QueryTracks, subjects.QueryUsers, "?"), d.body()
	case subjects.FramePing:
		f.Sent = d.NormFloat64()
	}
	return f
}

// message makes anything that can be sent.
func (d dice) message() (kind int, data []byte) {
	kind = websocket.TextMessage
	text, err := json.Marshal(d.frame())
	if err != nil {
		text = []byte("{")
	}
	switch d.IntN(20) {
	case 0: // a byte is another one
		text[d.IntN(len(text))] = byte(d.Uint32())
	case 1: // the end is missing
		text = text[:d.IntN(len(text))]
	case 2: // bytes
		text = make([]byte, d.IntN(200))
		for i := range text {
			text[i] = byte(d.Uint32())
		}
	case 3: // fields of any type
		o := map[string]any{"type": d.frame().Type}
		for range d.IntN(5) {
			o[pick(d, "type", "id", "channel", "token", "epoch", "since", "prefix", "limit", "verb", "query", "body", "sent", "colour")] = d.value()
		}
		if text, err = json.Marshal(o); err != nil {
			text = []byte("{}")
		}
	case 4:
		text = []byte(pick(d, "", " ", "null", "[]", "{}", `{"type":"ping"}{}`, `{"type":"ping","type":"hello"}`, `{"Type":"ping"}`, `{"type":"ping","id":"\ud800"}`,
			strings.Repeat("[", 20_000), `{"type":`+strings.Repeat(`{"a":`, 5000), "{\"type\":\"ping\",\"id\":\"\xff\"}"))
	case 5:
		kind = websocket.BinaryMessage
	case 6:
		if d.IntN(50) == 0 {
			text = slices.Concat(text, []byte(strings.Repeat(" ", subjects.MaxFrameBytes)))
		}
	}
	return kind, text
}

// Ten thousand messages of every kind in every state of a connection: each gets its answer
// or a typed refusal, one and no more, and nothing else happens. TUTTI_FRAMES is another
// number, TUTTI_SEED repeats a run.
func TestFuzzedFramesInEveryState(t *testing.T) {
	frames, seed := 10_000, uint64(time.Now().UnixNano())
	if testing.Short() {
		frames = 1000
	}
	for name, to := range map[string]any{"TUTTI_FRAMES": &frames, "TUTTI_SEED": &seed} {
		if v := os.Getenv(name); v != "" {
			if _, err := fmt.Sscan(v, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	for state := range states {
		t.Run(stateNames[state], func(t *testing.T) {
			w := newWorld()
			p := &prober{t: t, srv: w.listening(t, calm()), state: state, seen: map[string]int{}}
			defer p.leave()
			d := dice{rand.New(rand.NewPCG(seed, uint64(state)))}
			for n := range frames {
				kind, data := d.message()
				if err := p.probe(kind, data); err != nil {
					t.Fatalf("TUTTI_SEED=%d, message %d, %.300q: %v", seed, n, data, err)
				}
			}
			quiet(t, w)
			t.Logf("%d connections; %v", p.opens, p.seen)
		})
	}
}

// FuzzSocket is the same for one message that the fuzzer makes.
func FuzzSocket(f *testing.F) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for range 100 {
		_, data := d.message()
		f.Add(uint8(d.IntN(states)), data)
	}
	w := newWorld()
	srv := w.listening(f, calm())
	f.Fuzz(func(t *testing.T, state uint8, data []byte) {
		if len(data) > 2*subjects.MaxFrameBytes {
			return
		}
		p := &prober{t: t, srv: srv, state: int(state) % states, seen: map[string]int{}}
		defer p.leave()
		if err := p.probe(websocket.TextMessage, data); err != nil {
			t.Fatal(err)
		}
		quiet(t, w)
	})
}

// calm is a configuration without limits on how many frames and commands there are.
func calm() Config {
	cfg := unlimited()
	cfg.Socket.Frames = Rate{}
	cfg.AccessLog = false
	return cfg
}

func quiet(t *testing.T, w *world) {
	t.Helper()
	for line := range strings.Lines(w.logged()) {
		if strings.Contains(line, "panic") || strings.Contains(line, `"level":"ERROR"`) {
			t.Fatalf("logged: %s", line)
		}
	}
}
