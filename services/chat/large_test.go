package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

const (
	manyMessages = 100_000
	manySenders  = 256
)

// counted counts the commits that are read.
type counted struct {
	aggregate.Journal
	n int
}

func (c *counted) Read(ctx context.Context, id string, from uint64, f func(aggregate.Entry) error) error {
	return c.Journal.Read(ctx, id, from, func(e aggregate.Entry) error { c.n++; return f(e) })
}

// A chat of 100,000 messages: any page comes as fast as the first, joining reads the end of
// the log only, and what is kept of the chat in memory does not grow with it.
func TestAHundredThousandMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 100,000 messages")
	}
	w := startTown(t)
	names := make([]string, manySenders)
	for i := range names {
		names[i] = fmt.Sprint("u", i)
	}
	w.open(true, names...)
	w.ok("u0", "send", body{"text": "the first"})

	var sent atomic.Int64
	sent.Store(1)
	flood := func(until int64) {
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() {
				for n := sent.Add(1); n <= until; n = sent.Add(1) {
					raw, _ := json.Marshal(body{"text": fmt.Sprintf("message %d of many, about as long as what people say", n)})
					a, err := w.bus.Ask(t.Context(), subjects.Command{Service: subjects.ServiceChat, ID: w.id, Verb: "send", Principal: user(name)},
						subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: raw})
					if err == nil {
						err = a.Err()
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		sent.Store(until)
		w.archived()
	}
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	begin := time.Now()
	flood(manyMessages / 2)
	half := heap()
	flood(manyMessages)
	grown := heap() - half
	t.Logf("%d messages sent and archived in %v", manyMessages, time.Since(begin))
	if t.Failed() {
		return
	}

	log := &counted{Journal: w.chats}
	f, err := aggregate.Load(t.Context(), log, chat.Fold{}, w.id)
	if err != nil {
		t.Fatal(err)
	}
	state, err := subjects.EncodeChatState(f.State)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := w.chats.LoadSnapshot(t.Context(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("joining reads %d of %d commits; the state has %d bytes, the snapshot %d; the heap grew by %d KiB over the second half",
		log.n, f.Rev, len(state), len(snapshot), grown>>10)
	if f.State.Chat.Total != manyMessages || len(f.State.Chat.Messages) != subjects.ChatPage {
		t.Fatalf("%d messages, %d on the page", f.State.Chat.Total, len(f.State.Chat.Messages))
	}
	if log.n > 450 || uint64(log.n) >= f.Rev/2 {
		t.Errorf("joining reads %d commits of %d", log.n, f.Rev)
	}
	if len(state) > 128<<10 {
		t.Errorf("the state has %d bytes", len(state))
	}
	if grown > 24<<20 {
		t.Errorf("the heap grew by %d KiB with the second half of the messages", grown>>10)
	}
	pagesAlike(t, w)
	everyMessageOnce(t, w)
}

// pagesAlike compares how long pages at the beginning, in the middle and near the end of
// the history take, in turns, so that what else goes on falls on all alike.
func pagesAlike(t *testing.T, w *town) {
	t.Helper()
	places := []int64{60, manyMessages / 2, manyMessages - 200}
	at := make([]string, len(places))
	for i, place := range places {
		e := w.at(place)
		at[i] = e.ID
	}
	took := make([][]time.Duration, len(places))
	for range 60 {
		for i, id := range at {
			begin := time.Now()
			page := w.page(subjects.ChatHistory{Before: id})
			took[i] = append(took[i], time.Since(begin))
			if len(page.Messages) != subjects.ChatPage {
				t.Fatalf("%d messages before %s", len(page.Messages), id)
			}
		}
	}
	median := make([]time.Duration, len(places))
	for i := range took {
		slices.Sort(took[i])
		median[i] = took[i][len(took[i])/2]
	}
	t.Logf("a page at the beginning, in the middle and at the end takes %v", median)
	if fast, slow := slices.Min(median), slices.Max(median); slow > 2*fast {
		t.Errorf("pages take from %v to %v", fast, slow)
	}
}

// at gives the message at a place, by way of the history alone: an id tells its place, and
// any id of the place leads there.
func (w *town) at(place int64) subjects.ChatEntry {
	w.t.Helper()
	page := w.page(subjects.ChatHistory{Before: subjects.MessageID(w.id, "", "", time.Now().Add(time.Hour).UnixMilli(), place), Limit: 1})
	if len(page.Messages) != 1 {
		w.t.Fatalf("nothing at %d", place)
	}
	return page.Messages[0]
}

// everyMessageOnce finds each message in the history, once and in order, and walks back
// through a part of it page by page.
func everyMessageOnce(t *testing.T, w *town) {
	t.Helper()
	past, err := chat.NewArchive(w.chats, w.store)
	if err != nil {
		t.Fatal(err)
	}
	all, err := past.Range(t.Context(), w.id, 1, manyMessages)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]bool, manyMessages)
	for i, e := range all {
		if i > 0 && e.ID <= all[i-1].ID {
			t.Fatalf("%s comes after %s", e.ID, all[i-1].ID)
		}
		texts[e.Text] = true
	}
	if len(all) != manyMessages || len(texts) != manyMessages {
		t.Errorf("%d messages, %d different ones", len(all), len(texts))
	}
	before := ""
	for end := manyMessages; end > manyMessages-2000; end -= subjects.MaxChatHistory {
		page := w.page(subjects.ChatHistory{Before: before, Limit: subjects.MaxChatHistory})
		if len(page.Messages) != subjects.MaxChatHistory || !page.Earlier || page.Later != (before != "") {
			t.Fatalf("%d messages before %q, %t %t", len(page.Messages), before, page.Earlier, page.Later)
		}
		for i, e := range page.Messages {
			if want := all[end-subjects.MaxChatHistory+i]; e.ID != want.ID || e.Text != want.Text {
				t.Fatalf("%+v stands at %d, want %+v", e, end-subjects.MaxChatHistory+i, want)
			}
		}
		before = page.Messages[0].ID
	}
}
