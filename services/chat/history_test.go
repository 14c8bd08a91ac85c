package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// meteredStore counts the documents that are read.
type meteredStore struct {
	store.Store
	reads int
}

func (s *meteredStore) Get(ctx context.Context, table, id string) (store.Document, error) {
	s.reads++
	return s.Store.Get(ctx, table, id)
}

// meteredLog counts how often the log is read; with deaf it cannot be.
type meteredLog struct {
	aggregate.Journal
	reads int
	deaf  bool
}

func (l *meteredLog) Read(ctx context.Context, id string, from uint64, f func(aggregate.Entry) error) error {
	if l.reads++; l.deaf {
		return store.ErrUnavailable
	}
	return l.Journal.Read(ctx, id, from, f)
}

// process is an archive of its own, as another replica has it.
type process struct {
	*Archive
	store meteredStore
	log   meteredLog
}

func newProcess(t *testing.T, w *world, st store.Store) *process {
	t.Helper()
	p := &process{store: meteredStore{Store: st}, log: meteredLog{Journal: paperLog{w: w}}}
	var err error
	if p.Archive, err = NewArchive(&p.log, &p.store); err != nil {
		t.Fatal(err)
	}
	return p
}

// cost answers the first page of a world's history, and tells what that read of the store and
// of the log.
func (p *process) cost(t *testing.T, w *world) (page *subjects.ChatHistoryPage, docs, logs int) {
	t.Helper()
	docs, logs = p.store.reads, p.log.reads
	page, err := pages(w, p.Archive, body{"chat": w.id, "viewer": user("cleo"), "before": w.all()[1].ID})
	if err != nil || len(page.Messages) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	return page, p.store.reads - docs, p.log.reads - logs
}

// What was deleted is not shown from the moment that the chat's state has it so, however far
// behind whoever writes the history is; and that costs next to nothing where it is not.
func TestPagesDoNotShowWhatIsDeleted(t *testing.T) {
	w, st := open(t, true), openStore(t)
	rude := w.says("ben", "RUDE")
	for i := range 60 {
		w.says("mo", fmt.Sprint(i))
	}
	writer, reader := newProcess(t, w, st), newProcess(t, w, st)
	catchUp := func() {
		t.Helper()
		if err := writer.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
			t.Fatal(err)
		}
	}
	costs := func(p *process, docs, logs int, text string) {
		t.Helper()
		page, d, l := p.cost(t, w)
		if page.Messages[0].Text != text || d != docs || l != logs {
			t.Errorf("%q for %d documents, the log read %d times; want %q for %d and %d", page.Messages[0].Text, d, l, text, docs, logs)
		}
	}
	catchUp()
	costs(writer, 1, 0, "RUDE")
	costs(reader, 2, 0, "RUDE") // the mark too
	costs(reader, 1, 0, "RUDE")
	w.says("mo", "more")
	catchUp()
	costs(reader, 2, 0, "RUDE")
	w.ok("mo", "delete", body{"message": rude}) // answered, and not written
	if page, _, logs := reader.cost(t, w); page.Messages[0].Text != "" || !page.Messages[0].Deleted || logs != 1 {
		t.Errorf("%+v, the log read %d times", page.Messages[0], logs)
	}
	costs(reader, 1, 0, "")
	costs(writer, 2, 0, "") // what another has written it need not
	catchUp()
	costs(newProcess(t, w, st), 2, 0, "")

	w.says("mo", "again")
	reader.log.deaf = true
	if page, err := pages(w, reader.Archive, body{"chat": w.id, "viewer": user("cleo"), "before": w.all()[1].ID}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%+v, %v", page, err)
	}
	reader.log.deaf = false
	costs(reader, 1+1+1, 1, "") // the mark, what is appended to, the page
}

// Messages that a log has lost are not shown, nor those that an older fold has written.
func TestPagesAreOfTheLogThatThereIs(t *testing.T) {
	w, st := open(t, true), openStore(t)
	p := newProcess(t, w, st)
	for i := range 120 {
		w.says("mo", fmt.Sprint("lost", i))
	}
	if err := p.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	again := open(t, true)
	w.s, w.log, w.past, w.doc = again.s, again.log, again.past, again.doc
	for i := range 130 {
		w.says("ben", fmt.Sprint("anew", i))
	}
	for i := range w.log {
		w.log[i].Epoch = 2
	}
	if _, err := p.Range(t.Context(), w.id, 2, 1, 10); !errors.Is(err, ErrBehind) {
		t.Errorf("of the log that was lost: %v", err)
	}
	p.log.deaf = true
	ask := body{"chat": w.id, "viewer": user("cleo"), "before": w.all()[60].ID}
	if page, err := pages(w, p.Archive, ask); err == nil {
		t.Errorf("%+v", page)
	}
	p.log.deaf = false
	page, err := pages(w, p.Archive, ask)
	if err != nil || len(page.Messages) != subjects.ChatPage {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, m := range page.Messages {
		if !strings.HasPrefix(m.Text, "anew") {
			t.Errorf("%+v", m)
		}
	}

	// While a newer release writes the history, this one shows it as far as it is known to go.
	raw, err := json.Marshal(mark{Chat: w.id, Seq: paperLog{w: w}.head()})
	if err != nil {
		t.Fatal(err)
	}
	newer := store.Document{ID: markID(w.id), Version: store.Version{Epoch: 2, Fold: foldVersion + 1, Rev: uint64(len(w.log))}, Body: raw}
	if err := st.Put(t.Context(), subjects.TableChatHistory, newer); err != nil {
		t.Fatal(err)
	}
	other := newProcess(t, w, st)
	if _, err := pages(w, other.Archive, ask); err != nil {
		t.Error(err)
	}
	w.says("ben", "more")
	w.log[len(w.log)-1].Epoch = 2
	if page, err := pages(w, other.Archive, ask); !errors.Is(err, ErrBehind) {
		t.Errorf("%+v, %v", page, err)
	}
}
