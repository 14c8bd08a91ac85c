package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/profile"
	"github.com/tuttihq/tutti/subjects"
)

// person registers somebody and waits for their profile.
func (d *deployment) person(t *testing.T, nickname string) string {
	t.Helper()
	id := d.announce(t, nickname).ID
	if _, err := own(d, id); err != nil {
		t.Fatal(err)
	}
	return id
}

func follow(d *deployment, follower, followed string) error {
	a, err := ask[subjects.FollowAnswer](d, subjects.ProfileFollow, subjects.FollowRequest{Follower: follower, Followed: followed})
	if err == nil && !a.Follows {
		return errors.New("followed, and does not follow")
	}
	return err
}

func unfollow(d *deployment, follower, followed string) error {
	a, err := ask[subjects.FollowAnswer](d, subjects.ProfileUnfollow, subjects.FollowRequest{Follower: follower, Followed: followed})
	if err == nil && a.Follows {
		return errors.New("unfollowed, and follows")
	}
	return err
}

func follows(t *testing.T, d *deployment, follower, followed string) bool {
	t.Helper()
	a, err := ask[subjects.FollowAnswer](d, subjects.ProfileFollows, subjects.FollowRequest{Follower: follower, Followed: followed})
	if err != nil {
		t.Fatal(err)
	}
	return a.Follows
}

func person(t *testing.T, d *deployment, viewer, id string) subjects.Person {
	t.Helper()
	p, err := ask[subjects.Person](d, subjects.ProfilePerson, subjects.PersonRequest{ID: id, Viewer: viewer})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shown gives every page of a list, as nicknames.
func shown(d *deployment, endpoint, viewer, user string, limit int) (names []string, err error) {
	req := subjects.RelationsRequest{User: user, Viewer: viewer, Limit: limit}
	for {
		page, err := ask[subjects.PeoplePage](d, endpoint, req)
		if err != nil {
			return nil, err
		}
		if len(page.Profiles) > limit {
			return nil, fmt.Errorf("%d on a page of %d", len(page.Profiles), limit)
		}
		for _, p := range page.Profiles {
			names = append(names, p.Nickname)
		}
		if page.Next == "" {
			return names, nil
		}
		req.Cursor = page.Next
	}
}

func (d *deployment) hide(t *testing.T, id string, v subjects.Visibility) {
	t.Helper()
	if _, err := ask[subjects.Profile](d, subjects.ProfileUpdate, subjects.ProfileUpdateRequest{UserID: id, Relations: &v}); err != nil {
		t.Fatal(err)
	}
}

func TestFollowing(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	anna, bert := d.person(t, "Anna"), d.person(t, "Bert")
	for range 2 { // the second changes nothing
		if err := follow(d, anna, bert); err != nil {
			t.Fatal(err)
		}
	}
	if !follows(t, d, anna, bert) || follows(t, d, bert, anna) {
		t.Fatal("it goes the other way")
	}
	p := person(t, d, anna, bert)
	if *p.Followers != 1 || *p.Following != 0 || *p.You != (subjects.PersonYou{Follows: true}) {
		t.Fatalf("%+v", p)
	}
	if p = person(t, d, bert, anna); *p.Followers != 0 || *p.Following != 1 || *p.You != (subjects.PersonYou{FollowsYou: true}) {
		t.Fatalf("%+v", p)
	}
	if p = person(t, d, "", anna); p.You != nil || p.Nickname != "Anna" {
		t.Fatalf("a guest: %+v", p)
	}
	if p = person(t, d, anna, anna); p.You != nil || *p.Following != 1 {
		t.Fatalf("oneself: %+v", p)
	}
	for range 2 {
		if err := unfollow(d, anna, bert); err != nil {
			t.Fatal(err)
		}
	}
	if follows(t, d, anna, bert) {
		t.Fatal("still")
	}
	if err := follow(d, anna, bert); err != nil { // over what the first left behind
		t.Fatal(err)
	}
	if p = person(t, d, anna, bert); *p.Followers != 1 {
		t.Fatalf("%+v", p)
	}
	refused(t, follow(d, anna, anna), subjects.CodeInvalid)
	refused(t, unfollow(d, anna, anna), subjects.CodeInvalid)
	refused(t, follow(d, anna, "bert"), subjects.CodeInvalid)
	refused(t, follow(d, "", bert), subjects.CodeInvalid)
	nobody := subjects.NewID(subjects.PrefixUser, time.Now())
	refused(t, follow(d, anna, nobody), subjects.CodeNotFound)
	if err := unfollow(d, anna, nobody); err != nil {
		t.Fatal(err)
	}
	_, err := ask[subjects.Person](d, subjects.ProfilePerson, subjects.PersonRequest{ID: nobody, Viewer: anna})
	refused(t, err, subjects.CodeNotFound)
}

func TestRelationsAreReadByPageTheLatestFirst(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	star := d.person(t, "Star")
	var fans []string
	for i := range 7 {
		fans = append(fans, d.person(t, fmt.Sprintf("fan%d", i)))
		if err := follow(d, fans[i], star); err != nil {
			t.Fatal(err)
		}
		if err := follow(d, star, fans[i]); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for i := range fans {
		want = append(want, fmt.Sprintf("fan%d", len(fans)-1-i))
	}
	for _, limit := range []int{1, 3, 7, 100} {
		for _, list := range []string{subjects.ProfileFollowers, subjects.ProfileFollowing} {
			// Within one millisecond the order is not told apart, but it is one.
			got, err := shown(d, list, fans[0], star, limit)
			if slices.Sort(got); err != nil || !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Fatalf("%s by %d: %v, %v", list, limit, got, err)
			}
		}
	}
	for _, bad := range []subjects.RelationsRequest{
		{User: star, Cursor: "x"}, {User: star, Limit: 101}, {User: star, Limit: -1}, {User: "star"}, {User: star, Cursor: star},
	} {
		_, err := ask[subjects.PeoplePage](d, subjects.ProfileFollowers, bad)
		refused(t, err, subjects.CodeInvalid)
	}
	_, err := shown(d, subjects.ProfileFollowers, star, subjects.NewID(subjects.PrefixUser, time.Now()), 10)
	refused(t, err, subjects.CodeNotFound)
	if p := person(t, d, star, star); *p.Followers != 7 || *p.Following != 7 {
		t.Fatalf("%+v", p)
	}
}

// Who hides their relations is found in nobody's, but by those at the other end.
func TestHiddenRelationsShowNowhere(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	star, shy, fan, other := d.person(t, "Star"), d.person(t, "Shy"), d.person(t, "Fan"), d.person(t, "Other")
	for _, f := range [][2]string{{shy, star}, {star, shy}, {fan, shy}, {fan, star}, {shy, other}} {
		if err := follow(d, f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	look := func(viewer string) (out string) {
		t.Helper()
		for _, list := range []string{subjects.ProfileFollowers, subjects.ProfileFollowing} {
			for _, user := range []string{star, shy, fan, other} {
				names, err := shown(d, list, viewer, user, 1)
				slices.Sort(names)
				if subjects.CodeOf(err) == subjects.CodeForbidden {
					names = []string{"-"}
				} else if err != nil {
					t.Fatal(err)
				}
				out += fmt.Sprint(names)
			}
		}
		for _, user := range []string{star, shy} {
			if p := person(t, d, viewer, user); p.Followers == nil && p.Following == nil {
				out += " -"
			} else {
				out += fmt.Sprintf(" %d/%d", *p.Followers, *p.Following)
			}
		}
		return out
	}
	everything := "[Fan Shy][Fan Star][][Shy]" + "[Shy][Other Star][Shy Star][] 2/1 2/2"
	for _, c := range []struct {
		shows   subjects.Visibility
		viewer  string
		sees    string
		comment string
	}{
		{subjects.VisibilityPublic, "", everything, "a guest"},
		{subjects.VisibilityPublic, other, everything, "somebody"},
		{subjects.VisibilityPrivate, "", "[Fan][-][][]" + "[][-][Star][] 2/1 -", "a guest"},
		{subjects.VisibilityPrivate, fan, "[Fan][-][][]" + "[][-][Shy Star][] 2/1 -", "a follower"},
		// Who follows Shy, or is followed by them, finds that in their own lists alone.
		{subjects.VisibilityPrivate, other, "[Fan][-][][Shy]" + "[][-][Star][] 2/1 -", "whom they follow"},
		{subjects.VisibilityPrivate, star, "[Fan Shy][-][][]" + "[Shy][-][Star][] 2/1 -", "whom they follow and who follows them"},
		{subjects.VisibilityPrivate, shy, everything, "themselves"},
		{subjects.VisibilityFollowers, "", "[Fan][-][][]" + "[][-][Star][] 2/1 -", "a guest"},
		{subjects.VisibilityFollowers, other, "[Fan][-][][Shy]" + "[][-][Star][] 2/1 -", "whom they follow"},
		{subjects.VisibilityFollowers, fan, everything, "a follower"},
	} {
		d.hide(t, shy, c.shows)
		if got := look(c.viewer); got != c.sees {
			t.Errorf("%s, seen by %s:\n%s, want\n%s", c.shows, c.comment, got, c.sees)
		}
	}
	// Both ends know, whatever is hidden.
	d.hide(t, shy, subjects.VisibilityPrivate)
	if p := person(t, d, other, shy); *p.You != (subjects.PersonYou{FollowsYou: true}) || p.Followers != nil || p.Following != nil {
		t.Errorf("%+v", p)
	}
}

// A page ends at somebody whom it does not show, and its cursor does not tell who.
func TestACursorTellsNobody(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	star, fan := d.person(t, "Star"), d.person(t, "Fan")
	var hidden []string
	if err := follow(d, fan, star); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		hidden = append(hidden, d.person(t, fmt.Sprint("hidden", i)))
		if err := follow(d, hidden[i], star); err != nil {
			t.Fatal(err)
		}
		d.hide(t, hidden[i], subjects.VisibilityPrivate)
	}
	req := subjects.RelationsRequest{User: star, Limit: 1}
	empty := 0
	for {
		page, err := ask[subjects.PeoplePage](d, subjects.ProfileFollowers, req)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Profiles) == 1 && page.Profiles[0].ID != fan {
			t.Fatalf("%+v is shown", page.Profiles[0])
		}
		if page.Next == "" {
			break
		}
		if len(page.Profiles) == 0 {
			empty++
		}
		if subjects.CheckID("follow", page.Next) != nil {
			t.Fatalf("the cursor is %q", page.Next)
		}
		req.Cursor = page.Next
	}
	if empty == 0 {
		t.Fatal("every page showed somebody: this test says nothing")
	}
}

// However following and unfollowing by the same user cross, what is answered last is what
// is, and the lists say the same.
func TestFollowingAndUnfollowingAtOnce(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	d.start(t, config())
	anna, bert := d.person(t, "Anna"), d.person(t, "Bert")
	for range 5 {
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				err := follow(d, anna, bert)
				if i%2 == 0 {
					err = unfollow(d, anna, bert)
				}
				if code := subjects.CodeOf(err); code != "" && code != subjects.CodeBusy {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		names, err := shown(d, subjects.ProfileFollowers, bert, bert, 10)
		p := person(t, d, anna, bert)
		if err != nil || p.You.Follows != (len(names) == 1) || *p.Followers != len(names) || follows(t, d, anna, bert) != p.You.Follows {
			t.Fatalf("%v, %+v, %v", names, p, err)
		}
	}
	if err := follow(d, anna, bert); err != nil || !follows(t, d, anna, bert) {
		t.Fatal(err)
	}
	if err := unfollow(d, anna, bert); err != nil || follows(t, d, anna, bert) {
		t.Fatal(err)
	}
}

// A follow reaches the STATE stream as the follower's own, and goes from it.
func TestFollowsArePublishedForTheFollowerAlone(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	anna, bert := d.person(t, "Anna"), d.person(t, "Bert")
	if err := follow(d, anna, bert); err != nil {
		t.Fatal(err)
	}
	have := func(user string) map[string]json.RawMessage {
		t.Helper()
		docs, err := d.bus.Own(t.Context(), subjects.TableFollows, user)
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	eventually(t, "published", func() bool { return len(have(anna)) == 1 })
	var f subjects.Follow
	if err := json.Unmarshal(have(anna)[bert], &f); err != nil || f.Follower != anna || f.Followed != bert || f.At == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if len(have(bert)) != 0 {
		t.Fatal("the followed reads it too")
	}
	public := 0
	err := d.bus.Read(t.Context(), subjects.StreamState, subjects.StateWildcard(subjects.TableFollows), 1, func(bus.Entry) error { public++; return nil })
	if err != nil || public != 0 {
		t.Fatalf("%d are public, %v", public, err)
	}
	if err := unfollow(d, anna, bert); err != nil {
		t.Fatal(err)
	}
	eventually(t, "retracted", func() bool { return len(have(anna)) == 0 })
	if _, ok := profile.PublicFollow(store.Document{ID: "x", Body: json.RawMessage(`{}`)}); ok {
		t.Fatal("what is no follow is published")
	}
}

func TestAFollowIsAnsweredWhenTheStoreIsAway(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	anna, bert := d.person(t, "Anna"), d.person(t, "Bert")
	d.store.mute.Store(true) // it follows, and nobody hears of it
	refused(t, follow(d, anna, bert), subjects.CodeUnavailable)
	d.store.mute.Store(false)
	if err := follow(d, anna, bert); err != nil {
		t.Fatal(err)
	}
	d.store.away.Store(true)
	refused(t, follow(d, bert, anna), subjects.CodeUnavailable)
	_, err := ask[subjects.FollowAnswer](d, subjects.ProfileFollows, subjects.FollowRequest{Follower: anna, Followed: bert})
	refused(t, err, subjects.CodeUnavailable)
}
