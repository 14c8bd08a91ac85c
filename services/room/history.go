package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Indexes of the tables that the history is read by.
const (
	// IndexPlayedAt is by room and at: plays never overlap, so it is the order of their ends
	// too.
	IndexPlayedAt = "by_room_and_at"
	// IndexVisitedFrom is by user and from.
	IndexVisitedFrom = "by_user_and_from"
)

// historyTables describes the tables of the history. Their rows follow from single events, or
// from a closed room, and never change; so they are not among the documents that are written
// anew with each version of their room.
func historyTables() []store.Table {
	return []store.Table{
		{Name: subjects.TableRoomPlays, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexPlayedAt, Fields: []string{"room", "at"}},
		}},
		{Name: subjects.TableRoomVisits, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexVisitedFrom, Fields: []string{"user", "from"}},
		}},
	}
}

// historyWriters is how many rows of one room are written at once.
const historyWriters = 8

// past collects the rows that events owe to the history of one room.
type past struct {
	plays  []subjects.PlayedTrack
	visits []subjects.RoomVisit
}

func (p *past) note(e subjects.RoomEvent) {
	switch e := e.(type) {
	case *subjects.TrackPlayed:
		p.plays = append(p.plays, e.PlayedTrack)
	case *subjects.MemberLeft:
		if e.From > 0 && e.To > e.From { // an older release does not say
			p.visits = append(p.visits, subjects.RoomVisit{User: e.User, From: e.From, To: e.To})
		}
	}
}

// closing notes the visits that a room's closing has ended.
func (p *past) closing(s *subjects.RoomState) {
	at := s.Room.Playback.AnchorAt
	for _, user := range s.MemberIDs() {
		if m, ok := s.Member(user); ok && m.JoinedAt < at {
			p.visits = append(p.visits, subjects.RoomVisit{User: user, From: m.JoinedAt, To: at})
		}
	}
}

// write writes the rows; those that are there already stay. It gives how many were new.
func (p *past) write(ctx context.Context, st store.Store, room string, version store.Version) (written int, err error) {
	var rows []Write
	row := func(table, id string, body any) error {
		raw, err := json.Marshal(body)
		rows = append(rows, Write{Table: table, Document: store.Document{ID: id, Version: version, Body: raw}})
		return err
	}
	for _, t := range p.plays {
		if err := row(subjects.TableRoomPlays, subjects.RoomPlayID(room, t.N), subjects.RoomPlay{Room: room, PlayedTrack: t}); err != nil {
			return 0, fmt.Errorf("room: play of %s: %w", room, err)
		}
	}
	for _, v := range p.visits {
		v.Room = room
		if err := row(subjects.TableRoomVisits, subjects.RoomVisitID(v.User, room, v.From), v); err != nil {
			return 0, fmt.Errorf("room: visit to %s: %w", room, err)
		}
	}
	put := make([]bool, len(rows))
	var g errgroup.Group
	g.SetLimit(historyWriters)
	for i, w := range rows {
		g.Go(func() error {
			err := st.Put(ctx, w.Table, w.Document)
			if errors.Is(err, store.ErrStale) {
				return nil
			}
			put[i] = err == nil
			return err
		})
	}
	err = g.Wait()
	for _, ok := range put {
		if ok {
			written++
		}
	}
	return written, err
}

// settle writes what a room's events owe to the history.
func (t *Touched) settle(ctx context.Context, st store.Store, f *aggregate.Folded[*subjects.RoomState]) error {
	owed := t.past
	if t.closed {
		owed.closing(f.State)
	}
	_, err := owed.write(ctx, st, f.ID, store.Version{Epoch: f.Epoch, Fold: foldVersion, Rev: f.Rev})
	return err
}

// Rebuild makes the documents of all rooms anew, see projection.Rebuild, and then the history,
// for which it reads the log once more. With opt.Drop the history is cleared first, and so is
// what it had of events that the log has lost.
func Rebuild(ctx context.Context, b *bus.Bus, st store.Store, opt projection.RebuildOptions) (projection.Report, error) {
	if opt.Drop {
		for _, t := range historyTables() {
			if err := st.Clear(ctx, t.Name); err != nil {
				return projection.Report{}, fmt.Errorf("room: rebuild: %w", err)
			}
		}
	}
	report, err := projection.Rebuild(ctx, b, st, Projection(nil, st), opt)
	if err != nil && !errors.Is(err, projection.ErrIncomplete) {
		return report, err
	}
	written, pastErr := rebuildPast(ctx, b, st)
	report.Written += written
	if pastErr == nil {
		pastErr = store.Sync(ctx, st, subjects.TableRoomPlays, subjects.TableRoomVisits)
	}
	return report, errors.Join(err, pastErr)
}

// rebuildWriters is how many commits' rows a rebuild writes at once: each stand for themselves.
const rebuildWriters = 64

func rebuildPast(ctx context.Context, b *bus.Bus, st store.Store) (uint64, error) {
	var written atomic.Uint64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(rebuildWriters)
	err := aggregate.ReadAll(ctx, b, subjects.ServiceRoom, func(id string, e aggregate.Entry) error {
		c, err := subjects.DecodeCommit(e.Data)
		if err != nil {
			return nil //nolint:nilerr // no commit, and no part of the log
		}
		var p past
		err = c.Each(func(e *subjects.Event, _ []string) error {
			if e.Type != subjects.EventTrackPlayed && e.Type != subjects.EventMemberLeft {
				return nil
			}
			ev, err := subjects.DecodeRoomEvent(e.Type, e.Body)
			if err != nil {
				return nil //nolint:nilerr // the documents' rebuild has reported it
			}
			p.note(ev)
			return nil
		})
		if err != nil {
			return err
		}
		if len(p.plays) == 0 && len(p.visits) == 0 {
			return nil
		}
		g.Go(func() error {
			n, err := p.write(ctx, st, id, store.Version{Epoch: c.Epoch, Fold: foldVersion, Rev: c.Rev})
			written.Add(uint64(n))
			return err
		})
		return ctx.Err()
	})
	if werr := g.Wait(); werr != nil {
		err = werr // the reading broke off because of it
	}
	if err != nil {
		return written.Load(), fmt.Errorf("room: rebuild the history: %w", err)
	}
	return written.Load(), nil
}
