package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
	"github.com/tuttihq/tutti/subjects"
)

func TestReplicasAreCountedByWhatTheyDo(t *testing.T) {
	peers := func(list ...*jetstream.PeerInfo) []*jetstream.PeerInfo { return list }
	current, behind := &jetstream.PeerInfo{Current: true, Active: time.Second}, &jetstream.PeerInfo{Active: time.Second, Lag: 7}
	offline, gone := &jetstream.PeerInfo{Active: time.Second, Offline: true}, &jetstream.PeerInfo{Current: true, Offline: true}
	killed, unheard := &jetstream.PeerInfo{Current: true, Active: 6 * time.Second}, &jetstream.PeerInfo{Lag: 7}
	for what, c := range map[string]struct {
		said *jetstream.ClusterInfo
		want tally
	}{
		"outside a cluster":  {nil, tally{1, 0, 0}},
		"one replica":        {&jetstream.ClusterInfo{Leader: "n1"}, tally{1, 0, 0}},
		"all is well":        {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(current, current)}, tally{3, 0, 0}},
		"one catches up":     {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(behind, current)}, tally{2, 1, 0}},
		"one is away":        {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(offline, current)}, tally{2, 0, 1}},
		"it had all":         {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(gone, behind)}, tally{1, 1, 1}},
		"one was killed":     {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(killed, current)}, tally{2, 0, 1}},
		"another leads then": {&jetstream.ClusterInfo{Leader: "n1", Replicas: peers(unheard, behind)}, tally{1, 1, 1}},
		"there is no leader": {&jetstream.ClusterInfo{Replicas: peers(offline, current)}, tally{1, 0, 1}},
	} {
		if got := count(c.said); *got != c.want {
			t.Errorf("%s: %v, want %v", what, *got, c.want)
		}
	}
}

// surveyed starts a survey of n streams whose answers are look's.
func surveyed(t *testing.T, n int, look func(ctx context.Context, stream string) (*tally, error), account func(context.Context) (*storage, error)) *survey {
	t.Helper()
	s := &survey{log: slog.New(slog.DiscardHandler), look: look, account: account}
	for i := range n {
		s.streams = append(s.streams, fmt.Sprint("S", i))
	}
	s.start(t.Context(), nil)
	return s
}

// known is how many streams are told of, and whether the account is.
func (s *survey) known() (streams int, account bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tallies {
		if t != nil {
			streams++
		}
	}
	return streams, s.stored != nil
}

func TestASurveyIsTakenAgainAndForgetsWhatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var failing atomic.Bool
		no := errors.New("no answer")
		s := surveyed(t, 20, func(_ context.Context, name string) (*tally, error) {
			asked.Add(1)
			if failing.Load() && name != "S3" {
				return nil, no
			}
			return &tally{3}, nil
		}, func(context.Context) (*storage, error) {
			if failing.Load() {
				return nil, no
			}
			return &storage{used: 1}, nil
		})
		defer s.stop()
		synctest.Wait()
		if n, account := s.known(); n != 20 || !account {
			t.Fatalf("from the start %d streams are known, and the account: %v", n, account)
		}
		for _, fails := range []bool{true, false} {
			asked.Store(0)
			failing.Store(fails)
			time.Sleep(surveyEvery)
			synctest.Wait()
			want := 20
			if fails {
				want = 1
			}
			if n, account := s.known(); n != want || account == fails || asked.Load() != 20 {
				t.Errorf("failing %v: %d streams are known after %d questions, the account %v", fails, n, asked.Load(), account)
			}
		}
	})
}

func TestASurveyThatNobodyAnswersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asking, most atomic.Int64
		silent := func(ctx context.Context, _ string) (*tally, error) {
			most.Store(max(most.Load(), asking.Add(1)))
			defer asking.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		begin := time.Now()
		s := surveyed(t, 100, silent, func(ctx context.Context) (*storage, error) { <-ctx.Done(); return nil, ctx.Err() })
		if took := time.Since(begin); took != 0 {
			t.Errorf("a start waited %v", took)
		}
		synctest.Wait()
		if n := most.Load(); n > surveyAtOnce {
			t.Errorf("%d streams were asked at once", n)
		}
		time.Sleep(surveyEvery + surveyWait - time.Second)
		synctest.Wait()
		if asking.Load() == 0 {
			t.Error("nobody is asked")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := asking.Load(); n != 0 {
			t.Errorf("%d are still asked", n)
		}
		time.Sleep(surveyEvery - surveyWait) // in the midst of the next one
		begin = time.Now()
		s.stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v to stop", took)
		}
	})
}

// started starts a bus whose metrics are read.
func started(t *testing.T, cfg Config) (*Bus, func() string) {
	t.Helper()
	cfg.Metrics = telemetry.NewRegistry()
	b, err := Start(t.Context(), cfg, []string{"toy"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	for over := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // the first survey
		if _, account := b.survey.known(); account {
			break
		}
		if time.Now().After(over) {
			t.Fatal("the streams are not surveyed")
		}
	}
	return b, func() string { return telemetrytest.Scrape(t, cfg.Metrics) }
}

func tells(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text) {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestAServerAloneHasEveryStreamOnce(t *testing.T) {
	cfg := Defaults()
	cfg.DataDir = t.TempDir()
	b, scrape := started(t, cfg)
	text := scrape()
	for _, stream := range []string{"COMMANDS", "SNAPSHOTS", "STATE", "DLQ", "EVENTS_TOY"} {
		tells(t, text, `tutti_nats_stream_replicas\{state="current",stream="`+stream+`"\} 1`,
			`tutti_nats_stream_replicas\{state="behind",stream="`+stream+`"\} 0`, `tutti_nats_stream_replicas\{state="offline",stream="`+stream+`"\} 0`)
	}
	tells(t, text, `tutti_nats_storage_bytes\{what="used"\} \d+`)
	if strings.Contains(text, "ARCHIVE_TOY") || strings.Contains(text, `what="limit"`) {
		t.Errorf("an archive that is not there, or a limit:\n%s", text)
	}
	if err := b.EnsureArchive(t.Context(), "toy", ArchiveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(t.Context(), subjects.Events("toy", "a"), make([]byte, 10_000), 0); err != nil {
		t.Fatal(err)
	}
	account, err := b.srv.srv.LookupAccount(server.DEFAULT_GLOBAL_ACCOUNT)
	if err == nil {
		err = account.UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {MaxMemory: -1, MaxStore: 400 << 20, MaxStreams: -1, MaxConsumers: -1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	b.survey.take(t.Context())
	tells(t, scrape(), `tutti_nats_stream_replicas\{state="current",stream="ARCHIVE_TOY"\} 1`,
		`tutti_nats_storage_bytes\{what="used"\} 1\d{4}`, `tutti_nats_storage_bytes\{what="limit"\} 4.194304e\+08`)

	b.nc.Close() // whom nobody answers
	b.survey.take(t.Context())
	if text := scrape(); strings.Contains(text, "tutti_nats_") {
		t.Errorf("what is not known any more is told:\n%s", text)
	}
}

func TestABusThatIsClosedTellsNothingOfItsStreams(t *testing.T) {
	b, scrape := started(t, Defaults())
	b.Close(t.Context())
	if text := scrape(); strings.Contains(text, "tutti_nats_") {
		t.Errorf("it is asked how its streams are kept:\n%s", text)
	}
}

// node starts one of three servers of a cluster, on what it had on its disk.
func node(t *testing.T, i int, dir string, routes []*url.URL) *server.Server {
	t.Helper()
	port, err := strconv.Atoi(routes[i].Port())
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: fmt.Sprint("n", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, MaxPayload: MaxPayload,
		JetStream: true, StoreDir: dir, Routes: routes,
		Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := s.GlobalAccount().AddMapping(subjects.Mapping(d, Defaults().Partitions)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func TestAServerThatGoesIsSeenUntilItIsBack(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster of three servers")
	}
	var dirs [3]string
	var nodes [3]*server.Server
	var routes []*url.URL
	var held []net.Listener
	for i := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		dirs[i], routes = t.TempDir(), append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		held = append(held, l)
	}
	for i := range nodes {
		if err := held[i].Close(); err != nil {
			t.Fatal(err)
		}
		nodes[i] = node(t, i, dirs[i], routes)
	}
	for _, n := range nodes {
		if !n.ReadyForConnections(10 * time.Second) {
			t.Fatal("a server is not ready")
		}
	}
	cfg := Defaults()
	cfg.URL, cfg.Replicas = nodes[0].ClientURL()+","+nodes[1].ClientURL(), 3
	b, scrape := started(t, cfg)
	await := func(current, behind, offline int) {
		t.Helper()
		want := tally{current, behind, offline}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			b.survey.take(t.Context())
			b.survey.mu.Lock()
			other := ""
			for i, name := range b.survey.streams {
				if got := b.survey.tallies[i]; name != subjects.StreamArchive("toy") && (got == nil || *got != want) {
					other = fmt.Sprint(name, got)
				}
			}
			b.survey.mu.Unlock()
			if other == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("want %v: %s", want, other)
			}
		}
		text := scrape()
		for i, state := range []string{"current", "behind", "offline"} {
			tells(t, text, fmt.Sprintf(`tutti_nats_stream_replicas\{state=%q,stream="EVENTS_TOY"\} %d`, state, want[i]))
		}
	}
	await(3, 0, 0)
	nodes[2].Shutdown()
	nodes[2].WaitForShutdown()
	await(2, 0, 1)
	node(t, 2, dirs[2], routes)
	await(3, 0, 0)
}
