package aggregate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// A reading that is under way misses nothing of what is purged meanwhile.
func TestAReadingSeesWhatIsArchivedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 2)
	const n = 1300 // more than comes in one batch, twice
	r.grow("room", n)
	r.grow("other", 3)
	for _, all := range []bool{false, true} {
		var got []aggregate.Entry
		each := func(e aggregate.Entry) error {
			if got = append(got, e); len(got) == 100 {
				r.archive(now().Packs(10_000))
			}
			return nil
		}
		var err error
		if all {
			err = aggregate.ReadAll(t.Context(), r.b, "tally", func(id string, e aggregate.Entry) error {
				if id != "room" {
					return nil
				}
				return each(e)
			})
		} else {
			err = r.j.Read(t.Context(), "room", 1, each)
		}
		if err != nil || !sameEntries(got, r.logs["room"]) {
			t.Errorf("all %v: %d of %d entries were read, %v", all, len(got), n, err)
		}
		if r.kept() != 2 {
			t.Fatalf("%d messages are left", r.kept())
		}
		r.grow("room", n)
	}
}

// Archivers beside each other, beside writers and beside readers.
func TestArchiversMayMeet(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 2)
	rooms := []string{"a", "b", "c"}
	for _, id := range rooms {
		r.grow(id, 30)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var workers, writers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if _, err := aggregate.Archive(ctx, r.b, "tally", now()); err != nil && ctx.Err() == nil {
					t.Errorf("archive: %v", err)
					return
				}
			}
		})
	}
	fold := aggregatetest.Tally{Name: "tally"}
	workers.Go(func() {
		for ctx.Err() == nil {
			for _, id := range rooms {
				if f, err := aggregate.Load(ctx, r.j, fold, id); ctx.Err() == nil && (err != nil || f.Rev < 30 || f.State.Count != int64(f.Rev)) {
					t.Errorf("load of %s: %+v, %v", id, f, err)
					return
				}
			}
		}
	})
	for _, id := range rooms {
		writers.Go(func() {
			for range 60 {
				r.grow(id, 1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	writers.Wait()
	cancel()
	workers.Wait()
	r.whole()
	r.archive(now())
	r.whole()
	if r.kept() != 3 {
		t.Errorf("%d messages are left", r.kept())
	}
}

// What a consumer wants that came, or went back, after the copying stays in the stream as well.
func TestAConsumerMayComeBeforeThePurge(t *testing.T) {
	t.Parallel()
	stream := subjects.StreamEvents("tally")
	for name, c := range map[string]struct {
		before bool   // the consumer is there, and has seen everything
		upTo   uint64 // it then begins behind that
	}{
		"a new one":             {false, 0},
		"one that is sent back": {true, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newArchiveRig(t, 1)
			r.grow("room", 10)
			if c.before {
				if err := r.b.Advance(t.Context(), stream, "reader", 10); err != nil {
					t.Fatal(err)
				}
			}
			opt := now()
			opt.Phase = func(phase string) {
				if phase == "purge" {
					if err := r.b.Advance(t.Context(), stream, "reader", c.upTo); err != nil {
						t.Error(err)
					}
				}
			}
			report := r.archive(opt)
			if report.Copied != 9 || report.Purged != c.upTo || report.Held != 1 || report.HeldBy != stream+"/reader" || r.kept() != 10-c.upTo {
				t.Errorf("%+v, %d messages are left", report, r.kept())
			}
			r.whole()
			if err := r.b.Advance(t.Context(), stream, "reader", 10); err != nil {
				t.Fatal(err)
			}
			if report := r.archive(now()); report.Copied != 0 || report.Purged != 9-c.upTo || report.Held != 0 || r.kept() != 1 {
				t.Errorf("%+v, %d messages are left", report, r.kept())
			}
			r.whole()
		})
	}
}

// What has grown, and was archived by another, since it was looked at does not differ.
func TestAnArchiverMayBeOvertaken(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 1)
	r.grow("first", 10)
	r.grow("second", 10)
	overtaken := false
	report := r.archive(now().At(func(step, id string) error {
		if !overtaken && id == "first" {
			overtaken = true
			r.grow("second", 10)
			r.archive(now())
		}
		return nil
	}))
	if !overtaken || report.DifferCount != 0 || r.kept() != 2 {
		t.Errorf("%+v, %d messages are left", report, r.kept())
	}
	r.whole()
}

// Who follows an aggregate that is archived meanwhile hears how it goes on.
func TestAFollowerOutlivesTheArchiving(t *testing.T) {
	t.Parallel()
	r := newArchiveRig(t, 4)
	w := aggregate.NewFollower(r.b, aggregatetest.Tally{Name: "tally"}, aggregate.FollowOptions{CheckEvery: 50 * time.Millisecond, FullEvery: 2})
	t.Cleanup(w.Close)
	for i := range 8 {
		r.grow(fmt.Sprint("room-", i), 10)
	}
	var all []*listener
	for i := range 8 {
		l := &listener{}
		all = append(all, l)
		if err := w.Follow(fmt.Sprint("room-", i), l).Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.archive(now())
	checks := w.Stats().Checks
	waitFor(t, func() bool { return w.Stats().Checks > checks+4 })
	for i, l := range all {
		id := fmt.Sprint("room-", i)
		r.grow(id, 2)
		waitFor(t, func() bool { _, rev, _, _ := l.shows(); return rev == 12 })
		if err := l.whole(r.j, id); err != nil {
			t.Error(err)
		}
		if resets, commits, losses := l.counts(); resets != 1 || commits != 2 || losses != 0 {
			t.Errorf("%s: %d resets, %d commits, %d losses", id, resets, commits, losses)
		}
	}
}

func TestPacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var seq uint64
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) aggregate.PackedEntry {
			seq += rapid.Uint64Range(1, 1000).Draw(t, "step")
			return aggregate.PackedEntry{
				Entry: aggregate.Entry{Seq: seq, Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")},
				Time:  time.Unix(0, rapid.Int64().Draw(t, "time")),
			}
		}), 1, 20).Draw(t, "entries")
		pack := aggregate.Pack(in)
		out, err := aggregate.Unpack(pack)
		if err != nil || len(out) != len(in) {
			t.Fatalf("%d of %d entries, %v", len(out), len(in), err)
		}
		for i := range in {
			if in[i].Seq != out[i].Seq || !in[i].Time.Equal(out[i].Time) || !bytes.Equal(in[i].Data, out[i].Data) {
				t.Fatalf("%+v reads as %+v", in[i], out[i])
			}
		}
		cut := pack[:rapid.IntRange(0, len(pack)-1).Draw(t, "cut")]
		if got, err := aggregate.Unpack(cut); err == nil && len(got) >= len(in) {
			t.Fatalf("a pack that is cut at %d of %d has %d entries", len(cut), len(pack), len(got))
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(aggregate.Pack([]aggregate.PackedEntry{{Entry: aggregate.Entry{Seq: 1, Data: []byte("a\nb")}}, {Entry: aggregate.Entry{Seq: 7}}}))
	for _, s := range []string{"", "tutti-log 1\n", "tutti-log 1\n1 1 99\n", "tutti-log 1\n1 1 -1\n\n", "tutti-log 1\n2 1 0\n\n1 1 0\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, pack []byte) {
		entries, err := aggregate.Unpack(pack)
		if err != nil {
			return
		}
		if len(entries) == 0 {
			t.Error("a pack without entries")
		}
		again, err := aggregate.Unpack(aggregate.Pack(entries))
		if err != nil || len(again) != len(entries) {
			t.Error(errors.Join(err, errors.New("it does not read as it was written")))
		}
	})
}
