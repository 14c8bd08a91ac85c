package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/subjects"
)

// garbler makes what nobody should send, the same for the same seed.
type garbler struct{ *rand.Rand }

// bytes are any bytes.
func (g garbler) bytes(most int) []byte {
	b := make([]byte, g.IntN(most))
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// spoil takes something valid and damages it: as text, or as JSON of another shape.
func (g garbler) spoil(valid string) []byte {
	b := []byte(valid)
	switch g.IntN(8) {
	case 0:
		return g.bytes(300)
	case 1:
		return b[:g.IntN(len(b))]
	case 2:
		b[g.IntN(len(b))] = byte(g.Uint32())
		return b
	case 3:
		return bytes.Repeat([]byte(`{"a":[`), 1+g.IntN(3000))
	case 4:
		return append(b, b...)
	case 5:
		odd := []string{`null`, `-1e999`, `[]`, `{"\u0000":"\ud800"}`, `"` + strings.Repeat("é", 70_000) + `"`, `18446744073709551616`, `true`}
		return bytes.Replace(b, []byte(`:`), []byte(`:`+odd[g.IntN(len(odd))]+`,"x":`), 1)
	case 6:
		return bytes.ReplaceAll(b, []byte(`"`), []byte(`'`))
	default:
		var v any
		if json.Unmarshal(b, &v) != nil {
			return b
		}
		out, err := json.Marshal(g.twist(v))
		if err != nil {
			return b
		}
		return out
	}
}

// twist puts values of other kinds where some were.
func (g garbler) twist(v any) any {
	if g.IntN(3) == 0 {
		odd := []any{nil, 0, -1, 1.5, 1e300, "", "\x00", strings.Repeat("x", 5000), true, []any{}, []any{[]any{}}, body{}, body{"id": body{}}}
		return odd[g.IntN(len(odd))]
	}
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = g.twist(v[k])
		}
	case []any:
		for i := range v {
			v[i] = g.twist(v[i])
		}
	}
	return v
}

// seed is shown, so that what was found can be looked at again.
func newGarbler(t *testing.T) garbler {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return garbler{rand.New(rand.NewPCG(seed, 0))}
}

// Whatever is sent to whatever path, the answer is a typed refusal, at once, and the room
// next door goes on.
func TestGarbageOverHTTP(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Untouched", body{"minimumScore": 3, "tracks": []string{"demo:aurora"}})
	before := ann.see(room)
	victim := p.register("victim").open("Victim", nil)
	g := newGarbler(t)
	commands := "/v1/rooms/" + victim + "/commands"
	id := func() string { return subjects.NewID(subjects.PrefixCommand, time.Now()) }
	doors := []struct{ method, path, valid string }{
		{http.MethodPost, "/v1/auth/register", `{"email":"g@example.org","nickname":"g","password":"password","request_id":"` + id() + `"}`},
		{http.MethodPost, "/v1/auth/login", `{"email":"ann@example.org","password":"wrong password"}`},
		{http.MethodPost, "/v1/auth/refresh", `{"refresh_token":"ses_0.abc"}`},
		{http.MethodPost, "/v1/auth/logout", `{"refresh_token":"ses_0.abc"}`},
		{http.MethodPatch, "/v1/me/profile", `{"bio":"hello","rev":1}`},
		{http.MethodPost, "/v1/rooms", `{"kind":"vote","name":"n","open":true,"tracks":["demo:aurora",{"id":"demo:aurora"}],"minimumScore":2,"constraints":{"place":{"lat":1,"lng":2,"radiusM":3},"start":1,"end":2}}`},
		{http.MethodPost, commands, `{"id":"` + id() + `","verb":"suggest","body":{"tracks":["demo:aurora",{"url":"http://127.0.0.1:1/x.mp3"}]}}`},
		{http.MethodPost, commands, `{"id":"` + id() + `","verb":"setGrants","body":{"role":"member","verbs":["vote","kick"]}}`},
		{http.MethodPost, commands, `{"id":"` + id() + `","verb":"position","body":{"lat":1.5,"lng":-2e2}}`},
		{http.MethodPost, "/v1/rooms/" + victim, `{"id":1}`},
		{http.MethodGet, "/v1/rooms?limit=%GG&cursor=x", ``},
		{http.MethodGet, "/v1/rooms/room_\x00/members?limit=-1", ``},
	}
	refusals := map[subjects.Code]int{}
	for i := range 500 {
		door := doors[i%len(doors)]
		var text []byte
		path := door.path
		if door.method != http.MethodGet {
			text = g.spoil(door.valid)
		} else {
			path = "/v1/rooms/" + fmt.Sprintf("%x", g.bytes(60)) + "?cursor=" + fmt.Sprintf("%%%02x", g.IntN(256)) + "&limit=" + fmt.Sprint(g.Int64())
		}
		begin := time.Now()
		status, header, answer, err := ann.send(door.method, path, text, nil)
		if err != nil {
			t.Fatalf("%s %s: %v, after %q", door.method, path, err, cut(text))
		}
		if status >= 500 || time.Since(begin) > 10*time.Second {
			t.Fatalf("%s %s: %d after %v: %s, for %q", door.method, path, status, time.Since(begin), answer, cut(text))
		}
		if status < 400 {
			continue // the damage left something valid
		}
		var problem problem
		if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" || problem.RequestID == "" ||
			problem.Status != status || header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s %s: %d %s, for %q", door.method, path, status, answer, cut(text))
		}
		refusals[problem.Code]++
	}
	t.Logf("refused: %v", refusals)
	untouched(t, ann, room, before)
}

// What is no HTTP and no NATS at all is sent away, and harms nobody else.
func TestGarbageOverTCP(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Untouched", body{"minimumScore": 3})
	before := ann.see(room)
	g := newGarbler(t)
	for _, address := range []string{p.http, p.nats} {
		for i := range 40 {
			text := [][]byte{
				g.bytes(2000),
				[]byte("POST /v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
				[]byte("GET /v1/rooms HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 10_000)),
				[]byte("POST /v1/rooms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
				[]byte("PUB " + strings.Repeat("x", 5000) + " -1\r\n"),
				[]byte("CONNECT {}\r\nPUB $JS.API.STREAM.NAMES 4\r\nabcdefgh\r\n"),
			}[i%6]
			conn, err := net.DialTimeout("tcp", address, patience)
			must(t, err)
			must(t, conn.SetDeadline(time.Now().Add(200*time.Millisecond)))
			_, _ = conn.Write(text)          // it may be sent away before it is done,
			_, _ = io.Copy(io.Discard, conn) // or be waited for to say more
			must(t, conn.Close())
		}
	}
	untouched(t, ann, room, before)
}

func cut(b []byte) []byte { return b[:min(len(b), 200)] }

// untouched fails if a room is not what it was, or does not take commands as it did.
func untouched(t *testing.T, who *person, room string, before roomView) {
	t.Helper()
	now := who.see(room)
	equal(t, "document", now.Hash, before.Hash)
	equal(t, "revision", now.Rev, before.Rev)
	begin := time.Now()
	who.do(room, "suggest", body{"tracks": []string{"demo:paper-boats"}})
	if took := time.Since(begin); took > 5*time.Second {
		t.Fatalf("the room took %v to answer", took)
	}
}

// Anything may be published to a command subject. Who waits for an answer gets a typed
// refusal; what was left in the queue becomes a dead letter; the room is as it was.
func TestGarbageOverNATS(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Untouched", body{"minimumScore": 3, "tracks": []string{"demo:aurora"}})
	before := ann.see(room)
	nc, js := p.dial(), p.jetstream()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	g := newGarbler(t)
	inbox, err := nc.SubscribeSync(nats.NewInbox())
	must(t, err)

	letters := map[string]string{} // what must be among the dead letters, and its subject
	for i := range 60 {
		to := subjects.Command{Service: subjects.ServiceRoom, ID: room, Verb: "vote", Principal: ann.id}
		text := g.spoil(`{"id":"` + subjects.NewID(subjects.PrefixCommand, time.Now()) + `","body":{"track":"demo:aurora"}}`)
		if i%4 == 0 {
			text = g.bytes(200)
		}
		if i%6 == 5 {
			to.Verb = "pirouette"
		}
		if i%10 == 9 {
			to.ID = "elsewhere"
		}
		ask, err := to.Subject(subjects.DoorAsk)
		must(t, err)
		reply, err := nc.Request(ask, text, patience)
		if err != nil {
			t.Fatalf("%v, for %q to %s", err, cut(text), ask)
		}
		refuses(t, reply.Data, text)

		queue, err := to.Subject(subjects.DoorQueue)
		must(t, err)
		m := nats.NewMsg(queue)
		m.Data = text
		m.Header.Set(subjects.HeaderReplyTo, inbox.Subject)
		_, err = js.PublishMsg(ctx, m)
		must(t, err)
		reply, err = inbox.NextMsg(patience)
		if err != nil {
			t.Fatalf("%v, for %q to %s", err, cut(text), queue)
		}
		// What was decided against a room's state could be read, such as an id whose time lies in
		// the future: its sender has the answer, and nobody else needs it.
		if code, rev := refuses(t, reply.Data, text); rev == 0 {
			switch code {
			case subjects.CodeInvalid, subjects.CodeTooLarge, subjects.CodeUnknownVerb:
				letters[string(text)] = queue
			}
		}
	}

	// Subjects that are none, or that route to the wrong place.
	for _, tail := range []string{"vote", "vote.a.b", "vote.é", strings.Repeat("v", 80) + "." + ann.id, "vote." + subjects.System} {
		subject := subjects.Root + ".cmd.room." + room + "." + tail
		reply, err := nc.Request(subject, []byte(`{}`), 2*time.Second)
		if err == nil {
			refuses(t, reply.Data, []byte(subject))
		}
		must(t, nc.Publish(strings.Replace(subject, ".cmd.", ".cmdq.", 1), g.bytes(50)))
	}
	routed, err := subjects.Command{Service: subjects.ServiceRoom, ID: room, Verb: "vote", Principal: ann.id}.Routed(subjects.DoorQueue, 4096)
	must(t, err)
	must(t, nc.Publish(routed, []byte("straight to a partition that is not")))
	must(t, nc.Flush())

	eventually(t, func() string {
		found := p.deadLetters()
		for text, subject := range letters {
			letter, ok := found[text]
			if !ok {
				return fmt.Sprintf("%q is not among the %d dead letters", cut([]byte(text)), len(found))
			}
			if letter.Get(subjects.HeaderReason) == "" || !strings.Contains(letter.Get(subjects.HeaderSubject), room) && !strings.Contains(subject, "elsewhere") {
				t.Fatalf("a dead letter without reason or place: %v", letter)
			}
		}
		return ""
	})
	untouched(t, ann, room, before)
}

// refuses reads an answer that must be a final refusal, and gives its code and the revision
// it was decided at, 0 for none.
func refuses(t *testing.T, answer, sent []byte) (subjects.Code, uint64) {
	t.Helper()
	var a subjects.Answer
	if err := json.Unmarshal(answer, &a); err != nil || a.Refusal == nil || !a.Refusal.Code.Final() || a.Refusal.Code == subjects.CodeInternal {
		t.Fatalf("answered %s, to %q", answer, cut(sent))
	}
	return a.Refusal.Code, a.Rev
}

// deadLetters gives the dead letters of rooms: their text and headers.
func (p *program) deadLetters() map[string]nats.Header {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := p.jetstream().Stream(ctx, subjects.StreamDLQ)
	must(p.t, err)
	out := map[string]nats.Header{}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
		m, err := stream.GetMsg(ctx, seq)
		must(p.t, err)
		equal(p.t, "subject of a dead letter", m.Subject, subjects.DLQ(subjects.ServiceRoom))
		out[string(m.Data)] = m.Header
	}
	return out
}
