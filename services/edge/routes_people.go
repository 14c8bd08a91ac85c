package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// peoplePage is the size of a page of people.
const peoplePage = 20

// me is the caller as they see themselves.
func (s *Server) me(r *request) error { return s.showPerson(r, r.who.UserID) }

func (s *Server) user(r *request) error { return s.showPerson(r, r.Params("id")) }

func (s *Server) showPerson(r *request, id string) error {
	out, err := s.person(r.ctx, r.who.UserID, id)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// person gives a person as the viewer, empty for a guest, sees them.
func (s *Server) person(ctx context.Context, viewer, id string) (subjects.Person, error) {
	var out subjects.Person
	if err := checkUser(id); err != nil {
		return out, err
	}
	err := s.deps.Queries.Query(ctx, subjects.ServiceProfile, subjects.ProfilePerson, subjects.PersonRequest{ID: id, Viewer: viewer}, &out)
	return out, err
}

func checkUser(id string) error {
	if subjects.CheckID(subjects.PrefixUser, id) != nil {
		return subjects.Refuse(subjects.CodeNotFound, "there is no such user")
	}
	return nil
}

// usersByID gives several profiles at once, for the names of a roster.
func (s *Server) usersByID(r *request) error {
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

// people finds people by the beginning of their nickname.
func (s *Server) people(r *request) error {
	limit, err := r.limitParam(peoplePage, subjects.MaxPeople)
	if err != nil {
		return err
	}
	out, err := s.findPeople(r.ctx, r.who.UserID, r.Query("prefix"), r.Query("cursor"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// findPeople gives a page of the people whose nickname begins with prefix; limit is 1 to
// subjects.MaxPeople.
func (s *Server) findPeople(ctx context.Context, viewer, prefix, cursor string, limit int) (subjects.PeoplePage, error) {
	if strings.TrimSpace(prefix) == "" {
		return subjects.PeoplePage{}, subjects.RefuseField("prefix", "say how the nickname begins: one character or more")
	}
	if err := checkText("prefix", prefix, subjects.MaxNickname); err != nil {
		return subjects.PeoplePage{}, err
	}
	in := subjects.PeopleRequest{Viewer: viewer, Prefix: prefix, Cursor: cursor, Limit: limit}
	return s.peoplePage(ctx, subjects.ProfileSearch, cursor, in)
}

// peoplePage asks the profile service for a page.
func (s *Server) peoplePage(ctx context.Context, endpoint, cursor string, in any) (subjects.PeoplePage, error) {
	out := subjects.PeoplePage{Profiles: []subjects.Profile{}}
	if len(cursor) > maxCursor {
		return out, badCursor()
	}
	err := s.deps.Queries.Query(ctx, subjects.ServiceProfile, endpoint, in, &out)
	return out, err
}

// followers gives a page of those who follow a user, the latest first; limit is 1 to
// subjects.MaxPeople.
func (s *Server) followers(ctx context.Context, viewer, user, cursor string, limit int) (subjects.PeoplePage, error) {
	return s.relations(ctx, subjects.ProfileFollowers, viewer, user, cursor, limit)
}

// following gives a page of those whom a user follows, the latest first; limit is 1 to
// subjects.MaxPeople.
func (s *Server) following(ctx context.Context, viewer, user, cursor string, limit int) (subjects.PeoplePage, error) {
	return s.relations(ctx, subjects.ProfileFollowing, viewer, user, cursor, limit)
}

func (s *Server) relations(ctx context.Context, endpoint, viewer, user, cursor string, limit int) (subjects.PeoplePage, error) {
	if err := checkUser(user); err != nil {
		return subjects.PeoplePage{}, err
	}
	in := subjects.RelationsRequest{User: user, Viewer: viewer, Cursor: cursor, Limit: limit}
	return s.peoplePage(ctx, endpoint, cursor, in)
}

func (s *Server) showFollowers(r *request) error { return r.showRelations(s.followers) }
func (s *Server) showFollowing(r *request) error { return r.showRelations(s.following) }

func (r *request) showRelations(page func(ctx context.Context, viewer, user, cursor string, limit int) (subjects.PeoplePage, error)) error {
	limit, err := r.limitParam(peoplePage, subjects.MaxPeople)
	if err != nil {
		return err
	}
	out, err := page(r.ctx, r.who.UserID, r.Params("id"), r.Query("cursor"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// follows reports whether one user follows another; both are user ids.
func (s *Server) follows(ctx context.Context, follower, followed string) (bool, error) {
	var out subjects.FollowAnswer
	in := subjects.FollowRequest{Follower: follower, Followed: followed}
	err := s.deps.Queries.Query(ctx, subjects.ServiceProfile, subjects.ProfileFollows, in, &out)
	return out.Follows, err
}

func (s *Server) follow(r *request) error   { return r.changeFollow(subjects.ProfileFollow) }
func (s *Server) unfollow(r *request) error { return r.changeFollow(subjects.ProfileUnfollow) }

func (r *request) changeFollow(endpoint string) error {
	if err := r.noBody(); err != nil {
		return err
	}
	id := r.Params("id")
	if err := checkUser(id); err != nil {
		return err
	}
	var out subjects.FollowAnswer
	in := subjects.FollowRequest{Follower: r.who.UserID, Followed: id}
	if err := r.query(subjects.ServiceProfile, endpoint, in, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// profileChange is what of a profile its owner may change; what is absent stays.
type profileChange struct {
	Bio       *string              `json:"bio"`
	AvatarURL *string              `json:"avatarUrl"`
	Relations *subjects.Visibility `json:"relations"`
	Heard     *subjects.Visibility `json:"heard"`
	Rev       uint64               `json:"rev"`
}

func (s *Server) updateProfile(r *request) error {
	var in profileChange
	if err := r.body(&in); err != nil {
		return err
	}
	if in.Bio == nil && in.AvatarURL == nil && in.Relations == nil && in.Heard == nil {
		return subjects.Refuse(subjects.CodeInvalid, "name what to change: bio, avatarUrl, relations, heard")
	}
	var out subjects.Profile
	ask := subjects.ProfileUpdateRequest{
		UserID: r.who.UserID, Bio: in.Bio, AvatarURL: in.AvatarURL, Relations: in.Relations, Heard: in.Heard, Rev: in.Rev,
	}
	if err := r.query(subjects.ServiceProfile, subjects.ProfileUpdate, ask, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// nicknameChange is the body of PUT /v1/me/nickname.
type nicknameChange struct {
	Nickname string `json:"nickname"`
}

func (s *Server) changeNickname(r *request) error {
	var in nicknameChange
	if err := r.body(&in); err != nil {
		return err
	}
	var out subjects.NicknameAnswer
	ask := subjects.NicknameRequest{UserID: r.who.UserID, Nickname: in.Nickname}
	if err := r.query(subjects.ServiceAuth, subjects.AuthNickname, ask, &out); err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}
