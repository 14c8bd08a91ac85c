package subjects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBallots holds the bits against sets of names, and every snapshot against the log.
func TestBallots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, model := newBallots(), map[string]map[string]bool{}
		aside := map[int64]map[string]bool{}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			track := fmt.Sprint("t", rapid.IntRange(0, 4).Draw(t, "track"))
			user := fmt.Sprint("u", rapid.IntRange(0, 150).Draw(t, "user"))
			change := rapid.Int64Range(1, 3).Draw(t, "change")
			switch rapid.IntRange(0, 15).Draw(t, "what") {
			case 0:
				b.drop(track)
				delete(model, track)
			case 1: // a restart from a snapshot changes nothing, now or later
				raw, err := json.Marshal(b.encode())
				if err != nil {
					t.Fatal(err)
				}
				var in ballotsJSON
				if err := json.Unmarshal(raw, &in); err != nil {
					t.Fatal(err)
				}
				restored, err := decodeBallots(in)
				if err != nil {
					t.Fatal(err)
				}
				old := b.clone()
				old.add(user, track)
				restored.add(user, track)
				if x, y := old.encode(), restored.encode(); !slices.Equal(x.Users, y.Users) || !maps.Equal(x.Tracks, y.Tracks) {
					t.Fatalf("%+v and %+v", x, y)
				}
				b, model = restored, withVote(model, track, user)
			case 2: // taken out of the queue
				if _, shelved := aside[change]; !shelved && model[track] != nil {
					b.shelve(change, track)
					aside[change] = model[track]
					delete(model, track)
				}
			case 3: // put back, under the same name or another's
				b.unshelve(change, track)
				delete(model, track)
				if votes, shelved := aside[change]; shelved {
					model[track] = votes
					delete(aside, change)
				}
			case 4:
				b.dropShelf(change)
				delete(aside, change)
			case 5:
				b.remove(user, track)
				if delete(model[track], user); len(model[track]) == 0 {
					delete(model, track)
				}
			default:
				b.add(user, track)
				model = withVote(model, track, user)
			}
			for track := range model {
				if b.count(track) != len(model[track]) {
					t.Fatalf("%s has %d votes, want %d", track, b.count(track), len(model[track]))
				}
			}
			for i := range 151 {
				user, want := fmt.Sprint("u", i), []string{}
				for track := range model {
					if model[track][user] {
						want = append(want, track)
					}
				}
				slices.Sort(want)
				if got := b.of(user); !slices.Equal(got, want) {
					t.Fatalf("%s voted for %v, want %v", user, got, want)
				}
			}
			if len(b.slotOf)+b.free != len(b.users) {
				t.Fatalf("%d voters, %d free of %d slots", len(b.slotOf), b.free, len(b.users))
			}
		}
	})
}

func withVote(model map[string]map[string]bool, track, user string) map[string]map[string]bool {
	if model[track] == nil {
		model[track] = map[string]bool{}
	}
	model[track][user] = true
	return model
}

func TestBallotsRefuseBadSnapshots(t *testing.T) {
	for _, in := range []ballotsJSON{
		{Users: []string{"a"}, Tracks: map[string]string{"t": "Ag"}},
		{Users: []string{""}, Tracks: map[string]string{"t": "AQ"}},
		{Tracks: map[string]string{"t": "!"}},
	} {
		if _, err := decodeBallots(in); err == nil {
			t.Errorf("%+v is taken", in)
		}
	}
}

func TestPositionsAreBounded(t *testing.T) {
	p := newPositions()
	for i := range 3 * MaxMembers {
		p.put(fmt.Sprint(i), true, int64(i))
	}
	if len(p.byUser) != MaxMembers || len(p.order) > 2*MaxMembers+64 {
		t.Fatalf("%d positions, %d in order", len(p.byUser), len(p.order))
	}
	if _, ok := p.byUser[fmt.Sprint(2*MaxMembers-1)]; ok {
		t.Fatal("the oldest is kept")
	}
	for i := range 1000 { // one who reports all the time
		p.put("busy", i%2 == 0, int64(3*MaxMembers+i))
	}
	if len(p.order) > 2*len(p.byUser)+64 {
		t.Fatalf("%d in order", len(p.order))
	}
	p.put("late", true, int64(4*MaxMembers)+PositionTTL.Milliseconds())
	if len(p.byUser) != 1 || len(p.order) != 1 {
		t.Fatalf("%d positions older than a day", len(p.byUser))
	}
}

func TestPlayback(t *testing.T) {
	p := Playback{Playing: true, PositionMs: 1000, AnchorAt: 5000, Rate: 1}
	for at, want := range map[int64]int64{0: 1000, 5000: 1000, 5001: 1001, 7000: 3000, 1 << 50: 10_000} {
		if got := p.PositionAt(at, 10_000); got != want {
			t.Errorf("at %d: %d, want %d", at, got, want)
		}
	}
	if at, ok := p.EndsAt(10_000); !ok || at != 14_000 {
		t.Errorf("ends at %d", at)
	}
	p.Rate = 1.5
	at, ok := p.EndsAt(10_000)
	if !ok || p.PositionAt(at, 10_000) != 10_000 || p.PositionAt(at-2, 10_000) == 10_000 {
		t.Errorf("at one and a half the speed it ends at %d", at)
	}
	p.Playing = false
	if _, ok := p.EndsAt(10_000); ok || p.PositionAt(9000, 10_000) != 1000 {
		t.Error("paused and moving")
	}
}

func TestSkipNeeded(t *testing.T) {
	for _, tc := range [][3]int{ // share, voters, needed
		{50, 0, 1}, {50, 1, 1}, {50, 2, 2}, {50, 3, 2}, {50, 4, 3}, {50, 5, 3},
		{100, 4, 4}, {1, 50, 1}, {1, 100, 2}, {66, 3, 2}, {67, 3, 3},
	} {
		if got := (RoomOptions{SkipShare: tc[0]}).SkipNeeded(tc[1]); got != tc[2] {
			t.Errorf("%d%% of %d: %d, want %d", tc[0], tc[1], got, tc[2])
		}
	}
}

func TestRoomNameKey(t *testing.T) {
	if RoomNameKey("  Friday \t NIGHT ") != "friday night" || RoomNameKey("ÉTÉ") != "été" {
		t.Error(RoomNameKey("  Friday \t NIGHT "))
	}
}
