package playlist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

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
	*projection.Running[*subjects.PlaylistState, *Command, subjects.PlaylistEvent]
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
	projector, err := projection.New(d.Bus, d.Store, Projection(), projection.Options{Log: d.Log})
	if err != nil {
		return nil, err
	}
	opt := d.Options
	opt.Log = d.Log
	host, err := aggregate.StartHost(ctx, d.Bus, New(d.Tracks, d.Follows), d.Replica, opt)
	if err != nil {
		return nil, err
	}
	s := &Service{projection.Run(host, projector, d.Log)}
	lists := lister{store: d.Store, follows: d.Follows}
	stop, err := d.Bus.Serve(subjects.ServicePlaylist, version, map[string]bus.Endpoint{
		subjects.QueryPlaylistList: func(ctx context.Context, raw json.RawMessage) (any, error) { return lists.list(ctx, raw) },
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.OnStop(stop, aggregate.StartReaction(d.Bus, exports(), d.Log))
	s.Keep(func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{Table: subjects.TablePlaylists, Public: PublicPlaylist, Log: d.Log})
	})
	s.Keep(func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{
			Table: subjects.TablePlaylistPeople, Public: OwnPerson, Owner: subjects.SplitPlaylistPersonID, Log: d.Log,
		})
	})
	return s, nil
}
