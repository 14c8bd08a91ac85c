package export

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

// However many tracks there are and however long their addresses, each is brought once, in
// order, by commands that the queue takes.
func TestEveryTrackIsBroughtOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tracks []subjects.TrackRef
		for range rapid.IntRange(0, 300).Draw(t, "tracks") {
			tracks = append(tracks, subjects.TrackRef(strings.Repeat("x", rapid.IntRange(1, subjects.MaxTrackRef).Draw(t, "length"))))
		}
		var got []subjects.TrackRef
		note := func(some []subjects.TrackRef) any {
			if len(some) > subjects.MaxTracksPerCommand {
				t.Fatalf("%d tracks in one command", len(some))
			}
			got = append(got, some...)
			return subjects.AddTracks{Tracks: some}
		}
		sends, err := Commands(Target{
			Service: subjects.ServicePlaylist, ID: "playlist_x", User: "user_x", Create: note, Verb: subjects.VerbAdd, More: note,
		}, tracks)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(tracks) {
			t.Fatalf("%d tracks of %d", len(got), len(tracks))
		}
		for i := range got {
			if got[i] != tracks[i] {
				t.Fatalf("track %d is another", i)
			}
		}
		for i, s := range sends {
			want := subjects.VerbAdd
			if i == 0 {
				want = subjects.VerbCreate
			}
			if s.To.Verb != want || s.To.Principal != "user_x" || !s.Refused || len(s.Body) > subjects.MaxCommandBytes-2048 {
				t.Fatalf("command %d: %s by %s, %d bytes", i, s.To.Verb, s.To.Principal, len(s.Body))
			}
		}
	})
}
