package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// TableSeats remembers in which vote room each user was last seen joining. Its versions
// are the joins' times and, within a millisecond, their sequences in the log of all rooms,
// so the join that came last wins in whatever order joins are looked at, and also when the
// log has lost its tail and hands out sequences again.
const TableSeats = "seats"

// Owned describes the tables in which the store is the authority: claims on names, and
// seats.
func Owned() []store.Table {
	return []store.Table{
		{Name: TableClaims, Durability: store.Hard},
		{Name: TableSeats, Durability: store.Soft},
	}
}

// seat is the body of a document in TableSeats.
type seat struct {
	Room string `json:"room"`
	// Left is the room that was left for it, empty if there was none.
	Left string `json:"left"`
}

// seats keeps everybody in one vote room at a time: who joins another leaves the first.
// Leaving closes the room that one has created, as leaving on purpose does.
func seats(st store.Store) aggregate.Reaction {
	return aggregate.Reaction{
		Service: subjects.ServiceRoom, Name: "room-seats",
		React: func(ctx context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			if c.Event.Type != subjects.EventMemberJoined {
				return nil, nil
			}
			var joined subjects.MemberJoined
			if err := json.Unmarshal(c.Event.Body, &joined); err != nil {
				return nil, fmt.Errorf("room: %s: %w", c.Event.Type, err)
			}
			left, err := takeSeat(ctx, st, joined.User, c.ID, store.Version{Epoch: uint64(c.Event.At), Rev: c.Seq})
			if err != nil || left == "" {
				return nil, err
			}
			body, err := json.Marshal(subjects.LeaveRoom{User: joined.User, JoinedBefore: c.Event.At})
			if err != nil {
				return nil, err
			}
			return []aggregate.Send{{
				To:   subjects.Command{Service: subjects.ServiceRoom, ID: left, Verb: subjects.VerbLeave, Principal: subjects.System},
				Body: body,
			}}, nil
		},
	}
}

// takeSeat notes that a user joined a room at a place in the log, and gives the room to be
// left for it, empty if there is none. Asked again it gives the same.
func takeSeat(ctx context.Context, st store.Store, user, room string, at store.Version) (string, error) {
	for {
		doc, err := st.Get(ctx, TableSeats, user)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		var now seat
		if err == nil {
			if err := doc.Decode(&now); err != nil {
				return "", err
			}
		}
		switch {
		case doc.Version == at && now.Room == room:
			return now.Left, nil // this very join, looked at before
		case !at.Newer(doc.Version):
			return "", nil // a later join has spoken
		}
		next := seat{Room: room}
		if now.Room != room {
			next.Left = now.Room
		}
		body, err := json.Marshal(next)
		if err != nil {
			return "", err
		}
		err = st.Put(ctx, TableSeats, store.Document{ID: user, Version: at, Body: body})
		if errors.Is(err, store.ErrStale) {
			continue // another replica was quicker
		}
		return next.Left, err
	}
}
