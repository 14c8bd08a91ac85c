package chat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// town is a running chat service, and the log of a room that the test writes.
type town struct {
	t       testing.TB
	bus     *bus.Bus
	store   *tallied
	service *chat.Service
	options aggregate.Options
	chats   aggregate.Journal
	rooms   aggregate.Journal
	lists   aggregate.Journal
	id      string
	rev     uint64
	seq     uint64
}

type body map[string]any

func user(name string) string {
	return subjects.DeriveID(subjects.PrefixUser, time.UnixMilli(1), name)
}

// tallied counts what is read by key, and its bytes.
type tallied struct {
	store.Store
	reads, bytes atomic.Int64
}

func (s *tallied) Get(ctx context.Context, table, id string) (store.Document, error) {
	d, err := s.Store.Get(ctx, table, id)
	s.reads.Add(1)
	s.bytes.Add(int64(len(d.Body)))
	return d, err
}

func startTown(t testing.TB) *town {
	t.Helper()
	return startTownWith(t, aggregate.Options{})
}

func startTownWith(t testing.TB, options aggregate.Options) *town {
	t.Helper()
	cfg := bus.Defaults()
	cfg.Partitions, cfg.DataDir = 4, t.TempDir()
	b, err := bus.Start(t.Context(), cfg, []string{subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "chats.db"), chat.Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &town{
		t: t, bus: b, store: &tallied{Store: st}, id: subjects.NewID(subjects.PrefixRoom, time.Now()),
		chats: aggregate.NewJournal(b, subjects.ServiceChat), rooms: aggregate.NewJournal(b, subjects.ServiceRoom),
		lists: aggregate.NewJournal(b, subjects.ServicePlaylist),
	}
	w.options = options
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *town) start() {
	w.t.Helper()
	s, err := chat.Start(w.t.Context(), chat.Deps{
		Bus: w.bus, Store: w.store, Log: slog.New(slog.DiscardHandler), Replica: subjects.NewID("node", time.Now()),
		Options: w.options,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.service = s
}

func (w *town) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if w.service == nil {
		return
	}
	if err := w.service.Stop(ctx); err != nil {
		w.t.Error(err)
	}
	w.service = nil
}

// happens commits events to the room's log. A sealed one is sealed to the platform.
func (w *town) happens(events ...subjects.RoomEvent) {
	w.t.Helper()
	occur(w, w.rooms, events)
}

// edited commits events to the playlist's log.
func (w *town) edited(events ...subjects.PlaylistEvent) {
	w.t.Helper()
	occur(w, w.lists, events)
}

func occur[E interface{ EventType() string }](w *town, log aggregate.Journal, events []E) {
	w.t.Helper()
	w.rev++
	now := time.Now()
	c := subjects.Commit{Epoch: 1, Rev: w.rev, At: now.UnixMilli()}
	for _, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		ev := subjects.Event{Type: e.EventType(), By: user("ana"), At: c.At, Cmd: subjects.NewID(subjects.PrefixCommand, now), Body: raw}
		switch any(e).(type) {
		case *subjects.InvitationSent, *subjects.UserBanned, *subjects.PlaylistInvited, *subjects.PlaylistUninvited, *subjects.PlaylistDeclined,
			*subjects.PlaylistAdmitted:
			c.Sealed = append(c.Sealed, subjects.Sealed{To: []string{subjects.AudienceService}, Event: ev})
		default:
			c.Public.Events = append(c.Public.Events, ev)
		}
	}
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.seq, err = log.Append(w.t.Context(), w.id, data, w.seq); err != nil {
		w.t.Fatal(err)
	}
}

// open opens a room of ana's with mo, a moderator, and members.
func (w *town) open(public bool, members ...string) {
	w.t.Helper()
	events := []subjects.RoomEvent{
		&subjects.RoomCreated{
			Kind: subjects.KindVote, Name: "Friday", Creator: user("ana"),
			Options: subjects.RoomOptions{Open: public}, Table: subjects.GrantTable,
		},
		&subjects.MemberJoined{User: user("ana"), Role: subjects.RoleCreator},
		&subjects.MemberJoined{User: user("mo"), Role: subjects.RoleModerator},
	}
	for _, m := range members {
		events = append(events, &subjects.MemberJoined{User: user(m), Role: subjects.RoleMember})
	}
	w.happens(events...)
}

// ask lets somebody use a verb, and gives the refusal, if any.
func (w *town) ask(name, verb string, b any) error {
	w.t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		a, err := w.bus.Ask(w.t.Context(), subjects.Command{Service: subjects.ServiceChat, ID: w.id, Verb: verb, Principal: user(name)},
			subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: raw})
		if err == nil {
			err = a.Err()
		}
		if code := subjects.CodeOf(err); err == nil || code != subjects.CodeInternal && code.Final() {
			return err
		}
		if w.t.Context().Err() != nil {
			w.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *town) no(code subjects.Code, name, verb string, b any) {
	w.t.Helper()
	if err := w.ask(name, verb, b); subjects.CodeOf(err) != code {
		w.t.Errorf("%s %s: %v, want %s", name, verb, err, code)
	}
}

func (w *town) ok(name, verb string, b any) {
	w.t.Helper()
	if err := w.ask(name, verb, b); err != nil {
		w.t.Fatalf("%s %s: %v", name, verb, err)
	}
}

func (w *town) history(req subjects.ChatHistory) (subjects.ChatHistoryPage, error) {
	var page subjects.ChatHistoryPage
	req.Chat = w.id
	err := w.bus.Query(w.t.Context(), subjects.ServiceChat, subjects.QueryChatHistory, req, &page)
	return page, err
}

func (w *town) page(req subjects.ChatHistory) subjects.ChatHistoryPage {
	w.t.Helper()
	page, err := w.history(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return page
}

// eventually waits until ok is true: the history follows the log.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}

// archived waits until the whole log is in the history.
func (w *town) archived() {
	w.t.Helper()
	eventually(w.t, "the history is up to the log", func() bool {
		head, err := w.chats.Head(w.t.Context(), w.id)
		if err != nil {
			return false
		}
		c, err := subjects.DecodeCommit(head.Data)
		if err != nil {
			return false
		}
		doc, err := w.store.Get(w.t.Context(), subjects.TableChatHistory, w.id+".mark")
		return err == nil && doc.Version.Rev >= c.Rev
	})
}

func (w *town) state() *subjects.ChatState {
	w.t.Helper()
	f, err := aggregate.Load(w.t.Context(), w.chats, chat.Fold{}, w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return f.State
}

// everywhere gives all that is kept of the chat but its log: the document, the state, the
// snapshot and the documents in the store.
func (w *town) everywhere() []byte {
	w.t.Helper()
	s := w.state()
	out, err := json.Marshal(&s.Chat)
	if err != nil {
		w.t.Fatal(err)
	}
	state, err := subjects.EncodeChatState(s)
	if err != nil {
		w.t.Fatal(err)
	}
	snapshot, err := w.chats.LoadSnapshot(w.t.Context(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	out = append(append(out, state...), snapshot...)
	for _, table := range []string{subjects.TableChats, subjects.TableChatHistory} {
		for d, err := range store.All(w.t.Context(), w.store, table, store.Query{}) {
			if err != nil {
				w.t.Fatal(err)
			}
			out = append(out, d.Body...)
		}
	}
	return out
}

func TestEverySenderIsRefusedForAReason(t *testing.T) {
	w := startTown(t)
	w.no(subjects.CodeNotFound, "ana", "send", body{"text": "before there is a room"})
	w.open(true, "ben", "cleo", "dan", "eve")
	w.no(subjects.CodeNotMember, "zoe", "send", body{"text": "before the chat is there"})
	w.ok("ben", "send", body{"text": "hello"}) // at once: the chat waits until it has heard
	w.no(subjects.CodeNotMember, "zoe", "send", body{"text": "hi"})
	w.no(subjects.CodeTooLarge, "ben", "send", body{"text": string(bytes.Repeat([]byte("x"), 1001))})
	w.ok("mo", "mute", body{"user": user("cleo")})
	w.no(subjects.CodeMuted, "cleo", "send", body{"text": "hi"})
	w.happens(&subjects.MemberLeft{User: user("dan"), Reason: subjects.LeftBanned}, &subjects.UserBanned{User: user("dan")})
	eventually(t, "the chat hears of the ban", func() bool { return w.state().Banned(user("dan")) })
	w.no(subjects.CodeBanned, "dan", "send", body{"text": "hi"})
	w.ok("mo", "setSlowMode", body{"seconds": 60})
	w.ok("ben", "send", body{"text": "one"})
	w.no(subjects.CodeTooFast, "ben", "send", body{"text": "two"})
	w.ok("mo", "shadowMute", body{"user": user("eve")})
	w.ok("eve", "send", body{"text": "SEALED"})
	w.no(subjects.CodeTooFast, "eve", "send", body{"text": "SEALED too"})
	for who, want := range map[string]int{"eve": 3, "ben": 2, "mo": 2} {
		if page := w.page(subjects.ChatHistory{Viewer: user(who)}); len(page.Messages) != want {
			t.Errorf("%s sees %+v", who, page.Messages)
		}
	}
	if page := w.page(subjects.ChatHistory{}); len(page.Messages) != 2 { // an open room: everybody
		t.Errorf("a guest sees %+v", page.Messages)
	}
	w.happens(&subjects.RoomClosed{Reason: subjects.ClosedByRequest})
	eventually(t, "the chat closes", func() bool { return subjects.CodeOf(w.ask("ana", "send", body{"text": "x"})) == subjects.CodeClosed })
}

func TestAPrivateChatIsNotThere(t *testing.T) {
	w := startTown(t)
	w.open(false, "ben")
	w.happens(&subjects.InvitationSent{User: user("ida")})
	w.ok("ben", "send", body{"text": "hello"})
	eventually(t, "the chat hears of the invitation", func() bool { _, err := w.history(subjects.ChatHistory{Viewer: user("ida")}); return err == nil })
	_, hidden := w.history(subjects.ChatHistory{Viewer: user("zoe")})
	_, nobody := w.history(subjects.ChatHistory{})
	w.id = subjects.NewID(subjects.PrefixRoom, time.Now())
	_, missing := w.history(subjects.ChatHistory{Viewer: user("zoe")})
	for _, err := range []error{hidden, nobody, missing} {
		if subjects.CodeOf(err) != subjects.CodeNotFound || err.Error() != missing.Error() {
			t.Errorf("%v and %v", err, missing)
		}
	}
}

// What a moderator deletes is gone from the document, the history, the state and the snapshot,
// on the last page and off it, and stays gone when everything is rebuilt.
func TestADeletedMessageIsGone(t *testing.T) {
	w := startTownWith(t, aggregate.Options{SnapshotEvery: 5})
	w.open(true, "ben")
	w.ok("ben", "send", body{"text": "RUDE old"})
	old := w.page(subjects.ChatHistory{}).Messages[0].ID
	for i := range 60 {
		w.ok("ana", "send", body{"text": fmt.Sprint(i)})
	}
	w.ok("ben", "send", body{"text": "RUDE new"})
	last := w.page(subjects.ChatHistory{Limit: 1}).Messages[0].ID
	w.archived()
	for range 4 { // the snapshot with the text may be on its way
		w.ok("ana", "react", body{"message": last, "reaction": "like"})
		w.ok("ana", "unreact", body{"message": last, "reaction": "like"})
	}
	eventually(t, "the text is in a snapshot", func() bool {
		s, err := w.chats.LoadSnapshot(t.Context(), w.id)
		return err == nil && bytes.Contains(s, []byte("RUDE new"))
	})
	if n := bytes.Count(w.everywhere(), []byte("RUDE")); n < 4 {
		t.Fatalf("found %d times: nothing would be tested", n)
	}
	w.ok("mo", "delete", body{"message": old})
	w.ok("mo", "delete", body{"message": last})
	w.archived()
	eventually(t, "a snapshot without the text", func() bool {
		s, err := w.chats.LoadSnapshot(t.Context(), w.id)
		return err == nil && !bytes.Contains(s, []byte("RUDE"))
	})
	gone := func() {
		t.Helper()
		if all := w.everywhere(); bytes.Contains(all, []byte("RUDE")) {
			t.Fatalf("still there: %s", all)
		}
		for i, m := range append(w.page(subjects.ChatHistory{Limit: 1}).Messages, w.page(subjects.ChatHistory{Limit: 1, Before: w.second(old)}).Messages...) {
			if !m.Deleted || m.Text != "" || m.ID != []string{last, old}[i] {
				t.Fatalf("%+v", m)
			}
		}
	}
	gone()
	w.stop()
	for _, drop := range []bool{false, true} {
		if r, err := chat.Rebuild(t.Context(), w.bus, w.store, projection.RebuildOptions{Drop: drop}); err != nil || r.BrokenCount > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	w.start()
	gone()
}

// second gives the id of the message after one.
func (w *town) second(id string) string {
	w.t.Helper()
	return w.page(subjects.ChatHistory{After: id, Limit: 1}).Messages[0].ID
}
