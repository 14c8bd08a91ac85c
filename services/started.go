package services

import (
	"log/slog"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/telemetry"
)

// about says what runs here and where, without passwords.
func (s *System) about(cfg Config, took time.Duration) []slog.Attr {
	out := []slog.Attr{slog.String("version", telemetry.Version()), slog.String("roles", strings.Join(cfg.Roles, ","))}
	where := func(key, at string) {
		if at != "" {
			out = append(out, slog.String(key, at))
		}
	}
	where("http", s.HTTP)
	where("metrics", s.Metrics)
	where("nats", s.NATS)
	if cfg.NATS.URL != "" {
		where("nats", bus.RedactURL(cfg.NATS.URL))
	} else if s.NATS == "" {
		where("nats", "embedded")
	}
	switch {
	case !cfg.needsStore():
	case cfg.Store.Kind == StoreRethinkDB:
		where("store", StoreRethinkDB+" "+strings.Join(cfg.Store.Addresses, ","))
	default:
		where("store", cfg.Store.Kind)
	}
	where("data", cfg.dataUsed())
	return append(out, slog.Duration("took", took.Round(time.Millisecond)))
}

// dataUsed is the directory that this process keeps something in, if it does.
func (c Config) dataUsed() string {
	if c.NATS.URL == "" || c.needsStore() && c.Store.Kind == StoreSQLite {
		return c.Data
	}
	return ""
}

// ended says that what had started has stopped, since begin, and why.
func (s *System) ended(begin time.Time, err error) {
	if s.began.IsZero() {
		return
	}
	why := "asked to"
	if given := s.why.Load(); given != nil {
		why = *given
	}
	ran := begin.Sub(s.began)
	s.began = time.Time{}
	log := s.log.With("why", why, "ran", ran.Round(time.Second), "took", time.Since(begin).Round(time.Millisecond))
	if err != nil {
		log.Warn("stopped", "err", err)
		return
	}
	log.Info("stopped")
}
