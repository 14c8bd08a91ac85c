package natsconf

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/subjects"
)

// violations notes what a server refused to do for anybody.
type violations struct {
	logger
	mu   sync.Mutex
	seen []string
}

func (v *violations) Errorf(f string, a ...any) {
	text := fmt.Sprintf(f, a...)
	if !strings.Contains(text, "Violation") {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen = append(v.seen, text)
}

// none fails the test for each that there was.
func (v *violations) none(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.seen {
		t.Error(text)
	}
}

// serve starts a server, and fails the test if it ever refuses anybody anything.
func serve(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	v := &violations{logger: logger{t}}
	s, err := server.NewServer(opts)
	must(t, "server", err)
	s.SetLogger(v, false, false)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
		v.none(t)
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not become ready")
	}
	return s
}

// settings are those of a process that logs in as a user and makes nothing.
func settings(t *testing.T, url, user string) services.Config {
	t.Helper()
	cfg := services.Defaults()
	cfg.Data = t.TempDir()
	cfg.AutoMigrate = false
	cfg.NATS.URL, cfg.NATS.User, cfg.NATS.Password = url, user, users[user]
	cfg.Edge.Listen = "127.0.0.1:0"
	cfg.Auth.Cost = 4
	return cfg
}

// start starts a process; stop it, or the test's end does.
func start(t *testing.T, cfg services.Config) (s *services.System, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := services.Start(ctx, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(t, "start as "+cfg.NATS.User, err)
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop %s: %v", cfg.NATS.User, err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(stop)
	return s, stop
}

// migrate makes streams and tables as the operator.
func migrate(t *testing.T, cfg services.Config) {
	t.Helper()
	cfg.AutoMigrate = true
	cfg.NATS.User, cfg.NATS.Password = "admin", users["admin"]
	_, stop := start(t, cfg)
	stop()
}

// refuse has the room refuse a queued command that came on a playlist's behalf, and then a
// playlist one of a room's: each service tells the other.
func refuse(t *testing.T, s *server.Server, p party) {
	t.Helper()
	admin := login(t, s, "admin")
	js, err := jetstream.New(admin.Conn)
	must(t, "jetstream", err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, q := range []struct {
		service, id, verb string
		origin            subjects.Origin
	}{
		{subjects.ServiceRoom, p.room, subjects.VerbVote, subjects.Origin{Service: subjects.ServicePlaylist, ID: p.playlist}},
		{subjects.ServicePlaylist, p.playlist, subjects.VerbAdd, subjects.Origin{Service: subjects.ServiceRoom, ID: p.room}},
		{subjects.ServiceChat, p.room, subjects.VerbSend, subjects.Origin{Service: subjects.ServiceRoom, ID: p.room}},
	} {
		to, err := subjects.Command{Service: q.service, ID: q.id, Verb: q.verb, Principal: someUser}.Subject(subjects.DoorQueue)
		must(t, "subject", err)
		data, err := json.Marshal(subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: []byte(`{}`), Refused: &q.origin})
		must(t, "envelope", err)
		_, err = js.Publish(ctx, to, data)
		must(t, "queue", err)
	}
	dead, err := jetstream.New(admin.Conn)
	must(t, "jetstream", err)
	eventually(t, "the queue is empty", func() error {
		stream, err := dead.Stream(ctx, subjects.StreamCommands)
		if err != nil {
			return err
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subjects.AllRouted(subjects.DoorQueue)))
		if err == nil && len(info.State.Subjects) > 0 {
			err = fmt.Errorf("%v wait", info.State.Subjects)
		}
		return err
	})
}

// All of Tutti in one process, which logs in as one user and may make nothing.
func TestTuttiRunsAsServices(t *testing.T) {
	opts := read(t, "nats.conf")
	opts.Port = freePort(t) // the same after its restart
	s := serve(t, opts)
	cfg := settings(t, s.ClientURL(), "services")
	cfg.Metrics.Listen = "127.0.0.1:0"
	migrate(t, cfg)
	first, stop := start(t, cfg)
	p := begin(t, first.HTTP)
	scrape(t, first)
	refuse(t, s, p)
	visit(t, s, p)
	s.Shutdown()
	s.WaitForShutdown()
	after := read(t, "nats.conf")
	after.Port, after.StoreDir = opts.Port, opts.StoreDir
	serve(t, after)
	resume(t, first.HTTP, p) // what it reads and hears is opened anew
	stop()
	again, stop := start(t, cfg)
	resume(t, again.HTTP, p)
	stop()
}

// apart starts each role as a process of its own user.
func apart(t *testing.T, url string, store services.StoreConfig, shards int) (edge *services.System, stop func()) {
	t.Helper()
	var stops []func()
	for _, role := range services.Roles() {
		cfg := settings(t, url, role)
		cfg.Roles = []string{role}
		cfg.Metrics.Listen = "127.0.0.1:0"
		cfg.Store = store
		cfg.NATS.Shards = shards
		s, stop := start(t, cfg)
		stops = append(stops, stop)
		scrape(t, s)
		if role == services.RoleEdge {
			edge = s
		}
	}
	return edge, func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}
}

// Each role runs as its own user, with that user's rights and no others: with one shard, and
// with more of them from the file that size.sh makes.
func TestTuttiRunsApart(t *testing.T) {
	store := rethinkdb(t)
	for _, shards := range []int{1, 3} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			file := "nats.conf"
			if shards > 1 {
				file = sized(t, 16, shards)
			}
			s := serve(t, read(t, file))
			cfg := settings(t, s.ClientURL(), "admin")
			cfg.Store.Kind, cfg.Store.Addresses, cfg.Store.Database = services.StoreRethinkDB, []string{store}, fmt.Sprint("shards", shards)
			cfg.NATS.Shards = shards
			migrate(t, cfg)
			edge, stop := apart(t, s.ClientURL(), cfg.Store, shards)
			p := begin(t, edge.HTTP)
			refuse(t, s, p)
			stop()
			edge, stop = apart(t, s.ClientURL(), cfg.Store, shards)
			resume(t, edge.HTTP, p)
			stop()
		})
	}
}

// scrape reads the metrics, which ask the server how much waits.
func scrape(t *testing.T, s *services.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Metrics, nil)
	must(t, "metrics", err)
	resp, err := http.DefaultClient.Do(req)
	must(t, "metrics", err)
	text, err := io.ReadAll(resp.Body)
	must(t, "metrics", err)
	must(t, "metrics", resp.Body.Close())
	if !strings.Contains(string(text), "tutti_bus_connected 1") {
		t.Error("the metrics do not tell of the connection")
	}
}

// visit has somebody else's service join a room, vote, and hear what becomes public.
func visit(t *testing.T, s *server.Server, p party) {
	t.Helper()
	c := login(t, s, bot)
	heard, err := c.SubscribeSync(subjects.StateWildcard(subjects.TableRooms))
	must(t, "hear", err)
	ask := func(verb, body string) subjects.Answer {
		t.Helper()
		to, err := subjects.Command{Service: subjects.ServiceRoom, ID: p.room, Verb: verb, Principal: bot}.Subject(subjects.DoorAsk)
		must(t, verb, err)
		data, err := json.Marshal(subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: json.RawMessage(body)})
		must(t, verb, err)
		reply, err := c.Request(to, data, patience)
		must(t, verb, err)
		var a subjects.Answer
		must(t, verb, json.Unmarshal(reply.Data, &a))
		return a
	}
	must(t, "join", ask(subjects.VerbJoin, `{}`).Err())
	must(t, "vote", ask(subjects.VerbVote, `{"track":"demo:paper-boats"}`).Err())
	_, err = heard.NextMsg(patience)
	must(t, "hear", err)
	reply, err := c.Request(subjects.Query(subjects.ServiceRoom, "search"), []byte(`{}`), patience)
	must(t, "search", err)
	if !strings.Contains(string(reply.Data), p.room) {
		t.Errorf("the search finds %s", reply.Data)
	}
	must(t, "leave", ask(subjects.VerbLeave, `{}`).Err())
}

// A process whose user may not make streams refuses to start where they are not there.
func TestAUserDoesNotMigrate(t *testing.T) {
	s := serve(t, read(t, "nats.conf"))
	cfg := settings(t, s.ClientURL(), "services")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if sys, err := services.Start(ctx, cfg, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
		_ = sys.Stop(ctx)
		t.Error("it started without streams")
	}
	if names := streamNames(t, login(t, s, "admin").Conn); len(names) > 0 {
		t.Errorf("it made %v", names)
	}
}

// freePort gives a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	_, port, err := net.SplitHostPort(free(t, 1)[0])
	must(t, "port", err)
	n, err := strconv.Atoi(port)
	must(t, "port", err)
	return n
}

func streamNames(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, "jetstream", err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []string
	list := js.StreamNames(ctx)
	for name := range list.Name() {
		out = append(out, name)
	}
	must(t, "streams", list.Err())
	return out
}
