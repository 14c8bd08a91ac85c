package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// prefixOrder is the prefix of edge.Order.
const prefixOrder = "follow"

// followTries bounds how often following is tried anew because the same user has it changed
// at the same time.
const followTries = 8

// edge is the body of TableFollows: one user follows another.
type edge struct {
	Follower string `json:"follower"`
	Followed string `json:"followed"`
	// At is since when, in Unix milliseconds.
	At int64 `json:"at"`
	// Order sorts by At and is different for each. It stands in cursors, so it says
	// nothing of who it is about: a page may end at somebody whom it does not show.
	Order string `json:"order"`
}

// PublicFollow gives what the feed of the follows table publishes of a document, for the
// follower alone, as a subjects.Follow.
func PublicFollow(doc store.Document) (json.RawMessage, bool) {
	var e edge
	if doc.Deleted || doc.Decode(&e) != nil || e.Follower == "" || e.Followed == "" {
		return nil, false
	}
	body, err := json.Marshal(subjects.Follow{Follower: e.Follower, Followed: e.Followed, At: e.At})
	if err != nil {
		return nil, false
	}
	return body, true
}

func checkFollow(req subjects.FollowRequest) error {
	if subjects.CheckID(subjects.PrefixUser, req.Follower) != nil {
		return subjects.RefuseField("follower", "this is not a user's id")
	}
	if subjects.CheckID(subjects.PrefixUser, req.Followed) != nil {
		return subjects.RefuseField("followed", "this is not a user's id")
	}
	if req.Follower == req.Followed {
		return subjects.RefuseField("followed", "nobody follows themselves")
	}
	return nil
}

// follow has one user follow another.
//
// That nobody follows more than subjects.MaxFollows is looked at before, and again after:
// of several who get past the limit at once those take back what they wrote who see that
// there is too much. So it never stays exceeded, and at worst all of them are refused.
func (s *Service) follow(ctx context.Context, req subjects.FollowRequest) (subjects.FollowAnswer, error) {
	no := subjects.FollowAnswer{}
	if err := checkFollow(req); err != nil {
		return no, err
	}
	if _, _, err := s.find(ctx, req.Followed, false); err != nil {
		return no, err
	}
	id := subjects.FollowID(req.Follower, req.Followed)
	for range followTries {
		have, err := s.store.Get(ctx, tableFollows, id)
		if err == nil {
			return subjects.FollowAnswer{Follows: true}, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return no, err
		}
		if err := s.roomFor(ctx, req.Follower, 1); err != nil {
			return no, err
		}
		doc, err := s.newEdge(req, id, have.Version.Next())
		if err != nil {
			return no, err
		}
		err = s.store.Insert(ctx, tableFollows, doc)
		switch {
		case err == nil:
			return s.settle(ctx, req, doc)
		case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrStale):
			continue // the same user, at the same time
		default:
			return no, err
		}
	}
	return no, subjects.Refuse(subjects.CodeBusy, "whom you follow changes too quickly; try again")
}

func (s *Service) newEdge(req subjects.FollowRequest, id string, v store.Version) (store.Document, error) {
	now := s.now()
	body, err := json.Marshal(edge{
		Follower: req.Follower, Followed: req.Followed, At: now.UnixMilli(), Order: subjects.NewID(prefixOrder, now),
	})
	if err != nil {
		return store.Document{}, fmt.Errorf("profile: encode: %w", err)
	}
	return store.Document{ID: id, Version: v, Body: body}, nil
}

// settle looks whether what was written was one too many, and takes it back then.
func (s *Service) settle(ctx context.Context, req subjects.FollowRequest, doc store.Document) (subjects.FollowAnswer, error) {
	full := s.roomFor(ctx, req.Follower, 0)
	if full == nil {
		s.counts.forget(req.Followed)
		return subjects.FollowAnswer{Follows: true}, nil
	}
	if subjects.CodeOf(full) != subjects.CodeFull {
		return subjects.FollowAnswer{}, full // asked again, it is found done
	}
	err := s.store.Delete(ctx, tableFollows, doc.ID, doc.Version.Next())
	if err != nil && !errors.Is(err, store.ErrStale) {
		return subjects.FollowAnswer{}, err
	}
	return subjects.FollowAnswer{}, full
}

// roomFor refuses with CodeFull if a user who follows so many more would follow too many.
func (s *Service) roomFor(ctx context.Context, follower string, more int) error {
	n, err := s.count(ctx, byFollower, follower, subjects.MaxFollows+1)
	if err != nil {
		return err
	}
	if n+more > subjects.MaxFollows {
		return subjects.Refuse(subjects.CodeFull, "you follow %d people, which is as many as can be; follow somebody else no more first", subjects.MaxFollows)
	}
	return nil
}

// unfollow has one user follow another no more.
func (s *Service) unfollow(ctx context.Context, req subjects.FollowRequest) (subjects.FollowAnswer, error) {
	no := subjects.FollowAnswer{}
	if err := checkFollow(req); err != nil {
		return no, err
	}
	id := subjects.FollowID(req.Follower, req.Followed)
	for range followTries {
		have, err := s.store.Get(ctx, tableFollows, id)
		if errors.Is(err, store.ErrNotFound) {
			return no, nil
		}
		if err != nil {
			return no, err
		}
		err = s.store.Delete(ctx, tableFollows, id, have.Version.Next())
		if err == nil {
			s.counts.forget(req.Followed)
			return no, nil
		}
		if !errors.Is(err, store.ErrStale) {
			return no, err
		}
	}
	return no, subjects.Refuse(subjects.CodeBusy, "whom you follow changes too quickly; try again")
}

// follows tells whether one user follows another.
func (s *Service) follows(ctx context.Context, req subjects.FollowRequest) (subjects.FollowAnswer, error) {
	if err := checkFollow(req); err != nil {
		return subjects.FollowAnswer{}, err
	}
	yes, err := s.isFollowing(ctx, req.Follower, req.Followed)
	return subjects.FollowAnswer{Follows: yes}, err
}

func (s *Service) isFollowing(ctx context.Context, follower, followed string) (bool, error) {
	_, err := s.store.Get(ctx, tableFollows, subjects.FollowID(follower, followed))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// now is the log's time.
func (s *Service) now() time.Time { return s.bus.Clock().Now() }
