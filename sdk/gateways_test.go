package tutti_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// overNet serves a fake over HTTP and websockets, for the gateways that programs use.
func overNet(t *testing.T, s *fake) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), subjects.TokenBearer+" ")
		body := make([]byte, 1000)
		n, _ := r.Body.Read(body)
		a, err := s.Send(r.Context(), r.Method, r.URL.RequestURI(), token, body[:n])
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if a.RetryAfter > 0 {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc(subjects.SocketPath, func(w http.ResponseWriter, r *http.Request) {
		socket, err := s.Dial(r.Context())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		k := socket.(*fakeConn)
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			for {
				_, data, err := conn.Read(ctx)
				if err != nil {
					_ = k.Close(0)
					return
				}
				if k.Write(ctx, data) != nil {
					return // it broke: the loop below says with what code
				}
			}
		}()
		for {
			data, err := k.Read(ctx)
			var closed *tutti.CloseError
			if errors.As(err, &closed) {
				_ = conn.Close(websocket.StatusCode(closed.Code), "because")
			}
			if err != nil || conn.Write(ctx, websocket.MessageText, data) != nil {
				break
			}
		}
		_ = conn.CloseNow()
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestOverTheNetwork(t *testing.T) {
	s := newFake(t)
	id := s.room("demo:a")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	first, second := overNet(t, s), overNet(t, s)
	c, err := tutti.Dial(ctx, first.URL+"/", tutti.WithServers(second.URL), tutti.WithPauses(time.Millisecond, 10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.onHTTP = func(string, string) *tutti.Response {
		s.onHTTP = nil
		r := refused(subjects.CodeBusy)
		r.RetryAfter = time.Second
		return &r
	}
	began := time.Now()
	if _, err := c.Account().Register(ctx, "ada@example.com", "Ada", "secret"); err != nil {
		t.Fatal(err)
	}
	if time.Since(began) < time.Second {
		t.Error("Retry-After was not heeded")
	}
	if p, err := c.Account().Me(ctx); err != nil || p.Nickname != "ada.1" {
		t.Errorf("the token did not arrive: %+v, %v", p, err)
	}
	room := c.Room(id)
	if err := room.Join(ctx); err != nil {
		t.Fatal(err)
	}
	s.cut(subjects.CloseFull)
	for now := range c.Connections(ctx) {
		var closed *tutti.CloseError
		if errors.As(now.Err, &closed) {
			if closed.Code != subjects.CloseFull || closed.Reason != "because" || !strings.Contains(closed.Error(), "full (4006): because") {
				t.Errorf("closed: %v", closed)
			}
			break
		}
	}
	first.CloseClientConnections()
	first.Close() // the other edge is left
	for i := range 20 {
		if err := room.Vote(ctx, "demo:a"); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			s.cut(0)
		}
	}
	v, err := room.View(ctx)
	if err != nil || v.Room.Queue["demo:a"].Score != 20 {
		t.Fatalf("%+v, %v", v, err)
	}
	if h, _ := v.Hash(); h != s.hash(id) {
		t.Error("another document than the server's")
	}
	c.Close()
	for deadline := time.Now().Add(10 * time.Second); ; { // the goodbye arrives
		s.mu.Lock()
		left := len(s.conns)
		s.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets are still open", left)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	huge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range 9 {
			_, _ = w.Write(chunk)
		}
	}))
	defer huge.Close()
	if _, err := tutti.Dial(t.Context(), huge.URL); !errors.Is(err, tutti.ErrProtocol) {
		t.Errorf("nine megabytes: %v", err)
	}
	away := httptest.NewServer(http.RedirectHandler(huge.URL, http.StatusFound))
	defer away.Close()
	if _, err := tutti.Dial(t.Context(), away.URL); !errors.Is(err, tutti.ErrProtocol) {
		t.Errorf("led away: %v", err)
	}
}

// An edge that answers that it cannot is left for the next one.
func TestRequestsMoveToAnotherServer(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		sick := 0
		bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sick++
			w.WriteHeader(status)
		}))
		good := overNet(t, newFake(t))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		client, err := tutti.Dial(ctx, bad.URL, tutti.WithServers(good.URL))
		cancel()
		if err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		if sick != 1 {
			t.Errorf("%d: the sick one was asked %d times", status, sick)
		}
		client.Close()
		bad.Close()
	}
}
