package aggregate

import (
	"encoding/json"
	"errors"
	"fmt"
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
