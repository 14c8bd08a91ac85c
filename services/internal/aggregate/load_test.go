package aggregate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// adds has an aggregate accept n commands, each in a commit of its own.
func (r *rig) adds(e *tallyEngine, id string, n int) {
	r.Helper()
	for range n {
		r.give(e, id, "user_1", "add", body{N: 1}).ok()
		time.Sleep(time.Millisecond) // a snapshot is stored beside it
	}
}

// wakes loads an aggregate with a new owner, checks its total and gives the number of log
// entries that it read.
func (r *rig) wakes(id string, total int64) (reads int) {
	r.Helper()
	before, _ := r.j.Reads()
	e := r.engine(aggregate.Options{SnapshotEvery: 1000})
	r.give(e, id, "user_1", "add", body{N: 0}).ok()
	after, _ := r.j.Reads()
	if f := r.fold(id); f.State.Total != total {
		r.Errorf("total %d, want %d", f.State.Total, total)
	}
	return after - before
}

func TestASnapshotSavesReadingTheLog(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{SnapshotEvery: 10})
		r.adds(e, "a", 25)
		r.asleep(e)
		if got := r.wakes("a", 25); got != 5 {
			t.Errorf("%d entries read after a snapshot at 20 of 25", got)
		}
		r.j.PutSnapshot("a", nil)
		if got := r.wakes("a", 25); got != 26 {
			t.Errorf("%d entries read without a snapshot of 26", got)
		}
	})
}

// snapshot changes what is stored.
func (r *rig) snapshot(id string, change func(*aggregate.Snapshot)) {
	r.Helper()
	var s aggregate.Snapshot
	if err := json.Unmarshal(r.j.Snapshot(id), &s); err != nil {
		r.Fatal(err)
	}
	change(&s)
	raw, err := json.Marshal(s)
	if err != nil {
		r.Fatal(err)
	}
	r.j.PutSnapshot(id, raw)
}

func TestASnapshotThatIsNoUseIsIgnored(t *testing.T) {
	garbage := map[string]func(r *rig){
		"no JSON":       func(r *rig) { r.j.PutSnapshot("a", []byte("\x00\xff{")) },
		"cut off":       func(r *rig) { s := r.j.Snapshot("a"); r.j.PutSnapshot("a", s[:len(s)/2]) },
		"another shape": func(r *rig) { r.j.PutSnapshot("a", []byte(`[1,2]`)) },
		"another state": func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.State = []byte(`[]`) }) },
		"broken memory": func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.Memory = s.Memory[1:] }) },
		"no memory":     func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.Memory = nil }) },
		"doubled memory": func(r *rig) {
			r.snapshot("a", func(s *aggregate.Snapshot) { s.Memory = append(s.Memory, s.Memory[8:48]...) })
		},
		"another fold":    func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.Fold = 7 }) },
		"another rev":     func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.Rev-- }) },
		"another log":     func(r *rig) { r.snapshot("a", func(s *aggregate.Snapshot) { s.Seq-- }) },
		"a newer version": func(r *rig) { r.m.Version = 2 },
	}
	for name, spoil := range garbage {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				e := r.engine(aggregate.Options{SnapshotEvery: 10})
				r.adds(e, "a", 15)
				r.asleep(e)
				spoil(r)
				if got := r.wakes("a", 15); got < 15 {
					t.Errorf("%d entries read: the snapshot was used", got)
				}
				if f := r.fold("a"); f.Epoch != 1 || f.Rev != 16 {
					t.Errorf("epoch %d, rev %d", f.Epoch, f.Rev)
				}
			})
		})
	}
}

func reader(t testing.TB, r *rig) *aggregate.Reader[*aggregatetest.TallyState, aggregatetest.TallyEvent] {
	t.Helper()
	rd, err := aggregate.NewReader(r.j, r.m, 4)
	if err != nil {
		t.Fatal(err)
	}
	return rd
}

func TestASnapshotAheadOfTheLogRaisesTheEpoch(t *testing.T) {
	for _, lost := range []int{1, 3, 10} {
		t.Run(fmt.Sprint(lost, " lost"), func(t *testing.T) {
			virtual(t, func(r *rig) {
				e := r.engine(aggregate.Options{SnapshotEvery: 10})
				r.adds(e, "a", 10)
				r.asleep(e)
				old := r.j.Snapshot("a")
				r.j.Truncate("a", lost)
				left := uint64(10 - lost)
				look := func(rd *aggregate.Reader[*aggregatetest.TallyState, aggregatetest.TallyEvent], epoch, rev uint64) {
					t.Helper()
					err := rd.View(r.Context(), "a", func(f *tallyFolded) error {
						if f.Epoch != epoch || f.Rev != rev || f.State.Total != int64(rev) {
							t.Errorf("epoch %d, rev %d, total %d; want epoch %d, rev %d", f.Epoch, f.Rev, f.State.Total, epoch, rev)
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
				rd := reader(t, r)
				look(rd, 2, left)
				if a := r.give(r.engine(aggregate.Options{}), "a", "user_1", "idle", body{}).ok(); a.Epoch != 2 || a.Rev != left {
					t.Errorf("a first owner answers %+v", a)
				}
				time.Sleep(time.Second)
				if bytes.Equal(r.j.Snapshot("a"), old) {
					t.Error("the snapshot is still the one of the lost log")
				}
				if f := r.fold("a"); f.Epoch != 2 || f.Rev != left {
					t.Errorf("a later load has epoch %d, rev %d", f.Epoch, f.Rev)
				}
				two := r.engine(aggregate.Options{})
				if a := r.give(two, "a", "user_1", "add", body{N: 1}).ok(); a.Epoch != 2 || a.Rev != left+1 {
					t.Errorf("the next commit is %+v", a)
				}
				look(rd, 2, left+1)
				// The old snapshot comes back, as from a replica that lagged behind: at a
				// sequence that the log now has again, of another epoch.
				r.adds(two, "a", lost+3)
				r.j.PutSnapshot("a", old)
				f := r.fold("a")
				if f.Epoch != 2 || f.Rev != 10+4 || f.State.Total != 10+4 {
					t.Errorf("with the old snapshot: epoch %d, rev %d, total %d", f.Epoch, f.Rev, f.State.Total)
				}
				look(reader(t, r), 2, 10+4)
				look(rd, 2, 10+4)
			})
		})
	}
}

func TestASnapshotOfAnotherEpochAtTheLogsEndIsNotUsed(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{SnapshotEvery: 10})
		r.adds(e, "a", 10)
		r.asleep(e)
		old := r.j.Snapshot("a")
		r.j.Truncate("a", 2)
		two := r.engine(aggregate.Options{})
		r.give(two, "a", "user_1", "add", body{N: 100}).ok()
		r.give(two, "a", "user_1", "add", body{N: 100}).ok()
		r.j.PutSnapshot("a", old)
		var s aggregate.Snapshot
		if err := json.Unmarshal(old, &s); err != nil {
			t.Fatal(err)
		}
		f := r.fold("a")
		if f.Seq != s.Seq || f.Rev != s.Rev {
			t.Fatalf("the snapshot is at %d, rev %d, the log at %d, rev %d: the test is of no use", s.Seq, s.Rev, f.Seq, f.Rev)
		}
		if f.State.Total != 208 || f.Epoch != 2 {
			t.Errorf("total %d of epoch %d", f.State.Total, f.Epoch)
		}
	})
}

func TestAnOwnerThatSawMoreThanTheLogHoldsRaisesTheEpoch(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{})
		rd := reader(t, r)
		look := func() (f tallyFolded) {
			if err := rd.View(r.Context(), "a", func(g *tallyFolded) error { f = *g; return nil }); err != nil {
				t.Error(err)
			}
			return f
		}
		r.adds(e, "a", 10)
		look()
		r.j.Truncate("a", 4)
		if f := look(); f.Rev != 6 {
			t.Errorf("the reader shows rev %d of 6", f.Rev)
		}
		if a := r.give(e, "a", "user_1", "add", body{N: 1}).ok(); a.Epoch != 2 || a.Rev != 7 {
			t.Errorf("the next commit is %+v", a)
		}
		r.adds(e, "a", 3) // as long as it was
		if f := look(); f.Epoch != 2 || f.Rev != 10 {
			t.Errorf("the reader shows epoch %d, rev %d", f.Epoch, f.Rev)
		}
	})
}

func TestAReaderTellsALogThatGrewAnew(t *testing.T) {
	for _, more := range []int{0, 1, 5} {
		t.Run(fmt.Sprint(more, " longer"), func(t *testing.T) {
			virtual(t, func(r *rig) {
				e := r.engine(aggregate.Options{SnapshotEvery: 10})
				rd := reader(t, r)
				r.adds(e, "a", 10)
				r.asleep(e)
				total := func() (n int64) {
					if err := rd.View(r.Context(), "a", func(f *tallyFolded) error { n = f.State.Total; return nil }); err != nil {
						t.Error(err)
					}
					return n
				}
				total()
				r.j.Truncate("a", 3)
				two := r.engine(aggregate.Options{})
				for range 3 + more {
					r.give(two, "a", "user_1", "add", body{N: 100}).ok()
				}
				if got, want := total(), int64(7+100*(3+more)); got != want {
					t.Errorf("total %d, want %d", got, want)
				}
			})
		})
	}
}

func TestAnEventOfANewerReleaseIsKeptAndNothingDecidedOnIt(t *testing.T) {
	virtual(t, func(r *rig) {
		newer := r.engine(aggregate.Options{SnapshotEvery: 3})
		first := r.give(newer, "a", "user_1", "add", body{N: 5})
		want := first.ok()
		r.give(newer, "a", "user_1", "take", body{N: 1}).ok()
		r.asleep(newer)
		log := r.j.Log("a")

		r.m.Knows = func(typ string) bool { return !strings.Contains(typ, "taken") }
		older := r.engine(aggregate.Options{SnapshotEvery: 1})
		r.give(older, "a", "user_1", "add", body{N: 1}).refused(subjects.CodeUpgrade)
		p := r.give(older, "a", "user_1", "add", body{N: 1}, queued)
		p.refused(subjects.CodeUpgrade)
		r.give(older, "a", "user_1", "idle", body{}).refused(subjects.CodeUpgrade)
		if got := r.repeat(older, "a", "user_1", "add", first.cmd, body{N: 5}).ok(); got != want {
			t.Errorf("a repeat of what the log holds: %+v, first %+v", got, want)
		}
		if f := r.fold("a"); f.Unknown == nil || f.Rev != 2 {
			t.Errorf("rev %d, unknown %v", f.Rev, f.Unknown)
		}
		r.give(older, "b", "user_1", "add", body{N: 1}).ok() // others go on
		time.Sleep(time.Minute)
		if got := r.j.Log("a"); len(got) != 2 || !bytes.Equal(got[1].Data, log[1].Data) {
			t.Error("the older release touched the log")
		}
		if r.j.Snapshot("a") != nil {
			t.Error("the older release stored a snapshot of what it cannot fold")
		}

		r.m.Knows = nil
		again := r.engine(aggregate.Options{})
		r.repeat(again, "a", "user_1", "add", p.cmd, body{N: 1}, queued).ok()
		if f := r.fold("a"); f.State.Total != 5 || f.Rev != 3 {
			t.Errorf("total %d at rev %d", f.State.Total, f.Rev)
		}
	})
}

func TestALogThatIsBrokenIsTold(t *testing.T) {
	commit := func(rev uint64, event string) []byte {
		return fmt.Appendf(nil, `{"epoch":1,"rev":%d,"at":1,"public":{"events":[%s],"patch":{}}}`, rev, event)
	}
	for name, data := range map[string][]byte{
		"a gap":     commit(3, ""),
		"a repeat":  commit(1, ""),
		"bad event": commit(2, `{"type":"tally.added","by":"u","at":1,"cmd":"c","body":[]}`),
		"panics":    commit(2, `{"type":"tally.unfoldable","by":"u","at":1,"cmd":"c","body":{}}`),
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				r.j.Put("a", commit(1, ""))
				r.j.Put("a", data)
				e := r.engine(aggregate.Options{})
				a := r.give(e, "a", "user_1", "add", body{N: 1}).wait()
				if c := subjects.CodeOf(a.Err()); c != subjects.CodeInternal {
					t.Errorf("answered %v", a.Err())
				}
				r.give(e, "b", "user_1", "add", body{N: 1}).ok()
			})
		})
	}
}

func TestWhatIsNoCommitDoesNotHarmALog(t *testing.T) {
	virtual(t, func(r *rig) {
		e := r.engine(aggregate.Options{SnapshotEvery: 3})
		total := int64(0)
		for i, data := range []string{"garbage", "", "{}", `{"stream":"COMMANDS","seq":5}`, "\x00\xff", `[]`} {
			r.give(e, "a", "user_1", "add", body{N: 1}).ok()
			r.j.Put("a", []byte(data))
			if i%2 == 1 {
				r.j.Put("a", []byte(data))
				r.asleep(e)
			}
			a := r.give(e, "a", "user_1", "add", body{N: 1}).ok()
			total += 2
			if a.Rev != uint64(total) {
				t.Fatalf("after %q: revision %d, want %d", data, a.Rev, total)
			}
		}
		if f := r.fold("a"); f.State.Total != total || f.Rev != uint64(total) {
			t.Fatalf("folded %d at revision %d, want %d", f.State.Total, f.Rev, total)
		}
	})
}

func TestTheLogsTimeNeverRunsBackwards(t *testing.T) {
	virtual(t, func(r *rig) {
		r.j.Fail = nil
		shift := time.Duration(0)
		clock := func() time.Time { return time.Now().Add(shift) }
		time.Sleep(time.Hour)
		e := r.engine(aggregate.Options{Now: clock, SnapshotEvery: 2})
		var last int64
		for i, s := range []time.Duration{0, -10 * time.Second, -30 * time.Second, 5 * time.Second, -5 * time.Second} {
			shift = s
			a := r.give(e, "a", "user_1", "add", body{N: 1}).ok()
			if a.At < last {
				t.Errorf("commit %d is %d ms before the one before", i, last-a.At)
			}
			last = a.At
			if i == 2 {
				r.asleep(e)
			}
		}
		slow := r.engine(aggregate.Options{Now: func() time.Time { return time.Now().Add(-20 * time.Second) }})
		if a := r.give(slow, "a", "user_2", "add", body{N: 1}).ok(); a.At < last {
			t.Errorf("another owner's commit is %d ms before the one before", last-a.At)
		}
	})
}
