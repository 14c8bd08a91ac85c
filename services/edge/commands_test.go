package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func commandsPath(room string) string { return "/v1/rooms/" + room + "/commands" }

func TestACommandGoesToTheRoomInItsSendersName(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	id := cmdID("1")
	r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob,
		body: `{"id":"` + id + `","verb":"vote","body":{"track":"demo:t001"}}`})
	if want := fmt.Sprintf(`{"id":%q,"epoch":1,"rev":7,"at":%d}`, id, noon.UnixMilli()); r.status != 200 || string(r.body) != want {
		t.Fatalf("got %v, want %s", r, want)
	}
	got := w.asked[0]
	if got.to != (subjects.Command{Service: "room", ID: open, Verb: "vote", Principal: bob}) || got.env.ID != id || string(got.env.Body) != `{"track":"demo:t001"}` {
		t.Fatalf("asked %+v", got)
	}
	// Without an id the edge makes one and says which.
	var made accepted
	s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"join"}`}).json(t, &made)
	if subjects.CheckID(subjects.PrefixCommand, made.ID) != nil || made.ID != w.asked[1].env.ID {
		t.Fatalf("made %q, asked %+v", made.ID, w.asked[1])
	}
}

func TestCommandsThatCannotBeRightAreRefusedBeforeAnybodyIsAsked(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	deep := strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40)
	for body, want := range map[string]struct {
		status int
		code   subjects.Code
		field  string
	}{
		``:                               {415, subjects.CodeInvalid, ""},
		`x`:                              {400, subjects.CodeInvalid, ""},
		`[]`:                             {400, subjects.CodeInvalid, ""},
		`null`:                           {400, subjects.CodeInvalid, ""},
		`{}`:                             {400, subjects.CodeInvalid, "verb"},
		`{"verb":"join"} x`:              {400, subjects.CodeInvalid, ""},
		`{"verb":"join"}{"verb":"join"}`: {400, subjects.CodeInvalid, ""},
		`{"verb":"join","verb":"leave"}`: {400, subjects.CodeInvalid, "verb"},
		`{"verb":"join","Verb":"leave"}`: {400, subjects.CodeInvalid, "Verb"},
		`{"verb":"join","body":{"a":1,"b":{"x":1,"x":2}}}`:    {400, subjects.CodeInvalid, "x"},
		`{"verb":"join","more":1}`:                            {400, subjects.CodeInvalid, "more"},
		`{"verb":7}`:                                          {400, subjects.CodeInvalid, "verb"},
		"{\"verb\":\"join\xff\"}":                             {400, subjects.CodeInvalid, ""},
		`{"verb":"dance"}`:                                    {400, subjects.CodeUnknownVerb, ""},
		`{"verb":"wake"}`:                                     {400, subjects.CodeUnknownVerb, ""},
		`{"verb":"create","body":{"kind":"vote","name":"x"}}`: {400, subjects.CodeInvalid, "verb"},
		`{"verb":"join","id":"cmd_1"}`:                        {400, subjects.CodeInvalid, "id"},
		`{"verb":"join","id":"` + ada + `"}`:                  {400, subjects.CodeInvalid, "id"},
		`{"verb":"join","body":7}`:                            {400, subjects.CodeInvalid, ""},
		`{"verb":"join","body":{"x":1}}`:                      {400, subjects.CodeInvalid, "x"},
		`{"verb":"vote","body":{"track":"a b"}}`:              {400, subjects.CodeInvalid, "track"},
		`{"verb":"suggest","body":{"tracks":[]}}`:             {400, subjects.CodeInvalid, "tracks"},
		`{"verb":"suggest","body":{"tracks":[` + deep + `]}}`: {400, subjects.CodeInvalid, ""},
		`{"verb":"seek","body":{"positionMs":-1}}`:            {400, subjects.CodeInvalid, "positionMs"},
		`{"verb":"seek","body":{"positionMs":1e999}}`:         {400, subjects.CodeInvalid, "positionMs"},
		`{"verb":"position","body":{"lat":91,"lng":0}}`:       {400, subjects.CodeInvalid, "lat"},
	} {
		r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: body})
		if p := r.problem(t); p.Status != want.status || p.Code != want.code || p.Field != want.field {
			t.Errorf("%s: got %v, want %+v", body, r, want)
		}
	}
	if len(w.asked) != 0 {
		t.Fatalf("asked %+v", w.asked)
	}
	r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"join"}`, header: map[string]string{"Content-Encoding": "gzip"}})
	if p := r.problem(t); p.Status != 415 {
		t.Fatalf("got %v", r)
	}
}

func TestEveryRefusalHasItsStatusAndNamesItsCommand(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for _, code := range subjects.Codes() {
		w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
			return subjects.Answer{Epoch: 1, Rev: 3, Refusal: subjects.Refuse(code, "because")}, nil
		}
		r := s.do(t, call{method: "POST", path: commandsPath(open), as: ada, body: `{"id":"` + cmdID("x") + `","verb":"join"}`})
		if p := r.problem(t); p.Code != code || p.Status != code.HTTPStatus() || p.Command != cmdID("x") || p.Detail != "because" || p.Rev != 3 {
			t.Errorf("%s: %v", code, r)
		}
	}
}

func TestAnOutcomeThatIsNotKnownSaysSoAndKeepsTheId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.ask = func(ctx context.Context, _ subjects.Command, _ subjects.Envelope) (subjects.Answer, error) {
			<-ctx.Done()
			return subjects.Answer{}, fmt.Errorf("ask: %w", errors.Join(bus.ErrUnavailable, ctx.Err()))
		}
		s := w.edge(t, unlimited())
		begin := time.Now()
		r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"join"}`})
		p := r.problem(t)
		if p.Code != subjects.CodeUnavailable || p.Status != 503 || !p.Retry || p.Command != w.asked[0].env.ID || p.Command == "" {
			t.Fatalf("got %v", r)
		}
		if took := time.Since(begin); took != s.cfg.CommandTimeout {
			t.Fatalf("waited %v", took)
		}
	})
}

func TestOneSendersCommandsAreAskedOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		answer := make(chan struct{})
		var mu sync.Mutex
		var order []string
		under := map[string]int{}
		w.ask = func(_ context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error) {
			key := to.Principal + to.ID
			mu.Lock()
			order = append(order, env.ID)
			if under[key]++; under[key] > 1 {
				t.Errorf("two commands of one sender at once")
			}
			mu.Unlock()
			<-answer
			mu.Lock()
			under[key]--
			mu.Unlock()
			return subjects.Answer{}, nil
		}
		cfg := unlimited()
		cfg.CommandWaiters = 10
		s := w.edge(t, cfg)
		var wg sync.WaitGroup
		send := func(as, room, id string) {
			wg.Go(func() {
				if r := s.do(t, call{method: "POST", path: commandsPath(room), as: as, body: `{"verb":"join","id":"` + id + `"}`}); r.status != 200 {
					t.Errorf("got %v", r)
				}
			})
			synctest.Wait()
		}
		var want []string
		for i := range 11 {
			id := cmdID(fmt.Sprint("ordered", i))
			want = append(want, id)
			send(bob, open, id)
		}
		// The line is full: one more is refused at once.
		r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"join","id":"` + cmdID("late") + `"}`})
		if p := r.problem(t); p.Code != subjects.CodeBusy || !p.Retry || p.Command != cmdID("late") {
			t.Fatalf("got %v", r)
		}
		// Others are not held up: another sender, another room.
		send(ada, open, cmdID("ada"))
		send(bob, inner, cmdID("elsewhere"))
		if got := fmt.Sprint(order); got != fmt.Sprint([]string{want[0], cmdID("ada"), cmdID("elsewhere")}) {
			t.Fatalf("asked %v", got)
		}
		close(answer)
		wg.Wait()
		got := append([]string{order[0]}, order[3:]...)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("asked %v\nwant %v", got, want)
		}
		if len(s.turns.lines) != 0 {
			t.Fatalf("%d senders are still remembered", len(s.turns.lines))
		}
	})
}

func TestWhoGivesUpWaitingLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(3)
		me := sender{"a", "room", "b"}
		first, err := turns.take(t.Context(), me)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []int
		var mu sync.Mutex
		for i := range 3 {
			go func() {
				c := t.Context()
				if i == 1 {
					c = ctx
				}
				done, err := turns.take(c, me)
				if err != nil {
					return
				}
				mu.Lock()
				got = append(got, i)
				mu.Unlock()
				done()
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		first()
		synctest.Wait()
		if fmt.Sprint(got) != "[0 2]" || len(turns.lines) != 0 {
			t.Fatalf("served %v, left %v", got, turns.lines)
		}
	})
}

func TestARoomIsOpenedUnderAnIdThatFollowsFromTheCommand(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	body := `{"id":"` + cmdID("new") + `","kind":"vote","name":"  Evening ","minimumScore":2,"open":true,"tracks":["demo:aurora",{"id":"demo:b"}],` +
		`"constraints":{"place":{"lat":1,"lng":2,"radiusM":3}}}`
	create := func(as, body, key string) (created, reply) {
		c := call{method: "POST", path: "/v1/rooms", as: as, body: body, header: map[string]string{}}
		if key != "" {
			c.header[headerKey] = key
		}
		r := s.do(t, c)
		var out created
		if r.status == 201 {
			r.json(t, &out)
		}
		return out, r
	}
	first, r := create(bob, body, "")
	if r.status != 201 || r.header.Get("Location") != "/v1/rooms/"+first.ID || subjects.CheckID(subjects.PrefixRoom, first.ID) != nil ||
		first.Rev != 7 || first.Epoch != 1 || first.Command != cmdID("new") {
		t.Fatalf("got %v %v", r, r.header)
	}
	sent := w.asked[0]
	cmd, err := subjects.DecodeRoomCommand(sent.to.Verb, sent.env.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := cmd.(*subjects.CreateRoom)
	if sent.to.ID != first.ID || sent.env.ID != cmdID("new") || got.Name != "Evening" || *got.MinimumScore != 2 || len(got.Tracks) != 2 || got.Constraints.Place.RadiusM != 3 {
		t.Fatalf("asked %+v %+v", sent, got)
	}
	if again, _ := create(bob, body, ""); again != first {
		t.Fatalf("a repeat met another room: %+v, %+v", again, first)
	}
	if other, _ := create(ada, body, ""); other.ID == first.ID {
		t.Fatal("two people met in one room by the same command id")
	}
	free := `{"kind":"vote","name":"x"}`
	if a, b := must(create(bob, free, "")), must(create(bob, free, "")); a.ID == b.ID || a.Command == b.Command {
		t.Fatal("two requests without an id met one room")
	}
	for _, key := range []string{"01JTXYZ0000000000000000000", "01jtxyz0000000000000000000", "0196a7c0-0000-7000-8000-000000000000", cmdID("k")} {
		a, _ := create(bob, free, key)
		b, _ := create(bob, free, key)
		c, _ := create(ada, free, key)
		if a.ID == "" || a != b || a.ID == c.ID {
			t.Fatalf("key %s: %+v, %+v, %+v", key, a, b, c)
		}
	}
	for _, key := range []string{"x", "2f1c0b1e-5a3c-4b7e-9a51-0d6c1b8d7f10", "0196a7c0000070008000000000000000", "01JTXYZ000000000000000000U", "0196a7cg-0000-7000-8000-000000000000"} {
		if _, r := create(bob, free, key); r.problem(t).Field != headerKey {
			t.Fatalf("key %s: %v", key, r)
		}
	}
	if _, r := create(bob, body, cmdID("other")); r.problem(t).Field != headerKey {
		t.Fatalf("two ids: %v", r)
	}
	if a, r := create(bob, body, cmdID("new")); a != first {
		t.Fatalf("the same id twice: %v", r)
	}
}

func must[A, B any](a A, _ B) A { return a }

func TestTheTimeOfAKeyIsTheTimeOfItsCommand(t *testing.T) {
	for key, want := range map[string]int64{
		"0196A7C0-1234-7ABC-8000-000000000000": 0x0196a7c01234,
		strings.TrimPrefix(cmdID("a"), "cmd_"): noon.UnixMilli(),
	} {
		id, ok := commandFromKey(bob, key)
		made, err := subjects.IDTime(id)
		if !ok || err != nil || made.UnixMilli() != want {
			t.Fatalf("%s: %s is of %d, want %d", key, id, made.UnixMilli(), want)
		}
	}
}

func TestOpeningARoomChecksItsBody(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for body, field := range map[string]string{
		`{"kind":"watch","name":"x"}`:                                        "kind",
		`{"kind":"vote"}`:                                                    "name",
		`{"kind":"vote","name":"x","minimumScore":0}`:                        "minimumScore",
		`{"kind":"vote","name":"x","minimumScore":"2"}`:                      "minimumScore",
		`{"kind":"vote","name":"x","onlyInvitedVote":true}`:                  "onlyInvitedVote",
		`{"kind":"vote","name":"x","mode":"loud"}`:                           "mode",
		`{"kind":"vote","name":"x","colour":"red"}`:                          "colour",
		`{"kind":"vote","name":"x","tracks":["a",""]}`:                       "tracks.1",
		`{"kind":"vote","name":"x","constraints":{}}`:                        "constraints",
		`{"kind":"vote","name":"x","constraints":{"start":5,"end":4}}`:       "constraints.end",
		`{"kind":"vote","name":"x","constraints":{"place":{"lat":"north"}}}`: "constraints.place.lat",
	} {
		if p := s.do(t, call{method: "POST", path: "/v1/rooms", as: bob, body: body}).problem(t); p.Status != 400 || p.Code != subjects.CodeInvalid || p.Field != field {
			t.Errorf("%s: %+v", body, p)
		}
	}
	raw, err := json.Marshal(subjects.CreateRoom{Kind: "vote", Name: "x", Tracks: make([]subjects.TrackRef, 101)})
	if err != nil {
		t.Fatal(err)
	}
	if p := s.do(t, call{method: "POST", path: "/v1/rooms", as: bob, body: string(raw)}).problem(t); p.Code != subjects.CodeTooLarge || p.Status != 413 {
		t.Errorf("too many tracks: %+v", p)
	}
}
