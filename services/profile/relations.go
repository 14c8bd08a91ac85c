package profile

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// relationRounds bounds how often a page is filled up after some were left out; past it
// the page is short.
const relationRounds = 4

// followers gives a page of those who follow a user.
func (s *Service) followers(ctx context.Context, req subjects.RelationsRequest) (subjects.PeoplePage, error) {
	return s.relations(ctx, req, byFollowed, func(e edge) string { return e.Follower })
}

// following gives a page of those whom a user follows.
func (s *Service) following(ctx context.Context, req subjects.RelationsRequest) (subjects.PeoplePage, error) {
	return s.relations(ctx, req, byFollower, func(e edge) string { return e.Followed })
}

// relations gives a page of a user's relations by an index; other gives who is at the other
// end. A relation belongs to both ends, who both know of it: a third person sees it only if
// both show theirs.
func (s *Service) relations(ctx context.Context, req subjects.RelationsRequest, index string, other func(edge) string) (subjects.PeoplePage, error) {
	out := subjects.PeoplePage{Profiles: []subjects.Profile{}}
	if subjects.CheckID(subjects.PrefixUser, req.User) != nil {
		return out, subjects.RefuseField("user", "this is not a user's id")
	}
	limit, err := pageLimit(req.Limit)
	if err != nil {
		return out, err
	}
	cursor := req.Cursor
	if cursor != "" && subjects.CheckID(prefixOrder, cursor) != nil {
		return out, badCursor()
	}
	d, _, err := s.find(ctx, req.User, req.Viewer == req.User)
	if err != nil {
		return out, err
	}
	sees, err := s.sees(ctx, req.Viewer, req.User, d.relations())
	if err != nil {
		return out, err
	}
	if !sees {
		return out, subjects.Refuse(subjects.CodeForbidden, "they do not show you whom they follow and who follows them")
	}
	for range relationRounds {
		q := store.Query{Index: index, Equal: []any{req.User}, Descending: true, Limit: limit - len(out.Profiles)}
		if cursor != "" {
			q.To = cursor
		}
		page, err := s.store.Find(ctx, tableFollows, q)
		if err != nil {
			return out, err
		}
		for _, doc := range page.Documents {
			var e edge
			if err := doc.Decode(&e); err != nil {
				return out, err
			}
			cursor = e.Order
			p, ok, err := s.relation(ctx, req.Viewer, req.User, other(e))
			if err != nil {
				return out, err
			}
			if ok {
				out.Profiles = append(out.Profiles, p)
			}
		}
		if page.Next == "" {
			return out, nil
		}
		if len(out.Profiles) == limit {
			break
		}
	}
	out.Next = cursor
	return out, nil
}

// relation gives who is at the other end of a user's relation; ok is false if they are not
// there or the viewer may not know.
func (s *Service) relation(ctx context.Context, viewer, user, id string) (p subjects.Profile, ok bool, err error) {
	d, version, err := s.read(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	if ok = viewer == user; !ok {
		ok, err = s.sees(ctx, viewer, id, d.relations())
	}
	return d.profile(id, version), ok, err
}

// sees reports whether a viewer, empty for a guest, sees what a user shows to those whom v
// names.
func (s *Service) sees(ctx context.Context, viewer, user string, v subjects.Visibility) (bool, error) {
	switch {
	case viewer == user, v == subjects.VisibilityPublic:
		return true, nil
	case viewer == "", v != subjects.VisibilityFollowers:
		return false, nil
	}
	return s.isFollowing(ctx, viewer, user)
}

// pageLimit checks the size of a page of people.
func pageLimit(n int) (int, error) {
	if n == 0 {
		n = subjects.MaxPeople
	}
	if n < 1 || n > subjects.MaxPeople {
		return 0, subjects.RefuseField("limit", "a limit is a number from 1 to %d", subjects.MaxPeople)
	}
	return n, nil
}

func badCursor() error {
	return subjects.RefuseField("cursor", "not a cursor: take it from next of the page before, or leave it out")
}
