package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/services/profile"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a store that counts what was inserted, and can be away or lose its answers.
type watched struct {
	store.Store
	inserted atomic.Int64 // inserts that succeeded
	tried    atomic.Int64
	away     atomic.Bool
	mute     atomic.Bool // does what it is told and does not answer
	coming   atomic.Int64
	met      chan struct{} // follows are written once so many have come to be; see gather
}

// gather has the next n follows wait for each other before they are written.
func (w *watched) gather(n int64) {
	w.met = make(chan struct{})
	w.coming.Store(n)
}

func (w *watched) meet() {
	switch n := w.coming.Add(-1); {
	case n > 0:
		<-w.met
	case n == 0:
		close(w.met)
	}
}

func (w *watched) Insert(ctx context.Context, table string, d store.Document) error {
	w.tried.Add(1)
	if w.away.Load() {
		return store.ErrUnavailable
	}
	if table == subjects.TableFollows {
		w.meet()
	}
	err := w.Store.Insert(ctx, table, d)
	if err == nil {
		w.inserted.Add(1)
	}
	if w.mute.Load() {
		return store.ErrUnavailable
	}
	return err
}

func (w *watched) Get(ctx context.Context, table, id string) (store.Document, error) {
	if w.away.Load() {
		return store.Document{}, store.ErrUnavailable
	}
	return w.Store.Get(ctx, table, id)
}

type deployment struct {
	bus   *bus.Bus
	store *watched
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	cfg := bus.Defaults()
	cfg.DataDir = t.TempDir()
	b, err := bus.Start(t.Context(), cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), profile.Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &deployment{bus: b, store: &watched{Store: s}}
}

func config() profile.Config {
	c := profile.Defaults()
	c.RetryMin, c.RetryMax, c.AckWait = 5*time.Millisecond, 50*time.Millisecond, time.Second
	return c
}

func (d *deployment) start(t *testing.T, cfg profile.Config) *profile.Service {
	t.Helper()
	s, err := profile.Start(t.Context(), profile.Deps{Bus: d.bus, Store: d.store, Log: slog.New(slog.DiscardHandler), Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// announce publishes an account as the accounts' feed does.
func (d *deployment) announce(t *testing.T, nickname string) subjects.Account {
	t.Helper()
	a := subjects.Account{ID: subjects.NewID(subjects.PrefixUser, time.Now()), Nickname: nickname, CreatedAt: 1772366400000}
	d.publish(t, a, 1)
	return a
}

func (d *deployment) publish(t *testing.T, a subjects.Account, rev uint64) {
	t.Helper()
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.bus.PutState(t.Context(), bus.Document{Table: subjects.TableAccounts, ID: a.ID, Version: bus.StateVersion{Rev: rev}, Body: body}); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](d *deployment, endpoint string, req any) (T, error) {
	var out T
	err := d.bus.Query(context.Background(), subjects.ServiceProfile, endpoint, req, &out)
	return out, err
}

func own(d *deployment, id string) (subjects.Profile, error) {
	return ask[subjects.Profile](d, subjects.ProfileGet, subjects.ProfileGetRequest{ID: id, Viewer: id})
}

func refused(t *testing.T, err error, want subjects.Code) {
	t.Helper()
	if got := subjects.CodeOf(err); got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestAnAccountGetsItsProfile(t *testing.T) {
	d := deploy(t)
	before := d.announce(t, "Early")
	d.start(t, config())
	after := d.announce(t, "Anna")
	for _, a := range []subjects.Account{before, after} {
		p, err := own(d, a.ID)
		want := subjects.Profile{
			ID: a.ID, Nickname: a.Nickname, CreatedAt: a.CreatedAt,
			Relations: subjects.VisibilityPublic, Heard: subjects.VisibilityPrivate, Rev: 1,
		}
		if err != nil || p != want {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	nobody := subjects.NewID(subjects.PrefixUser, time.Now())
	_, err := ask[subjects.Profile](d, subjects.ProfileGet, subjects.ProfileGetRequest{ID: nobody, Viewer: after.ID})
	refused(t, err, subjects.CodeNotFound)
	_, err = own(d, "anna")
	refused(t, err, subjects.CodeInvalid)
}

func TestOnesOwnProfileIsWaitedFor(t *testing.T) {
	d := deploy(t)
	cfg := config()
	d.start(t, cfg)
	a := subjects.Account{ID: subjects.NewID(subjects.PrefixUser, time.Now()), Nickname: "Anna"}
	done := make(chan error)
	go func() { _, err := own(d, a.ID); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("answered at once: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	d.publish(t, a, 1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_, err := own(d, subjects.NewID(subjects.PrefixUser, time.Now()))
	refused(t, err, subjects.CodeUnavailable)
}

// The message comes again after the write: the answer of the write was lost, the process
// stopped before it acknowledged, another replica got the message, the account was
// published again. There is one insert.
func TestAProfileIsCreatedOnce(t *testing.T) {
	d := deploy(t)
	d.store.mute.Store(true)
	s := d.start(t, config())
	a := d.announce(t, "Anna")
	eventually(t, "written, never answered, tried again", func() bool { return d.store.tried.Load() > 3 })
	s.Stop()
	d.store.mute.Store(false)
	text := "I was here"
	d.start(t, config())
	d.start(t, config())
	if _, err := ask[subjects.Profile](d, subjects.ProfileUpdate, subjects.ProfileUpdateRequest{UserID: a.ID, Bio: &text}); err != nil {
		t.Fatal(err)
	}
	d.publish(t, a, 2)
	last := d.announce(t, "Last") // behind all the others
	if _, err := own(d, last.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the redelivered message is done", func() bool { return d.store.tried.Load() >= 6 })
	eventually(t, "the account's later version is noted", func() bool {
		p, err := own(d, a.ID)
		return err == nil && p.Bio == text && p.Rev == 3
	})
	if n := d.store.inserted.Load(); n != 2 {
		t.Fatalf("%d inserts for two accounts", n)
	}
}

func TestAStoreThatIsAwayCostsNobodyTheirProfile(t *testing.T) {
	d := deploy(t)
	d.store.away.Store(true)
	d.start(t, config())
	var accounts []subjects.Account
	for i := range 20 {
		accounts = append(accounts, d.announce(t, fmt.Sprintf("n%d", i)))
	}
	_, err := own(d, accounts[0].ID)
	refused(t, err, subjects.CodeUnavailable)
	eventually(t, "tried again and again", func() bool { return d.store.tried.Load() > 5 })
	d.store.away.Store(false)
	for _, a := range accounts {
		if p, err := own(d, a.ID); err != nil || p.Nickname != a.Nickname {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if dlq, err := d.bus.StreamState(t.Context(), subjects.StreamDLQ); err != nil || dlq.Messages != 0 {
		t.Fatalf("%+v, %v", dlq, err)
	}
}

func TestWhatCannotBeReadGoesToTheDeadLettersAndStopsNobody(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	id := subjects.NewID(subjects.PrefixUser, time.Now())
	other := subjects.NewID(subjects.PrefixUser, time.Now())
	subject := subjects.State(subjects.TableAccounts, id)
	var want []string
	for _, garbage := range []string{
		"\x00\xff", `{"version":{"rev":1},"body":7}`, `{"version":{"rev":1}}`,
		`{"version":{"rev":1},"body":{"id":"` + other + `","nickname":"Anna"}}`, `{"version":{"rev":1},"body":{"id":"` + id + `"}}`,
	} {
		if err := d.bus.Put(t.Context(), subject, []byte(garbage)); err != nil {
			t.Fatal(err)
		}
		want = append(want, garbage)
		eventually(t, "buried: "+garbage, func() bool {
			dlq, err := d.bus.StreamState(t.Context(), subjects.StreamDLQ)
			return err == nil && dlq.Messages == uint64(len(want))
		})
	}
	if err := d.bus.Put(t.Context(), subject, []byte(`{"version":{"rev":9},"deleted":true}`)); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := d.bus.Read(t.Context(), subjects.StreamDLQ, subjects.DLQ(subjects.ServiceProfile), 1, func(e bus.Entry) error {
		got = append(got, string(e.Data))
		return nil
	})
	if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := own(d, d.announce(t, "Anna").ID); err != nil {
		t.Fatal(err)
	}
	if n := d.store.inserted.Load(); n != 1 {
		t.Fatalf("%d profiles", n)
	}
}

func TestChangesAreCheckedAndCompared(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	id := d.announce(t, "Anna").ID
	change := func(bio, avatar string, rev uint64) (subjects.Profile, error) {
		return ask[subjects.Profile](d, subjects.ProfileUpdate, subjects.ProfileUpdateRequest{UserID: id, Bio: &bio, AvatarURL: &avatar, Rev: rev})
	}
	p, err := change("  Plays the\r\nviola. ", "https://example.org/a b.png", 0)
	if err != nil || p.Bio != "Plays the\nviola." || p.AvatarURL != "https://example.org/a%20b.png" || p.Rev != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = change("x", "", 1)
	refused(t, err, subjects.CodeConflict)
	if p, err = change(p.Bio, p.AvatarURL, 2); err != nil || p.Rev != 2 {
		t.Fatalf("nothing changed: %+v, %v", p, err)
	}
	for _, bad := range []struct{ bio, avatar, field string }{
		{strings.Repeat("ä", 501), "", "bio"}, {"a\x00b", "", "bio"}, {"a\x1b[31m", "", "bio"},
		{"", "javascript:alert(1)", "avatarUrl"}, {"", "ftp://example.org/x", "avatarUrl"}, {"", "https://", "avatarUrl"},
		{"", "//example.org/x", "avatarUrl"}, {"", "https://anna:horse@example.org/", "avatarUrl"},
		{"", "https://example.org/" + strings.Repeat("x", 2048), "avatarUrl"}, {"", "https://example.org/" + strings.Repeat(" ", 1000) + "x", "avatarUrl"},
	} {
		_, err := change(bad.bio, bad.avatar, 0)
		var r *subjects.Refusal
		if !errors.As(err, &r) || r.Code != subjects.CodeInvalid || r.Field != bad.field {
			t.Errorf("%.30q %.30q: %v", bad.bio, bad.avatar, err)
		}
	}
	only := "https://example.org/only.png"
	p, err = ask[subjects.Profile](d, subjects.ProfileUpdate, subjects.ProfileUpdateRequest{UserID: id, AvatarURL: &only, Rev: 2})
	if err != nil || p.Bio != "Plays the\nviola." || p.AvatarURL != only || p.Rev != 3 {
		t.Fatalf("what is not named stays: %+v, %v", p, err)
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			switch _, err := change(fmt.Sprint(i), "", 3); subjects.CodeOf(err) {
			case "":
				won.Add(1)
			case subjects.CodeConflict:
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of those who saw rev 3 changed it", won.Load())
	}
}

func TestABatchHoldsWhatThereIs(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	a, b := d.announce(t, "Anna"), d.announce(t, "Bert")
	for _, id := range []string{a.ID, b.ID} {
		if _, err := own(d, id); err != nil {
			t.Fatal(err)
		}
	}
	nobody := subjects.NewID(subjects.PrefixUser, time.Now())
	out, err := ask[subjects.ProfileBatchAnswer](d, subjects.ProfileBatch, subjects.ProfileBatchRequest{IDs: []string{b.ID, nobody, a.ID, b.ID}})
	if err != nil || len(out.Profiles) != 2 || out.Profiles[0].ID != b.ID || out.Profiles[1].ID != a.ID {
		t.Fatalf("%+v, %v", out, err)
	}
	raw, err := ask[json.RawMessage](d, subjects.ProfileBatch, subjects.ProfileBatchRequest{})
	if err != nil || string(raw) != `{"profiles":[]}` {
		t.Fatalf("%s, %v", raw, err)
	}
	_, err = ask[json.RawMessage](d, subjects.ProfileBatch, subjects.ProfileBatchRequest{IDs: make([]string, 101)})
	refused(t, err, subjects.CodeTooLarge)
	_, err = ask[json.RawMessage](d, subjects.ProfileBatch, subjects.ProfileBatchRequest{IDs: []string{"anna"}})
	refused(t, err, subjects.CodeInvalid)
	for _, garbage := range []any{7, "x", []int{}, map[string]any{"ids": 7}} {
		_, err = ask[json.RawMessage](d, subjects.ProfileBatch, garbage)
		refused(t, err, subjects.CodeInvalid)
	}
}

func TestThePublicProfileSaysNoMore(t *testing.T) {
	got, ok := profile.Public(store.Document{ID: "user_1", Version: store.Version{Rev: 3}, Body: json.RawMessage(
		`{"nickname":"Anna","bio":"b","avatarUrl":"u","createdAt":7,"more":"later","nicknameKey":"anna","account":9,"relations":"private"}`)})
	if want := `{"id":"user_1","nickname":"Anna","bio":"b","avatarUrl":"u","createdAt":7,"relations":"private","heard":"private","rev":3}`; !ok || string(got) != want {
		t.Fatalf("%s, %t", got, ok)
	}
	if _, ok := profile.Public(store.Document{ID: "user_1", Deleted: true}); ok {
		t.Fatal("a deleted profile is published")
	}
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	if err := profile.Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	err := profile.Deps{Config: profile.Config{Patience: -1, AckWait: -1}}.Validate()
	for _, word := range []string{"bus", "store", "log", "patience", "retry", "ack wait", "in flight"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not speak of %q", err, word)
		}
	}
}
