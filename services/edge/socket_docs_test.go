package edge

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// The guide names every frame, reason and close code, says whether to come back as the
// code does, and the reference names every setting.
func TestTheGuideToTheSocketIsComplete(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("../../docs/guide/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	guide, reference := read("socket.md"), read("http-api.md")
	for _, row := range []string{
		subjects.FrameHello, subjects.FrameSub, subjects.FrameUnsub, subjects.FrameCmd, subjects.FrameQuery, subjects.FramePing,
		subjects.FrameWelcome, subjects.FrameSnap, subjects.FrameResumed, subjects.FrameEvt, subjects.FrameSealed, subjects.FrameYou,
		subjects.FrameDocs, subjects.FrameDoc, subjects.FrameOK, subjects.FrameErr, subjects.FrameResult, subjects.FramePong, subjects.FrameGone,
		subjects.SnapNew, subjects.SnapTooOld, subjects.SnapEpoch, subjects.SnapSlow, subjects.SnapReplace,
		"room.<id>", "playlist.<id>", "chat.<id>", string(subjects.ChannelRooms), string(subjects.ChannelMe),
		string(subjects.ChannelPlaylists), string(subjects.ChannelUsers), subjects.FrameLive,
	} {
		if !strings.Contains(guide, "\n| `"+row+"` |") {
			t.Errorf("no table has a row for %s", row)
		}
	}
	for _, c := range subjects.CloseCodes() {
		back := "no"
		if c.ComeBack() {
			back = "yes"
		}
		if !strings.Contains(guide, "\n| "+strconv.Itoa(int(c))+" | `"+c.String()+"` | "+back) {
			t.Errorf("the table of close codes lacks %d %s, come back: %s", c, c, back)
		}
	}
	for i := range reflect.TypeFor[SocketConfig]().NumField() {
		name := "socket." + reflect.TypeFor[SocketConfig]().Field(i).Tag.Get("koanf")
		if !strings.Contains(reference, "`"+name+"`") {
			t.Errorf("the reference lacks the setting %s", name)
		}
	}
}
