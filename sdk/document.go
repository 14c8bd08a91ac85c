package tutti

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/tuttihq/tutti/subjects"
)

// document is a room's public document, folded as the services fold it. It follows the
// events with the functions of package subjects; once it has met what this release does not
// know, an event or a field of a newer one, it follows the patches instead and keeps the
// document as JSON, so that nothing of it is lost.
type document struct {
	room subjects.Room
	raw  []byte // canonical; nil while the events are followed
}

// reset takes a snapshot. The error says that it does not have the hash it came with.
func (d *document) reset(state []byte, hash string) error {
	var room subjects.Room
	if err := json.Unmarshal(state, &room); err != nil {
		return fmt.Errorf("%w: a snapshot that is no room: %w", ErrProtocol, err)
	}
	if mine, err := subjects.CanonicalOf(room); err == nil {
		if h, err := subjects.Hash(mine); err == nil && h == hash {
			d.room, d.raw = room, nil
			return nil
		}
	}
	raw, err := subjects.Canonical(state)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if h, err := subjects.Hash(raw); err != nil || hash != "" && h != hash {
		return fmt.Errorf("%w: a snapshot with hash %s that says %s", ErrProtocol, h, hash)
	}
	d.room, d.raw = room, raw
	return nil
}

// apply folds the public part of a commit. After an error the document must be read anew.
func (d *document) apply(p *subjects.Public) error {
	if d.raw == nil {
		events := make([]subjects.RoomEvent, len(p.Events))
		for i, e := range p.Events {
			var err error
			events[i], err = subjects.DecodeRoomEvent(e.Type, e.Body)
			if errors.Is(err, subjects.ErrUnknownEvent) {
				return d.applyUnknown(p)
			}
			if err != nil {
				return fmt.Errorf("%w: %w", ErrProtocol, err)
			}
		}
		for i, e := range p.Events {
			if err := d.room.Apply(subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At}, events[i], nil); err != nil {
				return fmt.Errorf("%w: %w", ErrProtocol, err)
			}
		}
		return nil
	}
	return d.patch(p.Patch)
}

// applyUnknown goes over to following patches.
func (d *document) applyUnknown(p *subjects.Public) error {
	raw, err := subjects.CanonicalOf(d.room)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	d.raw = raw
	return d.patch(p.Patch)
}

func (d *document) patch(patch json.RawMessage) error {
	if len(patch) == 0 {
		patch = json.RawMessage("{}")
	}
	raw, err := subjects.ApplyPatch(d.raw, patch)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	var room subjects.Room
	if err := json.Unmarshal(raw, &room); err != nil {
		return fmt.Errorf("%w: a patch that leads to no room: %w", ErrProtocol, err)
	}
	d.room, d.raw = room, raw
	return nil
}

// copy gives the room for others to keep: folding goes on in the document's own maps.
func (d *document) copy() subjects.Room {
	r := d.room
	r.Queue, r.Members = maps.Clone(r.Queue), maps.Clone(r.Members)
	return r
}

// hash is that of the canonical document.
func (d *document) hash() (string, error) {
	raw := d.raw
	if raw == nil {
		var err error
		if raw, err = subjects.CanonicalOf(d.room); err != nil {
			return "", err
		}
	}
	return subjects.Hash(raw)
}
