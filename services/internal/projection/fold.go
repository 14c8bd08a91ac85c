package projection

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

var (
	// ErrUndecodable is wrapped by what ends at the dead letters: it cannot be decoded,
	// folded or written by this release, however often it is tried.
	ErrUndecodable = errors.New("projection: cannot be projected")
	// errUpgrade means that the log holds an event of a newer release, which can project it.
	errUpgrade = errors.New("projection: needs a newer release")
)

// apply folds one commit, the next one of f's log, and calls note for each of its events.
// After an error f is of no use.
func apply[S, E any](fold aggregate.Fold[S, E], f *aggregate.Folded[S], seq uint64, c *subjects.Commit, note func(E)) (err error) {
	defer guard(&err)
	if c.Rev != f.Rev+1 {
		return fmt.Errorf("%w: %w: %s: revision %d follows %d at sequence %d", ErrUndecodable, aggregate.ErrBrokenLog, f.ID, c.Rev, f.Rev, seq)
	}
	err = c.Each(func(e *subjects.Event, to []string) error {
		if f.Unknown != nil {
			return nil
		}
		ev, err := fold.DecodeEvent(e.Type, e.Body)
		if errors.Is(err, aggregate.ErrUnknownEvent) {
			f.Unknown = fmt.Errorf("projection: %s: revision %d: %w", f.ID, c.Rev, err)
			return nil
		}
		if err == nil {
			err = fold.Evolve(f.State, subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}, ev, nil)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: revision %d, %s: %w", ErrUndecodable, f.ID, c.Rev, e.Type, err)
		}
		if note != nil {
			note(ev)
		}
		return nil
	})
	f.Epoch, f.Rev, f.Seq, f.At = max(f.Epoch, c.Epoch), c.Rev, seq, max(f.At, c.At)
	return err
}

// noteAll calls note for the events of a commit that is folded already.
func noteAll[S, E any](fold aggregate.Fold[S, E], c *subjects.Commit, note func(E)) (err error) {
	defer guard(&err)
	return c.Each(func(e *subjects.Event, _ []string) error {
		ev, err := fold.DecodeEvent(e.Type, e.Body)
		if errors.Is(err, aggregate.ErrUnknownEvent) {
			return nil // the fold knows
		}
		if err != nil {
			return fmt.Errorf("%w: revision %d, %s: %w", ErrUndecodable, c.Rev, e.Type, err)
		}
		note(ev)
		return nil
	})
}

// load folds an aggregate up to its log's head.
func load[S, E any](ctx context.Context, j aggregate.Journal, fold aggregate.Fold[S, E], id string) (f *aggregate.Folded[S], err error) {
	defer guard(&err)
	full, err := aggregate.Load(ctx, j, fold, id)
	if errors.Is(err, aggregate.ErrBrokenLog) {
		return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	if err != nil {
		return nil, err
	}
	// Not all of it: the memory of commands is large, and of no use here.
	return &aggregate.Folded[S]{
		ID: id, State: full.State, Epoch: full.Epoch, Rev: full.Rev, Seq: full.Seq, At: full.At, Unknown: full.Unknown,
	}, nil
}

// catchUp folds what the log holds beyond f, at least up to sequence upTo. After an error
// that wraps ErrUndecodable f is of no use.
func catchUp[S, E any](ctx context.Context, j aggregate.Journal, fold aggregate.Fold[S, E], f *aggregate.Folded[S], upTo uint64) error {
	err := j.Read(ctx, f.ID, f.Seq+1, func(e aggregate.Entry) error {
		c, err := subjects.DecodeCommit(e.Data)
		if err != nil {
			f.Seq = e.Seq // no commit, and no part of the log
			return nil
		}
		return apply(fold, f, e.Seq, &c, nil)
	})
	if err == nil && f.Seq < upTo {
		err = fmt.Errorf("%w: the log of %s was read to %d, and goes to %d", errUnavailable, f.ID, f.Seq, upTo)
	}
	return err
}

// guard turns a panic of a service's pure function into an error: it would come again.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: panic: %v\n%s", ErrUndecodable, r, debug.Stack())
	}
}
