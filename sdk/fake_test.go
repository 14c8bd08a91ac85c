package tutti_test

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

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// fake is a system in memory, behind both gateways. Its hooks are set before the client
// dials, or with do.
type fake struct {
	t *testing.T

	mu    sync.Mutex
	rooms map[string]*fakeRoom
	logs  map[subjects.Channel]*fakeLog // those of rooms too
	conns map[*fakeConn]bool
	seen  map[string]subjects.ServerFrame // answers by principal and command
	log   []string                        // commands in the order carried out: "user room verb id"

	ahead    time.Duration // of the server's clock
	life     int64         // of access tokens, seconds
	secret   int           // counts tokens
	refresh  string        // the refresh token that is good
	requests []string      // "METHOD path"
	bodies   []string      // of the requests
	dials    int
	hellos   []string // tokens
	live     []subjects.ClientFrame
	mute     bool // frames are taken and nothing is said

	onDial    func(n int) error
	onHello   func(token string) *subjects.Refusal
	onCommand func(f subjects.ClientFrame) verdict
	onSub     func(f subjects.ClientFrame) *subjects.ServerFrame // nil: as usual
	onHTTP    func(method, path string) *tutti.Response
}

// verdict says what becomes of a command.
type verdict struct {
	refusal *subjects.Refusal // not carried out
	retryMs int64
	cut     bool // the connection breaks; after it was carried out, unless refused
	silent  bool // no answer
}

func newFake(t *testing.T) *fake {
	return &fake{
		t: t, rooms: map[string]*fakeRoom{}, logs: map[subjects.Channel]*fakeLog{}, conns: map[*fakeConn]bool{}, seen: map[string]subjects.ServerFrame{}, life: 900,
	}
}

func (s *fake) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *fake) now() time.Time { return time.Now().Add(s.ahead) }

// send puts a frame on every connection.
func (s *fake) send(f subjects.ServerFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.push(f)
	}
}

// cut breaks every connection, with a close code or without one.
func (s *fake) cut(code subjects.CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.breakWith(code)
	}
}

// Dial implements tutti.Dialer.
func (s *fake) Dial(context.Context) (tutti.Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	s.mute = false
	if s.onDial != nil {
		if err := s.onDial(s.dials); err != nil {
			return nil, err
		}
	}
	c := &fakeConn{s: s, out: make(chan []byte, 10_000), over: make(chan struct{}), subs: map[subjects.Channel]bool{}}
	s.conns[c] = true
	return c, nil
}

// fakeConn is the client's end of a connection.
type fakeConn struct {
	s    *fake
	out  chan []byte
	over chan struct{}
	err  error // set before over is closed

	user  string
	hello bool
	subs  map[subjects.Channel]bool
}

func (c *fakeConn) push(f subjects.ServerFrame) {
	data, err := json.Marshal(f)
	if err != nil {
		c.s.t.Error(err)
	}
	c.raw(data)
}

func (c *fakeConn) raw(data []byte) {
	select {
	case c.out <- data:
	default:
		c.s.t.Error("the fake's queue is full")
	}
}

func (c *fakeConn) breakWith(code subjects.CloseCode) {
	if !c.s.conns[c] {
		return
	}
	delete(c.s.conns, c)
	c.err = errors.New("connection reset")
	if code != 0 {
		c.err = &tutti.CloseError{Code: code}
	}
	close(c.over)
}

func (c *fakeConn) Read(ctx context.Context) ([]byte, error) {
	select {
	case data := <-c.out: // what was sent before the break arrives
		return data, nil
	default:
	}
	select {
	case data := <-c.out:
		return data, nil
	case <-c.over:
		return nil, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *fakeConn) Close(subjects.CloseCode) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.breakWith(0)
	return nil
}

func (c *fakeConn) Write(_ context.Context, frame []byte) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.s.conns[c] {
		return c.err
	}
	f, err := subjects.DecodeClientFrame(frame)
	if err != nil {
		c.s.t.Errorf("the client sent %s: %v", frame, err)
		return err
	}
	if !c.s.mute {
		c.s.take(c, f)
	}
	return nil
}

func (s *fake) take(c *fakeConn, f subjects.ClientFrame) {
	fail := func(r *subjects.Refusal, retryMs int64) {
		c.push(subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Channel: f.Channel, Refusal: r, Retry: !r.Code.Final(), RetryMs: retryMs})
	}
	switch f.Type {
	case subjects.FrameHello:
		s.hellos = append(s.hellos, f.Token)
		if s.onHello != nil {
			if r := s.onHello(f.Token); r != nil {
				fail(r, 0)
				return
			}
		}
		c.user, c.hello = "", true
		w := subjects.ServerFrame{Type: subjects.FrameWelcome, ID: f.ID, Connection: "con", SilenceMs: 60_000}
		if f.Token != "" {
			c.user, _, _ = strings.Cut(f.Token, ".")
			w.User, w.ExpiresAt = c.user, s.now().UnixMilli()+s.life*1000
		}
		c.push(w)
	case subjects.FramePing:
		c.push(subjects.ServerFrame{Type: subjects.FramePong, Sent: f.Sent, ServerTime: s.now().UnixMilli()})
	case subjects.FrameSub:
		s.subscribe(c, f, fail)
	case subjects.FrameUnsub:
		delete(c.subs, f.Channel)
		c.push(subjects.ServerFrame{Type: subjects.FrameOK, ID: f.ID, Channel: f.Channel})
	case subjects.FrameCmd:
		s.command(c, f, fail)
	case subjects.FrameLive:
		s.live = append(s.live, f)
	}
}

func (s *fake) subscribe(c *fakeConn, f subjects.ClientFrame, fail func(*subjects.Refusal, int64)) {
	if s.onSub != nil {
		if answer := s.onSub(f); answer != nil {
			c.push(*answer)
			c.subs[f.Channel] = answer.Type != subjects.FrameErr
			return
		}
	}
	l := s.logs[f.Channel]
	if l == nil {
		if !liveChannels[f.Channel] {
			fail(subjects.Refuse(subjects.CodeNotFound, "no such thing"), 0)
			return
		}
		c.subs[f.Channel] = true
		c.push(subjects.ServerFrame{Type: subjects.FrameDocs, Channel: f.Channel})
		return
	}
	c.subs[f.Channel] = true
	switch {
	case f.Since == 0:
		c.push(l.snap(subjects.SnapNew))
	case f.Epoch != l.epoch:
		c.push(l.snap(subjects.SnapEpoch))
	case int(f.Since) < l.kept:
		c.push(l.snap(subjects.SnapTooOld))
	default:
		c.push(subjects.ServerFrame{Type: subjects.FrameResumed, Channel: f.Channel, Epoch: l.epoch, Rev: f.Since})
		for _, m := range l.commits[min(int(f.Since), len(l.commits)):] {
			c.push(m)
		}
	}
}

var liveChannels = map[subjects.Channel]bool{subjects.ChannelRooms: true, subjects.ChannelMe: true, subjects.ChannelPlaylists: true, subjects.ChannelUsers: true}

func (s *fake) command(c *fakeConn, f subjects.ClientFrame, fail func(*subjects.Refusal, int64)) {
	var v verdict
	if s.onCommand != nil {
		v = s.onCommand(f)
	}
	if v.refusal != nil {
		fail(v.refusal, v.retryMs)
	} else {
		key := c.user + " " + f.ID
		answer, again := s.seen[key]
		if !again {
			answer = s.carryOut(c.user, f)
			s.seen[key] = answer
			s.log = append(s.log, fmt.Sprintf("%s %s %s %s", c.user, f.Channel, f.Verb, f.ID))
		}
		if !v.silent && !v.cut {
			c.push(answer)
		}
	}
	if v.cut {
		c.breakWith(0)
	}
}

func (s *fake) carryOut(user string, f subjects.ClientFrame) subjects.ServerFrame {
	ok := subjects.ServerFrame{Type: subjects.FrameOK, ID: f.ID, Channel: f.Channel, Epoch: 1}
	if f.Channel == subjects.ChannelRooms {
		ok.Room = subjects.NewID(subjects.PrefixRoom, s.now())
		s.newRoom(ok.Room)
		ok.Rev = s.commit(ok.Room, f.ID, &subjects.RoomCreated{Kind: subjects.KindVote, Name: "Evening", Creator: user})
		return ok
	}
	if f.Channel == subjects.ChannelPlaylists {
		ok.Playlist = subjects.NewID(subjects.PrefixPlaylist, s.now())
		ok.Rev = s.append(s.newPlaylist(ok.Playlist), f.ID, &subjects.PlaylistCreated{Name: "Mix", Creator: user, Visibility: subjects.VisibilityPrivate})
		return ok
	}
	if l := s.logs[f.Channel]; l != nil && l.carryOut != nil {
		return l.carryOut(user, f, ok)
	}
	id, _ := f.Channel.Room()
	if s.rooms[id] == nil {
		return subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Refusal: subjects.Refuse(subjects.CodeNotFound, "no such room")}
	}
	switch f.Verb {
	case subjects.VerbJoin:
		ok.Rev = s.commit(id, f.ID, &subjects.MemberJoined{User: user, Role: subjects.RoleMember})
	case subjects.VerbVote:
		var in subjects.VoteTrack
		_ = json.Unmarshal(f.Body, &in)
		if _, there := s.rooms[id].doc.Queue[in.Track]; !there {
			return subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Rev: 1, Refusal: subjects.Refuse(subjects.CodeNoSuchTrack, "not queued")}
		}
		ok.Rev = s.commit(id, f.ID, &subjects.TrackVoted{User: user, Track: in.Track})
	default:
		ok.Rev = uint64(len(s.rooms[id].commits))
	}
	return ok
}

// dial makes a client of the fake that is closed with the test.
func (s *fake) dial(t *testing.T, opts ...tutti.Option) *tutti.Client {
	t.Helper()
	c, err := tutti.Dial(t.Context(), "http://fake.example", append([]tutti.Option{tutti.WithHTTP(s), tutti.WithDialer(s)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// user makes a client that is signed in.
func (s *fake) user(t *testing.T, name string, opts ...tutti.Option) *tutti.Client {
	t.Helper()
	c := s.dial(t, opts...)
	if _, err := c.Account().Login(t.Context(), name+"@example.com", "secret"); err != nil {
		t.Fatal(err)
	}
	return c
}

// pass lets virtual time pass, until nothing is left to be done at its end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
