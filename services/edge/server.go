package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/valyala/fasthttp"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// drainWait bounds Shutdown where its context has no deadline.
	drainWait = 30 * time.Second
	// handlerWait is how long Shutdown waits, at its end, for handlers whose connections
	// and contexts it has taken away.
	handlerWait = 5 * time.Second
	// idleWorker is how long a goroutine without a connection is kept for the next one.
	idleWorker = 2 * time.Second
	// hashesKept bounds the remembered hashes of documents, about 200 bytes each; the
	// one unused for longest goes and is computed again when asked for.
	hashesKept = 4096
)

// Server is a running edge.
type Server struct {
	cfg     Config
	deps    Deps
	trusted []netip.Prefix
	limits  *limiter
	turns   *turns
	hashes  *lru.Cache[documentKey, documentHash]
	media   mediaTags
	sockets *sockets
	kinds   kinds
	hubs    hubs
	lobby   *lobby
	own     *own // invitations to rooms
	lists   *own // playlists
	users   *users
	metrics *metrics

	http    *fasthttp.Server
	door    *door
	handler fasthttp.RequestHandler

	// base ends when the server stops for good: the context of every request follows it.
	base context.Context
	stop context.CancelFunc

	draining atomic.Bool
	// readiness tells the log what /readyz finds out.
	readiness *telemetry.Readiness
	running   atomic.Int64  // handlers
	shutdown  sync.Mutex    // one Shutdown at a time
	done      chan struct{} // closed when no connection is accepted any more
	err       error         // why; read after done
}

// Start validates cfg, binds the address and serves until Shutdown. Addr tells where, if
// the configuration left the port open. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config, deps Deps) (*Server, error) {
	s, err := newServer(cfg, deps)
	if err != nil {
		return nil, err
	}
	var tlsConfig *tls.Config
	if cfg.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("edge.cert_file, edge.key_file: %w", err)
		}
		tlsConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("edge: listen on %q (edge.listen): %w", cfg.Listen, err)
	}
	s.door = newDoor(l, deps.Log)
	var serveOn net.Listener = s.door
	if tlsConfig != nil {
		serveOn = tls.NewListener(s.door, tlsConfig)
	}
	s.openSockets()
	go func() {
		defer close(s.done)
		s.err = s.http.Serve(serveOn)
	}()
	return s, nil
}

// openSockets starts what runs beside the requests.
func (s *Server) openSockets() {
	s.hubs, s.lobby, s.users, s.sockets = newHubs(s), newLobby(s), newUsers(s), newSockets(s)
	s.own = newOwn(s, subjects.TableRoomInvites, subjects.ChannelMe)
	s.lists = newOwn(s, subjects.TablePlaylistPeople, subjects.ChannelPlaylists)
}

// closeSockets sends the clients elsewhere and ends what was started.
func (s *Server) closeSockets(ctx context.Context) error {
	err := s.sockets.close(ctx)
	s.own.close()
	s.lists.close()
	s.users.close()
	s.lobby.close()
	s.hubs.close()
	return err
}

// newServer makes a server that listens nowhere yet.
func newServer(cfg Config, deps Deps) (*Server, error) {
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, deps: deps, kinds: newKinds(deps), turns: newTurns(cfg.CommandWaiters), done: make(chan struct{}), readiness: telemetry.NewReadiness(deps.Log)}
	s.cfg.AllowedOrigins = slices.Clone(cfg.AllowedOrigins)
	var err error
	if s.trusted, err = parseNetworks(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	if s.limits, err = newLimiter(cfg.Limits); err != nil {
		return nil, err
	}
	if s.hashes, err = lru.New[documentKey, documentHash](hashesKept); err != nil {
		return nil, err
	}
	s.base, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(deps.Metrics, s.routes(), s.kinds.all())

	app := fiber.New(fiber.Config{
		// Strings that a handler reads are copies, and may be kept.
		Immutable:             true,
		StrictRouting:         true,
		CaseSensitive:         true,
		DisableStartupMessage: true,
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			refusal, _ := refusalOf(err)
			writeProblem(c.Context(), refusal, "", "")
			return nil
		},
	})
	app.Use(s.around)
	s.mount(app)
	if err := s.mountWeb(app); err != nil {
		s.stop()
		return nil, err
	}
	s.handler = knownMethods(s, app.Handler())
	s.http = &fasthttp.Server{
		Handler:                      s.handler,
		ErrorHandler:                 s.unreadable,
		Logger:                       printer{deps.Log},
		Concurrency:                  cfg.MaxConnections,
		ReadBufferSize:               cfg.MaxHeaderBytes,
		MaxRequestBodySize:           cfg.MaxBodyBytes,
		ReadTimeout:                  cfg.ReadTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		MaxIdleWorkerDuration:        idleWorker,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
	}
	return s, nil
}

// knownMethods counts the handlers that run, and answers requests whose method HTTP does
// not know; Fiber would answer in plain text.
func knownMethods(s *Server, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		s.running.Add(1)
		defer s.running.Add(-1)
		if slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			next(ctx)
			return
		}
		id := subjects.NewID(prefixRequest, time.Now())
		ctx.Response.Header.Set(fiber.HeaderXRequestID, id)
		ctx.Response.Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		ctx.Response.Header.Set(fiber.HeaderAllow, allowedMethods)
		writeProblem(ctx, transportRefusal(http.StatusMethodNotAllowed), id, "")
	}
}

// Addr is the address that the server is bound to.
func (s *Server) Addr() net.Addr { return s.door.Addr() }

// URL is where the server is reached from this machine, without a slash at the end.
func (s *Server) URL() string {
	scheme := "http"
	if s.cfg.CertFile != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return scheme + "://" + s.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Done is closed when the server accepts no connections any more: after Shutdown, or
// because the listener broke, which Err then tells.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is why the server stopped accepting; nil before Done, and after a Shutdown.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Shutdown stops the server: /readyz turns to 503, after DrainDelay no connection is
// accepted any more, and requests under way are finished. When ctx ends, or after 30 s if
// it has no deadline, the rest is cut off, commands that waited are answered nothing, and
// ctx's error is returned. No handler runs when Shutdown has returned, unless one of Deps
// does not heed its context. Calling it again is harmless.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.shutdown.Lock()
	defer s.shutdown.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, drainWait)
		defer cancel()
	}
	if s.cfg.DrainDelay > 0 && s.base.Err() == nil {
		t := time.NewTimer(s.cfg.DrainDelay)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	// The door is closed here as well, because a server that has not got as far as to
	// accept does not know it yet.
	err := errors.Join(s.door.Close(), s.closeSockets(ctx), s.http.ShutdownWithContext(ctx))
	s.stop()
	if err != nil {
		s.door.closeAll()
		s.awaitHandlers()
	}
	<-s.done
	if err != nil {
		return fmt.Errorf("edge: shutdown: requests were cut off: %w", err)
	}
	return nil
}

// awaitHandlers waits until no handler runs any more, for handlerWait at most.
func (s *Server) awaitHandlers() {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	limit := time.NewTimer(handlerWait)
	defer limit.Stop()
	for s.running.Load() > 0 {
		select {
		case <-poll.C:
		case <-limit.C:
			s.deps.Log.Error("handlers do not end", "handlers", s.running.Load())
			return
		}
	}
}

// printer writes what the HTTP server has to say into our log.
type printer struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (p printer) Printf(format string, args ...any) {
	p.log.Warn("http server", "message", fmt.Sprintf(format, args...))
}
