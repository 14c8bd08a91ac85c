package projection

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
)

// Write is a document to put in a table, or to delete from it if Deleted is set.
type Write struct {
	Table    string
	Document store.Document
}

// Touched collects what the documents of one aggregate owe to the events that were folded
// since they were last written: so a write costs what changed, and several commits are
// written as one.
//
// What Writes gives is a pure function of the state and of what was noted, and each
// document of the state alone: two replicas that write a document at one version write
// the same. An event is noted at least once, perhaps long after a state that
// contains it was written.
type Touched[S, E any] interface {
	// Note looks at an event, public or sealed, that is part of the state.
	Note(e E)
	// All notes that every document may be missing or wrong: what a rebuild writes.
	All(s S)
	// Writes gives the documents that bring the store up to the state, all at the given
	// version. None if nothing was noted.
	Writes(s S, version store.Version) ([]Write, error)
}

// Spec says how a service's aggregates become documents.
type Spec[S, E any] struct {
	// Fold rebuilds an aggregate from its log. Its FoldVersion is part of every
	// document's version; it must only ever rise.
	Fold aggregate.Fold[S, E]
	// Tables are those that the documents go to. Nobody else writes to them.
	Tables []string
	// Touched gives an empty collection for one aggregate; see FromState.
	Touched func() Touched[S, E]
	// Owner gives the id of the aggregate that a document is folded from; ok is false for a
	// document that belongs to none. Nil: the document has the aggregate's id.
	Owner func(table, document string) (id string, ok bool)
	// Settle, if set, does what else follows from the events, such as releasing a claim.
	// It is called at least once for each event, after the documents are in the store and
	// before the commits are acknowledged; an error has it called again later.
	Settle func(ctx context.Context, f *aggregate.Folded[S], t Touched[S, E]) error
	// Beside are the tables that Settle writes to, at Soft durability: what it wrote is to be
	// on disk, as the documents are, before the commits are acknowledged.
	Beside []string
}

// Validate reports everything that is missing.
func (s Spec[S, E]) Validate() error {
	var errs []error
	if s.Fold == nil {
		errs = append(errs, errors.New("projection: the spec has no fold"))
	}
	if s.Touched == nil {
		errs = append(errs, errors.New("projection: the spec has no Touched"))
	}
	if len(s.Tables) == 0 {
		errs = append(errs, errors.New("projection: the spec names no table"))
	}
	return errors.Join(errs...)
}

func (s Spec[S, E]) owner(table, document string) (string, bool) {
	if s.Owner == nil {
		return document, true
	}
	return s.Owner(table, document)
}

// sync has the store bring to disk what was written, where it does not see to that itself.
func (s Spec[S, E]) sync(ctx context.Context, db store.Store) error {
	return store.Sync(ctx, db, slices.Concat(s.Tables, s.Beside)...)
}

func (s Spec[S, E]) version(f *aggregate.Folded[S]) store.Version {
	return store.Version{Epoch: f.Epoch, Fold: s.Fold.FoldVersion(), Rev: f.Rev}
}

func (s Spec[S, E]) check(w Write) error {
	for _, t := range s.Tables {
		if t == w.Table {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is not among the spec's tables", store.ErrUnknownTable, w.Table)
}

// FromState is Touched for a service whose aggregates have few documents, all written
// whenever anything happened: documents gives them for a state.
func FromState[S, E any](documents func(s S, version store.Version) ([]Write, error)) func() Touched[S, E] {
	return func() Touched[S, E] { return &whole[S, E]{documents: documents} }
}

type whole[S, E any] struct {
	documents func(S, store.Version) ([]Write, error)
	any       bool
}

func (w *whole[S, E]) Note(E) { w.any = true }
func (w *whole[S, E]) All(S)  { w.any = true }

func (w *whole[S, E]) Writes(s S, v store.Version) ([]Write, error) {
	if !w.any {
		return nil, nil
	}
	return w.documents(s, v)
}
