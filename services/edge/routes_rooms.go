package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/tuttihq/tutti/subjects"
)

// Sizes of pages.
const (
	searchPage, searchPageMost   = 20, 100
	membersPage, membersPageMost = 50, 500
	queuePage, queuePageMost     = 100, subjects.MaxQueue
)

// roomAnswer is the answer to GET /v1/rooms/{id}.
type roomAnswer struct {
	documentAnswer
	// PositionMs is the position in the current track at ServerTime.
	PositionMs int64 `json:"positionMs"`
}

// room reads a room as its log's head has it.
//
// What is the same for a time and what is not are kept apart for the sake of 304: the
// position follows from the clock, so it is told in headers as well, which a 304 has; the
// rest follows from the revision and, for the caller's own part, also from the time (a
// position report counts for a day), so the entity tag holds a digest of that part.
func (s *Server) room(r *request) error {
	var out roomAnswer
	err := readDocument(r, s.kinds.room, &out.documentAnswer, func(v RoomView) {
		out.PositionMs = v.State.Room.PositionAt(out.ServerTime)
	})
	if err != nil {
		return err
	}
	r.Set(headerPosition, strconv.FormatInt(out.PositionMs, 10))
	same, err := r.current(&out.documentAnswer)
	if err != nil || same {
		return err
	}
	return r.json(http.StatusOK, out)
}

// view calls f with a room that somebody may see.
func (s *Server) view(ctx context.Context, who, id string, f func(RoomView) error) error {
	return show(ctx, s, s.kinds.room, who, id, func(v RoomView, _ bool) error { return f(v) })
}

// rosterEntry is a member on a page of the roster.
type rosterEntry struct {
	User string `json:"user"`
	subjects.Member
}

// roster is the answer to GET /v1/rooms/{id}/members.
type roster struct {
	Epoch   uint64        `json:"epoch"`
	Rev     uint64        `json:"rev"`
	Total   int           `json:"total"`
	Members []rosterEntry `json:"members"`
	Next    string        `json:"next,omitempty"`
}

func (s *Server) members(r *request) error {
	limit, err := r.limitParam(membersPage, membersPageMost)
	if err != nil {
		return err
	}
	out, err := s.rosterPage(r.ctx, r.who.UserID, r.Params("id"), r.Query("cursor"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// rosterPage reads the roster by page, ordered by user id. Pages fit together while people
// come and go: nobody who was there all the time is left out or comes twice.
func (s *Server) rosterPage(ctx context.Context, who, room, after string, limit int) (roster, error) {
	var last struct {
		User string `json:"user"`
	}
	out := roster{Members: []rosterEntry{}}
	if _, err := readCursor(after, &last); err != nil {
		return out, err
	}
	err := s.view(ctx, who, room, func(v RoomView) error {
		out.Epoch, out.Rev, out.Total = v.Epoch, v.Rev, v.State.MemberTotal()
		ids := v.State.MemberIDs()
		from, found := slices.BinarySearch(ids, last.User)
		if found {
			from++
		}
		for _, id := range ids[from:min(len(ids), from+limit)] {
			if m, ok := v.State.Member(id); ok {
				out.Members = append(out.Members, rosterEntry{id, m})
			}
		}
		if from+limit < len(ids) {
			last.User = ids[from+limit-1]
			out.Next = cursor(last)
		}
		return nil
	})
	return out, err
}

// queuePageAnswer is the answer to GET /v1/rooms/{id}/queue.
type queuePageAnswer struct {
	Epoch        uint64                `json:"epoch"`
	Rev          uint64                `json:"rev"`
	MinimumScore int                   `json:"minimumScore"`
	Total        int                   `json:"total"`
	Queue        []subjects.QueueEntry `json:"queue"`
	Next         string                `json:"next,omitempty"`
}

// queue reads the queue in the order in which it will be played. Votes change that order:
// pages with different revisions may repeat a track or leave one out.
func (s *Server) queue(r *request) error {
	limit, err := r.limitParam(queuePage, queuePageMost)
	if err != nil {
		return err
	}
	var after struct {
		Score int   `json:"score"`
		Seq   int64 `json:"seq"`
		Given int   `json:"given"` // in a queue that is not ordered by score
	}
	more, err := readCursor(r.Query("cursor"), &after)
	if err != nil {
		return err
	}
	out := queuePageAnswer{Queue: []subjects.QueueEntry{}}
	err = s.view(r.ctx, r.who.UserID, r.Params("id"), func(v RoomView) error {
		out.Epoch, out.Rev, out.MinimumScore = v.Epoch, v.Rev, v.State.Room.Options.MinimumScore
		all := v.State.Room.Ordered()
		out.Total = len(all)
		switch fair := v.State.Room.Queueing().Order != subjects.OrderVotes; {
		case more && fair:
			all = all[max(0, min(after.Given, len(all))):]
		case more:
			from := slices.IndexFunc(all, func(e subjects.QueueEntry) bool {
				return e.Score < after.Score || e.Score == after.Score && e.Seq > after.Seq
			})
			if from < 0 {
				from = len(all)
			}
			all = all[from:]
		}
		if len(all) > limit {
			all = all[:limit]
			after.Score, after.Seq = all[limit-1].Score, all[limit-1].Seq
			after.Given += limit
			out.Next = cursor(after)
		}
		out.Queue = append(out.Queue, all...)
		return nil
	})
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

func (s *Server) searchRooms(r *request) error {
	limit, err := r.limitParam(searchPage, searchPageMost)
	if err != nil {
		return err
	}
	out, err := s.findRooms(r.ctx, roomSearch{Viewer: r.who.UserID, Prefix: r.Query("prefix"), Cursor: r.Query("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// findRooms finds rooms by the beginning of their name: open ones, and of the private ones
// those that the viewer may see.
func (s *Server) findRooms(ctx context.Context, in roomSearch) (roomsFound, error) {
	out := roomsFound{Rooms: []json.RawMessage{}}
	if err := checkText("prefix", in.Prefix, subjects.MaxRoomName); err != nil {
		return out, err
	}
	if err := checkText("cursor", in.Cursor, maxCursor); err != nil {
		return out, err
	}
	err := s.deps.Queries.Query(ctx, subjects.ServiceRoom, endpointSearch, in, &out)
	return out, err
}

const endpointSearch = "search"

type roomSearch struct {
	Viewer string `json:"viewer"`
	Prefix string `json:"prefix"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

type roomsFound struct {
	Rooms []json.RawMessage `json:"rooms"`
	Next  string            `json:"next,omitempty"`
}
