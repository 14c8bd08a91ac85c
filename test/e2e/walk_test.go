package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Two people, one room: what they do is there for the other the moment it is accepted.
func TestTwoPeopleVoteInARoom(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, eve := p.register("ann"), p.register("bob"), p.register("eve")

	room := ann.open("Friday", body{"minimumScore": 2, "tracks": []string{"demo:aurora", "demo:night-tram"}})
	v := ann.see(room)
	equal(t, "kind", v.State.Kind, subjects.KindVote)
	equal(t, "current", v.State.Current == nil, true) // one vote is not enough
	same(t, "queue", v.queue(), []string{"demo:aurora", "demo:night-tram"})
	equal(t, "the creator's role", v.You.Role, subjects.RoleCreator)

	// Outsiders see an open room and do nothing in it.
	eve.refused(subjects.CodeNotMember, room, "vote", body{"track": "demo:aurora"})
	eve.refused(subjects.CodeNotMember, room, "suggest", body{"tracks": []string{"demo:paper-boats"}})
	equal(t, "you of an outsider", eve.see(room).You.CannotVote, subjects.CodeNotMember)

	// A suggestion counts as a vote; of equal scores the earlier comes first.
	bob.accepts(t, room, "join", nil, ann)
	bob.accepts(t, room, "suggest", body{"tracks": []any{body{"id": "demo:paper-boats"}}}, ann)
	same(t, "queue", ann.queue(room), []string{"demo:aurora", "demo:night-tram", "demo:paper-boats"})
	bob.refused(subjects.CodeNothingAccepted, room, "suggest", body{"tracks": []string{"demo:paper-boats"}})
	bob.refused(subjects.CodeNoSuchTrack, room, "suggest", body{"tracks": []string{"demo:nothing"}})
	bob.refused(subjects.CodeNoSuchTrack, room, "vote", body{"track": "demo:clockwork-garden"})
	ann.refused(subjects.CodeNothingToPlay, room, "play", nil)
	ann.refused(subjects.CodeNoEligibleTrack, room, "next", nil)

	// The first track that is eligible becomes current, paused, and loses its votes.
	bob.accepts(t, room, "vote", body{"track": "demo:night-tram"}, ann)
	v = bob.see(room)
	equal(t, "current", v.State.Current.ID, "demo:night-tram")
	equal(t, "playing", v.State.Playback.Playing, false)
	same(t, "queue", v.queue(), []string{"demo:aurora", "demo:paper-boats"})
	same(t, "bob's votes", v.You.Voted, []string{"demo:paper-boats"})

	// Order by score; a vote counts once.
	ann.accepts(t, room, "vote", body{"track": "demo:paper-boats"}, bob)
	ann.refused(subjects.CodeAlreadyVoted, room, "vote", body{"track": "demo:paper-boats"})
	same(t, "queue by score", bob.queue(room), []string{"demo:paper-boats", "demo:aurora"})

	// Play, pause and next are the creator's until granted.
	for _, verb := range []string{"play", "pause", "next"} {
		bob.refused(subjects.CodeForbidden, room, verb, nil)
	}
	bob.refused(subjects.CodeForbidden, room, "grantControl", body{"user": bob.id})
	ann.accepts(t, room, "grantControl", body{"user": bob.id}, bob)
	equal(t, "bob's control", bob.see(room).You.Control, true)
	bob.accepts(t, room, "play", nil, ann)
	equal(t, "playing", ann.see(room).State.Playback.Playing, true)
	bob.refused(subjects.CodeAlready, room, "play", nil)
	bob.accepts(t, room, "next", nil, ann)
	v = ann.see(room)
	equal(t, "current after next", v.State.Current.ID, "demo:paper-boats")
	bob.refused(subjects.CodeNoEligibleTrack, room, "next", nil)
	bob.accepts(t, room, "pause", nil, ann)
	bob.accepts(t, room, "suggest", body{"tracks": []string{"demo:night-tram"}}, ann) // again, from one vote
	ann.accepts(t, room, "revokeControl", body{"user": bob.id}, bob)
	bob.refused(subjects.CodeForbidden, room, "play", nil)
	ann.accepts(t, room, "seek", body{"positionMs": 5000}, bob)
	equal(t, "position", bob.see(room).PositionMs, 5000)

	// Leaving keeps the votes; a last look at the log finds every command once.
	bob.accepts(t, room, "leave", nil, ann)
	equal(t, "score after leaving", ann.see(room).State.Queue["demo:night-tram"].Score, 1)
	equal(t, "members", ann.see(room).State.MemberCount, 1)
	once(t, p.log(room))
}

// accepts sends a command and looks at the room at once, through both people.
func (w *person) accepts(t *testing.T, room, verb string, in body, other *person) {
	t.Helper()
	got := w.do(room, verb, in)
	for _, viewer := range []*person{w, other} {
		v := viewer.see(room)
		if v.Epoch != got.Epoch || v.Rev < got.Rev {
			t.Fatalf("%s sees revision %d.%d right after %s was accepted in %d.%d", viewer.nickname, v.Epoch, v.Rev, verb, got.Epoch, got.Rev)
		}
		doc, err := subjects.CanonicalOf(v.State)
		must(t, err)
		hash, err := subjects.Hash(doc)
		must(t, err)
		equal(t, "hash of what was read", hash, v.Hash)
	}
}

// once fails if a person's command stands in more than one commit.
func once(t *testing.T, log []subjects.Commit) {
	t.Helper()
	in := map[string]uint64{}
	for i := range log {
		here := map[string]bool{}
		must(t, log[i].Each(func(e *subjects.Event, _ []string) error {
			here[e.By+" "+e.Cmd] = e.By != subjects.System
			return nil
		}))
		for cmd, counts := range here {
			if rev, twice := in[cmd]; twice && counts {
				t.Errorf("%s stands in commits %d and %d", cmd, rev, log[i].Rev)
			}
			in[cmd] = log[i].Rev
		}
	}
}

// Rosters and queues are read by page; what changes between two reads is told by its tag.
func TestReadingARoomByPage(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	tracks := demoTracks(t, ann)
	room := ann.open("Pages", body{"minimumScore": 5, "tracks": tracks})
	var inside []string
	for i := range 7 {
		m := p.register(fmt.Sprintf("member%d", i))
		m.do(room, "join", nil)
		inside = append(inside, m.id)
	}
	inside = append(inside, ann.id)
	slices.Sort(inside)

	var members []string
	var total int
	cursor := ""
	for {
		var page struct {
			Total   int `json:"total"`
			Members []struct {
				User string        `json:"user"`
				Role subjects.Role `json:"role"`
			} `json:"members"`
			Next string `json:"next"`
		}
		must(t, ann.get("/v1/rooms/"+room+"/members?limit=3&cursor="+cursor, &page))
		total = page.Total
		for _, m := range page.Members {
			members = append(members, m.User)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	equal(t, "total", total, 8)
	same(t, "members", members, inside)

	var queue []string
	for cursor = ""; ; {
		var page struct {
			MinimumScore int                   `json:"minimumScore"`
			Total        int                   `json:"total"`
			Queue        []subjects.QueueEntry `json:"queue"`
			Next         string                `json:"next"`
		}
		must(t, ann.get("/v1/rooms/"+room+"/queue?limit=3&cursor="+cursor, &page))
		equal(t, "total", page.Total, len(tracks))
		equal(t, "minimum score", page.MinimumScore, 5)
		queue = append(queue, ids(page.Queue)...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	same(t, "queue", queue, tracks)

	status, header, _, err := ann.send(http.MethodGet, "/v1/rooms/"+room, nil, nil)
	must(t, err)
	equal(t, "status", status, http.StatusOK)
	tag := http.Header{"If-None-Match": {header.Get("ETag")}}
	status, _, _, err = ann.send(http.MethodGet, "/v1/rooms/"+room, nil, tag)
	must(t, err)
	equal(t, "status of the same room", status, http.StatusNotModified)
	ann.do(room, "remove", body{"track": tracks[0]})
	status, _, _, err = ann.send(http.MethodGet, "/v1/rooms/"+room, nil, tag)
	must(t, err)
	equal(t, "status of another", status, http.StatusOK)
}

// demoTracks gives the ids of the tracks that come with the program.
func demoTracks(t *testing.T, who *person) []string {
	t.Helper()
	var list struct {
		Tracks []subjects.Track `json:"tracks"`
	}
	must(t, who.get("/v1/tracks", &list))
	var out []string
	for _, tr := range list.Tracks {
		out = append(out, tr.ID)
	}
	if len(out) < 5 {
		t.Fatalf("only %d demo tracks", len(out))
	}
	return out
}

// A room that grows large tells a count instead of names; the roster is still all there.
func TestABigRoom(t *testing.T) {
	t.Parallel()
	const crowd = subjects.RosterInline + 16
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Stadium", body{"minimumScore": 1000, "tracks": []string{"demo:aurora"}})
	people := make([]*person, crowd)
	for i := range people {
		people[i] = p.register(fmt.Sprint("fan", i))
		people[i].do(room, "join", nil)
		people[i].do(room, "vote", body{"track": "demo:aurora"})
	}
	roster := func() (total int) {
		var page struct {
			Total   int               `json:"total"`
			Members []json.RawMessage `json:"members"`
		}
		must(t, ann.get("/v1/rooms/"+room+"/members?limit=500", &page))
		equal(t, "members on the page", len(page.Members), page.Total)
		return page.Total
	}
	v := ann.see(room)
	equal(t, "roster", v.State.Roster, subjects.ListedByPage)
	equal(t, "names in the document", len(v.State.Members), 0)
	equal(t, "members", roster(), crowd+1)
	equal(t, "score", v.State.Queue["demo:aurora"].Score, crowd+1)
	equal(t, "one of them", people[crowd-1].see(room).You.Member, true)
	for _, w := range people[:crowd-10] {
		w.do(room, "leave", nil)
	}
	v = ann.see(room)
	equal(t, "roster of who is left", v.State.Roster, subjects.ListedInline)
	equal(t, "names in the document", len(v.State.Members), 11)
	equal(t, "members", roster(), 11)
	equal(t, "score", v.State.Queue["demo:aurora"].Score, crowd+1)
}

// The same request under the same key meets the same room, also over a kill.
func TestOpeningARoomTwiceUnderOneKey(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	id := subjects.NewID(subjects.PrefixCommand, time.Now())
	send := func(header http.Header, text string) (int, created) {
		t.Helper()
		status, _, answer, err := ann.send(http.MethodPost, "/v1/rooms", []byte(text), header)
		must(t, err)
		var got created
		must(t, json.Unmarshal(answer, &got))
		return status, got
	}
	key := http.Header{"Idempotency-Key": {id}}
	const text = `{"kind":"vote","name":"Once","open":true}`
	status, first := send(key, text)
	equal(t, "status", status, http.StatusCreated)
	for _, after := range []func(){func() {}, func() { p.kill(); p.up() }} {
		after()
		status, again := send(key, text)
		equal(t, "status", status, http.StatusCreated)
		equal(t, "the answer to the same request", again, first)
	}
	_, other := send(nil, text)
	equal(t, "another room under no key", other.ID != first.ID, true)
	status, _ = send(http.Header{"Idempotency-Key": {"abc"}}, text)
	equal(t, "a key without a time", status, http.StatusBadRequest)
	eventually(t, func() string { // to open another room was to leave the first
		if ann.see(first.ID).State.Phase != subjects.PhaseClosed {
			return "the first room is open"
		}
		return ""
	})
	equal(t, "commits", len(p.log(first.ID)), 2)
}
