package aggregate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// archiveRig is a server with logs, and what is known to be in them.
type archiveRig struct {
	testing.TB
	b *bus.Bus
	j aggregate.Journal

	mu   sync.Mutex
	logs map[string][]aggregate.Entry
}

func newArchiveRig(t testing.TB, shards int) *archiveRig {
	t.Helper()
	b := startShards(t, shards)
	if err := b.EnsureArchive(t.Context(), "tally", bus.ArchiveOptions{}); err != nil {
		t.Fatal(err)
	}
	return &archiveRig{TB: t, b: b, j: aggregate.NewJournal(b, "tally"), logs: map[string][]aggregate.Entry{}}
}

// grow appends n commits to an aggregate's log.
func (r *archiveRig) grow(id string, n int) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		log := r.logs[id]
		data := entry(1, uint64(len(log))+1, rand.IntN(9))
		var after uint64
		if len(log) > 0 {
			after = log[len(log)-1].Seq
		}
		seq, err := r.j.Append(context.Background(), id, data, after)
		if err != nil {
			r.Fatal(err)
		}
		r.logs[id] = append(log, aggregate.Entry{Seq: seq, Data: data})
	}
}

// now are options that wait for nothing.
func now() aggregate.ArchiveOptions {
	return aggregate.ArchiveOptions{Idle: -1, Settle: -1}.Packs(1000)
}

func (r *archiveRig) archive(opt aggregate.ArchiveOptions) aggregate.ArchiveReport {
	r.Helper()
	report, err := aggregate.Archive(context.Background(), r.b, "tally", opt)
	if err != nil {
		r.Fatalf("%v: %+v", err, report)
	}
	return report
}

// kept counts the messages of the log's streams.
func (r *archiveRig) kept() (n uint64) {
	r.Helper()
	states, err := r.b.LogState(context.Background(), "tally")
	if err != nil {
		r.Fatal(err)
	}
	for _, s := range states {
		n += s.Messages
	}
	return n
}

func sameEntries(a, b []aggregate.Entry) bool {
	return slices.EqualFunc(a, b, func(a, b aggregate.Entry) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) })
}

func seqs(log []aggregate.Entry) (out []uint64) {
	for _, e := range log {
		out = append(out, e.Seq)
	}
	return out
}

// whole reads every log from every place, as of every revision, and all at once, and compares
// them with what was appended.
func (r *archiveRig) whole() {
	r.Helper()
	all := map[string][]aggregate.Entry{}
	err := aggregate.ReadAll(context.Background(), r.b, "tally", func(id string, e aggregate.Entry) error {
		all[id] = append(all[id], e)
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	for id, log := range r.logs {
		if !sameEntries(all[id], log) {
			r.Errorf("all of %s is %d, want %d", id, seqs(all[id]), seqs(log))
		}
		for i, e := range log {
			if got := r.read(id, e.Seq); !sameEntries(got, log[i:]) {
				r.Fatalf("%s from %d is %d, want %d", id, e.Seq, seqs(got), seqs(log[i:]))
			}
		}
		for rev := range log {
			r.asOf(id, uint64(rev)+1)
		}
		if got := r.read(id, log[len(log)-1].Seq+1); len(got) > 0 {
			r.Errorf("%s has %d past its end", id, seqs(got))
		}
	}
}

func (r *archiveRig) read(id string, from uint64) (out []aggregate.Entry) {
	r.Helper()
	err := r.j.Read(context.Background(), id, from, func(e aggregate.Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// asOf compares an aggregate as of a revision with the fold of what was appended.
func (r *archiveRig) asOf(id string, rev uint64) {
	r.Helper()
	fold := aggregatetest.Tally{Name: "tally"}
	got, err := aggregate.LoadAsOf(context.Background(), r.j, fold, id, rev)
	if err != nil {
		r.Fatal(err)
	}
	want := aggregatetest.NewMemory()
	for _, e := range r.logs[id][:rev] {
		want.Put(id, e.Data)
	}
	f, err := aggregate.Load(context.Background(), want, fold, id)
	if err != nil {
		r.Fatal(err)
	}
	if canonical(r, got.State) != canonical(r, f.State) || got.Rev != rev || got.Seq != r.logs[id][rev-1].Seq {
		r.Errorf("%s as of %d is %s, want %s", id, rev, canonical(r, got.State), canonical(r, f.State))
	}
}

func canonical(t testing.TB, s *aggregatetest.TallyState) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnArchivedLogReadsAsBefore(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			t.Parallel()
			r := newArchiveRig(t, shards)
			for i := range 6 {
				r.grow(fmt.Sprint("room-", i), 1+3*i)
			}
			r.whole()
			report := r.archive(now())
			if report.Aggregates != 6 || report.Purged != 45 || report.Copied != 45 || r.kept() != 6 {
				t.Errorf("%+v, and %d messages are left", report, r.kept())
			}
			r.whole()
			// Nobody has a snapshot; the whole state comes from the archive.
			f, err := aggregate.Load(t.Context(), r.j, aggregatetest.Tally{Name: "tally"}, "room-5")
			if err != nil || f.Rev != 16 || f.State.Count != 16 {
				t.Errorf("%+v, %v", f, err)
			}
			// A second time there is nothing to do.
			if report := r.archive(now()); report.Copied != 0 || report.Purged != 0 {
				t.Errorf("%+v", report)
			}
			for range 2 {
				for i := range 6 {
					r.grow(fmt.Sprint("room-", i), i) // some of them wake
				}
				r.whole()
				r.archive(now())
				r.whole()
			}
			if r.kept() != 6 {
				t.Errorf("%d messages are left", r.kept())
			}
		})
	}
}

// A room that wakes goes on: the append fence, the memory of commands and the revision.
func TestAnArchivedAggregateWakes(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 4)
	h := startHost(t, r.b, aggregatetest.Tally{Name: "tally"}, "one", aggregate.Options{Idle: time.Millisecond})
	first := newCommand()
	for n := range 20 {
		cmd := newCommand()
		if n == 0 {
			cmd = first
		}
		if a, err := ask(t, r.b, "room", "user_1", "add", cmd, map[string]int{"n": 1}); err != nil || a.Refusal != nil || a.Rev != uint64(n)+1 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	waitFor(t, func() bool { return h.Engine().Stats().Live == 0 })
	stopHost(t, h)
	purgeSnapshots(t, r.b)
	if report := r.archive(now()); report.Purged != 19 {
		t.Fatalf("%+v", report)
	}
	startHost(t, r.b, aggregatetest.Tally{Name: "tally"}, "two", aggregate.Options{})
	if a, err := ask(t, r.b, "room", "user_1", "add", first, map[string]int{"n": 1}); err != nil || a.Refusal != nil || a.Rev != 1 {
		t.Errorf("what was done at revision 1 is answered %+v, %v", a, err)
	}
	if a, err := ask(t, r.b, "room", "user_1", "add", newCommand(), map[string]int{"n": 1}); err != nil || a.Refusal != nil || a.Rev != 21 {
		t.Errorf("%+v, %v", a, err)
	}
}

func purgeSnapshots(t *testing.T, b *bus.Bus) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), subjects.StreamSnapshots)
	if err == nil {
		err = s.Purge(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

var errKilled = errors.New("killed")

// However often an archiver ends in the middle, nothing is lost, and the next goes on.
func TestAnArchiverMayEndAnywhere(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 2)
	for i := range 3 {
		r.grow(fmt.Sprint("room-", i), 12)
	}
	ends := map[string]int{}
	for n := 0; ; n++ {
		if n == 200 {
			t.Fatal("it does not come to an end")
		}
		steps, dies := 0, 1+n%3
		_, err := aggregate.Archive(t.Context(), r.b, "tally", now().At(func(step, _ string) error {
			if steps++; steps == dies {
				ends[step]++
				return errKilled
			}
			return nil
		}))
		r.whole()
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if n%4 == 3 {
			r.grow("room-1", 2)
		}
	}
	if ends["copied"] == 0 || ends["verified"] == 0 || ends["purged"] == 0 || r.kept() != 3 {
		t.Errorf("ended %v, %d messages are left", ends, r.kept())
	}
}

func TestACopyIsPurgedOnceItIsOld(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	r.grow("room", 10)
	opt := now()
	opt.Settle, opt.NoWait = time.Hour, true
	if report := r.archive(opt); report.Copied != 9 || report.Purged != 0 || report.Unsettled != 1 || r.kept() != 10 {
		t.Errorf("%+v, %d messages are left", report, r.kept())
	}
	opt.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if report := r.archive(opt); report.Copied != 0 || report.Purged != 9 || report.Unsettled != 0 || r.kept() != 1 {
		t.Errorf("%+v, %d messages are left", report, r.kept())
	}
	r.whole()
}

func TestOnlyIdleAggregatesAreArchived(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	r.grow("room", 10)
	opt := aggregate.ArchiveOptions{Settle: -1}
	if report := r.archive(opt); report.Aggregates != 1 || report.Idle != 0 || report.Copied != 0 {
		t.Errorf("%+v", report)
	}
	opt.Now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	if report := r.archive(opt); report.Idle != 1 || report.Purged != 9 {
		t.Errorf("%+v", report)
	}
}

// What a projector or a reaction has not seen stays in the stream.
func TestWhatAConsumerHasYetToSeeIsNotArchived(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	r.grow("room", 10)
	sub, err := r.b.Consume(t.Context(), bus.ConsumerSpec{Stream: subjects.StreamEvents("tally"), Name: "slow", InFlight: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	take := func(n int) {
		t.Helper()
		for range n {
			m, err := sub.Next(t.Context())
			if err == nil {
				err = m.AckSync(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	take(4)
	if report := r.archive(now()); report.Purged != 4 || report.Held != 1 || !strings.HasSuffix(report.HeldBy, "/slow") || r.kept() != 6 {
		t.Errorf("%+v, %d messages are left", report, r.kept())
	}
	r.whole()
	take(6)
	if report := r.archive(now()); report.Purged != 5 || report.Held != 0 || r.kept() != 1 {
		t.Errorf("%+v, %d messages are left", report, r.kept())
	}
	r.whole()
}

// An archive that is not of the log is left alone, and so is the log.
func TestAnArchiveOfAnotherLogIsReported(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(r *archiveRig){
		"the log lacks an entry": func(r *archiveRig) { r.lose("room", 3) },
		"the log lacks its end": func(r *archiveRig) {
			for rev := 5; rev <= 10; rev++ {
				r.lose("room", rev)
			}
			data := entry(2, 5, 1)
			if _, err := r.j.Append(context.Background(), "room", data, r.logs["room"][3].Seq); err != nil {
				r.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newArchiveRig(t, 1)
			r.grow("room", 10)
			r.grow("other", 10)
			opt := now()
			opt.Settle, opt.NoWait = time.Hour, true
			r.archive(opt) // it is copied, and not purged
			harm(r)
			before := r.kept()
			report, err := aggregate.Archive(t.Context(), r.b, "tally", now())
			if !errors.Is(err, aggregate.ErrArchiveDiffers) || report.DifferCount != 1 || !slices.Equal(report.Differ, []string{"room"}) {
				t.Errorf("%+v, %v", report, err)
			}
			if report.Purged != 9 || r.kept() != before-9 {
				t.Errorf("%d were purged, %d of %d messages are left", report.Purged, r.kept(), before)
			}
		})
	}
}

// lose deletes a commit from the stream.
func (r *archiveRig) lose(id string, rev int) {
	r.Helper()
	s, err := r.b.JetStream().Stream(context.Background(), subjects.StreamEvents("tally"))
	if err == nil {
		err = s.DeleteMsg(context.Background(), r.logs[id][rev-1].Seq)
	}
	if err != nil {
		r.Fatal(err)
	}
}
