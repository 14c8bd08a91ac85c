package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

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
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	// At is the time of that revision.
	At int64 `json:"at"`
	// ServerTime is the present, and PositionMs the position in the current track then.
	ServerTime int64 `json:"serverTime"`
	PositionMs int64 `json:"positionMs"`
	// Hash is that of State's canonical JSON.
	Hash  string          `json:"hash"`
	State json.RawMessage `json:"state"`
	// You is what the room's state says about the caller; absent without a token.
	You *subjects.You `json:"you,omitempty"`
}

// room reads a room as its log's head has it.
//
// What is the same for a time and what is not are kept apart for the sake of 304: the
// position follows from the clock, so it is told in headers as well, which a 304 has; the
// rest follows from the revision and, for the caller's own part, also from the time (a
// position report counts for a day), so the entity tag holds a digest of that part.
func (s *Server) room(r *request) error {
	id := r.Params("id")
	out := roomAnswer{ID: id}
	err := s.view(r.ctx, r.who.UserID, id, func(v RoomView) error {
		now := max(at(r.now()), v.At)
		out.Epoch, out.Rev, out.At = v.Epoch, v.Rev, v.At
		out.ServerTime, out.PositionMs = now, v.State.Room.PositionAt(now)
		if r.who.UserID != "" {
			you := v.State.You(r.who.UserID, now)
			out.You = &you
		}
		var err error
		out.State, err = json.Marshal(&v.State.Room)
		return err
	})
	if err != nil {
		return err
	}
	tag, err := roomTag(out)
	if err != nil {
		return err
	}
	r.Set(fiber.HeaderETag, tag)
	r.Set(fiber.HeaderCacheControl, "private, no-cache")
	r.Vary(fiber.HeaderAuthorization)
	r.Set(headerServerTime, strconv.FormatInt(out.ServerTime, 10))
	r.Set(headerPosition, strconv.FormatInt(out.PositionMs, 10))
	if matches(r.Get(fiber.HeaderIfNoneMatch), tag) {
		r.Status(http.StatusNotModified)
		return nil
	}
	if out.Hash, err = s.hashOf(out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// view calls f with a room that somebody may see.
func (s *Server) view(ctx context.Context, who, id string, f func(RoomView) error) error {
	if subjects.CheckID(subjects.PrefixRoom, id) != nil {
		return noRoom()
	}
	return s.deps.Rooms.View(ctx, id, func(v RoomView) error {
		if err := visible(v, who); err != nil {
			return err
		}
		return f(v)
	})
}

// roomTag is weak: two answers with one tag differ in the time they tell.
func roomTag(a roomAnswer) (string, error) {
	if a.You == nil {
		return fmt.Sprintf(`W/"%d-%d"`, a.Epoch, a.Rev), nil
	}
	you, err := json.Marshal(a.You)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(you)
	return fmt.Sprintf(`W/"%d-%d-%s"`, a.Epoch, a.Rev, hex.EncodeToString(sum[:6])), nil
}

// matches reports whether an If-None-Match header names the tag, comparing weakly.
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimSpace(t); t == "*" || t != "" && strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// documentHash is the hash of a room's document at a revision.
type documentHash struct {
	epoch, rev uint64
	hash       string
}

// hashOf computes the document's hash once for each revision.
func (s *Server) hashOf(a roomAnswer) (string, error) {
	if h, ok := s.hashes.Get(a.ID); ok && h.epoch == a.Epoch && h.rev == a.Rev {
		return h.hash, nil
	}
	hash, err := subjects.Hash(a.State)
	if err != nil {
		return "", err
	}
	s.hashes.Add(a.ID, documentHash{a.Epoch, a.Rev, hash})
	return hash, nil
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
		if more {
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
