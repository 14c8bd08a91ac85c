package aggregatetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
)

// Fault is what becomes of one append.
type Fault int

// The faults of Memory.Fail.
const (
	None Fault = iota
	// Lost: not stored, and the caller does not learn it.
	Lost
	// Unanswered: stored, and the caller does not learn it.
	Unanswered
	// Refused: not stored, as too large.
	Refused
)

var errTimeout = errors.New("timeout")

// Memory is a Journal in this process. Its fields may be set before use; they are called
// without a lock held.
type Memory struct {
	// Fail decides the fate of an append; nil lets all succeed.
	Fail func(id string) Fault
	// Delay is how long every call takes.
	Delay time.Duration
	// OnSchedule is called for each timer.
	OnSchedule func(id string, at time.Time)
	// Down, when it reports true, fails every call.
	Down func() bool
	// Largest is the size of the largest entry or snapshot that it takes, in bytes; 0
	// means 8 MiB.
	Largest int

	mu        sync.Mutex
	seq       uint64
	logs      map[string][]aggregate.Entry
	snapshots map[string][]byte
	reads     int
	heads     int
}

// NewMemory makes an empty journal.
func NewMemory() *Memory {
	return &Memory{logs: map[string][]aggregate.Entry{}, snapshots: map[string][]byte{}}
}

func (j *Memory) begin(ctx context.Context) error {
	if j.Delay > 0 {
		t := time.NewTimer(j.Delay)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	if ctx.Err() != nil || (j.Down != nil && j.Down()) {
		return fmt.Errorf("%w: %w", aggregate.ErrUnavailable, errTimeout)
	}
	return nil
}

func (j *Memory) largest() int {
	if j.Largest > 0 {
		return j.Largest
	}
	return 8 << 20
}

// Append implements aggregate.Journal.
func (j *Memory) Append(ctx context.Context, id string, data []byte, after uint64) (uint64, error) {
	if err := j.begin(ctx); err != nil {
		return 0, err
	}
	fate := None
	if j.Fail != nil {
		fate = j.Fail(id)
	}
	if len(data) > j.largest() {
		fate = Refused
	}
	switch fate {
	case Lost:
		return 0, fmt.Errorf("%w: %w", aggregate.ErrUnavailable, errTimeout)
	case Refused:
		return 0, aggregate.ErrTooLarge
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.logs[id]
	var last uint64
	if len(log) > 0 {
		last = log[len(log)-1].Seq
	}
	if last != after {
		return 0, aggregate.ErrFenced
	}
	j.seq++
	j.logs[id] = append(log, aggregate.Entry{Seq: j.seq, Data: slices.Clone(data)})
	if fate == Unanswered {
		return 0, fmt.Errorf("%w: %w", aggregate.ErrUnavailable, errTimeout)
	}
	return j.seq, nil
}

// Head implements aggregate.Journal.
func (j *Memory) Head(ctx context.Context, id string) (aggregate.Entry, error) {
	if err := j.begin(ctx); err != nil {
		return aggregate.Entry{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.heads++
	if log := j.logs[id]; len(log) > 0 {
		return log[len(log)-1], nil
	}
	return aggregate.Entry{}, nil
}

// Read implements aggregate.Journal.
func (j *Memory) Read(ctx context.Context, id string, from uint64, f func(aggregate.Entry) error) error {
	if err := j.begin(ctx); err != nil {
		return err
	}
	for _, e := range j.Log(id) {
		if e.Seq < from {
			continue
		}
		j.mu.Lock()
		j.reads++
		j.mu.Unlock()
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// LoadSnapshot implements aggregate.Journal.
func (j *Memory) LoadSnapshot(ctx context.Context, id string) ([]byte, error) {
	if err := j.begin(ctx); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.snapshots[id], nil
}

// SaveSnapshot implements aggregate.Journal.
func (j *Memory) SaveSnapshot(ctx context.Context, id string, data []byte) error {
	if err := j.begin(ctx); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(data) > j.largest() {
		return aggregate.ErrTooLarge
	}
	j.snapshots[id] = slices.Clone(data)
	return nil
}

// Snapshot gives the stored snapshot of an aggregate, nil if there is none.
func (j *Memory) Snapshot(id string) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.snapshots[id])
}

// PutSnapshot stores a snapshot as it is.
func (j *Memory) PutSnapshot(id string, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.snapshots[id] = slices.Clone(data)
}

// Schedule implements aggregate.Journal.
func (j *Memory) Schedule(ctx context.Context, id string, at time.Time) error {
	if err := j.begin(ctx); err != nil {
		return err
	}
	if j.OnSchedule != nil {
		j.OnSchedule(id, at)
	}
	return nil
}

// Log gives the entries of an aggregate.
func (j *Memory) Log(id string) []aggregate.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.logs[id])
}

// Truncate drops the last n entries of an aggregate's log, as a restore does, and has the
// stream go on from the sequence of what is last then.
func (j *Memory) Truncate(id string, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.logs[id]
	j.logs[id] = slices.Clip(log[:len(log)-n])
	j.seq = 0
	for _, log := range j.logs {
		if len(log) > 0 {
			j.seq = max(j.seq, log[len(log)-1].Seq)
		}
	}
}

// Put stores an entry as it is.
func (j *Memory) Put(id string, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	j.logs[id] = append(j.logs[id], aggregate.Entry{Seq: j.seq, Data: data})
}

// Logs gives the entries of every aggregate.
func (j *Memory) Logs() map[string][]aggregate.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	logs := make(map[string][]aggregate.Entry, len(j.logs))
	for id, log := range j.logs {
		logs[id] = slices.Clone(log)
	}
	return logs
}

// Reads counts the entries that Read gave, and Heads the calls of Head.
func (j *Memory) Reads() (reads, heads int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.reads, j.heads
}
