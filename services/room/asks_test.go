package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func (w *world) counts(want ...int) {
	w.t.Helper()
	if got := w.s.Room.Poll.Counts; !slices.Equal(got, want) {
		w.t.Fatalf("counts %v, want %v", got, want)
	}
}

func choose(poll, option int) body { return body{"poll": poll, "option": option} }

func TestPolls(t *testing.T) {
	scenario(t, "count one changeable answer a member", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.no(subjects.CodeConflict, "ben", "answer", choose(1, 0))
		w.no(subjects.CodeForbidden, "ben", "poll", question())
		w.ok("ana", "poll", question())
		w.no(subjects.CodeExists, "ana", "poll", question())
		w.counts(0, 0, 0)
		w.ok("ben", "answer", choose(1, 2))
		w.told("ben", subjects.EventPollAnswered)
		w.ok("cleo", "answer", choose(1, 2))
		w.nothing("cleo", "answer", choose(1, 2))
		w.counts(0, 0, 2)
		w.ok("ben", "answer", choose(1, 0))
		w.counts(1, 0, 1)
		if y := w.s.You(user("ben"), w.now); y.Answer == nil || *y.Answer != (subjects.PollAnswer{Poll: 1, Option: 0}) {
			w.t.Fatalf("%+v", y.Answer)
		}
		w.no(subjects.CodeInvalid, "ben", "answer", choose(1, 3))
		w.no(subjects.CodeConflict, "ben", "answer", choose(2, 0))
		w.no(subjects.CodeNotMember, "dan", "answer", choose(1, 0))
		w.no(subjects.CodeForbidden, "sys", "answer", choose(1, 0))
		w.ok("cleo", "leave") // the answer stays
		w.no(subjects.CodeForbidden, "ben", "closePoll")
		w.ok("ana", "closePoll")
		w.counts(1, 0, 1)
		w.no(subjects.CodeConflict, "ana", "closePoll")
		w.no(subjects.CodeConflict, "ben", "answer", choose(1, 1))
		w.ok("ana", "poll", question()) // and the next
		w.counts(0, 0, 0)
		if w.s.Room.Poll.ID != 2 || w.s.You(user("ben"), w.now).Answer != nil {
			w.t.Fatalf("%+v", w.s.Room.Poll)
		}
	})
	scenario(t, "close by themselves, also when nobody looked", func(w *world) {
		w.open(tracks("a"))
		q := question()
		q["seconds"] = 60
		w.ok("ana", "poll", q)
		end := w.s.Room.Poll.EndsAt
		w.ok("ana", "answer", choose(1, 1))
		w.later(minute - 1)
		if !w.s.Room.Poll.Open() {
			w.t.Fatalf("closed early")
		}
		w.later(1)
		if w.s.Room.Poll.ClosedAt != end {
			w.t.Fatalf("closed at %d, not at %d", w.s.Room.Poll.ClosedAt, end)
		}
		w.counts(0, 1, 0)
		w.ok("ana", "poll", q)
		end = w.s.Room.Poll.EndsAt
		w.outage(hour)
		w.no(subjects.CodeConflict, "ana", "answer", choose(2, 0)) // before the wake
		w.ok("sys", "wake")
		if w.s.Room.Poll.ClosedAt != end {
			w.t.Fatalf("closed at %d, not at %d", w.s.Room.Poll.ClosedAt, end)
		}
	})
	scenario(t, "are closed by who asked, whatever became of their role", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.ok("ana", "setRole", withRole("ben", "moderator"))
		w.ok("ben", "poll", question())
		w.ok("ana", "setRole", withRole("ben", "member"))
		w.ok("ben", "closePoll")
	})
	scenario(t, "tell big rooms near counts, and the exact ones at the end", func(w *world) {
		w.quick = true
		w.open(nil)
		const most = 600
		for i := range most {
			w.ok(fmt.Sprint("p", i), "join")
		}
		w.ok("ana", "poll", question())
		public := 0
		for i := range most {
			w.ok(fmt.Sprint("p", i), "answer", choose(1, i%2))
			public += len(w.log[len(w.log)-1].Public.Events)
			w.check()
		}
		if public >= most*3/4 {
			w.t.Fatalf("%d answers were told to all of %d", public, most)
		}
		w.ok("ana", "closePoll")
		w.counts(most/2, most/2, 0)
	})
	for name, change := range map[string]func(body){
		"no question":       func(b body) { b["question"] = " " },
		"a long question":   func(b body) { b["question"] = strings.Repeat("x", 201) },
		"one option":        func(b body) { b["options"] = []string{"a"} },
		"eleven options":    func(b body) { b["options"] = strings.Split("a b c d e f g h i j k", " ") },
		"an empty option":   func(b body) { b["options"] = []string{"a", ""} },
		"a long option":     func(b body) { b["options"] = []string{"a", strings.Repeat("x", 101)} },
		"equal options":     func(b body) { b["options"] = []string{"a", " a"} },
		"an unseen option":  func(b body) { b["options"] = []string{"a", "b\u200b"} },
		"too short a time":  func(b body) { b["seconds"] = 4 },
		"too long a time":   func(b body) { b["seconds"] = 86401 },
		"an unknown field":  func(b body) { b["secret"] = true },
		"options of others": func(b body) { b["options"] = []any{1, 2} },
	} {
		t.Run("refuse "+name, func(t *testing.T) {
			w := newWorld(t)
			w.open(nil)
			b := question()
			change(b)
			w.no(subjects.CodeInvalid, "ana", "poll", b)
		})
	}
}

// readyAre expects the ready-check's numbers.
func (w *world) readyAre(ready, of int, running bool) {
	w.t.Helper()
	if c := w.s.Room.ReadyCheck; c.Ready != ready || c.Of != of || c.Running() != running {
		w.t.Fatalf("%+v, want %d of %d, running %v", c, ready, of, running)
	}
}

func TestReadyChecks(t *testing.T) {
	yes, no := body{"ready": true}, body{"ready": false}
	scenario(t, "end when everybody is ready", func(w *world) {
		w.open(tracks("a"))
		w.ok("ben", "join")
		w.ok("cleo", "join")
		w.no(subjects.CodeConflict, "ben", "ready", yes)
		w.no(subjects.CodeForbidden, "ben", "readyCheck")
		w.ok("ana", "readyCheck", body{"seconds": 60})
		w.no(subjects.CodeExists, "ana", "readyCheck")
		w.readyAre(0, 3, true)
		w.ok("ben", "ready", yes)
		w.nothing("ben", "ready", yes)
		w.ok("ana", "ready", yes)
		w.ok("ben", "ready", no)
		w.readyAre(1, 3, true)
		if !slices.Equal(w.s.Room.ReadyCheck.Users, []string{user("ana")}) || w.s.You(user("ana"), w.now).Ready != 1 {
			w.t.Fatalf("%+v", w.s.Room.ReadyCheck)
		}
		w.ok("ana", "play") // which is as free as ever
		w.ok("ben", "ready", yes)
		w.ok("cleo", "ready", yes)
		w.readyAre(3, 3, false)
		if w.s.Room.ReadyCheck.EndedAt != w.now {
			w.t.Fatalf("%+v", w.s.Room.ReadyCheck)
		}
		w.no(subjects.CodeConflict, "ben", "ready", no)
		w.ok("ana", "readyCheck")
		w.readyAre(0, 3, true)
		if w.s.Room.ReadyCheck.EndsAt != w.now+subjects.DefaultReadySeconds*1000 || w.s.You(user("ana"), w.now).Ready != 0 {
			w.t.Fatalf("%+v", w.s.Room.ReadyCheck)
		}
	})
	scenario(t, "end when their time is up", func(w *world) {
		w.open(nil)
		w.ok("ben", "join")
		w.ok("ana", "readyCheck", body{"seconds": 10})
		w.ok("ben", "ready", yes)
		w.later(10*second - 1)
		w.readyAre(1, 2, true)
		w.later(1)
		w.readyAre(1, 2, false)
		if c := w.s.Room.ReadyCheck; c.EndedAt != c.EndsAt || !slices.Equal(c.Users, []string{user("ben")}) {
			w.t.Fatalf("%+v", c)
		}
	})
	scenario(t, "follow who comes, goes, and may answer", func(w *world) {
		w.open(nil)
		for _, name := range []string{"ben", "cleo", "dan"} {
			w.ok(name, "join")
		}
		w.ok("ana", "readyCheck")
		w.ok("eve", "join")
		w.readyAre(0, 5, true)
		w.ok("ben", "ready", yes)
		w.ok("ben", "leave")
		w.readyAre(0, 4, true)
		w.ok("ana", "setRole", withRole("dan", "guest")) // watches
		w.readyAre(0, 3, true)
		w.no(subjects.CodeForbidden, "dan", "ready", yes)
		w.ok("ana", "ready", yes)
		w.ok("cleo", "ready", yes)
		w.readyAre(2, 3, true)
		w.ok("ana", "kick", about("eve")) // the last who was not
		w.readyAre(2, 2, false)
		w.ok("ana", "readyCheck")
		w.ok("cleo", "ready", yes)
		w.ok("ana", "setGrants", body{"role": "member", "verbs": []string{"vote"}})
		w.readyAre(0, 1, true)
		w.ok("ana", "setGrants", body{"role": "member", "verbs": []string{"vote", "ready"}})
		w.readyAre(0, 2, true)
		w.ok("cleo", "ready", yes)
		w.ok("ana", "ready", yes)
		w.readyAre(2, 2, false)
	})
	scenario(t, "name nobody in a big room, and tell near counts", func(w *world) {
		w.quick = true
		w.open(nil)
		const most = 500
		for i := 1; i < 60; i++ {
			w.ok(fmt.Sprint("p", i), "join")
		}
		w.ok("ana", "readyCheck", body{"seconds": 600})
		w.ok("p1", "ready", yes)
		if len(w.s.Room.ReadyCheck.Users) != 1 {
			w.t.Fatalf("%+v", w.s.Room.ReadyCheck)
		}
		for i := 60; i < most; i++ {
			w.ok(fmt.Sprint("p", i), "join")
		}
		w.check()
		told := 0
		for i := 2; i < most; i++ {
			w.ok(fmt.Sprint("p", i), "ready", yes)
			told += len(w.log[len(w.log)-1].Public.Events)
			w.check()
		}
		if len(w.s.Room.ReadyCheck.Users) != 0 || told >= most*3/4 {
			w.t.Fatalf("%d answers were told to all, %+v", told, w.s.Room.ReadyCheck)
		}
		w.ok("ana", "ready", yes)
		w.readyAre(most, most, false)
	})
	scenario(t, "have bounds", func(w *world) {
		w.open(nil)
		for _, b := range []body{{"seconds": 4}, {"seconds": 601}, {"seconds": -1}, {"minutes": 1}} {
			w.no(subjects.CodeInvalid, "ana", "readyCheck", b)
		}
		w.no(subjects.CodeInvalid, "ana", "ready", body{})
	})
}
