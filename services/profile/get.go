package profile

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// ownPause is how often somebody's own profile is looked for while it is being created.
const ownPause = 25 * time.Millisecond

func (s *Service) get(ctx context.Context, req subjects.ProfileGetRequest) (subjects.Profile, error) {
	if err := subjects.CheckID(subjects.PrefixUser, req.ID); err != nil {
		return subjects.Profile{}, subjects.RefuseField("id", "this is not a user's id")
	}
	d, version, err := s.find(ctx, req.ID, req.Viewer == req.ID)
	if err != nil {
		return subjects.Profile{}, err
	}
	return d.profile(req.ID, version), nil
}

// batch gives the profiles there are among the ids.
func (s *Service) batch(ctx context.Context, req subjects.ProfileBatchRequest) (subjects.ProfileBatchAnswer, error) {
	out := subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{}}
	if len(req.IDs) > subjects.MaxProfileBatch {
		return out, subjects.Refuse(subjects.CodeTooLarge, "at most %d profiles at once", subjects.MaxProfileBatch)
	}
	seen := make(map[string]bool, len(req.IDs))
	for _, id := range req.IDs {
		if err := subjects.CheckID(subjects.PrefixUser, id); err != nil {
			return out, subjects.RefuseField("ids", "one of them is not a user's id")
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		d, version, err := s.read(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Profiles = append(out.Profiles, d.profile(id, version))
	}
	return out, nil
}

// find reads a profile. If it is the asker's own it is waited for: the edge has verified
// that the account exists, so the profile is on its way.
func (s *Service) find(ctx context.Context, id string, own bool) (document, store.Version, error) {
	until := time.Now().Add(s.cfg.Patience)
	for {
		d, version, err := s.read(ctx, id)
		switch {
		case !errors.Is(err, store.ErrNotFound):
			return d, version, err
		case !own:
			return d, version, subjects.Refuse(subjects.CodeNotFound, "there is no such profile")
		case time.Now().After(until) || !pause(ctx, ownPause):
			return d, version, subjects.Refuse(subjects.CodeUnavailable, "your profile is still being created; try again")
		}
	}
}

func (s *Service) read(ctx context.Context, id string) (document, store.Version, error) {
	var d document
	doc, err := s.store.Get(ctx, table, id)
	if err != nil {
		return d, doc.Version, err
	}
	err = doc.Decode(&d)
	return d, doc.Version, err
}
