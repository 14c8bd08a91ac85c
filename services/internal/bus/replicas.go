package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// surveyEvery is how old what a scrape tells of the streams may be, and surveyWait how
	// long one survey of them may take; what has not answered by then is left out.
	surveyEvery = 15 * time.Second
	surveyWait  = 10 * time.Second
	// surveyAtOnce bounds the streams that are asked at the same time.
	surveyAtOnce = 16
	// replicaSilent is for how long a stream's leader has heard nothing of a replica, which
	// answers it every second.
	replicaSilent = 5 * time.Second
)

// A replica of a stream is one of these. The stream's leader is current.
const (
	replicaCurrent = iota
	replicaBehind
	replicaOffline
	replicaStates
)

// tally counts a stream's replicas by their state.
type tally [replicaStates]int

// storage is what the account has on NATS' disks, and may have; 0: no limit.
type storage struct{ used, limit float64 }

// survey knows how the streams of a deployment are kept: how many of each stream's replicas
// have all of it, and how much of its storage the account has used. It asks NATS every
// surveyEvery, each stream once, in a goroutine that ends with stop. What NATS did not answer
// is not told until it does again: an old figure would hide what happened since.
type survey struct {
	log     *slog.Logger
	streams []string
	// look tells of one stream, nil if there is none of that name; account of the account.
	look    func(ctx context.Context, stream string) (*tally, error)
	account func(ctx context.Context) (*storage, error)
	forget  []func()
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	tallies []*tally // by stream; nil is not known
	stored  *storage // nil is not known
}

// startSurvey surveys the streams that a bus of these services has. Where no metrics are read
// it surveys nothing, and gives nil.
func startSurvey(ctx context.Context, b *Bus, services []string) *survey {
	if b.watch.reg == nil {
		return nil
	}
	s := &survey{log: b.log, look: b.lookReplicas, account: b.lookStorage}
	for _, c := range streams(services, b.cfg.Shards, 1) {
		s.streams = append(s.streams, c.Name)
	}
	for _, name := range services {
		s.streams = append(s.streams, subjects.StreamArchive(name)) // there once something was archived
	}
	s.start(ctx, b.watch.reg)
	return s
}

func (s *survey) start(ctx context.Context, reg *telemetry.Registry) {
	s.tallies, s.done = make([]*tally, len(s.streams)), make(chan struct{})
	s.tell(reg)
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.run(ctx)
}

// stop ends the survey and what is told of it. A nil survey has nothing to stop.
func (s *survey) stop() {
	if s == nil {
		return
	}
	s.cancel()
	<-s.done
	for _, forget := range s.forget {
		forget()
	}
}

func (s *survey) run(ctx context.Context) {
	defer close(s.done)
	t := time.NewTicker(surveyEvery)
	defer t.Stop()
	for {
		round, cancel := context.WithTimeout(ctx, surveyWait)
		s.take(round)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// take asks for everything once.
func (s *survey) take(ctx context.Context) {
	tallies := make([]*tally, len(s.streams))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(surveyAtOnce, len(s.streams)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(s.streams); i = int(next.Add(1)) - 1 {
				t, err := s.look(ctx, s.streams[i])
				if err != nil {
					s.log.Debug("a stream's replicas are not known", "stream", s.streams[i], "err", err)
					continue
				}
				tallies[i] = t
			}
		})
	}
	stored, err := s.account(ctx)
	if err != nil {
		s.log.Debug("the account's storage is not known", "err", err)
		stored = nil
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallies, s.stored = tallies, stored
}

func (b *Bus) lookReplicas(ctx context.Context, name string) (*tally, error) {
	stream, err := b.look(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return count(stream.CachedInfo().Cluster), nil
}

func (b *Bus) lookStorage(ctx context.Context) (*storage, error) {
	account, err := b.js.AccountInfo(ctx)
	if err != nil {
		return nil, classify(err)
	}
	return &storage{used: float64(account.Store), limit: float64(max(account.Limits.MaxStore, 0))}, nil
}

// count sorts a stream's replicas; outside a cluster there is one, which has everything. A
// server that was killed counts as offline here before the others say so, which takes them
// minutes: its replica is silent.
func count(c *jetstream.ClusterInfo) *tally {
	if c == nil {
		return &tally{replicaCurrent: 1}
	}
	t := &tally{}
	if c.Leader != "" {
		t[replicaCurrent]++
	}
	for _, r := range c.Replicas {
		silent := r.Active > replicaSilent || r.Active == 0 && !r.Current // 0: since it leads
		switch {
		case r.Offline || silent:
			t[replicaOffline]++
		case r.Current:
			t[replicaCurrent]++
		default:
			t[replicaBehind]++
		}
	}
	return t
}

// tell has what is known read when somebody asks.
func (s *survey) tell(reg *telemetry.Registry) {
	for i, stream := range s.streams {
		for state, name := range [replicaStates]string{"current", "behind", "offline"} {
			set := telemetry.NewReads(map[string]string{"stream": stream, "state": name})
			replicas := set.Gauge("tutti_nats_stream_replicas", "Replicas of a stream, its leader among the current ones.")
			s.forget = append(s.forget, reg.Read(set, func(set func(telemetry.Reading, float64)) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if t := s.tallies[i]; t != nil {
					set(replicas, float64(t[state]))
				}
			}))
		}
	}
	for _, what := range []string{"used", "limit"} {
		set := telemetry.NewReads(map[string]string{"what": what})
		bytes := set.Gauge("tutti_nats_storage_bytes", "The account's storage on disk, every replica counted, and its limit if it has one.")
		s.forget = append(s.forget, reg.Read(set, func(set func(telemetry.Reading, float64)) {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch {
			case s.stored == nil:
			case what == "used":
				set(bytes, s.stored.used)
			case s.stored.limit > 0:
				set(bytes, s.stored.limit)
			}
		}))
	}
}
