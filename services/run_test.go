package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps these two for the life of a process: the one writes the date of
		// every answer, the other cleans a pool of workers of servers that have stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

func config(t *testing.T) services.Config {
	cfg := services.Defaults()
	cfg.Data = t.TempDir()
	cfg.Edge.Listen, cfg.NATS.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Auth.Cost = 4
	return cfg
}

func stop(t *testing.T, s *services.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A process says in one line what it is and where, and in another why it ended; a process that
// did not start says neither.
func TestAProcessSaysThatItStartedAndStopped(t *testing.T) {
	var lines lockedBuffer
	log, err := services.NewLogger(services.LogConfig{Level: "info", Format: services.LogJSON}, &lines)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	s, err := services.Start(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the tide"))
	if err := s.Wait(ctx); err != nil {
		t.Error(err)
	}
	stop(t, s)
	said := map[string]map[string]any{}
	for line := range strings.Lines(lines.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if msg, ok := l["msg"].(string); ok && (msg == "started" || msg == "stopped") {
			if said[msg] != nil {
				t.Errorf("%s is told twice", msg)
			}
			said[msg] = l
		}
	}
	for key, want := range map[string]any{
		"level": "INFO", "roles": strings.Join(cfg.Roles, ","), "http": s.HTTP, "metrics": s.Metrics, "nats": s.NATS, "store": "sqlite", "data": cfg.Data,
	} {
		if got := said["started"][key]; got != want {
			t.Errorf("started: %s is %v, want %v", key, got, want)
		}
	}
	for _, key := range []string{"version", "took"} {
		if said["started"][key] == nil {
			t.Errorf("started does not tell %s", key)
		}
	}
	if l := said["stopped"]; l["level"] != "INFO" || l["why"] != "the tide" || l["took"] == nil || l["ran"] == nil {
		t.Errorf("stopped: %v", l)
	}

	var none lockedBuffer
	if log, err = services.NewLogger(services.LogConfig{Level: "info", Format: services.LogJSON}, &none); err != nil {
		t.Fatal(err)
	}
	cfg.Data, cfg.NATS.URL = t.TempDir(), "nats://ann:topsecret@127.0.0.1:1"
	ctx, give := context.WithTimeout(t.Context(), 2*time.Second)
	defer give()
	if _, err := services.Start(ctx, cfg, log); err == nil {
		t.Fatal("it started where there is no NATS")
	}
	if l := none.String(); strings.Contains(l, `"started"`) || strings.Contains(l, `"stopped"`) || strings.Contains(l, "topsecret") {
		t.Errorf("a process that did not start says %s", l)
	}
}

func call(t *testing.T, method, url, token, body string, want int) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, url, resp.StatusCode, want, raw)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s %s: %s", method, url, raw)
	}
	return out
}

func TestTheWholeSystemStartsServesStopsAndKeepsWhatItAccepted(t *testing.T) {
	cfg := config(t)
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`, 201)
	token, _ := grant["access_token"].(string)
	room := call(t, "POST", s.HTTP+"/v1/rooms", token, `{"kind":"vote","name":"Friday","minimumScore":1,"open":true,"tracks":["demo:aurora","demo:night-tram"]}`, 201)
	id, _ := room["id"].(string)
	call(t, "POST", s.HTTP+"/v1/rooms/"+id+"/commands", token, `{"verb":"play","body":{}}`, 200)
	before := call(t, "GET", s.HTTP+"/v1/rooms/"+id, token, "", 200)

	deadline := time.Now().Add(10 * time.Second)
	for { // lists follow the log
		found := call(t, "GET", s.HTTP+"/v1/rooms?prefix=fri", "", "", 200)
		if rooms, _ := found["rooms"].([]any); len(rooms) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the room is not found: %v", found)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || services.Hint(err) == "" {
		t.Fatalf("a second system on the same data: %v, hint %q", err, services.Hint(err))
	}

	at := services.Defaults()
	at.NATS.URL = s.NATS
	admin, err := services.DialAdmin(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	report, err := admin.Room(t.Context(), id, 0)
	if err != nil || report.Hash != before["hash"] {
		t.Fatalf("the log's room has hash %s, %v; HTTP said %v", report.Hash, err, before["hash"])
	}
	if first, err := admin.Room(t.Context(), id, 1); err != nil || first.Rev != 1 || first.Hash == report.Hash {
		t.Fatalf("as of revision 1: %+v, %v", first, err)
	}
	if _, err := admin.Room(t.Context(), subjects.NewID(subjects.PrefixRoom, time.Now()), 0); !errors.Is(err, services.ErrNoRoom) {
		t.Fatalf("a room that is not there: %v", err)
	}
	revs := []uint64{}
	if err := admin.Tail(t.Context(), id, 2, false, func(_ uint64, c subjects.Commit) error {
		revs = append(revs, c.Rev)
		return nil
	}); err != nil || len(revs) != 1 || revs[0] != 2 {
		t.Fatalf("the log from revision 2: %v, %v", revs, err)
	}
	admin.Close(t.Context())
	stop(t, s)

	r, err := services.Rebuild(t.Context(), cfg, true, nil, slog.New(slog.DiscardHandler))
	if err != nil || r.Written == 0 || r.BrokenCount != 0 {
		t.Fatalf("rebuild: %+v, %v", r, err)
	}
	s, err = services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	after := call(t, "GET", s.HTTP+"/v1/rooms/"+id, token, "", 200)
	if after["hash"] != before["hash"] {
		t.Fatalf("after a restart the room has hash %v, before %v", after["hash"], before["hash"])
	}
	found := call(t, "GET", s.HTTP+"/v1/rooms?prefix=FRI", "", "", 200)
	if rooms, _ := found["rooms"].([]any); len(rooms) != 1 {
		t.Fatalf("after a rebuild the list has %v", found)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	cfg := services.Defaults()
	cfg.Roles = []string{"room", "kitchen"}
	cfg.Log.Level, cfg.Log.Format = "loud", "xml"
	cfg.NATS.Partitions = 0
	cfg.Edge.Listen = "nowhere"
	err := cfg.Validate()
	for _, want := range []string{"kitchen", "loud", "xml", "partitions", "nowhere"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q: %v", want, err)
		}
	}
	cfg = services.Defaults()
	cfg.Roles = []string{services.RoleRoom}
	if err := cfg.Validate(); !errors.Is(err, services.ErrEmbeddedStore) {
		t.Errorf("one role on the embedded store: %v", err)
	}
	cfg.Store.Kind = services.StoreRethinkDB
	if err := cfg.Validate(); !errors.Is(err, services.ErrEmbeddedNATS) {
		t.Errorf("one role on the embedded NATS server: %v", err)
	}
	cfg.NATS.URL, cfg.NATS.User, cfg.NATS.Password = "nats://nats.example:4222", "room", "secret"
	if err := cfg.Validate(); err != nil {
		t.Errorf("one role of a deployment: %v", err)
	}
	cfg.Store.Kind, cfg.Roles = services.StoreSQLite, []string{services.RoleEdge}
	if err := cfg.Validate(); err != nil {
		t.Errorf("an edge, which needs no store: %v", err)
	}
	cfg.NATS.PasswordFile = "also.txt"
	cfg.Store = services.StoreConfig{Kind: services.StoreRethinkDB, Addresses: []string{"nowhere"}}
	err = cfg.Validate()
	for _, want := range []string{"nats: set password or password_file", "nowhere", "store.database", "store.shards", "store.replicas", "store.max_open"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q: %v", want, err)
		}
	}
	if err := services.Defaults().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestCheckFindsAnAddressInUse(t *testing.T) {
	cfg := config(t)
	cfg.NATS.Listen = ""
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	cfg.Edge.Listen = strings.TrimPrefix(s.HTTP, "http://")
	for _, f := range services.Check(t.Context(), cfg) {
		if f.Part == "http" && f.OK {
			t.Error("an address in use passes")
		}
		if f.Part != "http" && !f.OK {
			t.Errorf("%+v", f)
		}
	}
}
