package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

const (
	ch  = subjects.Channel("room.room_01M7Z5CPH9YV35BGQ9F797KWPC")
	cmd = "cmd_01M7Z5CPH9YV35BGQ9F797KWPC"
)

// script is what goes over the wire, in words.
func script(t *testing.T, lines ...any) []string {
	t.Helper()
	w := NewWatch()
	for _, l := range lines {
		data, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		switch l.(type) {
		case string:
			w.connected()
		case subjects.ClientFrame:
			w.wrote(data)
		default:
			w.read(data)
		}
	}
	return w.Faults()
}

func sub(epoch, since uint64) subjects.ClientFrame {
	return subjects.ClientFrame{Type: subjects.FrameSub, Channel: ch, Epoch: epoch, Since: since}
}

func snap(reason string, epoch, rev uint64) subjects.ServerFrame {
	hash, _ := subjects.Hash([]byte("{}"))
	return subjects.ServerFrame{Type: subjects.FrameSnap, Channel: ch, Epoch: epoch, Rev: rev, Reason: reason, State: json.RawMessage("{}"), Hash: hash}
}

func evt(epoch, prev, rev uint64) subjects.ServerFrame {
	return subjects.ServerFrame{Type: subjects.FrameEvt, Channel: ch, Epoch: epoch, Prev: prev, Rev: rev, Public: &subjects.Public{}}
}

func resumed(epoch, rev uint64) subjects.ServerFrame {
	return subjects.ServerFrame{Type: subjects.FrameResumed, Channel: ch, Epoch: epoch, Rev: rev}
}

func TestWhatIsAllowed(t *testing.T) {
	unsub := subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: ch}
	send := subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmd, Channel: ch, Verb: "join"}
	ok := subjects.ServerFrame{Type: subjects.FrameOK, ID: cmd, Channel: ch}
	gone := subjects.ServerFrame{Type: subjects.FrameGone, Channel: ch}
	if faults := script(t,
		"", sub(0, 0), snap("new", 1, 3), evt(1, 3, 4), evt(1, 2, 7), snap("slow", 1, 9),
		"", sub(1, 9), resumed(1, 9), evt(1, 9, 10), send, ok, send, ok,
		"", sub(1, 10), snap("too_old", 1, 20), unsub, evt(1, 20, 21), sub(0, 0), evt(1, 21, 22), snap("new", 1, 22), snap("epoch", 2, 5),
		snap("replace", 2, 4), gone, sub(0, 0), snap("new", 2, 4),
	); len(faults) != 0 {
		t.Error(faults)
	}
	wrong := snap("new", 1, 1)
	wrong.Hash = "00"
	bare := evt(1, 1, 2)
	bare.Public = nil
	late, early := evt(1, 1, 2), evt(1, 2, 3)
	late.At = 1
	for want, lines := range map[string][]any{
		"gap":                   {"", sub(0, 0), snap("new", 1, 3), evt(1, 4, 5)},
		"repeated":              {"", sub(0, 0), snap("new", 1, 3), evt(1, 2, 3)},
		"after 1.3":             {"", sub(0, 0), snap("new", 1, 3), evt(2, 3, 4)},
		"before the answer":     {"", sub(0, 0), evt(1, 3, 4)},
		"back to":               {"", sub(0, 0), snap("new", 1, 3), "", sub(0, 0), snap("new", 1, 2)},
		"because slow":          {"", sub(0, 0), snap("new", 1, 3), snap("slow", 1, 2)},
		"from 2.1 back":         {"", sub(0, 0), snap("new", 2, 1), "", sub(0, 0), snap("new", 1, 9)},
		"resumed at 1.4":        {"", sub(1, 3), resumed(1, 4)},
		"resumed unasked":       {"", resumed(1, 4)},
		"snapshot unasked":      {"", snap("slow", 1, 1)},
		"only because new":      {"", sub(0, 0), snap("new", 1, 3), snap("new", 1, 3)},
		"first snapshot":        {"", sub(0, 0), snap("slow", 1, 3)},
		"not followed":          {"", gone},
		"that says":             {"", sub(0, 0), wrong},
		"too many":              {"", send, ok, ok},
		"without a public part": {"", sub(0, 0), snap("new", 1, 1), bare},
		"last one's time":       {"", sub(0, 0), snap("new", 1, 1), late, early},
		"client sent":           {"", subjects.ClientFrame{Type: "?"}},
	} {
		if faults := script(t, lines...); !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("want %q, got %q", want, faults)
		}
	}
}
