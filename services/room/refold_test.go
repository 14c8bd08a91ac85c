package room

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// refold checks that the log, and a snapshot of the state, give the state again.
func (w *world) refold() {
	w.t.Helper()
	live, err := w.m.EncodeState(w.s)
	if err != nil {
		w.t.Fatalf("encode: %v", err)
	}
	fromSnapshot, err := w.m.DecodeState(w.id, live)
	if err != nil {
		w.t.Fatalf("decode: %v", err)
	}
	fromLog := w.m.New(w.id)
	clientDoc := subjects.Room{ID: w.id}
	for i := range w.log {
		raw, err := subjects.AppendCommit(nil, &w.log[i])
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		c, err := subjects.DecodeCommit(raw)
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		err = c.Each(func(e *subjects.Event, to []string) error {
			ev, err := w.m.DecodeEvent(e.Type, e.Body)
			if err != nil {
				return err
			}
			meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}
			if to == nil {
				if err := clientDoc.Apply(meta, ev, nil); err != nil {
					return err
				}
			}
			return w.m.Evolve(fromLog, meta, ev, nil)
		})
		if err != nil {
			w.t.Fatalf("refold: %v", err)
		}
	}
	for name, s := range map[string]*subjects.RoomState{"snapshot": fromSnapshot, "log": fromLog} {
		again, err := w.m.EncodeState(s)
		if err != nil {
			w.t.Fatalf("encode: %v", err)
		}
		if !bytes.Equal(again, live) {
			w.t.Fatalf("the state from the %s is\n%s\nwant\n%s", name, again, live)
		}
		for _, id := range w.s.MemberIDs() {
			if slices.Contains(s.Undoers(), id) != slices.Contains(w.s.Undoers(), id) && name == "log" ||
				s.Allows(id, subjects.VerbUndo) && !slices.Contains(s.Undoers(), id) {
				w.t.Fatalf("the state from the %s lists other undoers: %v, not %v", name, s.Undoers(), w.s.Undoers())
			}
		}
		if s.SkipVoters() != w.s.SkipVoters() {
			w.t.Fatalf("the state from the %s counts %d who may skip, not %d", name, s.SkipVoters(), w.s.SkipVoters())
		}
	}
	if !reflect.DeepEqual(clientDoc, w.s.Room) {
		w.t.Fatalf("public events alone give\n%+v\nwant\n%+v", clientDoc, w.s.Room)
	}
	if len(w.log) == 0 {
		return
	}
	want, _ := subjects.Hash(w.doc)
	raw, _ := json.Marshal(clientDoc)
	if got, _ := subjects.Hash(raw); got != want {
		w.t.Fatalf("hash %s, want %s", got, want)
	}
}
