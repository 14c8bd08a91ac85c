package services

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/tuttihq/tutti/services/auth"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
	"github.com/tuttihq/tutti/services/profile"
	"github.com/tuttihq/tutti/services/room"
)

var (
	// ErrExportDamaged is returned by Import for an export that was cut off or changed. Nothing
	// was written, as for the two that follow.
	ErrExportDamaged = transfer.ErrDamaged
	// ErrExportIncomplete is returned for an export that was not finished, or is none.
	ErrExportIncomplete = transfer.ErrIncomplete
	// ErrExportNewer is returned for an export in a form of a newer release.
	ErrExportNewer = transfer.ErrNewerFormat
	// ErrNotEmpty is returned by Import for a deployment that has data of its own, or those of
	// another export. What it holds is as it was.
	ErrNotEmpty = errors.New("the deployment to import into is not empty")
	// ErrRunning is returned by Import while services of the deployment run.
	ErrRunning = errors.New("services of the deployment are running")
)

// What the files of an export hold.
const (
	kindDocuments = "documents" // of a table: store.Document
	kindLog       = "log"       // of a service: entry
	kindCommands  = "commands"  // that wait: waiting
)

// Progress hears how far one part of a longer work is; total is 0 if it is not known.
type Progress func(part string, done, total uint64)

func (p Progress) tell(part string, done, total uint64) {
	if p != nil {
		p(part, done, total)
	}
}

// moved lists the tables that do not follow from the logs: an export holds them. All other
// documents are folded anew where the logs arrive. Profiles come before accounts: they note which
// version of the account they follow, and must not be ahead of it.
func moved() []store.Table { return slices.Concat(profile.Tables(), auth.Tables(), room.Owned()) }

// tableKeys is the table whose documents a deployment makes by itself when it first starts.
const tableKeys = "signing_keys"

// opening opens the store that a configuration names.
type opening func(*System, context.Context, Config) (store.Store, error)

// attach opens what a configuration names for a tool: no service runs, and nothing listens.
// Detach it.
func attach(ctx context.Context, cfg Config, open opening, log *slog.Logger) (*System, store.Store, error) {
	cfg, err := cfg.withPasswords()
	if err != nil {
		return nil, nil, err
	}
	bc := cfg.bus()
	bc.Listen = ""
	b, err := bus.Start(ctx, bc, logKeepers(), log)
	if err != nil {
		return nil, nil, err
	}
	s := &System{log: log, bus: b}
	s.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	st, err := open(s, ctx, cfg)
	if err != nil {
		return nil, nil, errors.Join(err, s.detach(ctx, cfg))
	}
	return s, st, nil
}

// detach stops what attach opened, also when ctx has ended.
func (s *System) detach(ctx context.Context, cfg Config) error {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(cfg.StopWithin, time.Second))
	defer cancel()
	return s.Stop(stop)
}

// embedded reports whether anything is kept in the data directory.
func (c Config) embedded() bool { return c.NATS.URL == "" || c.Store.Kind == StoreSQLite }

// mustExist refuses a data directory that is not there: it would be made, and found empty.
func (c Config) mustExist(what string) error {
	if !c.embedded() {
		return nil
	}
	if c.Data == "" {
		return fmt.Errorf("%s: name the data directory with --data", what)
	}
	if _, err := os.Stat(c.Data); err != nil {
		return fmt.Errorf("%s: %w; name the system's data directory with --data", what, err)
	}
	return nil
}

// entry is a record of a log: one message as it was stored.
type entry struct {
	ID string `json:"id"`
	// Seq and Time say where and when it was stored where it comes from.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Commit holds its bytes, if they are JSON on one line; otherwise Raw does.
	Commit json.RawMessage `json:"commit,omitempty"`
	Raw    string          `json:"raw,omitempty"`
}

// appendEntry spells a record so that the commit's bytes come back as they are.
func appendEntry(buf []byte, id string, e bus.Entry) ([]byte, error) {
	head, err := json.Marshal(entry{ID: id, Seq: e.Seq, Time: e.Time})
	if err != nil {
		return nil, err
	}
	buf = append(buf, head[:len(head)-1]...)
	if plainJSON(e.Data) {
		buf = append(append(buf, `,"commit":`...), e.Data...)
	} else {
		buf = append(buf, `,"raw":"`...)
		buf = base64.StdEncoding.AppendEncode(buf, e.Data)
		buf = append(buf, '"')
	}
	return append(buf, '}'), nil
}

// plainJSON reports whether data come back unchanged as a value inside a line of JSON.
func plainJSON(data []byte) bool {
	trimmed := len(data) > 0 && data[0] > ' ' && data[len(data)-1] > ' '
	return trimmed && !slices.ContainsFunc(data, func(c byte) bool { return c == '\n' || c == '\r' }) && json.Valid(data)
}

// decodeEntry reads a record of a log.
func decodeEntry(line []byte) (id string, data []byte, err error) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return "", nil, fmt.Errorf("%w: a record of a log: %w", ErrExportDamaged, err)
	}
	data = e.Commit
	if data == nil {
		if data, err = base64.StdEncoding.DecodeString(e.Raw); err != nil {
			return "", nil, fmt.Errorf("%w: a record of a log: %w", ErrExportDamaged, err)
		}
	}
	return e.ID, data, nil
}

// waiting is a record of a command that had not been carried out.
type waiting struct {
	Service   string          `json:"service"`
	ID        string          `json:"id"`
	Verb      string          `json:"verb"`
	Principal string          `json:"principal"`
	Envelope  json.RawMessage `json:"envelope"`
}

// transferHint says what an operator can do about an error of a migration, an export or an
// import; empty for any other.
func transferHint(err error) string {
	switch {
	case errors.Is(err, ErrNewerSchema), errors.Is(err, ErrExportNewer):
		return "Run the newer release, or one that is newer still: this one might misread what is there."
	case errors.Is(err, ErrNotMigrated), errors.Is(err, rethink.ErrUnprepared):
		return "Run tutti migrate, as users who may make streams and tables."
	case errors.Is(err, ErrHalfImported):
		return "Run tutti import with the same export again: it goes on where it was."
	case errors.Is(err, ErrNotEmpty):
		return "Import into a deployment that has no data; what this one holds is as it was."
	case errors.Is(err, ErrRunning):
		return "Stop all services of the deployment; NATS and the store must run."
	case errors.Is(err, ErrExportIncomplete), errors.Is(err, ErrExportDamaged):
		return "Nothing was imported. Copy the export again, or make another one."
	}
	return ""
}
