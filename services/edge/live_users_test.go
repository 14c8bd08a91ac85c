package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Hear implements Lists for tests that follow no users.
func (w *world) Hear(ctx context.Context, _ string, _ func(string, json.RawMessage), begun func()) error {
	begun()
	<-ctx.Done()
	return nil
}

// profiles is what keeps profiles, and tells of those that change.
type profiles struct {
	*world
	heard   chan struct{} // closed when they are heard
	mu      sync.Mutex
	kept    map[string]subjects.Profile
	changed func(string, json.RawMessage)
	begun   func()
	asks    int
	failing error
	// answering is called before an answer is given, without the lock.
	answering func()
}

func newProfiles(w *world) *profiles {
	p := &profiles{world: w, heard: make(chan struct{}), kept: map[string]subjects.Profile{}}
	w.query = func(_ context.Context, service, endpoint string, in any) (any, error) {
		req, ok := in.(subjects.ProfileBatchRequest)
		if !ok || service != subjects.ServiceProfile {
			return nil, fmt.Errorf("asked for %s.%s", service, endpoint)
		}
		return p.batch(req)
	}
	return p
}

func (p *profiles) batch(req subjects.ProfileBatchRequest) (any, error) {
	p.mu.Lock()
	p.asks++
	err, answering := p.failing, p.answering
	out := subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{}}
	for _, id := range req.IDs {
		if k, ok := p.kept[id]; ok {
			out.Profiles = append(out.Profiles, k)
		}
	}
	p.mu.Unlock()
	if answering != nil {
		answering()
	}
	return out, err
}

// Hear implements Lists.
func (p *profiles) Hear(ctx context.Context, table string, changed func(string, json.RawMessage), begun func()) error {
	if table != subjects.TableProfiles {
		return fmt.Errorf("heard %s", table)
	}
	p.mu.Lock()
	p.changed, p.begun = changed, begun
	p.mu.Unlock()
	begun()
	close(p.heard)
	<-ctx.Done()
	return nil
}

// keep has somebody be known by a nickname; they are told of unless quiet.
func (p *profiles) keep(t testing.TB, id, nickname string, quiet bool) subjects.Profile {
	t.Helper()
	p.mu.Lock()
	k := subjects.Profile{ID: id, Nickname: nickname, Rev: p.kept[id].Rev + 1}
	p.kept[id] = k
	p.mu.Unlock()
	if !quiet {
		p.tell(t, k)
	}
	return k
}

func (p *profiles) tell(t testing.TB, k subjects.Profile) {
	t.Helper()
	body, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	<-p.heard
	p.changed(k.ID, body)
}

func (p *profiles) start(t testing.TB) *Server {
	t.Helper()
	deps := p.deps()
	deps.Lists = p
	s, err := Start(t.Context(), unlimited(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func somebody(i int) string {
	return subjects.DeriveID(subjects.PrefixUser, noon, fmt.Sprint("somebody", i))
}

func (w *wire) users(ids ...string) subjects.ServerFrame {
	w.t.Helper()
	w.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelUsers, IDs: ids})
	return w.next("")
}

// named reads the next doc and wants it to be of a user and a nickname; "" for none.
func (w *wire) named(id, nickname string) {
	w.t.Helper()
	f := w.next(subjects.FrameDoc)
	var p subjects.Profile
	if len(f.Doc) > 0 {
		if err := json.Unmarshal(f.Doc, &p); err != nil {
			w.t.Fatal(err)
		}
	}
	if f.Channel != subjects.ChannelUsers || f.DocID != id || p.Nickname != nickname {
		w.t.Fatalf("got %+v, want %s to be %q", f, id, nickname)
	}
}

// quiet fails if anything came before the answer to a ping.
func (w *wire) quiet() {
	w.t.Helper()
	w.send(subjects.ClientFrame{Type: subjects.FramePing})
	w.next(subjects.FramePong)
}

// Whoever follows users is shown their profiles, and what becomes of them: of those they
// follow now, and nobody else's.
func TestUsersAreFollowed(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	p.keep(t, ada, "Ada", true)
	p.keep(t, bob, "Bob", true)
	guest, user := s.open(t, ""), s.open(t, bob)
	for _, c := range []*wire{guest, user} {
		f := c.users(ada, somebody(1), ada)
		if f.Type != subjects.FrameDocs || len(f.Docs) != 1 || !strings.Contains(string(f.Docs[ada]), `"nickname":"Ada"`) {
			t.Fatalf("%+v", f)
		}
	}
	p.keep(t, ada, "Countess", false)
	p.keep(t, bob, "Bobby", false) // of no concern
	p.keep(t, somebody(1), "New", false)
	for _, c := range []*wire{guest, user} {
		c.named(ada, "Countess")
		c.named(somebody(1), "New")
		c.quiet()
	}
	if f := guest.users(bob); len(f.Docs) != 1 || f.Docs[bob] == nil {
		t.Fatalf("%+v", f)
	}
	p.keep(t, ada, "Lady", false)
	p.keep(t, bob, "Robert", false)
	guest.named(bob, "Robert") // the first sub's users are followed no more
	user.named(ada, "Lady")
	user.send(subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: subjects.ChannelUsers})
	user.next(subjects.FrameOK)
	p.keep(t, ada, "Ada", false)
	user.quiet()
	_, _ = guest.conn.Close(), user.conn.Close()
	wait(t, "nothing is kept of who is followed no more", func() bool {
		s.users.mu.Lock()
		defer s.users.mu.Unlock()
		return len(s.users.people)+len(s.users.stale)+len(s.users.looks)+s.users.pairs == 0
	})
}

// A change that is told while the profiles are read, before or after it was in what is
// read, is shown once and never undone.
func TestNothingOfAUserIsMissedOrUndone(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	old := p.keep(t, ada, "Old", true)
	var once sync.Once
	p.answering = func() { // the answer holds Old, and says that there is no Bob
		once.Do(func() {
			p.keep(t, ada, "New", false)
			p.keep(t, bob, "Bob", false)
		})
	}
	c := s.open(t, "")
	f := c.users(ada, bob)
	if !strings.Contains(string(f.Docs[ada]), "New") || !strings.Contains(string(f.Docs[bob]), "Bob") {
		t.Fatalf("%s", f.Docs)
	}
	wait(t, "all is read", func() bool {
		s.users.mu.Lock()
		defer s.users.mu.Unlock()
		return len(s.users.stale) == 0
	})
	c.quiet()
	p.tell(t, old) // it comes late
	p.tell(t, p.kept[ada])
	c.quiet()
	p.keep(t, ada, "Newer", false)
	c.named(ada, "Newer")
}

// What changed while nothing was heard shows when something is heard again, also if the
// profiles were being read just then.
func TestUsersAfterALoss(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	p.keep(t, ada, "Ada", true)
	p.keep(t, bob, "Bob", true)
	c := s.open(t, "")
	c.users(ada, bob)
	p.keep(t, ada, "Countess", true) // not heard
	p.mu.Lock()
	delete(p.kept, bob)
	p.mu.Unlock()
	p.begun()
	got := map[string]int{}
	for range 2 {
		f := c.next(subjects.FrameDoc)
		got[f.DocID] = len(f.Doc)
	}
	if got[ada] == 0 || got[bob] != 0 || len(got) != 2 {
		t.Fatalf("%v", got)
	}
	var once sync.Once
	p.mu.Lock()
	p.answering = func() {
		once.Do(func() { p.keep(t, ada, "Lady", true); p.begun() }) // the answer under way is old
	}
	p.mu.Unlock()
	p.begun()
	c.named(ada, "Lady")
	c.quiet()
	p.mu.Lock()
	delete(p.kept, ada)
	p.mu.Unlock()
	p.changed(ada, nil) // it went
	c.named(ada, "")
}

// Where profiles cannot be read the sub is refused and follows nothing; who was shown them
// already keeps them and is told when they can be read again.
func TestUsersThatCannotBeRead(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	p.keep(t, ada, "Ada", true)
	shown, late := s.open(t, ""), s.open(t, "")
	shown.users(ada)
	p.mu.Lock()
	p.failing = bus.ErrUnavailable
	p.mu.Unlock()
	if f := late.users(ada, bob); f.Type != subjects.FrameErr || f.Refusal.Code != subjects.CodeUnavailable || !f.Retry {
		t.Fatalf("%+v", f)
	}
	p.keep(t, ada, "Countess", true)
	p.begun()
	wait(t, "it was tried", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.asks > 2 })
	p.mu.Lock()
	p.failing = nil
	p.mu.Unlock()
	shown.named(ada, "Countess")
	late.quiet()
	if f := late.users(ada, bob); f.Type != subjects.FrameDocs || len(f.Docs) != 1 {
		t.Fatalf("%+v", f)
	}
}

// Many profiles are asked for in as few questions as there may be, and those that are here
// already are not asked for again.
func TestUsersAreAskedForTogether(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	var ids []string
	for i := range subjects.MaxUsersFollowed {
		ids = append(ids, somebody(i))
		p.keep(t, ids[i], fmt.Sprint("n", i), true)
	}
	one, two := s.open(t, ""), s.open(t, "")
	if f := one.users(ids...); len(f.Docs) != len(ids) {
		t.Fatalf("%d documents", len(f.Docs))
	}
	p.mu.Lock()
	asks := p.asks
	p.mu.Unlock()
	if want := len(ids) / subjects.MaxProfileBatch; asks != want {
		t.Errorf("asked %d times, want %d", asks, want)
	}
	if f := two.users(ids[7:]...); len(f.Docs) != len(ids)-7 {
		t.Fatalf("%d documents", len(f.Docs))
	}
	p.mu.Lock()
	again := p.asks
	p.mu.Unlock()
	if again != asks {
		t.Errorf("asked again, %d times", again-asks)
	}
	for _, bad := range [][]string{nil, {"ada"}, append(ids, ada)} {
		if f := one.users(bad...); f.Type != subjects.FrameErr || f.Refusal.Field != "ids" {
			t.Errorf("%d users: %+v", len(bad), f)
		}
	}
}

// An edge follows so many and no more, and has room again when somebody leaves.
func TestUsersAreBounded(t *testing.T) {
	p := newProfiles(newWorld())
	s := p.start(t)
	one, two := s.open(t, ""), s.open(t, "")
	one.users(ada, bob)
	s.users.mu.Lock()
	s.users.pairs += usersMost - 3
	s.users.mu.Unlock()
	if f := two.users(ada, bob); f.Type != subjects.FrameErr || f.Refusal.Code != subjects.CodeBusy {
		t.Fatalf("%+v", f)
	}
	one.send(subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: subjects.ChannelUsers})
	one.next(subjects.FrameOK)
	if f := two.users(ada, bob); f.Type != subjects.FrameDocs {
		t.Fatalf("%+v", f)
	}
}

// A sub whose answer does not come in time is refused, and leaves nothing behind.
func TestUsersThatDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProfiles(newWorld())
		answer := make(chan struct{})
		p.answering = func() { <-answer }
		s := &Server{cfg: unlimited(), deps: p.deps(), metrics: newMetrics(nil, nil, nil)}
		s.deps.Lists = p
		s.users = newUsers(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.users.join(ctx, &listener{channel: subjects.ChannelUsers}, []string{ada})
		if subjects.CodeOf(err) != subjects.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		close(answer)
		synctest.Wait()
		if n := len(s.users.looks) + len(s.users.people) + len(s.users.stale) + s.users.pairs; n != 0 {
			t.Errorf("%d are kept", n)
		}
		s.users.close()
	})
}
