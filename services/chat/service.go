package chat

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
	*projection.Running[*subjects.ChatState, *Command, subjects.ChatEvent]
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
	host, err := aggregate.StartHost(ctx, d.Bus, New(past, heard), d.Replica, opt)
	if err != nil {
		return nil, err
	}
	s := &Service{projection.Run(host, projector, d.Log)}
	pages := history{chats: reader, past: past}
	stop, err := d.Bus.Serve(subjects.ServiceChat, version, map[string]bus.Endpoint{
		subjects.QueryChatHistory: func(ctx context.Context, raw json.RawMessage) (any, error) { return pages.answer(ctx, raw) },
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.OnStop(stop)
	for _, r := range follow() {
		s.OnStop(aggregate.StartReaction(d.Bus, r, d.Log))
	}
	return s, nil
}
