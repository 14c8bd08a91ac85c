package services

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
	"github.com/tuttihq/tutti/subjects"
)

// archived is a journal of one aggregate, which is read and nothing more.
type archived struct {
	aggregate.Journal
	log []aggregate.Entry
}

func (a archived) Read(_ context.Context, _ string, _ uint64, f func(aggregate.Entry) error) error {
	for _, e := range a.log {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// An export that would lack revisions is none.
func TestALogWithAGapIsNotExported(t *testing.T) {
	const id = "room_1"
	commit := func(rev uint64) aggregate.Entry {
		data, err := subjects.AppendCommit(nil, &subjects.Commit{Epoch: 1, Rev: rev, At: 1})
		if err != nil {
			t.Fatal(err)
		}
		return aggregate.Entry{Seq: rev, Data: data}
	}
	for name, c := range map[string]struct {
		archive []uint64
		want    error
		n       uint64
	}{
		"whole":           {[]uint64{1, 2, 3, 4}, nil, 5},
		"nothing there":   {nil, aggregate.ErrBrokenLog, 0},
		"the end lacks":   {[]uint64{1, 2, 3}, aggregate.ErrBrokenLog, 3},
		"more than there": {[]uint64{1, 2, 3, 4, 5, 6}, nil, 5},
	} {
		w, err := transfer.Create(filepath.Join(t.TempDir(), "export"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Begin(transfer.Member{Name: "log.jsonl.gz", Kind: kindLog, Of: subjects.ServiceRoom})
		if err != nil {
			t.Fatal(err)
		}
		j := archived{}
		for _, rev := range c.archive {
			j.log = append(j.log, commit(rev))
		}
		l := logWriter{out: r, journal: j, last: map[string]uint64{}, handled: map[string]uint64{}}
		last := commit(5)
		err = l.entry(t.Context(), bus.Entry{Subject: subjects.Events(subjects.ServiceRoom, id), Seq: last.Seq, Data: last.Data})
		if !errors.Is(err, c.want) || l.n != c.n {
			t.Errorf("%s: %d commits were written, %v; want %d, %v", name, l.n, err, c.n, c.want)
		}
		if err := errors.Join(r.Discard(), w.Abort()); err != nil {
			t.Error(err)
		}
	}
}
