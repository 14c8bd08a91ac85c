package tutti

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// Person gives somebody's profile and how they stand to others, as far as the client's user
// may know. Refusal: CodeNotFound.
func (c *Client) Person(ctx context.Context, user string) (subjects.Person, error) {
	var p subjects.Person
	err := c.call(ctx, asViewer, http.MethodGet, userPath(user), nil, &p)
	return p, err
}

// SearchPeople gives a page of the people whose nickname begins with prefix, in whatever
// case: one character or more. limit is 1 to subjects.MaxPeople, 0 for the server's choice.
// A page may be short, or empty, and not be the last: that is the one without a Next.
func (c *Client) SearchPeople(ctx context.Context, prefix, cursor string, limit int) (subjects.PeoplePage, error) {
	var page subjects.PeoplePage
	err := c.get(ctx, "/v1/people", paged(url.Values{"prefix": {prefix}}, cursor, limit), &page)
	return page, err
}

// Followers gives a page of those who follow a user, as SearchPeople does. Refusals:
// CodeNotFound; CodeForbidden where the user keeps that to themselves.
func (c *Client) Followers(ctx context.Context, user, cursor string, limit int) (subjects.PeoplePage, error) {
	var page subjects.PeoplePage
	err := c.get(ctx, userPath(user)+"/followers", paged(nil, cursor, limit), &page)
	return page, err
}

// Following gives a page of those whom a user follows; see Followers.
func (c *Client) Following(ctx context.Context, user, cursor string, limit int) (subjects.PeoplePage, error) {
	var page subjects.PeoplePage
	err := c.get(ctx, userPath(user)+"/following", paged(nil, cursor, limit), &page)
	return page, err
}

// Profiles gives the profiles of up to subjects.MaxProfileBatch users, in the order asked,
// without those that are not there. Names follows them as they change.
func (c *Client) Profiles(ctx context.Context, users ...string) ([]subjects.Profile, error) {
	var out subjects.ProfileBatchAnswer
	err := c.get(ctx, "/v1/users", url.Values{"ids": {strings.Join(users, ",")}}, &out)
	return out.Profiles, err
}

// Follow follows somebody; again is nothing. Refusals: CodeInvalid for oneself,
// CodeNotFound, CodeFull past subjects.MaxFollows.
func (a Account) Follow(ctx context.Context, user string) error {
	return a.client.call(ctx, asUser, http.MethodPut, userPath(user)+"/follow", nil, nil)
}

// Unfollow follows them no more; again is nothing.
func (a Account) Unfollow(ctx context.Context, user string) error {
	return a.client.call(ctx, asUser, http.MethodDelete, userPath(user)+"/follow", nil, nil)
}

// Me gives who is signed in, waiting for the profile while it is being made.
func (a Account) Me(ctx context.Context) (subjects.Person, error) {
	var p subjects.Person
	err := a.client.call(ctx, asUser, http.MethodGet, "/v1/me", nil, &p)
	return p, err
}

// ProfileChange is what becomes different in a profile; what is nil stays.
type ProfileChange struct {
	// Bio is at most subjects.MaxBio characters.
	Bio *string `json:"bio,omitempty"`
	// AvatarURL is an absolute http or https address, or empty.
	AvatarURL *string `json:"avatarUrl,omitempty"`
	// Relations and Heard say who sees whom one follows and is followed by, and what one
	// has listened to.
	Relations *subjects.Visibility `json:"relations,omitempty"`
	Heard     *subjects.Visibility `json:"heard,omitempty"`
	// Rev, if not 0, is the version that the change was made from.
	Rev uint64 `json:"rev,omitempty"`
}

// UpdateProfile changes one's own profile and gives it as it is then. Refusals: CodeInvalid
// with the field; CodeConflict if there is a newer version than Rev, which it may have
// become by this very change if the first answer got lost: read it again.
func (a Account) UpdateProfile(ctx context.Context, change ProfileChange) (subjects.Profile, error) {
	var p subjects.Profile
	err := a.client.call(ctx, asUser, http.MethodPatch, "/v1/me/profile", change, &p)
	return p, err
}

// ChangeNickname gives the account another nickname, and the name as it is shown. Everybody
// sees it a moment later, everywhere. The one that one has is no error. Refusals:
// CodeInvalid, CodeNicknameTaken.
func (a Account) ChangeNickname(ctx context.Context, nickname string) (string, error) {
	var out subjects.NicknameAnswer
	in := struct {
		Nickname string `json:"nickname"`
	}{nickname}
	err := a.client.call(ctx, asUser, http.MethodPut, "/v1/me/nickname", in, &out)
	return out.Nickname, err
}

func userPath(user string) string { return "/v1/users/" + url.PathEscape(user) }
