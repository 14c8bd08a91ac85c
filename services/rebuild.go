package services

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/room"
)

// RebuildReport tells what a rebuild did; see projection.Report.
type RebuildReport = projection.Report

// ErrRebuildIncomplete is returned beside the report if some rooms' logs cannot be folded.
var ErrRebuildIncomplete = projection.ErrIncomplete

// Rebuild folds all documents that follow from the log anew. A system that keeps anything in
// its data directory must be stopped: that belongs to one process. On servers that many share
// the services may run meanwhile. With drop the documents are removed first, otherwise those
// that differ are replaced. progress, which may be nil, hears how much of the log is done.
func Rebuild(ctx context.Context, cfg Config, drop bool, progress func(done, total uint64), log *slog.Logger) (RebuildReport, error) {
	if err := cfg.mustExist("rebuild"); err != nil {
		return RebuildReport{}, err
	}
	s, st, err := attach(ctx, cfg, (*System).openStore, log)
	if err != nil {
		return RebuildReport{}, err
	}
	report, err := s.rebuild(ctx, st, drop, progress)
	return report, errors.Join(err, s.detach(ctx, cfg))
}

func (s *System) rebuild(ctx context.Context, st store.Store, drop bool, progress func(done, total uint64)) (RebuildReport, error) {
	var all RebuildReport
	var errs []error
	before, total := uint64(0), uint64(0) // of the logs that are done, and with the present one
	for _, service := range []func(projection.RebuildOptions) (RebuildReport, error){
		func(opt projection.RebuildOptions) (RebuildReport, error) {
			return room.Rebuild(ctx, s.bus, st, opt)
		},
		func(opt projection.RebuildOptions) (RebuildReport, error) {
			return projection.Rebuild(ctx, s.bus, st, playlist.Projection(), opt)
		},
		func(opt projection.RebuildOptions) (RebuildReport, error) {
			return chat.Rebuild(ctx, s.bus, st, opt)
		},
	} {
		opt := projection.RebuildOptions{Drop: drop, Log: s.log}
		before = total
		if progress != nil {
			opt.Progress = func(done, of uint64) {
				total = before + of
				progress(before+done, total)
			}
		}
		r, err := service(opt)
		all = sum(all, r)
		if err != nil {
			errs = append(errs, err)
		}
		if err != nil && !errors.Is(err, ErrRebuildIncomplete) {
			break // the next would meet the same
		}
	}
	return all, errors.Join(errs...)
}

// sum adds up the reports of two services.
func sum(a, b RebuildReport) RebuildReport {
	a.Commits, a.Loads = a.Commits+b.Commits, a.Loads+b.Loads
	a.Written, a.Stale, a.Deleted = a.Written+b.Written, a.Stale+b.Stale, a.Deleted+b.Deleted
	a.Broken, a.BrokenCount = append(a.Broken, b.Broken...), a.BrokenCount+b.BrokenCount
	return a
}
