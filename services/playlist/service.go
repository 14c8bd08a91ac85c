package playlist

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

// Deps is what the service needs. All fields but Follows and Options must be set.
type Deps struct {
	Bus *bus.Bus
	// Store has the tables of Tables.
	Store  store.Store
	Tracks Catalog
	// Follows tells who follows whom; NoFollows if nil.
	Follows Follows
	Log     *slog.Logger
	// Replica names this process among those that run playlists, new for each start.
	Replica string
	// Options bound the kernel; the zero value is good.
	Options aggregate.Options
}

func (d Deps) validate() error {
	var errs []error
	for _, f := range [...]struct {
		name string
		ok   bool
	}{{"bus", d.Bus != nil}, {"store", d.Store != nil}, {"catalogue", d.Tracks != nil}, {"log", d.Log != nil}, {"replica name", d.Replica != ""}} {
		if !f.ok {
			errs = append(errs, fmt.Errorf("playlist: the service needs a %s", f.name))
		}
	}
	return errors.Join(errs...)
}

// Service runs playlists. Many replicas may run: they share the playlists.
type Service struct {
	host      *aggregate.Host[*subjects.PlaylistState, *Command, subjects.PlaylistEvent]
	projector *projection.Projector[*subjects.PlaylistState, subjects.PlaylistEvent]
	stops     []func()
}

// Start takes this replica's share of the playlists, answers lists, and starts the
// reaction that opens rooms. Stop it before closing the bus and the store.
func Start(ctx context.Context, d Deps) (*Service, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	if d.Follows == nil {
		d.Follows = NoFollows{}
	}
	opt := d.Options
	opt.Log = d.Log
	host, err := aggregate.StartHost(ctx, d.Bus, New(d.Tracks, d.Follows), d.Replica, opt)
	if err != nil {
		return nil, err
	}
	s := &Service{host: host}
	lists := lister{store: d.Store, follows: d.Follows}
	stop, err := d.Bus.Serve(subjects.ServicePlaylist, version, map[string]bus.Endpoint{
		subjects.QueryPlaylistList: func(ctx context.Context, raw json.RawMessage) (any, error) { return lists.list(ctx, raw) },
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.stops = append(s.stops, stop)
	s.stops = append(s.stops, aggregate.StartReaction(d.Bus, exports(), d.Log))
	projector, err := projection.New(d.Bus, d.Store, Projection(), projection.Options{Log: d.Log})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.projector = projector
	s.background(d.Log, projector.Run)
	s.background(d.Log, func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{Table: subjects.TablePlaylists, Public: PublicPlaylist, Log: d.Log})
	})
	s.background(d.Log, func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{
			Table: subjects.TablePlaylistPeople, Public: OwnPerson, Owner: subjects.SplitPlaylistPersonID, Log: d.Log,
		})
	})
	return s, nil
}

// background runs what projects and publishes until Stop. What ends it before is a defect
// of the deployment: it is logged, and playlists go on.
func (s *Service) background(log *slog.Logger, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			log.Error("playlist documents are not kept up any more", "err", err)
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

// Queued tells how many commands wait in the queue of this replica's playlists, and how many
// of them are being worked on; it asks the NATS server.
func (s *Service) Queued(ctx context.Context) (waiting uint64, flight int, err error) {
	return s.host.Queued(ctx)
}

// Partitions is how many of the partitions this replica owns now.
func (s *Service) Partitions() int { return s.host.Partitions() }

// Stop lets go of the playlists: another replica takes them over at once. It waits for what
// is under way until ctx ends.
func (s *Service) Stop(ctx context.Context) error {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
	return s.host.Stop(ctx)
}
