package edge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// lobbyViews bounds the different beginnings of names that are asked for at once, since
// each change is compared with each of them. The lobby as a whole is not counted.
const lobbyViews = 4096

// lobby is the live query over open rooms. It holds what the public documents say of them
// and tells each listener what of its own part changed, several changes at once.
type lobby struct {
	srv *Server

	mu    sync.Mutex
	rooms map[string]*lobbyRoom
	// ranked are the same rooms in the lobby's order.
	ranked []*lobbyRoom
	views  map[lobbyQuery]*lobbyView
	// round tells, while the documents come anew after a loss, those that did from those
	// that went meanwhile.
	round uint64
	shut  bool
	// loaded is closed when the documents there were are all here.
	loaded chan struct{}
	first  sync.Once

	stop context.CancelFunc
	done sync.WaitGroup
}

// lobbyRoom is an open room as its public document has it.
type lobbyRoom struct {
	id        string
	nameKey   string
	members   int
	createdAt int64
	body      json.RawMessage
	round     uint64
}

// before is the order of the lobby: most members first, then the newest.
func (r *lobbyRoom) before(o *lobbyRoom) int {
	return cmp.Or(cmp.Compare(o.members, r.members), cmp.Compare(o.createdAt, r.createdAt), strings.Compare(r.id, o.id))
}

// lobbyQuery is what of the lobby somebody looks at.
type lobbyQuery struct {
	prefix string // of the name's key
	limit  int
}

// lobbyView is one question and everybody who asked it.
type lobbyView struct {
	query     lobbyQuery
	listeners map[*listener]struct{}
	shown     map[string]json.RawMessage
	stale     bool
}

func newLobby(s *Server) *lobby {
	l := &lobby{srv: s, rooms: map[string]*lobbyRoom{}, views: map[lobbyQuery]*lobbyView{}, loaded: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.done.Go(func() {
		if err := s.deps.Lists.Watch(ctx, subjects.TableRooms, l.changed, l.ready, l.again); err != nil {
			s.deps.Log.Error("the lobby is not kept up any more", "err", err)
		}
	})
	l.done.Go(func() { l.run(ctx) })
	return l
}

func (b *lobby) close() {
	b.mu.Lock()
	b.shut = true
	b.mu.Unlock()
	b.stop()
	b.done.Wait()
}

// run tells what changed, every so often.
func (b *lobby) run(ctx context.Context) {
	t := time.NewTicker(b.srv.cfg.Socket.LobbyEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			b.tell()
		}
	}
}

// changed takes in a document.
func (b *lobby) changed(id string, body json.RawMessage) {
	var s subjects.RoomSummary
	if body != nil && (json.Unmarshal(body, &s) != nil || s.Private) {
		body = nil // of a newer release, or not for everybody
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.rooms[id]
	if body == nil || s.Phase != subjects.PhaseOpen {
		if old != nil {
			b.remove(old)
		}
		return
	}
	if old != nil && bytes.Equal(old.body, body) {
		old.round = b.round
		return
	}
	now := &lobbyRoom{id: id, nameKey: s.NameKey, members: s.MemberCount, createdAt: s.CreatedAt, body: body, round: b.round}
	if old != nil {
		b.remove(old)
	}
	at, _ := slices.BinarySearchFunc(b.ranked, now, (*lobbyRoom).before)
	b.rooms[id], b.ranked = now, slices.Insert(b.ranked, at, now)
	b.touch(now, at)
	if len(b.ranked) > b.srv.cfg.Socket.LobbyRooms {
		b.remove(b.ranked[len(b.ranked)-1]) // it comes back when it changes
	}
}

// remove takes a room out.
func (b *lobby) remove(r *lobbyRoom) {
	at, ok := slices.BinarySearchFunc(b.ranked, r, (*lobbyRoom).before)
	if !ok {
		return
	}
	b.ranked = slices.Delete(b.ranked, at, at+1)
	delete(b.rooms, r.id)
	b.touch(r, at)
}

// touch marks the views that a change at a rank may show in; a room's name never changes.
func (b *lobby) touch(r *lobbyRoom, rank int) {
	for q, v := range b.views {
		v.stale = v.stale || strings.HasPrefix(r.nameKey, q.prefix) && (q.prefix != "" || rank < q.limit)
	}
}

// ready says that all documents there were have come.
func (b *lobby) ready() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first.Do(func() { close(b.loaded) })
	for _, r := range b.rooms {
		if r.round != b.round {
			b.remove(r)
		}
	}
}

// again says that the documents come anew.
func (b *lobby) again() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.round++
}

func (b *lobby) result(q lobbyQuery) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, min(len(b.ranked), q.limit))
	for _, r := range b.ranked {
		if len(out) == q.limit {
			break
		}
		if strings.HasPrefix(r.nameKey, q.prefix) {
			out[r.id] = r.body
		}
	}
	return out
}

// tell brings every stale view up to date.
func (b *lobby) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.views {
		b.update(v)
	}
}

// update tells a view's listeners what has changed since it was shown last.
func (b *lobby) update(v *lobbyView) {
	if !v.stale {
		return
	}
	v.stale = false
	now := b.result(v.query)
	for _, m := range docChanges(b.srv, subjects.ChannelRooms, v.shown, now) {
		for l := range v.listeners {
			l.sock.out.tell(l, m)
		}
		b.srv.metrics.framesOut.Of(subjects.FrameDoc).Add(float64(len(v.listeners)))
	}
	v.shown = now
}

// docChanges frames what leads from one result to another.
func docChanges(s *Server, ch subjects.Channel, was, now map[string]json.RawMessage) []message {
	var out []message
	add := func(id string, doc json.RawMessage) {
		m, err := encode(&subjects.ServerFrame{Type: subjects.FrameDoc, Channel: ch, DocID: id, Doc: doc})
		if err != nil {
			s.deps.Log.Error("document not encoded", "channel", string(ch), "document", id, "err", err)
			return
		}
		out = append(out, m)
	}
	for id := range was {
		if _, ok := now[id]; !ok {
			add(id, nil)
		}
	}
	for id, doc := range now {
		if old, ok := was[id]; !ok || !bytes.Equal(old, doc) {
			add(id, doc)
		}
	}
	return out
}

// docsMessage frames a whole result; Docs is {} where there is nothing.
func docsMessage(ch subjects.Channel, docs map[string]json.RawMessage) (message, error) {
	if docs == nil {
		docs = map[string]json.RawMessage{}
	}
	data, err := json.Marshal(struct {
		Type    string                     `json:"type"`
		Channel subjects.Channel           `json:"channel"`
		Docs    map[string]json.RawMessage `json:"docs"`
	}{subjects.FrameDocs, ch, docs})
	if err != nil {
		return nil, err
	}
	return seal(opText, append(draft(len(data)), data...)), nil
}

// join shows a listener its part of the lobby and what becomes of it. Right after a start
// it waits for the lobby to be filled.
func (b *lobby) join(ctx context.Context, l *listener, prefix string, limit int) error {
	select {
	case <-b.loaded:
	case <-ctx.Done():
		return subjects.Refuse(subjects.CodeUnavailable, "the lobby is not there yet; ask again")
	}
	if limit == 0 {
		limit = subjects.MaxLobby
	}
	q := lobbyQuery{subjects.RoomNameKey(prefix), limit}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return subjects.Refuse(subjects.CodeUnavailable, "this edge is going down; connect again, another may answer")
	}
	v := b.views[q]
	if v == nil {
		if q.prefix != "" && len(b.views) >= lobbyViews {
			return subjects.Refuse(subjects.CodeBusy, "too many different parts of the lobby are looked at; ask again, or search with GET %s", pathRooms)
		}
		v = &lobbyView{query: q, listeners: map[*listener]struct{}{}, stale: true}
	}
	b.update(v)
	m, err := docsMessage(subjects.ChannelRooms, v.shown)
	if err != nil {
		return err
	}
	l.from, l.query = b, q
	if !l.sock.follow(l) {
		return subjects.Refuse(subjects.CodeFull, "a connection follows at most %d channels", subjects.MaxChannels)
	}
	b.views[q] = v
	v.listeners[l] = struct{}{}
	l.sock.out.tell(l, m)
	b.srv.metrics.framesOut.Of(subjects.FrameDocs).Inc()
	return nil
}

// leave implements source.
func (b *lobby) leave(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v := b.views[l.query]; v != nil {
		if delete(v.listeners, l); len(v.listeners) == 0 {
			delete(b.views, l.query)
		}
	}
}

// fresh implements source.
func (b *lobby) fresh(l *listener) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.views[l.query]
	if v == nil {
		return nil
	}
	if _, ok := v.listeners[l]; !ok {
		return nil
	}
	b.update(v)
	l.sock.out.caughtUp(l)
	m, err := docsMessage(subjects.ChannelRooms, v.shown)
	if err != nil {
		b.srv.deps.Log.Error("documents not encoded", "err", err)
		return nil
	}
	return []message{m}
}
