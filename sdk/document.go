package tutti

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/subjects"
)

// document is a public document, folded as the services fold it. It follows the events with
// the functions of package subjects; once it has met what this release does not know, an
// event or a field of a newer one, it follows the patches instead and keeps the document as
// JSON, so that nothing of it is lost.
type document[D any] struct {
	fold fold[D]
	doc  D
	raw  []byte // canonical; nil while the events are followed
}

// fold applies the public events of a commit to a document. known is false, and nothing has
// changed, if one of them is of a type that this release does not know. After an error the
// events may be folded in part.
type fold[D any] func(doc *D, events []subjects.Event) (known bool, err error)

// folding makes a fold of a kind's own functions.
func folding[D, E any](decode func(typ string, body []byte) (E, error), apply func(*D, subjects.Meta, E, *subjects.Marks) error) fold[D] {
	return func(doc *D, events []subjects.Event) (bool, error) {
		decoded := make([]E, len(events))
		for i, e := range events {
			var err error
			decoded[i], err = decode(e.Type, e.Body)
			if errors.Is(err, subjects.ErrUnknownEvent) {
				return false, nil
			}
			if err != nil {
				return true, err
			}
		}
		for i, e := range events {
			if err := apply(doc, subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At}, decoded[i], nil); err != nil {
				return true, err
			}
		}
		return true, nil
	}
}

// reset takes a snapshot. The error says that it does not have the hash it came with.
func (d *document[D]) reset(state []byte, hash string) error {
	var doc D
	if err := json.Unmarshal(state, &doc); err != nil {
		return fmt.Errorf("%w: a snapshot of another kind: %w", ErrProtocol, err)
	}
	if mine, err := subjects.CanonicalOf(doc); err == nil {
		if h, err := subjects.Hash(mine); err == nil && h == hash {
			d.doc, d.raw = doc, nil
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
	d.doc, d.raw = doc, raw
	return nil
}

// apply folds the public part of a commit. After an error the document must be read anew.
func (d *document[D]) apply(p *subjects.Public) error {
	if d.raw != nil {
		return d.patch(p.Patch)
	}
	known, err := d.fold(&d.doc, p.Events)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if known {
		return nil
	}
	// From here on the patches are followed.
	if d.raw, err = subjects.CanonicalOf(d.doc); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return d.patch(p.Patch)
}

func (d *document[D]) patch(patch json.RawMessage) error {
	if len(patch) == 0 {
		patch = json.RawMessage("{}")
	}
	raw, err := subjects.ApplyPatch(d.raw, patch)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	var doc D
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%w: a patch that leads to another kind: %w", ErrProtocol, err)
	}
	d.doc, d.raw = doc, raw
	return nil
}

// hash is that of the canonical document.
func (d *document[D]) hash() (string, error) {
	raw := d.raw
	if raw == nil {
		var err error
		if raw, err = subjects.CanonicalOf(d.doc); err != nil {
			return "", err
		}
	}
	return subjects.Hash(raw)
}
