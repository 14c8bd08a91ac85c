package services

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// stateFollows tells who follows whom by what the profile service publishes on the STATE
// stream. It asks the stream's leader; a follow shows there some milliseconds after it was
// answered.
type stateFollows struct{ bus *bus.Bus }

// Follows implements playlist.Follows.
func (f stateFollows) Follows(ctx context.Context, follower, followed string) (bool, error) {
	if subjects.CheckID(subjects.PrefixUser, follower) != nil || subjects.CheckID(subjects.PrefixUser, followed) != nil {
		return false, nil
	}
	subject := subjects.Own(subjects.TableFollows, follower, followed)
	e, err := f.bus.Head(ctx, subjects.StreamState, subject)
	if errors.Is(err, bus.ErrNoMessage) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d, err := bus.DecodeState(subject, e.Data)
	if err != nil {
		return false, err
	}
	return !d.Deleted, nil
}
