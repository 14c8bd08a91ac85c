package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
)

// ErrHalfImported is returned by Start for a deployment that an import was begun into and not
// finished: services that wrote to it now would make that impossible.
var ErrHalfImported = errors.New("an import into the deployment is not finished")

// importID is the document, in the table of the store itself, that says which export was
// imported.
const importID = "import"

// mark is its body.
type mark struct {
	// Export and Sum are those of the manifest.
	Export string `json:"export"`
	Sum    string `json:"sum"`
	// Epoch is the least that documents get which are on the STATE stream.
	Epoch uint64 `json:"epoch,omitempty"`
	// Streams tells when each stream was made that the logs went to.
	Streams map[string]time.Time `json:"streams,omitempty"`
	// Finished is set when all of it is there.
	Finished bool `json:"finished"`
}

func readMark(ctx context.Context, st store.Store) (m mark, at store.Version, err error) {
	doc, err := st.Get(ctx, tableMeta, importID)
	if errors.Is(err, store.ErrNotFound) {
		return mark{}, doc.Version, nil
	}
	if err != nil {
		return mark{}, store.Version{}, fmt.Errorf("import: %w", err)
	}
	err = doc.Decode(&m)
	return m, doc.Version, err
}

func writeMark(ctx context.Context, st store.Store, m mark, over store.Version) (store.Version, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return over, fmt.Errorf("import: %w", err)
	}
	if err := st.Put(ctx, tableMeta, store.Document{ID: importID, Version: over.Next(), Body: body}); err != nil {
		return over, fmt.Errorf("import: another import is under way: %w", err)
	}
	return over.Next(), nil
}

// checkImported returns ErrHalfImported for a store that an import was not finished into.
func checkImported(ctx context.Context, st store.Store) error {
	m, at, err := readMark(ctx, st)
	if err != nil {
		return err
	}
	if !at.IsZero() && !m.Finished {
		return fmt.Errorf("%w: of export %s", ErrHalfImported, m.Export)
	}
	return nil
}

// of reports whether the mark is of an export.
func (m mark) of(x transfer.Manifest) bool { return m.Export == x.ID && m.Sum == x.Sum }

// streams tells when each stream of the logs was made.
func (m *importer) streams(ctx context.Context) (map[string]time.Time, error) {
	made := make(map[string]time.Time)
	for _, service := range logKeepers() {
		states, err := m.bus.LogState(ctx, service)
		if err != nil {
			return nil, err
		}
		for _, s := range states {
			made[s.Name] = s.Created
		}
	}
	return made, nil
}

// sameStreams reports whether the logs went to these streams, and not to some that were lost
// since.
func (m mark) sameStreams(made map[string]time.Time) bool {
	return maps.EqualFunc(m.Streams, made, time.Time.Equal)
}

// otherStreams is what to say where they are not the same.
func (m mark) otherStreams() error {
	if len(m.Streams) == 0 {
		return fmt.Errorf("%w: the store holds the documents of export %s, imported without its logs", ErrNotEmpty, m.Export)
	}
	return fmt.Errorf("%w: the store holds export %s, and the streams that its logs went to are gone: those of their names were made since", ErrNotEmpty, m.Export)
}
