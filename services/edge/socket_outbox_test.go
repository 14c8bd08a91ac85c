package edge

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/subjects"
)

// reading makes a client's end of a websocket of a connection whose other end is ours from
// then on.
func reading(t testing.TB, here, there net.Conn) *websocket.Conn {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		req, err := http.ReadRequest(bufio.NewReader(here))
		if err == nil {
			sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			_, err = fmt.Fprintf(here, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
				base64.StdEncoding.EncodeToString(sum[:]))
		}
		done <- err
	}()
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return there, nil }}
	c, _, err := dialer.Dial("ws://tutti.test/", nil)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	c.SetCloseHandler(func(int, string) error { return nil })
	return c
}

// The frames of a message are those that a library reads, whatever their length.
func TestMessagesAreWebsocketFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 1 << 15, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		here, there := net.Pipe()
		payload := bytes.Repeat([]byte("x"), n)
		c := reading(t, here, there)
		go func() {
			_, _ = here.Write(seal(opText, append(draft(n), payload...)))
			_, _ = here.Write(closing(subjects.CloseSlow, "why"))
			_ = here.Close()
		}()
		kind, got, err := c.ReadMessage()
		if err != nil || kind != websocket.TextMessage || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: read %d bytes of kind %d: %v", n, len(got), kind, err)
		}
		if _, _, err = c.ReadMessage(); !websocket.IsCloseError(err, int(subjects.CloseSlow)) {
			t.Errorf("%d bytes: close: %v", n, err)
		}
		_ = there.Close()
	}
}

// counter is a source whose state is a number; fresh gives the whole of it.
type counter struct {
	mu sync.Mutex
	at byte
	l  *listener
}

func (c *counter) leave(*listener) {}

func (c *counter) fresh(l *listener) []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.sock.out.caughtUp(l)
	return []message{seal(opText, append(draft(2), 'S', c.at))}
}

func (c *counter) next(pad int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at++
	c.l.sock.out.tell(c.l, seal(opText, append(append(draft(2+pad), 'E', c.at), make([]byte, pad)...)))
}

func newOutbox(conn net.Conn, frames, size int) (*socket, *counter) {
	k := &socket{}
	k.out = outbox{conn: conn, maxFrames: frames, maxBytes: size, stall: 5 * time.Second, metrics: newMetrics(nil, nil, nil), slow: func() {}}
	c := &counter{}
	c.l = &listener{sock: k, from: c}
	return k, c
}

// A client that falls behind misses steps and is put where the channel is; it never goes
// backwards, and what is not of a channel is not left out.
func TestASlowClientIsConflated(t *testing.T) {
	for _, bound := range []struct{ frames, size, pad int }{{8, 1 << 20, 0}, {1000, 600, 40}} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe() // takes nothing until it is read
			lib := reading(t, here, there)
			k, c := newOutbox(here, bound.frames, bound.size)
			for i := range 100 {
				c.next(bound.pad)
				if i == 50 {
					k.out.say(seal(opText, append(draft(1), "answer"...)))
				}
			}
			synctest.Wait()
			k.out.mu.Lock()
			waiting, size := len(k.out.queue), k.out.bytes
			k.out.mu.Unlock()
			if waiting > bound.frames || size > 2*bound.size {
				t.Errorf("%d messages, %d bytes wait", waiting, size)
			}
			at, answered, snapshots := byte(0), false, 0
			for at < 100 || !answered {
				_, m, err := lib.ReadMessage()
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case string(m) == "answer":
					answered = true
				case m[0] == 'E' && m[1] == at+1, m[0] == 'S' && m[1] >= at:
					if m[0] == 'S' {
						snapshots++
					}
					at = m[1]
				default:
					t.Fatalf("%q after %d", m[:2], at)
				}
			}
			if snapshots == 0 {
				t.Error("no snapshot stands for what was left out")
			}
			c.next(0)
			if _, m, err := lib.ReadMessage(); err != nil || m[0] != 'E' || m[1] != 101 {
				t.Errorf("after it caught up: %q, %v", m, err)
			}
			k.out.stop(0)
			_ = here.Close()
		})
	}
}

// What cannot be left out and does not fit closes the socket, with a code that says come
// back.
func TestWhatDoesNotFitClosesTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		lib := reading(t, here, there)
		k, _ := newOutbox(here, 8, 1<<20)
		slow := 0
		k.out.slow = func() { slow++ }
		for range 50 {
			k.out.say(seal(opText, append(draft(1), 'x')))
		}
		var err error
		n := 0
		for ; err == nil; n++ {
			_, _, err = lib.ReadMessage()
		}
		if !websocket.IsCloseError(err, int(subjects.CloseSlow)) || slow != 1 || n > 10 {
			t.Errorf("after %d messages: %v, told %d times", n, err, slow)
		}
		k.out.stop(0)
		_ = here.Close()
	})
}

// A client that takes nothing at all is cut off after a while.
func TestAStalledClientIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		k, c := newOutbox(here, 8, 1<<20)
		begin := time.Now()
		c.next(0)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if _, err := there.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is open after %v: %v", time.Since(begin), err)
		}
		k.out.stop(time.Second)
	})
}
