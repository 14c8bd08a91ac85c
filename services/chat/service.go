package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// version is what the service tells NATS tools.
const version = "1.0.0"

// Deps is what the service needs. All fields but Options must be set.
type Deps struct {
	// Bus has the streams of subjects.ServiceChat, and of subjects.ServiceRoom and
	// subjects.ServicePlaylist, which chats belong to.
	Bus *bus.Bus
	// Store has the tables of Tables.
	Store store.Store
	Log   *slog.Logger
	// Replica names this process among those that run chats, new for each start.
	Replica string
	// Options bound the kernel; the zero value is good.
	Options aggregate.Options
}

func (d Deps) validate() error {
	var errs []error
	for _, f := range [...]struct {
		name string
		ok   bool
	}{{"bus", d.Bus != nil}, {"store", d.Store != nil}, {"log", d.Log != nil}, {"replica name", d.Replica != ""}} {
		if !f.ok {
			errs = append(errs, fmt.Errorf("chat: the service needs a %s", f.name))
		}
	}
	return errors.Join(errs...)
}

// Service runs chats. Many replicas may run: they share the chats.
type Service struct {
	host      *aggregate.Host[*subjects.ChatState, *Command, subjects.ChatEvent]
	projector *projection.Projector[*subjects.ChatState, subjects.ChatEvent]
	stops     []func()
}

// Start takes this replica's share of the chats, answers history, and has chats follow
// their rooms and playlists. Stop it before closing the bus and the store.
func Start(ctx context.Context, d Deps) (*Service, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	journal := aggregate.NewJournal(d.Bus, subjects.ServiceChat)
	past, err := NewArchive(journal, d.Store)
	if err != nil {
		return nil, err
	}
	reader, err := aggregate.NewReader(journal, Fold{}, cachedChats)
	if err != nil {
		return nil, err
	}
	heard, err := newHeard(d.Bus, reader)
	if err != nil {
		return nil, err
	}
	projector, err := projection.New(d.Bus, d.Store, Projection(past), projection.Options{Log: d.Log})
	if err != nil {
		return nil, err
	}
	opt := d.Options
	opt.Log = d.Log
	s := &Service{projector: projector}
	if s.host, err = aggregate.StartHost(ctx, d.Bus, New(past, heard), d.Replica, opt); err != nil {
		return nil, err
	}
	pages := history{chats: reader, past: past}
	stop, err := d.Bus.Serve(subjects.ServiceChat, version, map[string]bus.Endpoint{
		subjects.QueryChatHistory: func(ctx context.Context, raw json.RawMessage) (any, error) { return pages.answer(ctx, raw) },
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.stops = append(s.stops, stop)
	for _, r := range follow() {
		s.stops = append(s.stops, aggregate.StartReaction(d.Bus, r, d.Log))
	}
	s.project(d.Log)
	return s, nil
}

// project keeps the documents up until Stop. What ends it before is a defect of the
// deployment: it is logged, and chats go on.
func (s *Service) project(log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.projector.Run(ctx); err != nil {
			log.Error("the chats' history is not kept up any more", "err", err)
		}
	})
	s.stops = append(s.stops, func() { cancel(); wg.Wait() })
}

// Stats gives the kernel's counters.
func (s *Service) Stats() aggregate.Stats { return s.host.Engine().Stats() }

// Projected gives the projector's counters.
func (s *Service) Projected() projection.Stats { return s.projector.Stats() }

// Unprojected tells how many commits wait for a projector, over all replicas; it asks the
// NATS server.
func (s *Service) Unprojected(ctx context.Context) (uint64, error) { return s.projector.Behind(ctx) }

// Queued tells how many commands wait in the queue of this replica's chats, and how many of
// them are being worked on; it asks the NATS server.
func (s *Service) Queued(ctx context.Context) (waiting uint64, flight int, err error) {
	return s.host.Queued(ctx)
}

// Partitions is how many of the partitions this replica owns now.
func (s *Service) Partitions() int { return s.host.Partitions() }

// Stop lets go of the chats: another replica takes them over at once. It waits for what is
// under way until ctx ends.
func (s *Service) Stop(ctx context.Context) error {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
	return s.host.Stop(ctx)
}
