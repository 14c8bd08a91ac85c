package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
)

// Finding is what Check found out about one part.
type Finding struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

const checkWait = 5 * time.Second

// Check validates a configuration and tries what it names: the data directory, the
// addresses, a remote NATS server. It starts nothing that stays and changes nothing.
func Check(ctx context.Context, cfg Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	if err := cfg.Validate(); err != nil {
		var out []Finding
		for _, line := range strings.Split(err.Error(), "\n") {
			out = append(out, Finding{"settings", false, line})
		}
		return out
	}
	cfg, err := cfg.withPasswords()
	if err != nil {
		return []Finding{{"settings", false, err.Error()}}
	}
	out := []Finding{{"settings", true, "valid; roles " + strings.Join(cfg.Roles, ", ")}}
	if cfg.NATS.URL == "" || cfg.Store.Kind == StoreSQLite && cfg.needsStore() {
		out = append(out, checkData(cfg.Data))
	}
	if cfg.Store.Kind == StoreRethinkDB && cfg.needsStore() {
		out = append(out, checkStore(ctx, cfg))
	}
	if cfg.NATS.URL != "" {
		out = append(out, checkRemote(ctx, cfg))
	} else if cfg.NATS.Listen != "" {
		out = append(out, checkAddress(ctx, "nats", cfg.NATS.Listen))
	}
	if cfg.has(RoleEdge) {
		out = append(out, checkAddress(ctx, "http", cfg.Edge.Listen))
	}
	if cfg.Metrics.Listen != "" {
		out = append(out, checkAddress(ctx, "metrics", cfg.Metrics.Listen))
	}
	return out
}

func checkData(dir string) Finding {
	if dir == "" {
		return Finding{"data", true, "nothing is kept beyond the process"}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Finding{"data", true, dir + " will be made"}
	case err != nil:
		return Finding{"data", false, err.Error()}
	case !info.IsDir():
		return Finding{"data", false, dir + " is not a directory"}
	}
	probe, err := os.CreateTemp(dir, ".check-")
	if err != nil {
		return Finding{"data", false, dir + " cannot be written to: " + err.Error()}
	}
	_ = probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return Finding{"data", false, err.Error()}
	}
	return Finding{"data", true, dir + " is there and can be written to"}
}

func checkAddress(ctx context.Context, part, address string) Finding {
	if err := tryAddress(ctx, address); err != nil {
		detail := err.Error()
		if errors.Is(err, syscall.EADDRINUSE) {
			detail = address + " is in use; is tutti running already?"
		}
		return Finding{part, false, detail}
	}
	return Finding{part, true, address + " is free"}
}

// tryAddress returns an error if nobody could listen on an address now.
func tryAddress(ctx context.Context, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

func checkRemote(ctx context.Context, cfg Config) Finding {
	b, err := bus.Dial(ctx, cfg.bus(), slog.New(slog.DiscardHandler))
	if err != nil {
		return Finding{"nats", false, err.Error()}
	}
	defer b.Close(ctx)
	if err := b.Check(ctx); err != nil {
		return Finding{"nats", false, err.Error()}
	}
	return Finding{"nats", true, fmt.Sprintf("%s answers, routes commands to %d partitions, and has JetStream", bus.RedactURL(cfg.NATS.URL), cfg.NATS.Partitions)}
}

// ErrNoAnswer is returned by Admin.Rooms when no room service answers in time.
var ErrNoAnswer = errors.New("nothing answers")

func answered(err error) error {
	if errors.Is(err, bus.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}

// Hint says what an operator can do about an error that Start returned; empty if there is
// nothing to say beyond the error itself.
func Hint(err error) string {
	if hint := transferHint(err); hint != "" {
		return hint
	}
	switch {
	case errors.Is(err, bus.ErrLocked), errors.Is(err, sqlite.ErrLocked):
		return "Another tutti uses this data directory: stop it, or choose another one with --data."
	case errors.Is(err, syscall.EADDRINUSE):
		return "The address is in use: is tutti running already? Choose another with --http, --nats or --metrics (port 0 takes any)."
	case errors.Is(err, bus.ErrRefused):
		return "Set nats.user and nats.password (or nats.password_file), or nats.credentials, to what the server knows."
	case errors.Is(err, ErrNoAnswer):
		return "NATS is there, and no room service answers on it: does one run (tutti serve --roles room), and in the same account?"
	case errors.Is(err, bus.ErrMapping):
		return "The NATS server needs Tutti's subject mapping in its configuration."
	case errors.Is(err, bus.ErrShards):
		return "The number of shards is fixed for a deployment: set nats.shards to the number named above."
	case errors.Is(err, bus.ErrStreams):
		return "Run tutti migrate, as a user who may make streams."
	case errors.Is(err, bus.ErrPartitions):
		return "The number of partitions is fixed for a deployment: set nats.partitions to the number named above."
	case errors.Is(err, os.ErrPermission):
		return "Check who owns the data directory, or choose another one with --data."
	case errors.Is(err, rethink.ErrRefused):
		return "The store has answered; nothing was changed."
	case errors.Is(err, store.ErrUnavailable):
		return "The store does not answer; nothing was changed."
	}
	return ""
}
