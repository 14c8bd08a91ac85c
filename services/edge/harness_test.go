package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) {
	// The first answer that the HTTP server writes starts its clock (see below). It is
	// written here, so that the clock does not start inside a bubble of virtual time.
	if err := warm(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps the text of the Date header in one goroutine for the whole process;
		// there is no way to stop it.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// fasthttp's pool looks for idle workers in a loop that sleeps, and ends when it wakes
		// after the pool was stopped: up to idleWorker later.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

func warm() error {
	s := fasthttp.Server{Handler: func(*fasthttp.RequestCtx) {}}
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.ServeConn(there) }()
	if _, err := io.WriteString(here, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, here); err != nil {
		return err
	}
	return <-done
}

// world is everything behind an edge, made up.
type world struct {
	mu      sync.Mutex
	rooms   map[string]RoomView
	ask     func(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error)
	query   func(ctx context.Context, service, endpoint string, req any) (any, error)
	verify  func(raw string) (token.Principal, error)
	asked   []asked
	queried []string
	now     func() time.Time
	ready   error
	log     bytes.Buffer

	followed   map[string][]*following
	unreadable error // what Sync gives
	listWorld

	playlists *shelf[*subjects.PlaylistState]
	chats     *shelf[*subjects.ChatState]
	signals   signals
}

type asked struct {
	to  subjects.Command
	env subjects.Envelope
}

var (
	noon  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ada   = subjects.DeriveID(subjects.PrefixUser, noon, "ada")
	bob   = subjects.DeriveID(subjects.PrefixUser, noon, "bob")
	open  = subjects.DeriveID(subjects.PrefixRoom, noon, "open")
	inner = subjects.DeriveID(subjects.PrefixRoom, noon, "private")
	gone  = subjects.DeriveID(subjects.PrefixRoom, noon, "no such room")
)

func newWorld() *world {
	w := &world{rooms: map[string]RoomView{}, now: func() time.Time { return noon }, followed: map[string][]*following{}}
	w.docs, w.invites, w.hints = map[string]json.RawMessage{}, map[string]map[string]json.RawMessage{}, map[string]func(){}
	w.playlists, w.chats = newShelf(subjects.NewPlaylistState), newShelf(subjects.NewChatState)
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		return subjects.Answer{Epoch: 1, Rev: 7, At: noon.UnixMilli()}, nil
	}
	w.query = func(context.Context, string, string, any) (any, error) { return map[string]any{}, nil }
	w.verify = func(raw string) (token.Principal, error) {
		name, ok := strings.CutPrefix(raw, "token-of-")
		if !ok {
			return token.Principal{}, errors.Join(token.ErrInvalid, subjects.Refuse(subjects.CodeUnauthenticated, "not a token"))
		}
		return token.Principal{UserID: name, Nickname: "n"}, nil
	}
	w.rooms[open] = RoomView{Epoch: 1, Rev: 5, At: noon.UnixMilli(), State: room(open, ada, true, 3)}
	w.rooms[inner] = RoomView{Epoch: 1, Rev: 2, At: noon.UnixMilli(), State: room(inner, ada, false, 0)}
	return w
}

// room makes a room with a creator and some queued tracks; the first plays since noon.
func room(id, creator string, isOpen bool, tracks int) *subjects.RoomState {
	s := subjects.NewRoomState(id)
	apply(s, creator, &subjects.RoomCreated{
		Kind: subjects.KindVote, Name: "Evening", Creator: creator,
		Options: subjects.RoomOptions{MinimumScore: 1, Open: isOpen, Mode: subjects.ModeBroadcast, SkipShare: 50},
	})
	apply(s, creator, &subjects.MemberJoined{User: creator, Role: subjects.RoleCreator})
	for i := range tracks {
		t := subjects.Track{ID: fmt.Sprintf("demo:t%03d", i), Provider: "demo", Title: fmt.Sprintf("T%d", i), DurationMs: 60_000, URL: "/x"}
		apply(s, creator, &subjects.TrackSuggested{User: creator, Track: t, Seq: int64(i), Voted: true})
	}
	if tracks > 0 {
		apply(s, creator, &subjects.TrackChosen{Track: "demo:t000", Playing: true, AnchorAt: noon.UnixMilli()})
	}
	return s
}

func apply(s *subjects.RoomState, by string, e subjects.RoomEvent) {
	if err := s.Apply(subjects.Meta{By: by, At: noon.UnixMilli()}, e, nil); err != nil {
		panic(err)
	}
}

func (w *world) deps() Deps {
	return Deps{
		Rooms: ViewsFunc[*subjects.RoomState](func(_ context.Context, id string) (RoomView, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if v, ok := w.rooms[id]; ok {
				return v, nil
			}
			return RoomView{State: subjects.NewRoomState(id)}, nil
		}),
		Live: w, Playlists: w.playlists, LivePlaylists: w.playlists, Chats: w.chats, LiveChats: w.chats, Signals: &w.signals, Lists: w, Commands: w, Queries: w, Tokens: w, Clock: w, Tracks: w, Media: w,
		Ready: func(context.Context) error { return w.ready },
		Log:   slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (w *world) Ask(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error) {
	w.mu.Lock()
	w.asked = append(w.asked, asked{to, env})
	w.mu.Unlock()
	return w.ask(ctx, to, env)
}

func (w *world) Query(ctx context.Context, service, endpoint string, req, resp any) error {
	w.mu.Lock()
	w.queried = append(w.queried, service+"."+endpoint)
	w.mu.Unlock()
	out, err := w.query(ctx, service, endpoint, req)
	if err != nil || resp == nil {
		return err
	}
	raw, ok := out.(json.RawMessage)
	if !ok {
		if raw, err = json.Marshal(out); err != nil {
			return err
		}
	}
	return json.Unmarshal(raw, resp)
}

func (w *world) Verify(_ context.Context, raw string) (token.Principal, error) { return w.verify(raw) }

func (w *world) Now() time.Time { return w.now() }

func (w *world) List(_ context.Context, query string, limit int) ([]subjects.Track, error) {
	if query == "none" {
		return nil, nil
	}
	return []subjects.Track{{ID: "demo:aurora", Title: "Aurora"}}[:min(1, limit)], nil
}

var piece = []byte(strings.Repeat("0123456789", 100))

func (w *world) Open(name string) (io.ReadSeeker, time.Time, int64, error) {
	if name != "aurora" {
		return nil, time.Time{}, 0, fmt.Errorf("no piece: %w", fs.ErrNotExist)
	}
	return bytes.NewReader(piece), noon, int64(len(piece)), nil
}

func (w *world) Artwork(name string) (io.ReadSeeker, time.Time, int64, error) { return w.Open(name) }

// Write implements io.Writer for the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// unlimited is Defaults without limits on clients.
func unlimited() Config {
	cfg := Defaults()
	cfg.Listen = "127.0.0.1:0"
	cfg.Limits = Limits{Clients: 100}
	return cfg
}

// edge makes a server that listens nowhere: requests are handed to it by do.
func (w *world) edge(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := newServer(cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// call is a request for do.
type call struct {
	method, path string
	as           string // a user id
	body         string // JSON, if not empty
	header       map[string]string
	from         string // an address; empty for 192.0.2.1
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// problem decodes the body as a problem document.
func (r reply) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	mt, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err := json.Unmarshal(r.body, &p); err != nil || mt != mimeProblem {
		t.Fatalf("not a problem document: %v (%s, %v)", r, mt, err)
	}
	if p.Status != r.status || p.Code == "" || p.Type != "urn:tutti:problem:"+string(p.Code) || p.Title == "" || p.Detail == "" ||
		p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") || p.Retry != !p.Code.Final() {
		t.Fatalf("incomplete problem document: %v", r)
	}
	if (r.status == 401) != (r.header.Get("WWW-Authenticate") != "") {
		t.Fatalf("401 and WWW-Authenticate go together: %v", r)
	}
	if p.Retry && r.header.Get("Retry-After") == "" {
		t.Fatalf("no Retry-After: %v", r)
	}
	return p
}

func (r reply) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("not JSON: %v (%s, %v)", r, r.header.Get("Content-Type"), err)
	}
}

func (s *Server) do(t testing.TB, c call) reply {
	t.Helper()
	var req fasthttp.Request
	req.Header.SetMethod(c.method)
	req.SetRequestURI(c.path)
	req.Header.SetHost("tutti.test")
	if c.body != "" {
		req.Header.SetContentType("application/json")
		req.SetBodyString(c.body)
	}
	if c.as != "" {
		req.Header.Set("Authorization", "Bearer token-of-"+c.as)
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	from := c.from
	if from == "" {
		from = "192.0.2.1"
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(from), Port: 4711}, nil)
	s.handler(&ctx)
	out := reply{status: ctx.Response.StatusCode(), header: http.Header{}, body: bytes.Clone(ctx.Response.Body())}
	for k, v := range ctx.Response.Header.All() {
		out.header.Add(string(k), string(v))
	}
	return out
}

func cmdID(name string) string { return subjects.DeriveID(subjects.PrefixCommand, noon, name) }
