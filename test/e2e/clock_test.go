package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// stage is what a room's log says was played: each track, and when it began.
type stage struct {
	track    string
	duration int64
	anchor   int64
	by       string
}

// played reads a log. ended is the time at which the room began to wait, 0 if it does not.
func played(t *testing.T, log []subjects.Commit) (plays []stage, ended int64, endedBy string) {
	t.Helper()
	durations := map[string]int64{}
	last := stage{}
	for _, e := range events(t, log) {
		decoded, err := subjects.DecodeRoomEvent(e.Type, e.Body)
		must(t, err)
		switch b := decoded.(type) {
		case *subjects.TrackSuggested:
			durations[b.Track.ID] = b.Track.DurationMs
		case *subjects.TrackChosen:
			last = stage{b.Track, durations[b.Track], b.AnchorAt, e.By}
			if b.Playing {
				plays, ended = append(plays, last), 0
			}
		case *subjects.PlaybackStarted:
			equal(t, "position at the start", b.PositionMs, 0)
			last.anchor = b.AnchorAt
			plays = append(plays, last)
		case *subjects.PlaybackEnded:
			ended, endedBy = b.AnchorAt, e.By
		}
	}
	return plays, ended, endedBy
}

// A room plays on while nobody is there and while the process is dead: what is current
// follows from the clock alone, to the millisecond.
func TestTracksPlayToTheirEndWithNobodyThere(t *testing.T) {
	t.Parallel() // it mostly waits
	songs := newJukebox(t)
	p := start(t, allowJukebox)
	ann, bob := p.register("ann"), p.register("bob")
	lengths := []int{1300, 700, 1100, 800, 1900}
	var list []string
	for i, ms := range lengths {
		list = append(list, songs.track(fmt.Sprint("song", i), time.Duration(ms)*time.Millisecond))
	}
	encore := songs.track("encore", 600*time.Millisecond)
	room := ann.open("Alone", body{"minimumScore": 2, "tracks": append(slices.Clone(list), encore)})
	queue := ann.queue(room)
	equal(t, "queued", len(queue), len(list)+1)
	bob.do(room, "join", nil)
	for _, track := range queue[:len(list)] {
		bob.do(room, "vote", body{"track": track})
	}
	ann.do(room, "play", nil)
	p.client.CloseIdleConnections() // and nobody asks from here on

	// Killed in the second track, dead while the third begins and ends.
	eventually(t, func() string {
		if plays, _, _ := played(t, p.log(room)); len(plays) < 2 {
			return "the second track does not begin"
		}
		return ""
	})
	p.kill()
	time.Sleep(1200 * time.Millisecond)
	p.up()

	var plays []stage
	var ended int64
	eventually(t, func() string {
		var by string
		if plays, ended, by = played(t, p.log(room)); ended == 0 {
			return fmt.Sprintf("the room plays on, or stands still: %+v", plays)
		}
		equal(t, "who ended the last track", by, subjects.System)
		return ""
	})
	equal(t, "tracks played", len(plays), len(list))
	for i, at := range plays {
		equal(t, "order", at.track, queue[i])
		equal(t, "duration", at.duration, int64(lengths[i]))
		if i == 0 {
			continue
		}
		equal(t, "who began "+at.track, at.by, subjects.System)
		before := plays[i-1]
		equal(t, "when it began", at.anchor, before.anchor+before.duration)
	}
	last := plays[len(plays)-1]
	equal(t, "the end", ended, last.anchor+last.duration)

	// It waits at the end: nothing to play until a track is eligible, which then begins
	// by itself, and ends by itself.
	v := ann.see(room)
	equal(t, "ended", v.State.Playback.Ended, true)
	equal(t, "position", v.PositionMs, last.duration)
	ann.refused(subjects.CodeNothingToPlay, room, "play", nil)
	ann.refused(subjects.CodeNoEligibleTrack, room, "next", nil)
	bob.do(room, "vote", body{"track": queue[len(list)]})
	v = ann.see(room)
	equal(t, "current", v.State.Current.ID, queue[len(list)])
	equal(t, "playing", v.State.Playback.Playing, true)
	eventually(t, func() string {
		if plays, ended, _ = played(t, p.log(room)); ended == 0 {
			return "the last track does not end"
		}
		return ""
	})
	last = plays[len(plays)-1]
	equal(t, "the end", ended, last.anchor+600)
	once(t, p.log(room))
}

// Where the process was dead over every end there was, the room waits where it would have
// waited.
func TestARoomThatEndedWhileTheProcessWasDead(t *testing.T) {
	t.Parallel() // it mostly waits
	songs := newJukebox(t)
	p := start(t, allowJukebox)
	ann := p.register("ann")
	room := ann.open("Dead", body{"tracks": []string{
		songs.track("one", 500*time.Millisecond), songs.track("two", 400*time.Millisecond),
	}})
	ann.do(room, "play", nil)
	p.kill()
	time.Sleep(1500 * time.Millisecond)
	p.up()
	// A read says what is so now, also before the room was woken.
	v := ann.see(room)
	plays, _, _ := played(t, p.log(room))
	first := plays[0]
	if v.State.Playback.Playing && v.PositionMs != v.State.Current.DurationMs {
		t.Fatalf("still at %d of %d", v.PositionMs, v.State.Current.DurationMs)
	}
	var ended int64
	eventually(t, func() string {
		if plays, ended, _ = played(t, p.log(room)); ended == 0 {
			return "the room does not find out"
		}
		return ""
	})
	equal(t, "tracks", len(plays), 2)
	equal(t, "the second began", plays[1].anchor, first.anchor+first.duration)
	equal(t, "the end", ended, plays[1].anchor+plays[1].duration)
	// What was suggested for a room that waits begins at once.
	ann.do(room, "suggest", body{"tracks": []string{songs.track("three", 5*time.Second)}})
	equal(t, "playing", ann.see(room).State.Playback.Playing, true)
}

// A window of time opens and closes by the clock, with nobody there.
func TestVotesAreBoundToATime(t *testing.T) {
	t.Parallel() // it mostly waits
	p := start(t)
	ann, bob := p.register("ann"), p.register("bob")
	var clock struct {
		ServerTime int64 `json:"serverTime"`
	}
	must(t, ann.get("/v1/time", &clock))
	begin := clock.ServerTime + 1200
	room := ann.open("Timed", body{"minimumScore": 9, "tracks": []string{"demo:aurora"},
		"constraints": body{"start": begin, "end": begin + 2500}})
	bob.do(room, "join", nil)
	bob.refused(subjects.CodeOutsideTime, room, "vote", body{"track": "demo:aurora"})
	window := func(want string) {
		t.Helper()
		eventually(t, func() string {
			if got := bob.see(room).State.Constraints.Window; got != want {
				return "the window is " + got + ", want " + want
			}
			return ""
		})
	}
	window(subjects.WindowOpen)
	bob.do(room, "vote", body{"track": "demo:aurora"})
	window(subjects.WindowOver)
	bob.do(room, "suggest", body{"tracks": []string{"demo:night-tram"}}) // queued, without a vote
	equal(t, "score", bob.see(room).State.Queue["demo:night-tram"].Score, 0)
	for _, e := range events(t, p.log(room)) {
		if e.Type == subjects.EventWindowOpened || e.Type == subjects.EventWindowClosed {
			equal(t, "who moved the window", e.By, subjects.System)
		}
		if !json.Valid(e.Body) {
			t.Errorf("body of %s: %s", e.Type, e.Body)
		}
	}
}
