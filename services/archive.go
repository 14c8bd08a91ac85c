package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
)

// ErrArchiveDiffers is returned beside the reports if the archive of something is not of its log.
var ErrArchiveDiffers = aggregate.ErrArchiveDiffers

// ArchiveOptions say what Admin.Archive moves, and where to.
type ArchiveOptions struct {
	aggregate.ArchiveOptions
	// Services whose logs are looked at; none means all that keep one: room, playlist, chat.
	Services []string
	// Tag and Replicas say where an archive is kept; see bus.ArchiveOptions.
	Tag      string
	Replicas int
	// Begin, which may be nil, hears which service is next.
	Begin func(service string)
}

// Validate reports a service that keeps no log.
func (o ArchiveOptions) Validate() error {
	for _, s := range o.Services {
		if !slices.Contains(logKeepers(), s) {
			return fmt.Errorf("%q keeps no log; those that do are %s", s, strings.Join(logKeepers(), ", "))
		}
	}
	return nil
}

// ArchiveReport tells what was done with the logs of one service.
type ArchiveReport struct {
	Service string
	aggregate.ArchiveReport
}

// Archive moves the old part of the logs of what has been idle out of the streams that the
// living append to. It stays readable wherever the log is read; see aggregate.Archive. The
// system may run meanwhile.
func (a *Admin) Archive(ctx context.Context, opt ArchiveOptions) ([]ArchiveReport, error) {
	if len(opt.Services) == 0 {
		opt.Services = logKeepers()
	}
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	var out []ArchiveReport
	var differ error
	for _, s := range opt.Services {
		if opt.Begin != nil {
			opt.Begin(s)
		}
		if err := a.bus.EnsureArchive(ctx, s, bus.ArchiveOptions{Tag: opt.Tag, Replicas: opt.Replicas}); err != nil {
			return out, err
		}
		r, err := aggregate.Archive(ctx, a.bus, s, opt.ArchiveOptions)
		out = append(out, ArchiveReport{s, r})
		if err != nil && !errors.Is(err, ErrArchiveDiffers) {
			return out, err
		}
		differ = errors.Join(differ, err)
	}
	return out, differ
}
