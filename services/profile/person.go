package profile

import (
	"context"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// person gives a person as somebody sees them.
func (s *Service) person(ctx context.Context, req subjects.PersonRequest) (subjects.Person, error) {
	var out subjects.Person
	if subjects.CheckID(subjects.PrefixUser, req.ID) != nil {
		return out, subjects.RefuseField("id", "this is not a user's id")
	}
	d, version, err := s.find(ctx, req.ID, req.Viewer == req.ID)
	if err != nil {
		return out, err
	}
	out.Profile = d.profile(req.ID, version)
	if req.Viewer != "" && req.Viewer != req.ID {
		out.You = &subjects.PersonYou{}
		if out.You.Follows, err = s.isFollowing(ctx, req.Viewer, req.ID); err != nil {
			return out, err
		}
		if out.You.FollowsYou, err = s.isFollowing(ctx, req.ID, req.Viewer); err != nil {
			return out, err
		}
	}
	sees, err := s.sees(ctx, req.Viewer, req.ID, d.relations())
	if err != nil || !sees {
		return out, err
	}
	followers, err := s.followerCount(ctx, req.ID)
	if err != nil {
		return out, err
	}
	following, err := s.count(ctx, byFollower, req.ID, subjects.MaxFollows)
	if err != nil {
		return out, err
	}
	out.Followers, out.Following = &followers, &following
	return out, nil
}

// count counts a user's relations by an index, up to most.
func (s *Service) count(ctx context.Context, index, user string, most int) (int, error) {
	n := 0
	q := store.Query{Index: index, Equal: []any{user}}
	for n < most {
		q.Limit = min(most-n, store.MaxLimit)
		page, err := s.store.Find(ctx, tableFollows, q)
		if err != nil {
			return 0, err
		}
		if n += len(page.Documents); page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	return n, nil
}

// followerCount counts who follows a user, up to subjects.MaxFollowersCounted.
func (s *Service) followerCount(ctx context.Context, user string) (int, error) {
	if n, ok := s.counts.recall(user, time.Now()); ok {
		return n, nil
	}
	n, err := s.count(ctx, byFollowed, user, subjects.MaxFollowersCounted)
	if err == nil {
		s.counts.keep(user, n, time.Now())
	}
	return n, err
}

// How large numbers of followers are remembered, since each costs as many documents.
const (
	countLarge = store.MaxLimit // smaller ones cost one page and are counted each time
	countFresh = 10 * time.Second
	countsMost = 4096 // past it all are forgotten
)

// counts are numbers of followers that were counted a moment ago. The replica that changes
// one forgets it, so who follows sees it counted where that replica answers; others may be
// countFresh behind.
type counts struct {
	mu   sync.Mutex
	kept map[string]counted
}

type counted struct {
	n  int
	at time.Time
}

func (c *counts) recall(user string, now time.Time) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[user]
	if !ok || now.Sub(k.at) >= countFresh {
		return 0, false
	}
	return k.n, true
}

func (c *counts) keep(user string, n int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n <= countLarge {
		delete(c.kept, user)
		return
	}
	if c.kept == nil || len(c.kept) >= countsMost {
		c.kept = map[string]counted{}
	}
	c.kept[user] = counted{n, now}
}

func (c *counts) forget(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, user)
}
