package subjects_test

import (
	"encoding/json"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// FuzzRoomFold folds arbitrary events, in an order that no room would have: no panic, and
// the state survives a snapshot.
func FuzzRoomFold(f *testing.F) {
	for i, e := range append(goldenEvents(), goldenQueueEvents()...) {
		body, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body, i%2 == 0)
	}
	f.Add(uint8(11), []byte(`{"members":null}`), true)
	f.Fuzz(func(t *testing.T, n uint8, body []byte, created bool) {
		types := subjects.RoomEventTypes()
		typ := types[int(n)%len(types)]
		ev, err := subjects.DecodeRoomEvent(typ, body)
		if err != nil {
			return
		}
		s := subjects.NewRoomState(goldenRoom)
		var m subjects.Marks
		apply := func(e subjects.RoomEvent) {
			meta := subjects.Meta{By: ana, At: goldenTime.UnixMilli()}
			if sealedType(e.EventType()) {
				meta.To = []string{ana}
			}
			if err := s.Apply(meta, e, &m); err != nil {
				t.Fatal(err)
			}
		}
		if created {
			apply(goldenEvents()[0])
		}
		apply(ev)
		for _, e := range append(goldenQueueEvents()[1:], goldenEvents()[1:]...) {
			apply(e)
		}
		if _, err := m.Patch(s.Room.PatchValue); err != nil {
			t.Fatal(err)
		}
		raw, err := subjects.EncodeRoomState(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := subjects.DecodeRoomState(goldenRoom, raw); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
	})
}
