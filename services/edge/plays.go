package edge

import (
	"context"
	"net/http"

	"github.com/tuttihq/tutti/subjects"
)

// plays gives a page of what a room has played, the newest first, to who may see the room;
// limit is 1 to subjects.MaxPlaysPage.
func (s *Server) plays(ctx context.Context, viewer, room, cursor string, limit int) (subjects.PlaysAnswer, error) {
	out := subjects.PlaysAnswer{Plays: []subjects.PlayedTrack{}}
	if len(cursor) > maxCursor {
		return out, badCursor()
	}
	if err := s.view(ctx, viewer, room, func(RoomView) error { return nil }); err != nil {
		return out, err
	}
	in := subjects.PlaysRequest{Room: room, Cursor: cursor, Limit: limit}
	err := s.deps.Queries.Query(ctx, subjects.ServiceRoom, subjects.QueryPlays, in, &out)
	return out, err
}

// heard gives a page of what a user has heard, the newest first, to whom the user lets see
// it; limit is 1 to subjects.MaxPlaysPage.
func (s *Server) heard(ctx context.Context, viewer, user, cursor string, limit int) (subjects.HeardAnswer, error) {
	out := subjects.HeardAnswer{Plays: []subjects.HeardTrack{}}
	if err := checkUser(user); err != nil {
		return out, err
	}
	if len(cursor) > maxCursor {
		return out, badCursor()
	}
	if viewer != user {
		p, err := s.person(ctx, viewer, user)
		if err != nil {
			return out, err
		}
		if !shows(p.Heard, p.You) {
			return out, subjects.Refuse(subjects.CodeForbidden, "the user does not show what they have heard")
		}
	}
	in := subjects.HeardRequest{User: user, Viewer: viewer, Cursor: cursor, Limit: limit}
	err := s.deps.Queries.Query(ctx, subjects.ServiceRoom, subjects.QueryHeard, in, &out)
	return out, err
}

// shows reports whether a visibility lets somebody see, who stands to its owner like that: nil
// for a guest.
func shows(v subjects.Visibility, you *subjects.PersonYou) bool {
	switch v {
	case subjects.VisibilityPublic:
		return true
	case subjects.VisibilityFollowers:
		return you != nil && you.Follows
	}
	return false
}

func (s *Server) showPlays(r *request) error {
	limit, err := r.limitParam(subjects.PlaysPage, subjects.MaxPlaysPage)
	if err != nil {
		return err
	}
	out, err := s.plays(r.ctx, r.who.UserID, r.Params("id"), r.Query("cursor"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

func (s *Server) showHeard(r *request) error {
	limit, err := r.limitParam(subjects.PlaysPage, subjects.MaxPlaysPage)
	if err != nil {
		return err
	}
	out, err := s.heard(r.ctx, r.who.UserID, r.Params("id"), r.Query("cursor"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}
