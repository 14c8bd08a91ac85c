package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// me is the caller's own profile.
func (s *Server) me(r *request) error { return r.profile(r.who.UserID) }

func (s *Server) user(r *request) error {
	id := r.Params("id")
	if subjects.CheckID(subjects.PrefixUser, id) != nil {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such user")
	}
	return r.profile(id)
}

func (r *request) profile(id string) error {
	var out subjects.Profile
	in := subjects.ProfileGetRequest{ID: id, Viewer: r.who.UserID}
	if err := r.query(subjects.ServiceProfile, subjects.ProfileGet, in, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// users gives several profiles at once, for the names of a roster.
func (s *Server) users(r *request) error {
	list := r.Query("ids")
	if list == "" {
		return subjects.RefuseField("ids", "name the users: ?ids=user_…,user_…")
	}
	out, err := s.findUsers(r.ctx, r.who.UserID, strings.SplitN(list, ",", subjects.MaxProfileBatch+1))
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// findUsers gives the profiles of users, in the order asked, without those that are not
// there.
func (s *Server) findUsers(ctx context.Context, who string, ids []string) (subjects.ProfileBatchAnswer, error) {
	out := subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{}}
	if len(ids) > subjects.MaxProfileBatch {
		return out, subjects.RefuseField("ids", "at most %d at once", subjects.MaxProfileBatch)
	}
	for _, id := range ids {
		if subjects.CheckID(subjects.PrefixUser, id) != nil {
			return out, subjects.RefuseField("ids", "%q is not a user id", clip(id))
		}
	}
	in := subjects.ProfileBatchRequest{IDs: ids, Viewer: who}
	err := s.deps.Queries.Query(ctx, subjects.ServiceProfile, subjects.ProfileBatch, in, &out)
	return out, err
}

// profileChange is what of a profile its owner may change; what is absent stays.
type profileChange struct {
	Bio       *string `json:"bio"`
	AvatarURL *string `json:"avatarUrl"`
	Rev       uint64  `json:"rev"`
}

func (s *Server) updateProfile(r *request) error {
	var in profileChange
	if err := r.body(&in); err != nil {
		return err
	}
	if in.Bio == nil && in.AvatarURL == nil {
		return subjects.Refuse(subjects.CodeInvalid, "name what to change: bio, avatarUrl or both")
	}
	var out subjects.Profile
	ask := subjects.ProfileUpdateRequest{UserID: r.who.UserID, Bio: in.Bio, AvatarURL: in.AvatarURL, Rev: in.Rev}
	if err := r.query(subjects.ServiceProfile, subjects.ProfileUpdate, ask, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}
