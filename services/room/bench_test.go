package room

import (
	"fmt"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// crowd gives a room with many members and queued tracks.
func crowd(tb testing.TB, members, queued int) *world {
	tb.Helper()
	w := newWorld(tb)
	w.blind = true
	ids := make([]string, queued)
	for i := range ids {
		ids[i] = fmt.Sprintf("t%d", i)
	}
	w.open(body{"minimumScore": subjects.MaxMembers})
	for len(ids) > 0 {
		n := min(len(ids), subjects.MaxTracksPerCommand)
		w.ok("ana", "suggest", tracks(ids[:n]...))
		ids = ids[n:]
	}
	for i := 1; i < members; i++ {
		w.ok(fmt.Sprintf("p%d", i), "join")
	}
	return w
}

// apply decides and folds one command, as the kernel does on its hot path.
func (w *world) apply(tb testing.TB, call aggregate.Call, cmd *Command, marks *subjects.Marks) {
	outs, err := w.m.Decide(w.s, call, cmd)
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range outs {
		if err := w.m.Evolve(w.s, subjects.Meta{By: call.Principal, Cmd: call.Command, At: call.At, To: o.To}, o.Event, marks); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkVote is Decide, Evolve and Patch of one vote in a room with 100 queued tracks.
// What a vote costs must not depend on the number of members.
func BenchmarkVote(b *testing.B) {
	for _, members := range []int{10, 1000, 8000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			const queued = 100
			base := crowd(b, members, queued)
			snapshot, err := base.m.EncodeState(base.s)
			if err != nil {
				b.Fatal(err)
			}
			users, songs := make([]string, members), make([]string, queued)
			for i := range users {
				users[i] = user(fmt.Sprintf("p%d", i+1))
			}
			for i := range songs {
				songs[i] = fmt.Sprintf("t%d", i)
			}
			var marks subjects.Marks
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%(queued*(members-1)) == 0 { // every vote is cast: begin anew
					b.StopTimer()
					if base.s, err = base.m.DecodeState(base.id, snapshot); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				who, song := users[i%(members-1)], songs[i/(members-1)%queued]
				marks.Reset()
				base.apply(b, aggregate.Call{ID: base.id, Verb: "vote", Principal: who, At: base.now},
					&Command{Body: &subjects.VoteTrack{Track: song}}, &marks)
				if _, err := base.m.Patch(base.s, &marks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJoinLeave is a join and a leave, whatever the size of the room.
func BenchmarkJoinLeave(b *testing.B) {
	for _, members := range []int{10, 100, 1000, 8000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			w := crowd(b, members, 1)
			who := user("visitor")
			var marks subjects.Marks
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for _, c := range []subjects.RoomCommand{&subjects.JoinRoom{}, &subjects.LeaveRoom{}} {
					marks.Reset()
					w.apply(b, aggregate.Call{ID: w.id, Verb: c.Verb(), Principal: who, At: w.now}, &Command{Body: c}, &marks)
					if _, err := w.m.Patch(w.s, &marks); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkSnapshot writes and reads the state of a full room: every vote cast.
func BenchmarkSnapshot(b *testing.B) {
	w := crowd(b, 1000, 100)
	for i := 1; i < 1000; i++ {
		for j := range 100 {
			w.apply(b, aggregate.Call{ID: w.id, Verb: "vote", Principal: user(fmt.Sprintf("p%d", i)), At: w.now},
				&Command{Body: &subjects.VoteTrack{Track: fmt.Sprintf("t%d", j)}}, nil)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		raw, err := w.m.EncodeState(w.s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.m.DecodeState(w.id, raw); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
	}
}
