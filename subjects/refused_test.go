package subjects_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// Only rooms and playlists hear of what was refused.
func TestOrigin(t *testing.T) {
	for o, ok := range map[subjects.Origin]bool{
		{Service: subjects.ServiceRoom, ID: goldenRoom}: true, {Service: subjects.ServicePlaylist, ID: goldenPlaylist}: true,
		{Service: subjects.ServiceChat, ID: goldenRoom}: false, {Service: "other", ID: "boss"}: false,
		{Service: subjects.ServiceRoom, ID: "a.b"}: false, {Service: subjects.ServiceRoom}: false, {}: false,
	} {
		if err := o.Check(); (err == nil) != ok || err != nil && subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestRefusedTracksInWords(t *testing.T) {
	track := func(n int, reason string) subjects.RefusedTrack {
		return subjects.RefusedTrack{Ref: fmt.Sprint("demo:", n), Reason: reason}
	}
	several := func(n int) (out []subjects.RefusedTrack) {
		for i := range n {
			out = append(out, track(i, fmt.Sprint("reason ", i)))
		}
		return out
	}
	for _, c := range []struct {
		tracks []subjects.RefusedTrack
		titles []string
		want   string
	}{
		{[]subjects.RefusedTrack{track(1, "it is there")}, []string{"Aurora"}, "no track was accepted: Aurora: it is there"},
		{[]subjects.RefusedTrack{track(1, "gone")}, []string{""}, "no track was accepted: demo:1: gone"},
		{[]subjects.RefusedTrack{track(1, "full"), track(2, "full")}, []string{"A", "B"}, "none of 2 tracks was accepted, each for the same reason: full"},
		{[]subjects.RefusedTrack{track(1, "x"), track(2, "y")}, []string{"A", ""}, "none of 2 tracks was accepted: A: x; demo:2: y"},
		{several(6), make([]string, 6), "; demo:4: reason 4; and 1 other"},
		{several(9), make([]string, 9), "; demo:4: reason 4; and 4 others"},
	} {
		r := subjects.RefuseTracks(subjects.CodeFull, c.tracks, c.titles)
		if r.Code != subjects.CodeFull || !strings.HasSuffix(r.Message, c.want) {
			t.Errorf("%q, want %q", r.Message, c.want)
		}
	}
}
