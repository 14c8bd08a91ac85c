package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/services/auth"
	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/edge"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/profile"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
	"github.com/tuttihq/tutti/web"
)

// System is a running process. Stop it.
type System struct {
	// HTTP is the edge's address "http://HOST:PORT", empty without that role.
	HTTP string
	// NATS is where NATS tools connect, empty if the embedded server listens nowhere.
	NATS string
	// Metrics is the address of the metrics "http://HOST:PORT/metrics", empty if they are
	// not served.
	Metrics string

	observe observers
	log     *slog.Logger
	bus     *bus.Bus
	edge    *edge.Server
	stops   []stopper
	// began is when Start returned, zero if it has not; why is the reason that Wait gave.
	began time.Time
	why   atomic.Pointer[string]
}

type stopper struct {
	what string
	stop func(context.Context) error
}

// LogJSON is the LogConfig.Format for lines that programs read.
const LogJSON = "json"

// NewLogger makes the logger that a configuration asks for.
func NewLogger(c LogConfig, w io.Writer) (*slog.Logger, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == LogJSON {
		return slog.New(telemetry.NewHandler(slog.NewJSONHandler(w, opts))), nil
	}
	return slog.New(telemetry.NewHandler(slog.NewTextHandler(w, opts))), nil
}

// Start validates the configuration and starts the process's roles. When it returns
// without an error all of them serve; with an error nothing is left running.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (*System, error) {
	return start(ctx, cfg, nil, log)
}

// start starts a system whose spans go to exporter, unless that is nil.
func start(ctx context.Context, cfg Config, exporter telemetry.Exporter, log *slog.Logger) (*System, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg, err := cfg.withPasswords()
	if err != nil {
		return nil, err
	}
	s, begin := &System{log: log}, time.Now()
	if cfg.has(RoleEdge) { // before anything is made that would be left behind
		if err := tryAddress(ctx, cfg.Edge.Listen); err != nil {
			return nil, fmt.Errorf("listen on %q (edge.listen): %w", cfg.Edge.Listen, err)
		}
	}
	if err := s.startObservers(ctx, cfg, exporter); err != nil {
		return nil, s.undo(ctx, cfg, err)
	}
	if err := s.start(ctx, cfg); err != nil {
		return nil, s.undo(ctx, cfg, err)
	}
	s.began = time.Now()
	s.log.LogAttrs(ctx, slog.LevelInfo, "started", s.about(cfg, s.began.Sub(begin))...)
	return s, nil
}

// undo stops what was started before err.
func (s *System) undo(ctx context.Context, cfg Config, err error) error {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
	defer cancel()
	return errors.Join(err, s.Stop(stop))
}

func (s *System) start(ctx context.Context, cfg Config) error {
	bc := cfg.bus()
	bc.Metrics, bc.Tracer = s.observe.metrics, s.observe.tracer
	b, err := bus.Start(ctx, bc, logKeepers(), s.log)
	if err != nil {
		return err
	}
	s.bus, s.NATS = b, b.Address()
	s.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })

	var st store.Store
	if cfg.needsStore() {
		opened, err := s.openStore(ctx, cfg)
		if err != nil {
			return err
		}
		st = watchStore(s.observe.metrics, opened)
	}
	tracks, err := catalog.New(cfg.Catalog)
	if err != nil {
		return err
	}
	s.onStop("catalogue", func(context.Context) error { tracks.Close(); return nil })

	if err := s.startProfile(ctx, cfg, st); err != nil {
		return err
	}
	if err := s.startAuth(ctx, cfg, st); err != nil {
		return err
	}
	if err := s.startRoom(ctx, cfg, st, tracks); err != nil {
		return err
	}
	if err := s.startPlaylist(ctx, cfg, st, tracks); err != nil {
		return err
	}
	if err := s.startChat(ctx, cfg, st); err != nil {
		return err
	}
	if err := s.startEdge(ctx, cfg, st, tracks); err != nil {
		return err
	}
	ready := func(ctx context.Context) error { return errors.Join(s.bus.Ready(ctx), storeReady(ctx, st)) }
	s.observe.ready.Store(&ready)
	return nil
}

func (s *System) onStop(what string, stop func(context.Context) error) {
	s.stops = append(s.stops, stopper{what, stop})
}

// logKeepers lists the services whose authority is a log.
func logKeepers() []string {
	return []string{subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat}
}

func (s *System) startProfile(ctx context.Context, cfg Config, st store.Store) error {
	if !cfg.has(RoleProfile) {
		return nil
	}
	p, err := profile.Start(ctx, profile.Deps{Bus: s.bus, Store: st, Log: s.log.With("service", "profile"), Config: profile.Defaults()})
	if err != nil {
		return err
	}
	s.onStop("profile", func(context.Context) error { p.Stop(); return nil })
	s.publish(st, subjects.ServiceProfile, subjects.TableProfiles, profile.Public)
	return nil
}

func (s *System) startAuth(ctx context.Context, cfg Config, st store.Store) error {
	if !cfg.has(RoleAuth) {
		return nil
	}
	a, err := auth.Start(ctx, auth.Deps{
		Bus: s.bus, Store: st, Log: s.log.With("service", "auth"), Now: s.bus.Clock().Now, Config: cfg.auth(),
	})
	if err != nil {
		return err
	}
	s.onStop("auth", func(context.Context) error { a.Stop(); return nil })
	s.publish(st, subjects.ServiceAuth, subjects.TableAccounts, auth.PublicAccount)
	return nil
}

// publish keeps the STATE stream at what everybody may know of a service's table.
func (s *System) publish(st store.Store, service, table string, public func(store.Document) (json.RawMessage, bool)) {
	log := s.log.With("service", service)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := projection.Publish(ctx, s.bus, st, projection.Publication{Table: table, Public: public, Log: log})
		if err != nil {
			log.Error("documents are not published any more", "table", table, "err", err)
		}
	})
	s.onStop("feed of "+table, func(context.Context) error { cancel(); wg.Wait(); return nil })
}

func (s *System) startRoom(ctx context.Context, cfg Config, st store.Store, tracks *catalog.Catalog) error {
	if !cfg.has(RoleRoom) {
		return nil
	}
	r, err := room.Start(ctx, room.Deps{
		Bus: s.bus, Store: st, Tracks: watchTracks(s.observe.metrics, tracks), Log: s.log.With("service", "room"),
		Replica: subjects.NewID("node", time.Now()),
		Options: s.observe.kernel(subjects.ServiceRoom, subjects.RoomVerbs()),
	})
	if err != nil {
		return err
	}
	s.onStop("room", r.Stop)
	forget := s.observe.aggregates(subjects.ServiceRoom, r)
	s.onStop("room's metrics", func(context.Context) error { forget(); return nil })
	return nil
}

func (s *System) startPlaylist(ctx context.Context, cfg Config, st store.Store, tracks *catalog.Catalog) error {
	if !cfg.has(RolePlaylist) {
		return nil
	}
	p, err := playlist.Start(ctx, playlist.Deps{
		Bus: s.bus, Store: st, Tracks: watchTracks(s.observe.metrics, tracks), Follows: stateFollows{s.bus}, Log: s.log.With("service", "playlist"),
		Replica: subjects.NewID("node", time.Now()),
		Options: s.observe.kernel(subjects.ServicePlaylist, subjects.PlaylistVerbs()),
	})
	if err != nil {
		return err
	}
	s.onStop("playlist", p.Stop)
	forget := s.observe.aggregates(subjects.ServicePlaylist, p)
	s.onStop("playlist's metrics", func(context.Context) error { forget(); return nil })
	return nil
}

func (s *System) startChat(ctx context.Context, cfg Config, st store.Store) error {
	if !cfg.has(RoleChat) {
		return nil
	}
	c, err := chat.Start(ctx, chat.Deps{
		Bus: s.bus, Store: st, Log: s.log.With("service", "chat"), Replica: subjects.NewID("node", time.Now()),
		Options: s.observe.kernel(subjects.ServiceChat, subjects.ChatVerbs()),
	})
	if err != nil {
		return err
	}
	s.onStop("chat", c.Stop)
	forget := s.observe.aggregates(subjects.ServiceChat, c)
	s.onStop("chat's metrics", func(context.Context) error { forget(); return nil })
	return nil
}

func (s *System) startEdge(ctx context.Context, cfg Config, st store.Store, tracks *catalog.Catalog) error {
	if !cfg.has(RoleEdge) {
		return nil
	}
	a := cfg.auth()
	tokens, err := token.NewVerifier(token.Options{
		Issuer: a.Issuer, Audience: a.Audience, Now: s.bus.Clock().Now,
		Fetch: func(ctx context.Context) (keys subjects.KeySet, err error) {
			err = s.bus.Query(ctx, subjects.ServiceAuth, subjects.AuthKeys, struct{}{}, &keys)
			return keys, err
		},
	})
	if err != nil {
		return err
	}
	deps := edge.Deps{
		Lists: s.bus, Signals: s.bus, Commands: s.bus, Queries: s.bus, Tokens: tokens, Clock: s.bus.Clock(),
		Tracks: tracks, Ready: s.edgeReady(cfg, st), CutOff: s.bus.DownFor, Log: s.log.With("service", "edge"),
		Metrics: s.observe.metrics, Tracer: s.observe.tracer,
		Web: web.Files(),
	}
	if err := s.showAll(&deps); err != nil {
		return err
	}
	if demo := tracks.Demo(); demo != nil {
		deps.Media = demo
	}
	e, err := edge.Start(ctx, cfg.Edge, deps)
	if err != nil {
		return err
	}
	s.edge, s.HTTP = e, e.URL()
	s.onStop("edge", e.Shutdown)
	return nil
}

// edgeReady gives what must answer for an edge to serve. A store that other processes run
// is not among it: rooms go on without it.
func (s *System) edgeReady(cfg Config, st store.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.bus.Ready(ctx); err != nil || cfg.Store.Kind != StoreSQLite {
			return err
		}
		return storeReady(ctx, st)
	}
}

// storeReady returns nil if the store, if there is one, answers.
func storeReady(ctx context.Context, st store.Store) error {
	if st == nil {
		return nil
	}
	_, err := st.Get(ctx, subjects.TableRooms, "ready")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// Wait returns when ctx ends, with nil, or when the process cannot go on, with the reason.
func (s *System) Wait(ctx context.Context) error {
	var edgeDone <-chan struct{}
	if s.edge != nil {
		edgeDone = s.edge.Done()
	}
	select {
	case <-ctx.Done():
		why := context.Cause(ctx).Error()
		s.why.Store(&why)
		return nil
	case <-edgeDone:
		why := "the edge serves no more"
		s.why.Store(&why)
		return s.edge.Err()
	}
}

// Stop stops what Start started, the last first, and waits for it until ctx ends.
func (s *System) Stop(ctx context.Context) error {
	s.observe.ready.Store(nil)
	all := time.Now()
	var errs []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		st := s.stops[i]
		begin := time.Now()
		if err := st.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", st.what, err))
		}
		s.log.Debug("part stopped", "what", st.what, "took", time.Since(begin))
	}
	s.stops = nil
	err := errors.Join(errs...)
	s.ended(all, err)
	return err
}
