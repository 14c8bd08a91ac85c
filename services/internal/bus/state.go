package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// StateVersion orders the versions of a document; the same triple as the store's.
type StateVersion struct {
	Epoch uint64 `json:"epoch"`
	Fold  uint64 `json:"fold"`
	Rev   uint64 `json:"rev"`
}

// Newer reports whether v is newer than o.
func (v StateVersion) Newer(o StateVersion) bool {
	if v.Epoch != o.Epoch {
		return v.Epoch > o.Epoch
	}
	if v.Fold != o.Fold {
		return v.Fold > o.Fold
	}
	return v.Rev > o.Rev
}

// tombstoneTTL is how long the end of a document stays on the STATE stream: far longer than
// any writer is behind, who could otherwise bring it back.
const tombstoneTTL = 24 * time.Hour

// Document is a document on the STATE stream: a public one or, with an Owner, one that
// concerns that user alone. Deleted ones are kept for a day, with their
// version and without a body, so that an old writer cannot bring them back.
type Document struct {
	Table   string          `json:"-"`
	Owner   string          `json:"-"`
	ID      string          `json:"-"`
	Version StateVersion    `json:"version"`
	Deleted bool            `json:"deleted,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// Subject is where the document is kept.
func (d Document) Subject() string {
	if d.Owner != "" {
		return subjects.Own(d.Table, d.Owner, d.ID)
	}
	return subjects.State(d.Table, d.ID)
}

// PutState publishes a document if it is newer than the one that the stream holds:
// ErrStale otherwise. Two writers at once: the newer version stays, whoever was last.
func (b *Bus) PutState(ctx context.Context, d Document) error {
	subject := d.Subject()
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("bus: state: %w", err)
	}
	version, err := json.Marshal(d.Version)
	if err != nil {
		return fmt.Errorf("bus: state: %w", err)
	}
	for {
		head, err := b.Head(ctx, subjects.StreamState, subject)
		if err != nil && !errors.Is(err, ErrNoMessage) {
			return err
		}
		if err == nil {
			var have Document
			if json.Unmarshal(head.Data, &have) == nil && !d.Version.Newer(have.Version) {
				return ErrStale
			}
		}
		put, cancel := b.bounded(ctx, appendWait)
		m := nats.NewMsg(subject)
		m.Data = data
		m.Header.Set(subjects.HeaderVersion, string(version))
		opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(head.Seq)}
		if d.Deleted {
			opts = append(opts, jetstream.WithMsgTTL(tombstoneTTL))
		}
		_, err = b.js.PublishMsg(put, m, opts...)
		cancel()
		err = classify(err)
		if errors.Is(err, ErrFenced) {
			continue // somebody else published meanwhile: look again
		}
		if err != nil {
			return fmt.Errorf("bus: state: %w", err)
		}
		return nil
	}
}

// LastState reads a public document. ErrNoMessage if there is none; a deleted one is
// returned as such.
func (b *Bus) LastState(ctx context.Context, table, id string) (Document, error) {
	e, err := b.Last(ctx, subjects.StreamState, subjects.State(table, id))
	if err != nil {
		return Document{}, err
	}
	return DecodeState(e.Subject, e.Data)
}

// DecodeState reads a message of the STATE stream.
func DecodeState(subject string, data []byte) (Document, error) {
	var d Document
	var err error
	if d.Table, d.ID, err = subjects.ParseState(subject); err != nil {
		if d.Table, d.Owner, d.ID, err = subjects.ParseOwn(subject); err != nil {
			return Document{}, err
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return Document{}, fmt.Errorf("bus: state document: %w", err)
	}
	return d, nil
}
