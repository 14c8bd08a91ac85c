package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func TestARoomIsReadWithThePositionAtTheServersTime(t *testing.T) {
	w := newWorld()
	w.now = func() time.Time { return noon.Add(1500 * time.Millisecond) }
	s := w.edge(t, unlimited())
	r := s.do(t, call{method: "GET", path: "/v1/rooms/" + open, as: ada})
	var got struct {
		roomAnswer
		State subjects.Room `json:"state"`
		You   *subjects.You `json:"you"`
	}
	r.json(t, &got)
	if r.status != 200 || got.Epoch != 1 || got.Rev != 5 || got.ID != open || got.State.Name != "Evening" || len(got.State.Queue) != 2 {
		t.Fatalf("got %v", r)
	}
	if got.ServerTime != noon.UnixMilli()+1500 || got.PositionMs != 1500 {
		t.Fatalf("serverTime %d, positionMs %d", got.ServerTime, got.PositionMs)
	}
	if r.header.Get(headerServerTime) != fmt.Sprint(got.ServerTime) || r.header.Get(headerPosition) != "1500" {
		t.Fatalf("the headers do not say the same: %v", r.header)
	}
	if got.You == nil || !got.You.Member || got.You.Role != subjects.RoleCreator {
		t.Fatalf("you = %+v", got.You)
	}
	doc, err := json.Marshal(&w.rooms[open].State.Room)
	if err != nil {
		t.Fatal(err)
	}
	want, err := subjects.Hash(doc)
	if err != nil || got.Hash != want {
		t.Fatalf("hash %s, want %s (%v)", got.Hash, want, err)
	}
	if anonymous := s.do(t, call{method: "GET", path: "/v1/rooms/" + open}); strings.Contains(string(anonymous.body), `"you"`) {
		t.Fatalf("you without a token: %v", anonymous)
	}
}

func TestNotModifiedSaysTheTimeAndDependsOnWhoAsks(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	get := func(as, tag string) reply {
		return s.do(t, call{method: "GET", path: "/v1/rooms/" + open, as: as, header: map[string]string{"If-None-Match": tag}})
	}
	first := get(ada, "")
	tag := first.header.Get("Etag")
	w.now = func() time.Time { return noon.Add(2 * time.Second) }
	again := get(ada, tag)
	if again.status != http.StatusNotModified || len(again.body) != 0 || again.header.Get(headerPosition) != "2000" ||
		again.header.Get(headerServerTime) != fmt.Sprint(noon.UnixMilli()+2000) || again.header.Get("Etag") != tag {
		t.Fatalf("got %v %v", again, again.header)
	}
	if r := get(bob, tag); r.status != 200 {
		t.Fatalf("another viewer's answer was taken for this one's: %v", r)
	}
	if r := get("", tag); r.status != 200 || r.header.Get("Etag") != `W/"1-5"` {
		t.Fatalf("without a token: %v %v", r, r.header)
	}
	v := w.rooms[open]
	v.Rev++
	w.rooms[open] = v
	if r := get(ada, tag); r.status != 200 {
		t.Fatalf("a new revision: %v", r)
	}
}

// A private room answers an outsider as a room that is not there, in every byte but the
// request's id and the path that was asked for.
func TestAPrivateRoomDoesNotExistForOutsiders(t *testing.T) {
	w := newWorld()
	// What the room itself says to an outsider and what nobody says for an unknown id may
	// differ in all but the code.
	w.ask = func(_ context.Context, to subjects.Command, _ subjects.Envelope) (subjects.Answer, error) {
		if to.ID == inner {
			return subjects.Answer{Epoch: 1, Rev: 2, At: 5, Refusal: &subjects.Refusal{Code: subjects.CodeNotFound, Message: "psst", Field: "room"}}, nil
		}
		return subjects.Answer{Refusal: subjects.Refuse(subjects.CodeNotFound, "nothing here")}, nil
	}
	s := w.edge(t, unlimited())
	var calls []call
	for _, as := range []string{"", bob} {
		for _, path := range []string{"/v1/rooms/%s", "/v1/rooms/%s/members", "/v1/rooms/%s/queue", "/v1/rooms/%s/members?limit=3"} {
			calls = append(calls, call{method: "GET", path: path, as: as},
				call{method: "HEAD", path: path, as: as},
				call{method: "GET", path: path, as: as, header: map[string]string{"If-None-Match": "*"}})
		}
	}
	for _, v := range s.kinds.room.verbs() {
		body := map[string]string{
			subjects.VerbSuggest: `{"tracks":["demo:a"]}`, subjects.VerbVote: `{"track":"demo:a"}`, subjects.VerbRemove: `{"track":"demo:a"}`,
			subjects.VerbPosition: `{"lat":1,"lng":1}`, subjects.VerbSetRole: `{"user":"` + bob + `","role":"member"}`,
			subjects.VerbSetGrants: `{"role":"member","verbs":[]}`,
		}[v]
		switch v {
		case subjects.VerbInvite, subjects.VerbGrantControl, subjects.VerbRevokeControl, subjects.VerbKick, subjects.VerbBan, subjects.VerbUnban:
			body = `{"user":"` + bob + `"}`
		}
		if body == "" {
			body = "{}"
		}
		for _, body := range []string{body, `{"nonsense":1}`} {
			calls = append(calls, call{method: "POST", path: "/v1/rooms/%s/commands", as: bob,
				body: `{"id":"` + cmdID(v) + `","verb":"` + v + `","body":` + body + `}`})
		}
	}
	calls = append(calls, call{method: "POST", path: "/v1/rooms/%s/commands", as: bob, body: `{"verb":"create","body":{"kind":"vote","name":"x"}}`})
	notFound := 0
	for _, c := range calls {
		strip := func(id string) string {
			at := c
			at.path = fmt.Sprintf(c.path, id)
			at.header = map[string]string{"X-Request-Id": "same"}
			for k, v := range c.header {
				at.header[k] = v
			}
			r := s.do(t, at)
			if r.status == 404 {
				notFound++
				if p := r.problem(t); p.Code != subjects.CodeNotFound {
					t.Fatalf("got %v", r)
				}
			} else if r.status < 400 {
				t.Fatalf("%s %s as %q: %v", c.method, c.path, c.as, r)
			}
			return strings.ReplaceAll(fmt.Sprint(r, r.header), id, "ID")
		}
		if a, b := strip(inner), strip(gone); a != b && !strings.Contains(c.body, `"create"`) {
			t.Fatalf("%s %s %s tells that the room is there:\n%s\n%s", c.method, c.path, c.body, a, b)
		}
	}
	if notFound < 60 {
		t.Fatalf("only %d answers were 404", notFound)
	}
	if r := s.do(t, call{method: "GET", path: "/v1/rooms/" + inner, as: ada}); r.status != 200 {
		t.Fatalf("its creator does not see it: %v", r)
	}
	apply(w.rooms[inner].State, ada, &subjects.MemberJoined{User: bob, Role: subjects.RoleMember})
	if r := s.do(t, call{method: "GET", path: "/v1/rooms/" + inner, as: bob}); r.status != 200 {
		t.Fatalf("a member does not see it: %v", r)
	}
	// A member hears what the room says.
	r := s.do(t, call{method: "POST", path: "/v1/rooms/" + inner + "/commands", as: bob, body: `{"verb":"kick","body":{"user":"` + ada + `"}}`})
	if p := r.problem(t); p.Detail != "psst" || p.Field != "room" || p.Rev != 2 {
		t.Fatalf("got %v", r)
	}
}

func TestTheRosterIsReadByPage(t *testing.T) {
	w := newWorld()
	state := w.rooms[open].State
	want := map[string]bool{ada: true}
	for i := range 120 {
		u := subjects.DeriveID(subjects.PrefixUser, noon, fmt.Sprint(i))
		want[u] = true
		apply(state, u, &subjects.MemberJoined{User: u, Role: subjects.RoleMember})
	}
	s := w.edge(t, unlimited())
	seen := map[string]bool{}
	next := ""
	for pages := 0; ; pages++ {
		r := s.do(t, call{method: "GET", path: "/v1/rooms/" + open + "/members?limit=50&cursor=" + next})
		var got roster
		r.json(t, &got)
		if got.Total != 121 || len(got.Members) > 50 || pages > 3 {
			t.Fatalf("page %d: %v", pages, r)
		}
		for _, m := range got.Members {
			if seen[m.User] || !want[m.User] || m.JoinedAt != noon.UnixMilli() {
				t.Fatalf("page %d: %+v", pages, m)
			}
			seen[m.User] = true
		}
		if next = got.Next; next == "" {
			break
		}
		// Somebody whose page was read leaves: nobody else is left out.
		if pages == 0 {
			apply(state, ada, &subjects.MemberLeft{User: got.Members[3].User})
			apply(state, ada, &subjects.MemberJoined{User: got.Members[3].User, Role: subjects.RoleMember})
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("saw %d of %d", len(seen), len(want))
	}
}

func TestTheQueueIsReadInTheOrderItWillBePlayed(t *testing.T) {
	w := newWorld()
	state := room(open, ada, true, 12)
	apply(state, bob, &subjects.TrackVoted{User: bob, Track: "demo:t009"})
	w.rooms[open] = RoomView{Epoch: 1, Rev: 5, State: state}
	s := w.edge(t, unlimited())
	var ids []string
	next := ""
	for {
		var got queuePageAnswer
		s.do(t, call{method: "GET", path: "/v1/rooms/" + open + "/queue?limit=4&cursor=" + next}).json(t, &got)
		if got.Total != 11 || got.MinimumScore != 1 || got.Rev != 5 {
			t.Fatalf("got %+v", got)
		}
		for _, e := range got.Queue {
			ids = append(ids, e.Track.ID)
		}
		if next = got.Next; next == "" {
			break
		}
	}
	if len(ids) != 11 || ids[0] != "demo:t009" || ids[1] != "demo:t001" || ids[10] != "demo:t011" {
		t.Fatalf("order %v", ids)
	}
}

func TestPagesRefuseWhatTheyCannotRead(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for path, field := range map[string]string{
		"/v1/rooms/" + open + "/members?limit=0":         "limit",
		"/v1/rooms/" + open + "/members?limit=501":       "limit",
		"/v1/rooms/" + open + "/members?limit=x":         "limit",
		"/v1/rooms/" + open + "/members?cursor=%21":      "cursor",
		"/v1/rooms/" + open + "/queue?cursor=e30x":       "cursor",
		"/v1/rooms/" + open + "/queue?cursor=eyJ4IjoxfQ": "cursor", // {"x":1}
		"/v1/rooms?limit=101":                            "limit",
		"/v1/rooms?prefix=%ff":                           "prefix",
		"/v1/rooms?prefix=%00":                           "prefix",
		"/v1/rooms?prefix=" + strings.Repeat("x", 101):   "prefix",
		"/v1/rooms?cursor=" + strings.Repeat("x", 513):   "cursor",
		"/v1/tracks?query=" + strings.Repeat("x", 101):   "query",
		"/v1/users":       "ids",
		"/v1/users?ids=x": "ids",
		"/v1/users?ids=" + strings.Repeat(ada+",", 100) + ada: "ids",
	} {
		if p := s.do(t, call{method: "GET", path: path}).problem(t); p.Code != subjects.CodeInvalid || p.Field != field || p.Status != 400 {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestSearchIsAskedOnBehalfOfTheViewer(t *testing.T) {
	w := newWorld()
	var got roomSearch
	w.query = func(_ context.Context, service, endpoint string, req any) (any, error) {
		if service != subjects.ServiceRoom || endpoint != "search" {
			return nil, errors.New("asked " + service + "." + endpoint)
		}
		got, _ = req.(roomSearch)
		return json.RawMessage(`{"rooms":[{"id":"room_1","name":"<b>"}],"next":"abc"}`), nil
	}
	s := w.edge(t, unlimited())
	r := s.do(t, call{method: "GET", path: "/v1/rooms?prefix=caf%C3%A9+n&limit=3&cursor=x", as: bob})
	if want := (roomSearch{Viewer: bob, Prefix: "café n", Cursor: "x", Limit: 3}); got != want {
		t.Fatalf("asked %+v, want %+v", got, want)
	}
	if string(r.body) != `{"rooms":[{"id":"room_1","name":"<b>"}],"next":"abc"}` {
		t.Fatalf("got %v", r)
	}
	s.do(t, call{method: "GET", path: "/v1/rooms"})
	if want := (roomSearch{Limit: searchPage}); got != want {
		t.Fatalf("asked %+v, want %+v", got, want)
	}
}

func TestALogThatCannotBeFoldedShowsNothing(t *testing.T) {
	w := newWorld()
	for _, id := range []string{open, inner} {
		v := w.rooms[id]
		v.Unknown = subjects.ErrUnknownEvent
		w.rooms[id] = v
	}
	s := w.edge(t, unlimited())
	for _, path := range []string{"", "/members", "/queue"} {
		if p := s.do(t, call{method: "GET", path: "/v1/rooms/" + open + path}).problem(t); p.Code != subjects.CodeUpgrade || p.Status != 503 {
			t.Errorf("%s: %+v", path, p)
		}
		if p := s.do(t, call{method: "GET", path: "/v1/rooms/" + inner + path}).problem(t); p.Code != subjects.CodeNotFound {
			t.Errorf("%s of a private room: %+v", path, p)
		}
	}
}

func TestALogThatCannotBeReadIsNotAMissingRoom(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	s.kinds.room.views = ViewsFunc[*subjects.RoomState](func(context.Context, string) (RoomView, error) {
		return RoomView{}, fmt.Errorf("view: %w", aggregate.ErrUnavailable)
	})
	if p := s.do(t, call{method: "GET", path: "/v1/rooms/" + open}).problem(t); p.Code != subjects.CodeUnavailable || p.Status != 503 {
		t.Fatalf("got %+v", p)
	}
	s.kinds.room.views = ViewsFunc[*subjects.RoomState](func(context.Context, string) (RoomView, error) { return RoomView{}, context.DeadlineExceeded })
	if p := s.do(t, call{method: "GET", path: "/v1/rooms/" + open}).problem(t); p.Code != subjects.CodeUnavailable || p.Status != 503 {
		t.Fatalf("got %+v", p)
	}
	s.kinds.room.views = ViewsFunc[*subjects.RoomState](func(context.Context, string) (RoomView, error) { return RoomView{}, errors.New("secret detail") })
	r := s.do(t, call{method: "GET", path: "/v1/rooms/" + open})
	if p := r.problem(t); p.Code != subjects.CodeInternal || strings.Contains(string(r.body), "secret") {
		t.Fatalf("got %v", r)
	}
	if !strings.Contains(w.logged(), "secret detail") {
		t.Fatal("the log does not say what went wrong")
	}
}
