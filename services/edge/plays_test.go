package edge

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// listeners answers as the profile and the room service do: ada shows what she has heard as
// the profile says, and bob follows her or not.
func (w *world) listeners(heard subjects.Visibility, follows bool) *[]any {
	var asked []any
	w.query = func(_ context.Context, service, endpoint string, req any) (any, error) {
		switch {
		case service == subjects.ServiceRoom && endpoint == subjects.QueryPlays:
			asked = append(asked, req)
			return subjects.PlaysAnswer{Plays: []subjects.PlayedTrack{{N: 1, At: 2, EndedAt: 3}}, Next: "n"}, nil
		case service == subjects.ServiceRoom && endpoint == subjects.QueryHeard:
			asked = append(asked, req)
			return subjects.HeardAnswer{Plays: []subjects.HeardTrack{{Room: open, RoomName: "Evening", At: 2}}}, nil
		case service == subjects.ServiceProfile:
			raw, err := json.Marshal(req)
			if err != nil {
				return nil, err
			}
			p := subjects.Person{Profile: subjects.Profile{ID: ada, Nickname: "Ada", Heard: heard}}
			if strings.Contains(string(raw), bob) {
				p.You = &subjects.PersonYou{Follows: follows, FollowsYou: true}
			}
			return p, nil
		}
		return nil, subjects.Refuse(subjects.CodeNotFound, "nobody answers %s.%s", service, endpoint)
	}
	return &asked
}

func TestPlaysAreForWhoSeesTheRoom(t *testing.T) {
	w := newWorld()
	asked := w.listeners(subjects.VisibilityPrivate, false)
	s := w.edge(t, unlimited())
	r := s.do(t, call{path: "/v1/rooms/" + open + "/plays?limit=7&cursor=c"})
	if r.status != 200 || !strings.Contains(string(r.body), `"endedAt":3`) || !strings.Contains(string(r.body), `"next":"n"`) {
		t.Errorf("%v", r)
	}
	if want := (subjects.PlaysRequest{Room: open, Cursor: "c", Limit: 7}); len(*asked) != 1 || (*asked)[0] != want {
		t.Errorf("asked %+v, want %+v", *asked, want)
	}
	*asked = nil
	for _, c := range []struct {
		path, as string
		status   int
	}{
		{"/v1/rooms/" + inner + "/plays", "", 404},
		{"/v1/rooms/" + inner + "/plays", bob, 404},
		{"/v1/rooms/" + gone + "/plays", bob, 404},
		{"/v1/rooms/x/plays", bob, 404},
		{"/v1/rooms/" + open + "/plays?limit=101", bob, 400},
		{"/v1/rooms/" + open + "/plays?limit=0", bob, 400},
		{"/v1/rooms/" + open + "/plays?cursor=" + strings.Repeat("x", maxCursor+1), bob, 400},
	} {
		if r := s.do(t, call{path: c.path, as: c.as}); r.status != c.status {
			t.Errorf("%s as %q: %v", c.path, c.as, r)
		}
	}
	if len(*asked) != 0 {
		t.Errorf("asked %+v for who may not know", *asked)
	}
	if r := s.do(t, call{path: "/v1/rooms/" + inner + "/plays", as: ada}); r.status != 200 {
		t.Errorf("its creator: %v", r)
	}
}

func TestHeardIsShownAsItsUserSays(t *testing.T) {
	const own, follower, other, guest = "ada", "follower", "other", ""
	for _, c := range []struct {
		heard subjects.Visibility
		who   string
		shown bool
	}{
		{subjects.VisibilityPrivate, own, true},
		{subjects.VisibilityPrivate, follower, false},
		{subjects.VisibilityPrivate, guest, false},
		{subjects.VisibilityFollowers, follower, true},
		{subjects.VisibilityFollowers, other, false}, // though ada follows them
		{subjects.VisibilityFollowers, guest, false},
		{subjects.VisibilityPublic, other, true},
		{subjects.VisibilityPublic, guest, true},
		{"", follower, false}, // a profile of before there was a choice
		{"everybody", follower, false},
	} {
		t.Run(string(c.heard)+" to "+c.who, func(t *testing.T) {
			w := newWorld()
			asked := w.listeners(c.heard, c.who == follower)
			as := map[string]string{own: ada, follower: bob, other: bob}[c.who]
			r := w.edge(t, unlimited()).do(t, call{path: "/v1/users/" + ada + "/heard", as: as})
			if !c.shown {
				if r.status != 403 || len(*asked) != 0 || strings.Contains(string(r.body), open) {
					t.Errorf("%v, asked %+v", r, *asked)
				}
				return
			}
			if r.status != 200 || !strings.Contains(string(r.body), `"roomName":"Evening"`) {
				t.Errorf("%v", r)
			}
			if want := (subjects.HeardRequest{User: ada, Viewer: as, Limit: subjects.PlaysPage}); len(*asked) != 1 || (*asked)[0] != want {
				t.Errorf("asked %+v, want %+v", *asked, want)
			}
		})
	}
}

// Pages of a queue in a fair order fit together, though its scores go up and down.
func TestQueuePagesInAFairOrder(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	state := w.rooms[open].State
	apply(state, ada, &subjects.QueueSet{QueueOptions: subjects.QueueOptions{Order: subjects.OrderFair}})
	for i, id := range []string{"demo:x", "demo:y"} {
		apply(state, bob, &subjects.TrackSuggested{User: bob, Track: subjects.Track{ID: id, Title: id, DurationMs: 1}, Seq: int64(10 + i)})
	}
	var got []string
	for next := ""; ; {
		r := s.do(t, call{path: "/v1/rooms/" + open + "/queue?limit=1&cursor=" + next})
		var page queuePageAnswer
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 || len(page.Queue) != 1 {
			t.Fatalf("%v, %v", r, err)
		}
		got = append(got, page.Queue[0].Track.ID)
		if next = page.Next; next == "" {
			break
		}
	}
	if want := "demo:t001 demo:x demo:t002 demo:y"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}
