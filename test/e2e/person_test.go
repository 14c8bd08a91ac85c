package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// problem is an answer above 399.
type problem struct {
	Type      string        `json:"type"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Code      subjects.Code `json:"code"`
	Field     string        `json:"field"`
	RequestID string        `json:"request_id"`
	Retry     bool          `json:"retry"`
	Command   string        `json:"command"`
	Epoch     uint64        `json:"epoch"`
	Rev       uint64        `json:"rev"`
}

func (p *problem) Error() string {
	return fmt.Sprintf("%d %s: %s %s", p.Status, p.Code, p.Field, p.Detail)
}

// codeOf gives the code of a refusal, "" for none, and "no answer" where none came.
func codeOf(err error) subjects.Code {
	var p *problem
	switch {
	case err == nil:
		return ""
	case errors.As(err, &p):
		return p.Code
	default:
		return "no answer"
	}
}

// final reports whether an answer stands: what came over the wire and is not "later".
func final(err error) bool {
	var p *problem
	return err == nil || errors.As(err, &p) && !p.Retry
}

// person is somebody with an account, or with none: then the tokens are empty.
type person struct {
	p                         *program
	id, nickname, email       string
	access, refresh, password string
}

func (p *program) nobody() *person { return &person{p: p} }

// register makes an account.
func (p *program) register(nickname string) *person {
	p.t.Helper()
	who := &person{p: p, nickname: nickname, email: nickname + "@example.org", password: "correct horse " + nickname}
	var got subjects.Grant
	in := map[string]string{"email": who.email, "nickname": nickname, "password": who.password}
	must(p.t, who.post("/v1/auth/register", in, &got))
	who.take(got)
	return who
}

// take holds what a grant gives.
func (w *person) take(g subjects.Grant) {
	w.access, w.refresh, w.id = g.AccessToken.Reveal(), g.RefreshToken.Reveal(), g.User.ID
}

// login logs in again.
func (w *person) login() error {
	var got subjects.Grant
	err := w.post("/v1/auth/login", map[string]string{"email": w.email, "password": w.password}, &got)
	if err == nil {
		w.take(got)
	}
	return err
}

func (w *person) get(path string, out any) error { return w.call(http.MethodGet, path, nil, out) }

func (w *person) post(path string, in, out any) error { return w.call(http.MethodPost, path, in, out) }

// call makes a request. The error is a *problem if an answer came, and the transport's if
// none did.
func (w *person) call(method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	status, _, text, err := w.send(method, path, body, nil)
	if err != nil {
		return err
	}
	if status >= 400 {
		p := &problem{}
		if err := json.Unmarshal(text, p); err != nil || p.Status != status || p.Code == "" {
			return fmt.Errorf("status %d with what is no problem document: %s", status, text)
		}
		return p
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// send makes a request of any bytes.
func (w *person) send(method, path string, body []byte, header http.Header) (int, http.Header, []byte, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequest(method, "http://"+w.p.http+path, r)
	if err != nil {
		return 0, nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.access != "" {
		req.Header.Set("Authorization", "Bearer "+w.access)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := w.p.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, text, err
}

// body is a JSON object as tests write one.
type body map[string]any

// created is the answer to the creation of a room.
type created struct {
	ID      string `json:"id"`
	Epoch   uint64 `json:"epoch"`
	Rev     uint64 `json:"rev"`
	At      int64  `json:"at"`
	Command string `json:"command"`
}

// open opens a vote room and gives its id.
func (w *person) open(name string, options body) string {
	w.p.t.Helper()
	in := body{"kind": "vote", "name": name, "open": true}
	for k, v := range options {
		in[k] = v
	}
	var got created
	must(w.p.t, w.post("/v1/rooms", in, &got))
	if subjects.CheckID(subjects.PrefixRoom, got.ID) != nil || got.Rev == 0 {
		w.p.t.Fatalf("created: %+v", got)
	}
	return got.ID
}

// accepted is the answer to a command.
type accepted struct {
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	At    int64  `json:"at"`
}

// command sends a command under a new id.
func (w *person) command(room, verb string, in body) (accepted, error) {
	return w.commandAs(subjects.NewID(subjects.PrefixCommand, time.Now()), room, verb, in)
}

// commandAs sends a command under an id.
func (w *person) commandAs(id, room, verb string, in body) (accepted, error) {
	var got accepted
	if in == nil {
		in = body{}
	}
	err := w.post("/v1/rooms/"+room+"/commands", body{"id": id, "verb": verb, "body": in}, &got)
	return got, err
}

// do sends a command that is accepted.
func (w *person) do(room, verb string, in body) accepted {
	w.p.t.Helper()
	got, err := w.command(room, verb, in)
	if err != nil {
		w.p.t.Fatalf("%s: %s: %v", w.nickname, verb, err)
	}
	return got
}

// refused sends a command that is refused with a code.
func (w *person) refused(want subjects.Code, room, verb string, in body) {
	w.p.t.Helper()
	_, err := w.command(room, verb, in)
	if codeOf(err) != want {
		w.p.t.Fatalf("%s: %s: got %v, want %s", w.nickname, verb, err, want)
	}
}

// roomView is the answer to GET /v1/rooms/{id}.
type roomView struct {
	ID         string        `json:"id"`
	Epoch      uint64        `json:"epoch"`
	Rev        uint64        `json:"rev"`
	ServerTime int64         `json:"serverTime"`
	PositionMs int64         `json:"positionMs"`
	Hash       string        `json:"hash"`
	State      subjects.Room `json:"state"`
	You        *subjects.You `json:"you"`
}

func (v roomView) queue() []string { return ids(v.State.Ordered()) }

// see reads a room.
func (w *person) see(room string) roomView {
	w.p.t.Helper()
	var got roomView
	must(w.p.t, w.get("/v1/rooms/"+room, &got))
	return got
}

// queue gives the ids of what waits in a room, in order.
func (w *person) queue(room string) []string {
	w.p.t.Helper()
	return w.see(room).queue()
}

// ids gives the tracks of a queue.
func ids(queue []subjects.QueueEntry) []string {
	out := []string{}
	for _, e := range queue {
		out = append(out, e.Track.ID)
	}
	return out
}

// find searches rooms by the beginning of their name and follows all pages.
func (w *person) find(prefix string, limit int) []string {
	w.p.t.Helper()
	names := []string{}
	cursor := ""
	for range 1000 {
		var page struct {
			Rooms []subjects.RoomSummary `json:"rooms"`
			Next  string                 `json:"next"`
		}
		path := fmt.Sprintf("/v1/rooms?prefix=%s&limit=%d&cursor=%s", strings.ReplaceAll(prefix, " ", "%20"), limit, cursor)
		must(w.p.t, w.get(path, &page))
		if len(page.Rooms) > limit {
			w.p.t.Fatalf("%d rooms on a page of %d", len(page.Rooms), limit)
		}
		for _, r := range page.Rooms {
			names = append(names, r.Name)
		}
		if cursor = page.Next; cursor == "" {
			return names
		}
	}
	w.p.t.Fatal("the search does not end")
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}
