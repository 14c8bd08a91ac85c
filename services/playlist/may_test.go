package playlist

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

// What somebody is told they may do is what they may do.
func TestYou(t *testing.T) {
	bodies := map[string]any{
		"add": tracks("new"), "remove": tracks("none"), "move": moving("a", 0, 0), "invite": about("eve"), "withdraw": about("eve"),
		"rename": body{"name": "Road trip"}, "export": body{},
	}
	for _, visibility := range []string{"public", "private"} {
		for _, only := range []bool{false, visibility == "public"} {
			for _, gone := range []bool{false, true} {
				fresh := func() *world {
					w := newWorld(t)
					w.open(body{"visibility": visibility, "onlyInvitedEdit": only}, "a", "b")
					w.ok("ana", "invite", about("ben"))
					w.ok("ben", "join")
					w.ok("ana", "invite", about("cleo"))
					if visibility == "public" {
						w.ok("dan", "join")
					}
					if gone {
						w.ok("ana", "delete")
					}
					return w
				}
				for _, who := range []string{"ana", "ben", "cleo", "dan", "fay", "sys"} {
					you := fresh().s.You(user(who))
					for verb, b := range bodies {
						err := fresh().send(who, verb, b)
						if may := slices.Contains(you.May, verb); may != (err == nil) {
							t.Errorf("%s playlist, only %v, gone %v: %s may %s: %v, and is answered %v", visibility, only, gone, who, verb, may, err)
						}
						if verb == "add" && who != "sys" && subjects.CodeOf(err) != you.CannotEdit {
							t.Errorf("%s is told %q and answered %v", who, you.CannotEdit, err)
						}
					}
				}
			}
		}
	}
}

func TestPrepare(t *testing.T) {
	m := New(shelf{}, NoFollows{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cmd, err := m.DecodeCommand("add", []byte(`{"tracks":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.open(nil)
	if _, err := m.Prepare(gone, w.call("ana", "add"), cmd); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := New(silent{}, NoFollows{}).Prepare(t.Context(), w.call("ana", "add"), cmd); err == nil || subjects.CodeOf(err) != subjects.CodeInternal {
		t.Fatalf("a catalogue that answers for none: %v", err)
	}
	if _, err := m.Decide(w.s, w.call("ana", "add"), cmd); subjects.CodeOf(err) != subjects.CodeTrackUnavailable {
		t.Fatalf("unprepared: %v", err)
	}
}

type silent struct{}

func (silent) ResolveAll(context.Context, []string) []catalog.Result { return nil }
