package room

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// Joins are looked at in any order, some of them again because what followed from them was
// lost. Once each was looked at to its end, only the room that was joined last is left.
func TestSeatsInWhateverOrder(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "seats.db"), Owned())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	react := seats(st).React
	for round := range 40 {
		who := user(fmt.Sprint("ana", round))
		inside := map[string]int64{} // when the user joined each room
		var causes []aggregate.Cause
		last := ""
		for n := range 6 {
			next := roomID(fmt.Sprint(rand.N(4)))
			if _, in := inside[next]; in {
				continue // to join again is nothing
			}
			at := dawn.UnixMilli() + int64(n)*10
			inside[next], last = at, next
			body, err := json.Marshal(subjects.MemberJoined{User: who, Role: subjects.RoleMember})
			if err != nil {
				t.Fatal(err)
			}
			causes = append(causes, aggregate.Cause{
				ID: next, Seq: uint64(n + 1), Event: &subjects.Event{Type: subjects.EventMemberJoined, At: at, Body: body},
			})
		}
		look := func(c aggregate.Cause, lost bool) {
			t.Helper()
			sends, err := react(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sends {
				var leave subjects.LeaveRoom
				if err := subjects.DecodeBody(s.Body, &leave); err != nil {
					t.Fatal(err)
				}
				if joined, in := inside[s.To.ID]; !lost && in && joined < leave.JoinedBefore {
					delete(inside, s.To.ID)
				}
			}
		}
		// A process is done with some, in order. With some more it was not when it was
		// killed: those come again, and what is new comes before or after them.
		done := rand.N(len(causes) + 1)
		for _, c := range causes[:done] {
			look(c, false)
		}
		causes = causes[done:]
		for _, c := range causes[:rand.N(len(causes)+1)] {
			look(c, true)
		}
		for _, i := range rand.Perm(len(causes)) {
			look(causes[i], false)
		}
		if _, in := inside[last]; !in || len(inside) != 1 {
			t.Fatalf("round %d: joined %s last, is in %v", round, last, inside)
		}
	}
}
