package transfer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Format is the version of the form that this release writes, and the newest it reads.
const Format = 1

// MaxRecord bounds one record, in bytes of JSON: a commit as large as a server takes, encoded.
const MaxRecord = 32 << 20

var (
	// ErrDamaged is returned for an export that is not what its manifest says: cut off,
	// changed, or with files that do not belong to it.
	ErrDamaged = errors.New("the export is damaged")
	// ErrIncomplete is returned for what has no manifest: an export that was not finished, or
	// none at all.
	ErrIncomplete = errors.New("the export is not complete")
	// ErrNewerFormat is returned for an export in a form of a newer release.
	ErrNewerFormat = errors.New("the export was made by a newer release")
)

const manifestName = "manifest.json"

// Manifest says what an export holds.
type Manifest struct {
	Format int `json:"format"`
	// ID is of this export alone.
	ID string `json:"id"`
	// Made is when it was begun, and By the release that made it.
	Made time.Time `json:"made"`
	By   string    `json:"by"`
	// Schema is the version of the documents.
	Schema int `json:"schema"`
	// Logs is set if the logs are in it, not only documents.
	Logs bool `json:"logs"`
	// Members lists the files in the order in which they were written.
	Members []Member `json:"members"`
	// Sum is the SHA-256 of the manifest with an empty Sum.
	Sum string `json:"sum"`
}

// Member is one file of an export.
type Member struct {
	// Name of the file: lower-case letters, digits, '_' and '-', then ".jsonl.gz".
	Name string `json:"name"`
	// Kind says what its records are, Of whose: a service or a table.
	Kind string `json:"kind"`
	Of   string `json:"of,omitempty"`
	// Records is their number, Size that of the file in bytes, SHA256 its hash.
	Records uint64 `json:"records"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	// Handled tells, for the log of a service, how many of its records each reader of that log
	// had dealt with, by the reader's name.
	Handled map[string]uint64 `json:"handled,omitempty"`
}

var memberForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,99}\.jsonl\.gz$`)

// Records is the number of records of all members.
func (m Manifest) Records() (n uint64) {
	for _, member := range m.Members {
		n += member.Records
	}
	return n
}

// encode spells the manifest with its sum.
func (m Manifest) encode() ([]byte, error) {
	m.Sum = ""
	bare, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bare)
	m.Sum = hex.EncodeToString(sum[:])
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// decodeManifest reads what encode spells.
func decodeManifest(text []byte) (Manifest, error) {
	// The form first: a newer one may hold what this release does not know.
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return Manifest{}, fmt.Errorf("%w: its manifest is not JSON", ErrDamaged)
	}
	if form.Format > Format {
		return Manifest{}, fmt.Errorf("%w: it has format %d, this release reads up to %d", ErrNewerFormat, form.Format, Format)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	again, err := m.encode()
	if err != nil || !bytes.Equal(again, text) {
		return Manifest{}, fmt.Errorf("%w: its manifest was changed", ErrDamaged)
	}
	seen := map[string]bool{}
	for _, member := range m.Members {
		if !memberForm.MatchString(member.Name) || seen[member.Name] || member.Size < 0 {
			return Manifest{}, fmt.Errorf("%w: its manifest names %q", ErrDamaged, member.Name)
		}
		seen[member.Name] = true
	}
	if form.Format < 1 || m.ID == "" {
		return Manifest{}, fmt.Errorf("%w: its manifest has no format or id", ErrDamaged)
	}
	return m, nil
}
