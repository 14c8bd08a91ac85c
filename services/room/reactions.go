package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
		{Name: TableSeats, Durability: store.Hard},
	}
}

// seat is the body of a document in TableSeats.
type seat struct {
	Room string `json:"room"`
	// Left is the room that was left for it, empty if there was none.
	Left string `json:"left"`
	// Past lists the rooms of before, the newest last, at most pastSeats: a process may
	// have been killed before the leaving of one was sent.
	Past []string `json:"past,omitempty"`
}

// pastSeats is how many rooms somebody may pass through while a kill keeps a join from
// being looked at again, and still be taken out of each. Past it the oldest is forgotten.
const pastSeats = 16

// seats keeps everybody in one vote room at a time: who joins another leaves the first.
// Leaving closes the room that one has created, as leaving on purpose does.
func seats(st store.Store) aggregate.Reaction {
	return aggregate.Reaction{
		Service: subjects.ServiceRoom, Name: "room-seats",
		React: func(ctx context.Context, c aggregate.Cause) ([]aggregate.Send, error) {
			if c.Event.Type != subjects.EventMemberJoined && c.Event.Type != subjects.EventMemberReturned {
				return nil, nil
			}
			var joined subjects.MemberJoined // of which MemberReturned has the user
			if err := json.Unmarshal(c.Event.Body, &joined); err != nil {
				return nil, fmt.Errorf("room: %s: %w", c.Event.Type, err)
			}
			left, since, err := takeSeat(ctx, st, joined.User, c.ID, store.Version{Epoch: uint64(c.Event.At), Rev: c.Seq})
			if err != nil || len(left) == 0 {
				return nil, err
			}
			body, err := json.Marshal(subjects.LeaveRoom{User: joined.User, JoinedBefore: since})
			if err != nil {
				return nil, err
			}
			sends := make([]aggregate.Send, 0, len(left))
			for _, id := range left {
				sends = append(sends, aggregate.Send{
					To:   subjects.Command{Service: subjects.ServiceRoom, ID: id, Verb: subjects.VerbLeave, Principal: subjects.System},
					Body: body,
				})
			}
			return sends, nil
		},
	}
}

// takeSeat notes that a user joined a room at a place in the log. It gives the rooms to be
// left for it, and the time before which they were joined.
//
// After a kill, joins may be looked at again, and in another order than they happened.
// Where a later one has spoken, this one's room is left for that, and so is whatever room
// was to be left for this one: whether that was sent is not known.
func takeSeat(ctx context.Context, st store.Store, user, room string, at store.Version) (left []string, before int64, err error) {
	for {
		doc, err := st.Get(ctx, TableSeats, user)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, 0, err
		}
		var now seat
		if err == nil {
			if err := doc.Decode(&now); err != nil {
				return nil, 0, err
			}
		}
		switch {
		case doc.Version == at && now.Room == room:
			return others(room, now.Left), int64(at.Epoch), nil // this very join, looked at before
		case !at.Newer(doc.Version):
			return others(now.Room, append(now.Past, room)...), int64(doc.Version.Epoch), nil
		}
		next := seat{Room: room, Past: others(room, append(now.Past, now.Room)...)}
		next.Past = next.Past[max(0, len(next.Past)-pastSeats):]
		if now.Room != room {
			next.Left = now.Room
		}
		body, err := json.Marshal(next)
		if err != nil {
			return nil, 0, err
		}
		err = st.Put(ctx, TableSeats, store.Document{ID: user, Version: at, Body: body})
		if errors.Is(err, store.ErrStale) {
			continue // another replica was quicker
		}
		return others(room, next.Left), int64(at.Epoch), err
	}
}

// others gives the rooms but for one, each once, where it stands last.
func others(but string, rooms ...string) []string {
	var out []string
	for i, id := range rooms {
		if id != "" && id != but && !slices.Contains(rooms[i+1:], id) {
			out = append(out, id)
		}
	}
	return out
}
