package aggregate

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
)

// Snapshot is what is stored of an aggregate so that a wake need not fold its whole log.
// It may be missing, old or wrong: the log decides.
type Snapshot struct {
	Epoch uint64 `json:"epoch"`
	// Fold is the version of the fold that made it; another version ignores it.
	Fold uint64 `json:"fold"`
	Rev  uint64 `json:"rev"`
	Seq  uint64 `json:"seq"`
	At   int64  `json:"at"`
	// Memory holds the accepted commands that are still remembered.
	Memory []byte `json:"memory"`
	// State is what Machine.EncodeState wrote, public and private.
	State json.RawMessage `json:"state"`
}

var errOtherFold = errors.New("aggregate: snapshot of another fold version")

func encodeSnapshot[S, C, E any](m Machine[S, C, E], f *Folded[S]) ([]byte, error) {
	state, err := m.EncodeState(f.State)
	if err != nil {
		return nil, fmt.Errorf("aggregate: snapshot of %s: %w", f.ID, err)
	}
	return json.Marshal(Snapshot{
		Epoch: f.Epoch, Fold: m.FoldVersion(), Rev: f.Rev, Seq: f.Seq, At: f.At,
		Memory: f.memory.encode(), State: state,
	})
}

// decodeSnapshot gives the epoch in the Snapshot even where it returns an error, if it
// could be read that far.
func decodeSnapshot[S, E any](fold Fold[S, E], id string, raw []byte) (Snapshot, *Folded[S], error) {
	var s Snapshot
	if err := json.Unmarshal(raw, &s); err != nil {
		return Snapshot{}, nil, fmt.Errorf("aggregate: snapshot of %s: %w", id, err)
	}
	if s.Fold != fold.FoldVersion() {
		return s, nil, errOtherFold
	}
	mem, err := decodeMemory(s.Memory)
	if err != nil {
		return s, nil, err
	}
	state, err := safely(func() (S, error) { return fold.DecodeState(id, s.State) })
	if err != nil {
		return s, nil, fmt.Errorf("aggregate: snapshot of %s: %w", id, err)
	}
	return s, &Folded[S]{ID: id, State: state, Epoch: s.Epoch, Rev: s.Rev, Seq: s.Seq, At: s.At, memory: mem}, nil
}

// saver is what an actor knows of the snapshots that are being stored: one at a time, and at
// most one that waits, the newest. All but missed belongs to the actor's lock.
type saver struct {
	saving bool
	next   *saved
	missed atomic.Bool // one that an Eraser's event asked for was not stored
}

// saved is a snapshot on its way into the store.
type saved struct {
	data   []byte
	erased bool
}

// snapshot stores the state beside the worker. A snapshot that cannot be stored is missing and
// no more: the next wake folds a longer tail. Where one is being stored, what is due meanwhile
// is made at a later commit, unless something was erased. A state that lacks events of a newer
// release is never stored: that release would take it for its own.
func (a *actor[S, C, E]) snapshot() {
	erased := a.f.erased
	if a.f.Unknown != nil || !erased && a.isSaving() {
		return
	}
	data, err := safely(func() ([]byte, error) { return encodeSnapshot(a.e.m, a.f) })
	a.f.sinceSnapshot, a.f.erased = 0, false
	if err != nil {
		a.e.opt.Log.Error("snapshot not made", a.e.m.Service(), a.id, "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if next := (&saved{data, erased}); a.saver.saving {
		a.saver.next = next
	} else {
		a.saver.saving = true
		a.e.wg.Go(func() { a.save(next) })
	}
}

func (a *actor[S, C, E]) isSaving() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.saver.saving
}

// save stores a snapshot, and then the one that has come to wait for it.
func (a *actor[S, C, E]) save(s *saved) {
	for s != nil {
		if err := a.e.j.SaveSnapshot(a.e.ctx, a.id, s.data); err == nil {
			a.e.snapshots.Add(1)
		} else {
			a.e.opt.Log.Warn("snapshot not stored", a.e.m.Service(), a.id, "bytes", len(s.data), "err", err)
			if s.erased {
				a.saver.missed.Store(true)
			}
		}
		a.mu.Lock()
		s, a.saver.next = a.saver.next, nil
		a.saver.saving = s != nil
		a.mu.Unlock()
	}
}
