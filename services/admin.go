package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// ErrNoRoom is returned for a room without a log.
var ErrNoRoom = errors.New("there is no such room")

// ErrNoRevision is returned for a revision that a room has not reached.
var ErrNoRevision = errors.New("the room has no revision")

// Admin looks into a running system through its NATS server, with the rights of an
// operator: it sees private rooms too. Close it.
type Admin struct {
	bus     *bus.Bus
	journal aggregate.Journal
}

// DialAdmin connects to the NATS server of a running system: the one that the settings
// name, or the embedded one where they have it listen.
func DialAdmin(ctx context.Context, cfg Config) (*Admin, error) {
	cfg, err := cfg.withPasswords()
	if err != nil {
		return nil, err
	}
	if cfg.NATS.URL == "" {
		cfg.NATS.URL = "nats://" + cfg.NATS.Listen
	}
	bc := cfg.bus()
	bc.Name = "tutti-admin"
	bc.Shards = 0 // the deployment knows
	if err := bc.Validate(); err != nil {
		return nil, err
	}
	b, err := bus.Dial(ctx, bc, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &Admin{bus: b, journal: aggregate.NewJournal(b, subjects.ServiceRoom)}, nil
}

// Close ends the connection.
func (a *Admin) Close(ctx context.Context) { a.bus.Close(ctx) }

// RoomsPage is one page of open, public rooms.
type RoomsPage struct {
	Rooms []subjects.RoomSummary `json:"rooms"`
	Next  string                 `json:"next"`
}

// Rooms lists public rooms whose names begin with prefix, a page at a time; cursor is the
// Next of the page before.
func (a *Admin) Rooms(ctx context.Context, prefix, cursor string, limit int) (RoomsPage, error) {
	var page RoomsPage
	err := a.bus.Query(ctx, subjects.ServiceRoom, "search",
		map[string]any{"prefix": prefix, "cursor": cursor, "limit": limit}, &page)
	return page, answered(err)
}

// RoomReport is a room as its log makes it.
type RoomReport struct {
	Epoch uint64          `json:"epoch"`
	Rev   uint64          `json:"rev"`
	Seq   uint64          `json:"seq"`
	At    int64           `json:"at"`
	Hash  string          `json:"hash"`
	State json.RawMessage `json:"state"`
}

// Room folds a room from its log, up to a revision (0: the newest). Hash is of the
// canonical form of the public document, State. It returns ErrNoRoom for a room without a
// log, and ErrNoRevision for one that has not come so far.
func (a *Admin) Room(ctx context.Context, id string, upTo uint64) (RoomReport, error) {
	var f *aggregate.Folded[*subjects.RoomState]
	var err error
	if upTo == 0 {
		f, err = aggregate.Load(ctx, a.journal, room.Fold{}, id)
	} else {
		f, err = aggregate.LoadAsOf(ctx, a.journal, room.Fold{}, id, upTo)
	}
	if err != nil {
		return RoomReport{}, err
	}
	switch {
	case f.Rev == 0:
		return RoomReport{}, fmt.Errorf("%w: %s", ErrNoRoom, id)
	case f.Rev < upTo:
		return RoomReport{}, fmt.Errorf("%w %d: the newest of %s is %d", ErrNoRevision, upTo, id, f.Rev)
	}
	doc, err := subjects.CanonicalOf(f.State.Room)
	if err != nil {
		return RoomReport{}, err
	}
	hash, err := subjects.Hash(doc)
	if err != nil {
		return RoomReport{}, err
	}
	return RoomReport{Epoch: f.Epoch, Rev: f.Rev, Seq: f.Seq, At: f.At, Hash: hash, State: doc}, nil
}

// Tail calls f for every commit of a room from a revision on, first those in the log and
// then those that come, until ctx ends; or only those in the log if follow is false. It
// misses none and repeats none.
func (a *Admin) Tail(ctx context.Context, id string, from uint64, follow bool, f func(seq uint64, c subjects.Commit) error) error {
	if head, err := a.journal.Head(ctx, id); err != nil {
		return err
	} else if head.Seq == 0 {
		return fmt.Errorf("%w: %s", ErrNoRoom, id)
	}
	return aggregate.Tail(ctx, a.bus, subjects.ServiceRoom, id, follow, func(seq uint64, c subjects.Commit) error {
		if c.Rev < from {
			return nil
		}
		return f(seq, c)
	})
}
