package tutti_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		a := c.Account()
		three := 3
		page := subjects.PeoplePage{Profiles: []subjects.Profile{{ID: anna}}, Next: "more"}
		whole := func(p subjects.PeoplePage, err error) bool {
			return err == nil && len(p.Profiles) == 1 && p.Profiles[0].ID == anna && p.Next == "more"
		}
		name, hidden := "", subjects.VisibilityPrivate
		for _, x := range []struct {
			request, body string
			answer        any
			ok            func(ctx context.Context) bool
		}{
			{"GET /v1/users/" + anna, "", subjects.Person{Profile: subjects.Profile{ID: anna}, Followers: &three, You: &subjects.PersonYou{Follows: true}}, func(ctx context.Context) bool {
				p, err := c.Person(ctx, anna)
				return err == nil && p.ID == anna && *p.Followers == 3 && p.Following == nil && p.You.Follows
			}},
			{"GET /v1/me", "", subjects.Person{Profile: subjects.Profile{ID: anna}}, func(ctx context.Context) bool {
				p, err := a.Me(ctx)
				return err == nil && p.ID == anna && p.You == nil
			}},
			{"GET /v1/people?cursor=c&limit=9&prefix=an+n", "", page, func(ctx context.Context) bool { return whole(c.SearchPeople(ctx, "an n", "c", 9)) }},
			{"GET /v1/users/" + anna + "/followers", "", page, func(ctx context.Context) bool { return whole(c.Followers(ctx, anna, "", 0)) }},
			{"GET /v1/users/" + anna + "/following?cursor=c&limit=9", "", page, func(ctx context.Context) bool { return whole(c.Following(ctx, anna, "c", 9)) }},
			{"GET /v1/users?ids=" + anna + "%2C" + bob, "", page, func(ctx context.Context) bool {
				p, err := c.Profiles(ctx, anna, bob)
				return err == nil && len(p) == 1 && p[0].ID == anna
			}},
			{"PUT /v1/users/" + anna + "/follow", "", subjects.FollowAnswer{Follows: true}, func(ctx context.Context) bool { return a.Follow(ctx, anna) == nil }},
			{"DELETE /v1/users/" + anna + "/follow", "", subjects.FollowAnswer{}, func(ctx context.Context) bool { return a.Unfollow(ctx, anna) == nil }},
			{"PATCH /v1/me/profile", `{"bio":"","heard":"private","rev":4}`, subjects.Profile{ID: anna, Rev: 5}, func(ctx context.Context) bool {
				p, err := a.UpdateProfile(ctx, tutti.ProfileChange{Bio: &name, Heard: &hidden, Rev: 4})
				return err == nil && p.Rev == 5
			}},
			{"PUT /v1/me/nickname", `{"nickname":" Ann "}`, subjects.NicknameAnswer{Nickname: "Ann"}, func(ctx context.Context) bool {
				got, err := a.ChangeNickname(ctx, " Ann ")
				return err == nil && got == "Ann"
			}},
			{"GET /v1/users/" + anna + "/heard?limit=2", "", subjects.HeardAnswer{Plays: []subjects.HeardTrack{{Room: "r"}}, Next: "more"}, func(ctx context.Context) bool {
				p, err := c.Heard(ctx, anna, "", 2)
				return err == nil && len(p.Plays) == 1 && p.Plays[0].Room == "r" && p.Next == "more"
			}},
			{"GET /v1/rooms/r%2F/plays", "", subjects.PlaysAnswer{Plays: []subjects.PlayedTrack{{N: 7}}}, func(ctx context.Context) bool {
				p, err := c.Room("r/").Plays(ctx, "", 0)
				return err == nil && len(p.Plays) == 1 && p.Plays[0].N == 7
			}},
		} {
			s.do(func() {
				s.requests, s.bodies = nil, nil
				s.onHTTP = func(string, string) *tutti.Response { r := answer(200, x.answer); return &r }
			})
			if ok := x.ok(t.Context()); !ok || !slices.Equal(s.requests, []string{x.request}) || s.bodies[0] != x.body {
				t.Errorf("%s %s: %v; asked %q %q", x.request, x.body, ok, s.requests, s.bodies)
			}
			s.do(func() {
				s.onHTTP = func(string, string) *tutti.Response { r := refused(subjects.CodeForbidden); return &r }
			})
			if x.ok(t.Context()) {
				t.Errorf("%s: a refusal was taken for an answer", x.request)
			}
		}
		s.do(func() { s.onHTTP, s.requests = nil, nil })
		guest := s.dial(t)
		defer guest.Close()
		s.do(func() { s.requests = nil })
		if err := guest.Account().Follow(t.Context(), anna); subjects.CodeOf(err) != subjects.CodeUnauthenticated || len(s.requests) != 0 {
			t.Errorf("a guest follows: %v, %v", err, s.requests)
		}
	})
}
