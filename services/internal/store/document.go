package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Version orders the states of one document. It is compared part by part: a higher
// Epoch wins over any Fold, a higher Fold over any Rev. The zero Version is older
// than every other and belongs to no document.
//
// A part is at most [MaxVersionPart], so that it survives being a JSON number.
type Version struct {
	// Epoch rises when the log behind a document lost its tail and was continued.
	Epoch uint64 `json:"epoch"`
	// Fold is the version of the code that folded the document, so that a corrected
	// fold replaces what an older one wrote.
	Fold uint64 `json:"fold"`
	// Rev is the number of the last commit in the document; for a document that is
	// no fold of a log, a counter of its writes.
	Rev uint64 `json:"rev"`
}

// Compare returns -1 if v is older than o, 0 if they are the same, and 1 if v is
// newer.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Fold, o.Fold), cmp.Compare(v.Rev, o.Rev))
}

// Newer reports whether v is newer than o.
func (v Version) Newer(o Version) bool { return v.Compare(o) > 0 }

// IsZero reports whether v is the zero Version.
func (v Version) IsZero() bool { return v == Version{} }

// Next returns v with the next Rev: what to write in order to replace exactly the
// document that was read at v.
func (v Version) Next() Version { return Version{Epoch: v.Epoch, Fold: v.Fold, Rev: v.Rev + 1} }

// String returns "epoch.fold.rev".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Epoch, v.Fold, v.Rev) }

// Document is one document of a table at one version.
type Document struct {
	// ID is the primary key: 1 to [MaxID] bytes of UTF-8 without control characters.
	ID string `json:"id"`
	// Version says which state this is. Never zero in a store.
	Version Version `json:"version"`
	// Deleted marks a tombstone: the document is gone as of Version, and Body is
	// empty. Tombstones stay, so that a late write of an older version cannot bring
	// the document back.
	Deleted bool `json:"deleted,omitempty"`
	// Body is a JSON object of at most [MaxBody] bytes. A store returns a body that
	// equals the one written as a JSON value; bytes and key order may differ, and
	// numbers are exact as long as a float64 holds them.
	Body json.RawMessage `json:"body,omitempty"`
}

// Decode unmarshals the body into v.
func (d Document) Decode(v any) error {
	if err := json.Unmarshal(d.Body, v); err != nil {
		return fmt.Errorf("store: decode document %q at %s: %w", d.ID, d.Version, err)
	}
	return nil
}

// Validate reports, as [ErrInvalid], what keeps d from being stored.
func (d Document) Validate() error {
	if err := ValidateID(d.ID); err != nil {
		return err
	}
	if err := d.Version.Validate(); err != nil {
		return err
	}
	if d.Deleted {
		if len(d.Body) > 0 {
			return invalid("a deleted document has no body")
		}
		return nil
	}
	if len(d.Body) > MaxBody {
		return invalid("body of %d bytes; the limit is %d", len(d.Body), MaxBody)
	}
	trimmed := bytes.TrimLeft(d.Body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return invalid("body is not a JSON object")
	}
	if !utf8.Valid(d.Body) || !json.Valid(d.Body) {
		return invalid("body is not JSON in UTF-8")
	}
	return nil
}

// Validate reports, as [ErrInvalid], whether v cannot be the version of a document.
func (v Version) Validate() error {
	if v.IsZero() {
		return invalid("the zero version belongs to no document")
	}
	if v.Epoch > MaxVersionPart || v.Fold > MaxVersionPart || v.Rev > MaxVersionPart {
		return invalid("version %s has a part above 2^53-1", v)
	}
	return nil
}

// ValidateID reports, as [ErrInvalid], whether id cannot be a primary key.
func ValidateID(id string) error {
	if id == "" || len(id) > MaxID {
		return invalid("an id has 1 to %d bytes, not %d", MaxID, len(id))
	}
	if !utf8.ValidString(id) {
		return invalid("an id is UTF-8")
	}
	for _, r := range id {
		if r < 0x20 || r == 0x7f {
			return invalid("an id has no control characters")
		}
	}
	return nil
}
