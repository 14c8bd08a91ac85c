package subjects_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tuttihq/tutti/subjects"
)

func TestSubjects(t *testing.T) {
	c := subjects.Command{Service: "room", ID: "room_1", Verb: "vote", Principal: "user_1"}
	p := subjects.Partition(c.ID, 8)
	for got, want := range map[string]string{
		must(c.Subject(subjects.DoorAsk)):               "tutti.v1.cmd.room.room_1.vote.user_1",
		must(c.Subject(subjects.DoorQueue)):             "tutti.v1.cmdq.room.room_1.vote.user_1",
		must(c.Routed(subjects.DoorAsk, 8)):             fmt.Sprintf("tutti.v1.part.cmd.room.%d.room_1.vote.user_1", p),
		subjects.Events("room", "r"):                    "tutti.v1.evt.room.r",
		subjects.Feed("room", "r"):                      "tutti.v1.feed.room.r",
		subjects.Snapshot("room", "r"):                  "tutti.v1.snap.room.r",
		subjects.State("rooms", "r"):                    "tutti.v1.state.rooms.r",
		subjects.DLQ("room"):                            "tutti.v1.dlq.room",
		subjects.Query("room", "find"):                  "tutti.v1.qry.room.find",
		subjects.Live("room", "r", "typing"):            "tutti.v1.live.room.r.typing",
		subjects.Timer("room", "r", 7):                  "tutti.v1.timer.room.r.7",
		subjects.StreamEvents("room"):                   "EVENTS_ROOM",
		subjects.PartitionWildcard("cmd", "room", 3):    "tutti.v1.part.cmd.room.3.>",
		first(subjects.Mapping(subjects.DoorAsk, 8)):    "tutti.v1.cmd.*.*.*.*",
		second(subjects.Mapping(subjects.DoorQueue, 8)): "tutti.v1.part.cmdq.{{wildcard(1)}}.{{partition(8,2)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, bad := range []subjects.Command{
		{}, {Service: "room", ID: "a.b", Verb: "v", Principal: "p"}, {Service: "room", ID: "*", Verb: "v", Principal: "p"},
		{Service: "room", ID: "r", Verb: "v ", Principal: "p"}, {Service: "room", ID: "r", Verb: ">", Principal: "p"},
		{Service: "room", ID: "r", Verb: "v", Principal: strings.Repeat("p", subjects.MaxIDBytes+1)},
	} {
		if _, err := bad.Subject(subjects.DoorAsk); !errors.Is(err, subjects.ErrBadSubject) {
			t.Errorf("%+v: %v", bad, err)
		}
		if _, err := bad.Routed(subjects.DoorAsk, 8); !errors.Is(err, subjects.ErrBadSubject) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte("room_1"))
	if subjects.Partition("room_1", 1) != 0 || subjects.Partition("room_1", 1000) != int(h.Sum32()%1000) {
		t.Error("partition")
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func first(a, _ string) string  { return a }
func second(_, b string) string { return b }

func FuzzSubjects(f *testing.F) {
	for _, s := range []string{
		"tutti.v1.part.cmd.room.3.room_1.vote.user_1", "tutti.v1.part.cmdq.room.+3.room_1.vote.sys",
		"tutti.v1.part.cmd.room.03.r.v.u", "tutti.v1.cmd.room.room_1.vote.user_1", "tutti.v1.evt.room.r",
		"tutti.v1.evt.room.3.r", "tutti.v1.evt.room.03.r", "tutti.v1.evt.room.64.r", "tutti.v1.feed.room.3.r", "tutti.v1.arc.room.r",
		"tutti.v1.state.rooms.r", "tutti.v1.part.cmd.room.-1.r.v.u", "tutti.v1.cmd....", "",
		strings.Repeat("é", 100),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, p, c, err := subjects.ParseRouted(s); err == nil {
			again := fmt.Sprintf("tutti.v1.part.%s.%s.%d.%s.%s.%s", d, c.Service, p, c.ID, c.Verb, c.Principal)
			if again != s {
				t.Errorf("%q reads as %q", s, again)
			}
			if _, err := c.Routed(d, 8); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, subjects.ErrBadSubject) || utf8.ValidString(s) && !utf8.ValidString(err.Error()) {
			t.Errorf("%q", err)
		}
		if d, c, err := subjects.ParseCommand(s); err == nil {
			if again, err := c.Subject(d); err != nil || again != s {
				t.Errorf("%q reads as %q, %v", s, again, err)
			}
		} else if !errors.Is(err, subjects.ErrBadSubject) {
			t.Error(err)
		}
		if service, id, err := subjects.ParseEvents(s); err == nil {
			known := []string{subjects.Feed(service, id), subjects.Snapshot(service, id), subjects.Archived(service, id)}
			for n := range subjects.MaxShards {
				known = append(known, fmt.Sprintf("tutti.v1.evt.%s.%d.%s", service, n, id))
			}
			if s != subjects.Events(service, id) && !slices.Contains(known, s) {
				t.Errorf("%q reads as %q %q", s, service, id)
			}
		}
		if table, id, err := subjects.ParseState(s); err == nil && s != subjects.State(table, id) {
			t.Errorf("%q reads as %q %q", s, table, id)
		}
	})
}

func TestCommandTime(t *testing.T) {
	now := time.UnixMilli(1_777_636_800_000)
	for name, tc := range map[string]struct {
		id   string
		want subjects.Code
	}{
		"now":              {subjects.NewID("cmd", now), ""},
		"at the horizon":   {subjects.NewID("cmd", now.Add(-subjects.CommandHorizon)), ""},
		"past the horizon": {subjects.NewID("cmd", now.Add(-subjects.CommandHorizon-time.Millisecond)), subjects.CodeExpired},
		"a bit ahead":      {subjects.NewID("cmd", now.Add(subjects.CommandSkew)), ""},
		"too far ahead":    {subjects.NewID("cmd", now.Add(subjects.CommandSkew+time.Millisecond)), subjects.CodeInvalid},
		"no id":            {"cmd_1", subjects.CodeInvalid},
	} {
		if got := subjects.CodeOf(subjects.CheckCommandTime(tc.id, now)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	f.Add([]byte(`{"id":"cmd_01KQHPHXG05QEVK0843BW3VH8V","body":{"track":"a"}}`))
	f.Add([]byte(`{"id":"cmd_01KQHPHXG05QEVK0843BW3VH8V"}`))
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"id":"cmd_01KQHPHXG05QEVK0843BW3VH8V","body":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := subjects.DecodeEnvelope(raw)
		if err != nil {
			if code := subjects.CodeOf(err); code != subjects.CodeInvalid && code != subjects.CodeTooLarge {
				t.Errorf("%v", err)
			}
			return
		}
		if subjects.CheckID(subjects.PrefixCommand, e.ID) != nil {
			t.Errorf("id %q", e.ID)
		}
	})
}

func TestDecodeBody(t *testing.T) {
	type shape struct {
		Name string `json:"name"`
	}
	for body, want := range map[string]subjects.Code{
		"": "", " ": "", "{}": "", `{"name":"x"}`: "", "null": "",
		`{"nome":"x"}`: subjects.CodeInvalid, `{"name":1}`: subjects.CodeInvalid, `[]`: subjects.CodeInvalid,
		`{} {}`: subjects.CodeInvalid, `{}}`: subjects.CodeInvalid, `{}]`: subjects.CodeInvalid, `{`: subjects.CodeInvalid,
		`{"name":"x"} trailing`: subjects.CodeInvalid,
	} {
		var s shape
		if got := subjects.CodeOf(subjects.DecodeBody([]byte(body), &s)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if _, err := subjects.DecodeEnvelope(make([]byte, subjects.MaxCommandBytes+1)); subjects.CodeOf(err) != subjects.CodeTooLarge {
		t.Error(err)
	}
}
