package room

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

// Deps is what the service needs. All fields but Options must be set.
type Deps struct {
	Bus *bus.Bus
	// Store has the tables of Tables and Owned.
	Store  store.Store
	Tracks Catalog
	Log    *slog.Logger
	// Replica names this process among those that run rooms, new for each start.
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
			errs = append(errs, fmt.Errorf("room: the service needs a %s", f.name))
		}
	}
	return errors.Join(errs...)
}

// Service runs rooms. Many replicas may run: they share the rooms.
type Service struct {
	*projection.Running[*subjects.RoomState, *Command, subjects.RoomEvent]
}

// Start takes this replica's share of the rooms, answers searches and questions about what
// was played, and starts the reactions. Stop it before closing the bus and the store.
func Start(ctx context.Context, d Deps) (*Service, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	journal := aggregate.NewJournal(d.Bus, subjects.ServiceRoom)
	claims := &Claims{Store: d.Store, Nicknames: nicknames{d.Bus}, Rooms: created{journal}, Now: d.Bus.Clock().Now}
	rooms, err := aggregate.NewReader(journal, Fold{}, cachedRooms)
	if err != nil {
		return nil, err
	}
	projector, err := projection.New(d.Bus, d.Store, Projection(claims, d.Store), projection.Options{Log: d.Log})
	if err != nil {
		return nil, err
	}
	opt := d.Options
	opt.Log = d.Log
	opt.AskOnly = func(verb string) bool { return verb == subjects.VerbPosition } // coordinates
	host, err := aggregate.StartHost(ctx, d.Bus, New(d.Tracks, claims), d.Replica, opt)
	if err != nil {
		return nil, err
	}
	s := &Service{projection.Run(host, projector, d.Log)}
	past := played{store: d.Store, rooms: rooms}
	stop, err := d.Bus.Serve(subjects.ServiceRoom, version, map[string]bus.Endpoint{
		"search":            func(ctx context.Context, raw json.RawMessage) (any, error) { return search(ctx, d.Store, raw) },
		subjects.QueryPlays: func(ctx context.Context, raw json.RawMessage) (any, error) { return past.plays(ctx, raw) },
		subjects.QueryHeard: func(ctx context.Context, raw json.RawMessage) (any, error) { return past.heard(ctx, raw) },
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.OnStop(stop, aggregate.StartReaction(d.Bus, seats(d.Store), d.Log), aggregate.StartReaction(d.Bus, exports(), d.Log))
	s.Keep(func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{Table: subjects.TableRooms, Public: PublicRoom, Log: d.Log})
	})
	s.Keep(func(ctx context.Context) error {
		return projection.Publish(ctx, d.Bus, d.Store, projection.Publication{
			Table: subjects.TableRoomInvites, Public: OwnInvite, Owner: subjects.SplitRoomInviteID, Log: d.Log,
		})
	})
	return s, nil
}

// nicknames reads what people are called from the public documents of profiles, or of
// accounts for who has no profile yet.
type nicknames struct{ bus *bus.Bus }

func (n nicknames) Nickname(ctx context.Context, user string) (string, error) {
	for _, table := range [...]string{subjects.TableProfiles, subjects.TableAccounts} {
		d, err := n.bus.LastState(ctx, table, user)
		if errors.Is(err, bus.ErrNoMessage) || err == nil && d.Deleted {
			continue
		}
		if err != nil {
			return "", err
		}
		var who struct {
			Nickname string `json:"nickname"`
		}
		if err := json.Unmarshal(d.Body, &who); err != nil {
			return "", fmt.Errorf("room: public document of %s: %w", user, err)
		}
		return who.Nickname, nil
	}
	return "", nil
}

// created asks the log whether a room has begun.
type created struct{ journal aggregate.Journal }

func (c created) Created(ctx context.Context, roomID string) (bool, error) {
	head, err := c.journal.Head(ctx, roomID)
	return head.Seq > 0, err
}
