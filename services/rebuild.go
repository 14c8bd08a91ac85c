package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// RebuildReport tells what a rebuild did; see projection.Report.
type RebuildReport = projection.Report

// ErrRebuildIncomplete is returned beside the report if some rooms' logs cannot be folded.
var ErrRebuildIncomplete = projection.ErrIncomplete

// Rebuild folds all documents that follow from the log anew. The system must be stopped:
// the embedded store belongs to one process. With drop the documents are removed first,
// otherwise those that differ are replaced. progress, which may be nil, hears how much of
// the log is done.
func Rebuild(ctx context.Context, cfg Config, drop bool, progress func(done, total uint64), log *slog.Logger) (RebuildReport, error) {
	if cfg.Data == "" {
		return RebuildReport{}, errors.New("rebuild: name the data directory with --data")
	}
	if _, err := os.Stat(cfg.Data); err != nil { // or an empty one would be made, and found right
		return RebuildReport{}, fmt.Errorf("rebuild: %w; name the system's data directory with --data", err)
	}
	bc := cfg.bus()
	bc.Listen = ""
	b, err := bus.Start(ctx, bc, []string{subjects.ServiceRoom}, log)
	if err != nil {
		return RebuildReport{}, err
	}
	s := &System{log: log, bus: b}
	s.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	report, err := s.rebuild(ctx, cfg, drop, progress)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(cfg.StopWithin, time.Second))
	defer cancel()
	return report, errors.Join(err, s.Stop(stop))
}

func (s *System) rebuild(ctx context.Context, cfg Config, drop bool, progress func(done, total uint64)) (RebuildReport, error) {
	st, err := s.openStore(ctx, cfg)
	if err != nil {
		return RebuildReport{}, err
	}
	return projection.Rebuild(ctx, s.bus, st, room.Projection(nil), projection.RebuildOptions{Drop: drop, Progress: progress, Log: s.log})
}
