package room

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Indexes of the tables that rooms are listed and searched by.
const (
	// IndexRoomName is by phase, private and nameKey: open rooms whose names begin so.
	IndexRoomName = "by_name"
	// IndexInviteName is by user and nameKey: the private rooms that a user may find.
	IndexInviteName = "by_user_and_name"
)

// Tables describes the tables that rooms are projected to. All are folded from the log and
// may be dropped and rebuilt.
func Tables() []store.Table {
	return append(historyTables(), []store.Table{
		{Name: subjects.TableRooms, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexRoomName, Fields: []string{"phase", "private", "nameKey"}},
		}},
		{Name: subjects.TableRoomInvites, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexInviteName, Fields: []string{"user", "nameKey"}},
		}},
	}...)
}

// Write is a document to put, or to delete if Deleted, in a table.
type Write = projection.Write

// Projection says how rooms become documents; claims, unless it is nil, gives the names of
// closed rooms free, and what was played and who was there goes to st.
func Projection(claims *Claims, st store.Store) projection.Spec[*subjects.RoomState, subjects.RoomEvent] {
	return projection.Spec[*subjects.RoomState, subjects.RoomEvent]{
		Fold:    Fold{},
		Tables:  []string{subjects.TableRooms, subjects.TableRoomInvites},
		Touched: func() projection.Touched[*subjects.RoomState, subjects.RoomEvent] { return &Touched{} },
		Owner: func(table, document string) (string, bool) {
			if table == subjects.TableRoomInvites {
				_, room, ok := subjects.SplitRoomInviteID(document)
				return room, ok
			}
			return document, true
		},
		Settle: func(ctx context.Context, f *aggregate.Folded[*subjects.RoomState], t projection.Touched[*subjects.RoomState, subjects.RoomEvent]) error {
			own, ok := t.(*Touched)
			if !ok {
				return nil
			}
			if err := own.settle(ctx, st, f); err != nil {
				return err
			}
			if !own.Closed() || claims == nil {
				return nil
			}
			return claims.Release(ctx, f.ID, f.State.Room.Name)
		},
		Beside: []string{subjects.TableRoomPlays, subjects.TableRoomVisits},
	}
}

// PublicRoom gives what everybody may know of a document in TableRooms: all of a room that
// everybody may join, nothing of a private one, and nothing any more of one that is closed:
// lists are of rooms to go to.
func PublicRoom(doc store.Document) (json.RawMessage, bool) {
	var s subjects.RoomSummary
	if doc.Deleted || doc.Decode(&s) != nil || s.Private || s.Phase != subjects.PhaseOpen {
		return nil, false
	}
	return doc.Body, true
}

// OwnInvite gives what the invited may know of a document in TableRoomInvites: all of it.
func OwnInvite(doc store.Document) (json.RawMessage, bool) { return doc.Body, !doc.Deleted }

// Touched collects what the documents of one room owe to the events folded since they
// were last written, so that writing costs what changed and several commits can be
// written as one. The zero value is ready. It holds at most one entry an invitation, and the
// rows that the commits in flight owe to the history.
type Touched struct {
	users  map[string]struct{}
	closed bool
	any    bool
	past   past
}

// Note looks at an event, public or sealed, that was folded into the state.
func (t *Touched) Note(e subjects.RoomEvent) {
	t.any = true
	t.past.note(e)
	switch e := e.(type) {
	case *subjects.RoomCreated:
		t.user(e.Creator)
	case *subjects.InvitationSent:
		t.user(e.User)
	case *subjects.InvitationWithdrawn:
		t.user(e.User)
	case *subjects.RoomClosed:
		t.closed = true
	}
}

func (t *Touched) user(id string) {
	if t.users == nil {
		t.users = make(map[string]struct{})
	}
	t.users[id] = struct{}{}
}

// Closed reports whether the room was closed, so that its name is to be released
// (Claims.Release).
func (t *Touched) Closed() bool { return t.closed }

// All notes everything: what a rebuild writes.
func (t *Touched) All(s *subjects.RoomState) {
	t.any = true
	t.closed = t.closed || s.Closed()
	t.user(s.Room.Creator)
	for _, id := range s.InvitedIDs() {
		t.user(id)
	}
}

// Writes gives what brings the documents up to the state, all at one version. Written
// twice, or out of order, they do no harm: the store keeps the newest.
func (t *Touched) Writes(s *subjects.RoomState, version store.Version) ([]Write, error) {
	if !t.any || !s.Exists() {
		return nil, nil
	}
	body, err := json.Marshal(s.Room.Summary())
	if err != nil {
		return nil, fmt.Errorf("room: document of %s: %w", s.Room.ID, err)
	}
	out := []Write{{Table: subjects.TableRooms, Document: store.Document{ID: s.Room.ID, Version: version, Body: body}}}
	if s.Room.Options.Open {
		return out, nil
	}
	if t.closed {
		t.All(s)
	}
	for user := range t.users {
		w := Write{Table: subjects.TableRoomInvites, Document: store.Document{ID: subjects.RoomInviteID(user, s.Room.ID), Version: version}}
		if s.Closed() || !s.Invited(user) && user != s.Room.Creator {
			w.Document.Deleted = true
		} else if w.Document.Body, err = json.Marshal(subjects.RoomInvite{
			User: user, Room: s.Room.ID, Name: s.Room.Name, NameKey: subjects.RoomNameKey(s.Room.Name),
		}); err != nil {
			return nil, fmt.Errorf("room: invitation to %s: %w", s.Room.ID, err)
		}
		out = append(out, w)
	}
	return out, nil
}

// Reset forgets what was noted, after it was written.
func (t *Touched) Reset() { *t = Touched{} }
