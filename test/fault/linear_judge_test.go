package fault

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

var zero = time.Unix(1_800_000_000, 0)

// told is a history in words: "client sent done verb track from to outcome rev", times in
// milliseconds; an outcome is ok, ? or the code of a refusal.
func told(t *testing.T, at thing, deck bool, lines ...string) []*op {
	t.Helper()
	var out []*op
	for i, line := range lines {
		var client, sent, done, from, to int
		var verb, track, how string
		var rev uint64
		if _, err := fmt.Sscan(line, &client, &sent, &done, &verb, &track, &from, &to, &how, &rev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		o := &op{
			client: client, user: fmt.Sprint("user_", client), at: at, verb: verb, track: track, from: from, to: to, deck: deck,
			cmd: fmt.Sprint("cmd_", i), sent: zero.Add(time.Duration(sent) * time.Millisecond), done: zero.Add(time.Duration(done) * time.Millisecond),
			rev: rev, epoch: 1,
		}
		switch how {
		case "ok":
			o.outcome = accepted
		case "?":
		default:
			o.outcome, o.code = refused, subjects.Code(how)
		}
		out = append(out, o)
	}
	return out
}

// What may happen is explained, and the same history with one thing wrong in it is not.
func TestHistoriesThatNoOrderExplainsAreFound(t *testing.T) {
	playlist, room := thing{subjects.ServicePlaylist, "p"}, thing{subjects.ServiceRoom, "r"}
	editing := []string{
		"0 0 10 add a 0 0 ok 1",
		"1 5 15 add b 0 0 ok 2",
		"0 20 30 move a 0 1 ok 3",
		"1 21 31 move a 0 1 conflict 3",   // the other was faster
		"2 22 90 remove b 0 0 ? 0",        // takes effect before the next, or never
		"0 40 50 add b 0 0 ok 4",          // so it did
		"1 60 70 add b 0 0 ok 6",          // and was taken out again
		"2 61 69 remove b 0 0 ok 5",       // by this
		"2 80 85 remove b 0 0 ok 7",       // there
		"2 86 88 remove b 0 0 ok 7",       // gone already
		"1 95 99 move a 1 0 conflict 7",   // it stands at 0
		"1 100 110 move a 0 1 conflict 7", // one track has no second place
	}
	voting := []string{
		"0 0 5 vote a 0 0 no_such_track 0",
		"0 10 15 suggest a 0 0 ok 1",
		"1 12 20 suggest a 0 0 ok 1",
		"1 21 25 vote a 0 0 already_voted 1",
		"2 21 26 suggest b 0 0 ok 2", // another ballot
		"0 30 35 suggest a 0 0 nothing_accepted 2",
		"0 40 45 remove a 0 0 ok 3",
		"1 41 50 vote a 0 0 no_such_track 3",
		"2 51 52 suggest a 0 0 ok 4",
		"0 60 90 vote a 0 0 ? 0",
		"0 95 99 vote a 0 0 already_voted 5",
	}
	playing := []string{
		"0 0 5 pause - 0 0 already 1",
		"0 10 15 play - 0 0 ok 2",
		"1 11 16 play - 0 0 already 2",
		"1 20 25 seek - 0 0 ok 3",
		"0 30 35 pause - 0 0 nothing_to_play 4", // the track ended
		"0 40 45 suggest b 0 0 ok 5",            // and the next one plays
		"0 46 47 suggest c 0 0 ok 6",
		"1 50 55 pause - 0 0 ok 8",
	}
	for name, c := range map[string]struct {
		at    thing
		deck  bool
		lines []string
		wrong map[string][2]string // what is written in place of what
	}{
		"a playlist": {playlist, false, editing, map[string][2]string{
			"a move that both won":           {"1 21 31 move a 0 1 conflict 3", "1 21 31 move a 0 1 ok 4"},
			"an old answer":                  {"1 95 99 move a 1 0 conflict 7", "1 95 99 move a 1 0 ok 8"},
			"a refusal without a cause":      {"1 95 99 move a 1 0 conflict 7", "1 95 99 move a 0 0 conflict 7"},
			"added twice":                    {"1 100 110 move a 0 1 conflict 7", "1 100 110 add a 0 0 ok 8"},
			"taken out, and yet it is there": {"1 100 110 move a 0 1 conflict 7", "1 100 110 add b 0 0 nothing_accepted 7"},
			"another order than the log's":   {"2 61 69 remove b 0 0 ok 5", "2 61 69 remove b 0 0 ok 9"},
			"refused for something else":     {"1 95 99 move a 1 0 conflict 7", "1 95 99 move a 1 0 nothing_accepted 7"},
		}},
		"a ballot": {room, false, voting, map[string][2]string{
			"a vote twice":        {"1 21 25 vote a 0 0 already_voted 1", "1 21 25 vote a 0 0 ok 1"},
			"a vote that is lost": {"1 21 25 vote a 0 0 already_voted 1", "1 21 25 vote a 0 0 no_such_track 1"},
			"a vote for what is gone": {
				"1 41 50 vote a 0 0 no_such_track 3", "1 46 50 vote a 0 0 already_voted 3"},
			"never sent again and yet there": {"0 60 90 vote a 0 0 ? 0", "0 60 90 vote a 0 0 no_such_track 4"},
		}},
		"a deck": {room, true, playing, map[string][2]string{
			"started twice":      {"1 11 16 play - 0 0 already 2", "1 17 18 play - 0 0 ok 2"},
			"stopped by nobody":  {"1 20 25 seek - 0 0 ok 3", "1 20 25 pause - 0 0 already 3"},
			"plays without one":  {"0 40 45 suggest b 0 0 ok 5", "0 40 45 play - 0 0 ok 5"},
			"ended while paused": {"0 0 5 pause - 0 0 already 1", "0 0 5 pause - 0 0 nothing_to_play 1"},
		}},
	} {
		if wrong, n, odd := linearizable(told(t, c.at, c.deck, c.lines...)); len(wrong) > 0 || n != len(c.lines) || odd != 0 {
			t.Errorf("%s: %d of %d judged, %v", name, n, len(c.lines), wrong)
		}
		for what, w := range c.wrong {
			doctored := append([]string(nil), c.lines...)
			changed := false
			for i := range doctored {
				if doctored[i] == w[0] {
					doctored[i], changed = w[1], true
				}
			}
			wrong, _, odd := linearizable(told(t, c.at, c.deck, doctored...))
			if !changed || odd == 0 || len(wrong) != 1 || !strings.Contains(wrong[0], "no order explains") {
				t.Errorf("%s with %s is judged %v (changed: %v)", name, what, wrong, changed)
			}
		}
	}
}
