package subjects_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

func TestFairOrderVectors(t *testing.T) {
	type vector struct {
		Name         string
		MinimumScore int
		Queue        map[string]subjects.QueueEntry
		Turns        map[string]int64
		Order        []string
		Next         string
	}
	for _, v := range vectors[vector](t, "queue_fair") {
		t.Run(v.Name, func(t *testing.T) {
			room := subjects.Room{
				Queue: v.Queue, Turns: v.Turns, Options: subjects.RoomOptions{MinimumScore: v.MinimumScore},
				QueueOptions: &subjects.QueueOptions{Order: subjects.OrderFair},
			}
			if order := ids(room.Ordered()); !slices.Equal(order, v.Order) {
				t.Errorf("order %v; want %v", order, v.Order)
			}
			next, ok := room.NextEligible()
			if next.Track.ID != v.Next || ok != (v.Next != "") {
				t.Errorf("next %q, %v; want %q", next.Track.ID, ok, v.Next)
			}
		})
	}
}

func ids(entries []subjects.QueueEntry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Track.ID)
	}
	return out
}

// In a fair order nobody has two tracks more than somebody who still waits, each one's tracks
// stand by votes, and nothing is lost. It does not depend on the order in which it is given.
func TestFairOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "tracks")
		turns := map[string]int64{}
		for i := range 4 {
			if turn := rapid.Int64Range(0, 5).Draw(t, "turn"); turn > 0 {
				turns[fmt.Sprint("u", i)] = turn
			}
		}
		var given []subjects.QueueEntry
		total := map[string]int{}
		for i := range n {
			e := subjects.QueueEntry{
				Track: subjects.Track{ID: fmt.Sprint("t", i)}, Score: rapid.IntRange(0, 3).Draw(t, "score"),
				SuggestedBy: fmt.Sprint("u", rapid.IntRange(0, 4).Draw(t, "user")), Seq: int64(rapid.IntRange(0, 5).Draw(t, "seq")),
			}
			given = append(given, e)
			total[e.SuggestedBy]++
		}
		order := subjects.FairOrder(slices.Clone(given), turns)
		again := slices.Clone(given)
		slices.Reverse(again)
		if got := subjects.FairOrder(again, turns); !slices.Equal(got, order) {
			t.Fatalf("%v or %v", ids(order), ids(got))
		}
		want, got := ids(given), ids(order)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%v of %v", got, want)
		}
		had := map[string]int{}
		last := map[string]subjects.QueueEntry{}
		for _, e := range order {
			for user, all := range total {
				if had[user] < all && had[e.SuggestedBy] > had[user] {
					t.Fatalf("%s comes again before %s: %v", e.SuggestedBy, user, ids(order))
				}
			}
			if before, ok := last[e.SuggestedBy]; ok && (before.Score < e.Score || before.Score == e.Score && before.Seq > e.Seq) {
				t.Fatalf("%v stands after %v", e, before)
			}
			had[e.SuggestedBy]++
			last[e.SuggestedBy] = e
		}
	})
}

func TestRoomQuestionsAreChecked(t *testing.T) {
	for _, c := range []struct{ verb, body, field string }{
		{"undo", `{"change":-1}`, "change"},
		{"undo", `{"change":"last"}`, "change"},
		{"setQueue", `{}`, "order"},
		{"setQueue", `{"order":"random"}`, "order"},
		{"setQueue", `{"perUser":-1}`, "perUser"},
		{"setQueue", `{"perTrack":201}`, "perTrack"},
		{"poll", `{"options":["a","b"]}`, "question"},
		{"poll", `{"question":"q","options":["a"]}`, "options"},
		{"poll", `{"question":"q","options":["a","a "]}`, "options"},
		{"poll", `{"question":"q","options":["a","b"],"seconds":1}`, "seconds"},
		{"answer", `{"poll":1}`, "option"},
		{"answer", `{"option":1}`, "poll"},
		{"answer", `{"poll":0,"option":1}`, "poll"},
		{"answer", `{"poll":1,"option":10}`, "option"},
		{"readyCheck", `{"seconds":601}`, "seconds"},
		{"ready", `{}`, "ready"},
		{"exportHistory", `{"name":"a\nb"}`, "name"},
		{"exportHistory", `{"visibility":"all"}`, "visibility"},
	} {
		_, err := subjects.DecodeRoomCommand(c.verb, []byte(c.body))
		var r *subjects.Refusal
		if !errors.As(err, &r) || r.Code != subjects.CodeInvalid || r.Field != c.field {
			t.Errorf("%s %s: %v", c.verb, c.body, err)
		}
	}
}
