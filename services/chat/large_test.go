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

// How large the large chat is, and after how many commits it has a snapshot.
var manyMessages, manySenders, snapshotEvery = int64(100_000), 256, 200

func init() {
	if chat.Raced {
		manyMessages, manySenders, snapshotEvery = 2_500, 32, 50
	}
}

// counted counts the commits that are read.
type counted struct {
	aggregate.Journal
	n int
}

func (c *counted) Read(ctx context.Context, id string, from uint64, f func(aggregate.Entry) error) error {
	return c.Journal.Read(ctx, id, from, func(e aggregate.Entry) error { c.n++; return f(e) })
}

// flood has many senders bring the chat to so many messages, and waits until all are in the
// history.
func (w *town) flood(names []string, until int64) {
	w.t.Helper()
	var sent atomic.Int64
	sent.Store(w.state().Chat.Total)
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			for n := sent.Add(1); n <= until; n = sent.Add(1) {
				raw, _ := json.Marshal(body{"text": fmt.Sprintf("message %06d of many, about as long as what people say", n)})
				a, err := w.bus.Ask(w.t.Context(), subjects.Command{Service: subjects.ServiceChat, ID: w.id, Verb: "send", Principal: user(name)},
					subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: raw})
				if err == nil {
					err = a.Err()
				}
				if err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	w.archived()
}

// crowd opens a room with so many people who have been heard.
func (w *town) crowd(n int) []string {
	w.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("u", i)
	}
	w.open(true, names...)
	w.ok("u0", "send", body{"text": "the first"})
	return names
}

// A chat of 100,000 messages: any page reads as much as any other, joining reads the end of
// the log only, and not all is kept in memory.
func TestAHundredThousandMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 100,000 messages")
	}
	w := startTownWith(t, aggregate.Options{SnapshotEvery: snapshotEvery})
	names := w.crowd(manySenders)
	begin := time.Now()
	w.flood(names, manyMessages)
	t.Logf("%d messages sent and archived in %v", manyMessages, time.Since(begin))
	held := w.held()

	read, f := w.joining()
	for n := 0; read > snapshotEvery && n < 2*snapshotEvery; n++ {
		// The last snapshot was still being stored when the next was due.
		w.ok("ana", "setSlowMode", body{"seconds": n%2 + 1})
		read, f = w.joining()
	}
	state, err := subjects.EncodeChatState(f.State)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := w.chats.LoadSnapshot(t.Context(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("joining reads %d of %d commits; the state has %d bytes, the snapshot %d; the service held %d KiB",
		read, f.Rev, len(state), len(snapshot), held>>10)
	if f.State.Chat.Total != manyMessages || len(f.State.Chat.Messages) != subjects.ChatPage {
		t.Fatalf("%d messages, %d on the page", f.State.Chat.Total, len(f.State.Chat.Messages))
	}
	if read > snapshotEvery {
		t.Errorf("joining reads %d commits of %d", read, f.Rev)
	}
	if len(state) > 128<<10 {
		t.Errorf("the state has %d bytes", len(state))
	}
	if held > 12<<20 {
		t.Errorf("the service held %d KiB", held>>10)
	}
	pagesAlike(t, w)
	everyMessageOnce(t, w)
}

// held is how much memory is free once the service has stopped: what it kept of the chat, the
// ids of commands that it remembers, and its connections. The messages and their ids alone
// would be more.
func (w *town) held() int {
	w.t.Helper()
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	with := heap()
	w.stop()
	without := heap()
	w.start()
	return with - without
}

// joining folds the chat as somebody does who has just come, and tells how many commits that
// read.
func (w *town) joining() (int, *aggregate.Folded[*subjects.ChatState]) {
	w.t.Helper()
	log := &counted{Journal: w.chats}
	f, err := aggregate.Load(w.t.Context(), log, chat.Fold{}, w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return log.n, f
}

// pagesAlike compares what pages at the beginning, in the middle and near the end of the
// history cost: the documents that they read, and their bytes. It is work, not time, so that
// what else the machine does is not measured.
func pagesAlike(t *testing.T, w *town) {
	t.Helper()
	for _, limit := range []int{1, subjects.ChatPage, subjects.MaxChatHistory} {
		var first [2]int64
		for i, id := range w.places() {
			reads, bytes := w.store.reads.Load(), w.store.bytes.Load()
			page := w.page(subjects.ChatHistory{Before: id, Limit: limit})
			reads, bytes = w.store.reads.Load()-reads, w.store.bytes.Load()-bytes
			if len(page.Messages) != limit {
				t.Fatalf("%d messages before %s", len(page.Messages), id)
			}
			if i == 0 {
				first = [2]int64{reads, bytes}
				t.Logf("a page of %d reads %d documents, %d bytes", limit, reads, bytes)
			}
			// A page of the longest kind begins and ends within a document.
			if reads != first[0] || reads < 1 || reads > int64(limit/subjects.ChatPage)+2 {
				t.Errorf("a page of %d reads %d documents at place %d, and %d at the beginning", limit, reads, i, first[0])
			}
			if bytes > first[1]*5/4 || bytes < first[1]*3/4 {
				t.Errorf("a page of %d reads %d bytes at place %d, and %d at the beginning", limit, bytes, i, first[1])
			}
		}
	}
}

// places gives messages at the beginning, in the middle and near the end, each as far into
// its document as the others.
func (w *town) places() []string {
	w.t.Helper()
	total := w.state().Chat.Total / subjects.ChatPage * subjects.ChatPage
	var out []string
	for _, place := range []int64{3 * subjects.ChatPage, total / 2 / subjects.ChatPage * subjects.ChatPage, total - 4*subjects.ChatPage} {
		out = append(out, w.at(place+10).ID)
	}
	return out
}

// BenchmarkPage measures pages at the beginning, in the middle and at the end of one history,
// in turns, so that what else goes on falls on all alike; the ratio of the slowest to the
// fastest is reported, and judged by whoever reads it.
func BenchmarkPage(b *testing.B) {
	w := startTown(b)
	w.flood(w.crowd(manySenders), 20_000)
	at := w.places()
	took := make([][]time.Duration, len(at))
	b.ResetTimer()
	for range b.N {
		for i, id := range at {
			begin := time.Now()
			w.page(subjects.ChatHistory{Before: id})
			took[i] = append(took[i], time.Since(begin))
		}
	}
	b.StopTimer()
	var median []time.Duration
	for _, d := range took {
		slices.Sort(d)
		median = append(median, d[len(d)/2])
	}
	for i, name := range []string{"first", "middle", "last"} {
		b.ReportMetric(float64(median[i].Microseconds()), name+"-µs")
	}
	b.ReportMetric(float64(slices.Max(median))/float64(slices.Min(median)), "ratio")
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
	all, err := past.Range(t.Context(), w.id, 0, 1, manyMessages)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]bool, len(all))
	for i, e := range all {
		if i > 0 && e.ID <= all[i-1].ID {
			t.Fatalf("%s comes after %s", e.ID, all[i-1].ID)
		}
		texts[e.Text] = true
	}
	if int64(len(all)) != manyMessages || len(texts) != len(all) {
		t.Errorf("%d messages, %d different ones", len(all), len(texts))
	}
	before := ""
	for end := len(all); end > len(all)-2000; end -= subjects.MaxChatHistory {
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
