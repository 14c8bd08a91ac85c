package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// Bus is a connection to NATS with the streams in place. It is safe for use by many
// goroutines. Close it last, after everything that uses it has stopped.
type Bus struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	srv    *embedded
	cfg    Config
	clock  *Clock
	log    *slog.Logger
	watch  *watch
	link   *link
	survey *survey
	login  *logins
	down   atomic.Int64 // Unix nanoseconds of the loss of the connection; 0 while there is one

	mu          sync.Mutex
	onReconnect map[int]func()
	nextHook    int
	closed      chan struct{}
}

// Start starts the embedded server or connects to the remote one, and creates or updates
// the streams of the named services, or finds them in place (Config.Check). On an error nothing is left running.
func Start(ctx context.Context, cfg Config, services []string, log *slog.Logger) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, log: log, onReconnect: map[int]func(){}, closed: make(chan struct{}), link: newLink(), login: newLogins(cfg, log)}
	b.watch = newWatch(cfg.Metrics)
	if cfg.URL == "" {
		srv, err := startEmbedded(cfg)
		if err != nil {
			return nil, err
		}
		b.srv = srv
	}
	if err := b.settle(ctx, b.connect); err != nil {
		b.Close(ctx)
		return nil, err
	}
	if err := b.settle(ctx, func() error { return b.prepare(ctx, services) }); err != nil {
		b.Close(ctx)
		return nil, err
	}
	b.clock = newClock(b)
	if err := b.clock.measure(ctx); err != nil {
		b.Close(ctx)
		return nil, err
	}
	b.watch.read(b)
	b.survey = startSurvey(ctx, b, services)
	return b, nil
}

// settle tries step until a remote server does not lack it for the moment: the parts of a
// deployment start in any order, and a cluster has no leader at first. It gives up after
// settleWait.
func (b *Bus) settle(ctx context.Context, step func() error) error {
	deadline := time.Now().Add(settleWait)
	for {
		err := step()
		if err == nil || b.srv != nil || !passing(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		b.log.Warn("waiting for NATS", "err", err)
		t := time.NewTimer(settlePause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// passing reports whether err may be gone in a moment.
func passing(err error) bool {
	var refused *net.OpError
	return errors.Is(err, ErrUnavailable) || errors.Is(err, nats.ErrNoServers) || errors.As(err, &refused) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// Dial connects to a running NATS server and nothing more: it makes no streams and does
// not measure the clock (Clock gives nil). With Config.Shards 0 it asks the server for their
// number. For tools that look.
func Dial(ctx context.Context, cfg Config, log *slog.Logger) (*Bus, error) {
	b := &Bus{cfg: cfg, log: log, onReconnect: map[int]func(){}, closed: make(chan struct{}), link: newLink(), login: newLogins(cfg, log)}
	b.watch = newWatch(cfg.Metrics)
	if err := b.connect(); err != nil {
		b.Close(ctx)
		return nil, err
	}
	if b.cfg.Shards == 0 {
		var err error
		if b.cfg.Shards, err = b.findShards(ctx); err != nil {
			b.Close(ctx)
			return nil, err
		}
	}
	return b, nil
}

func (b *Bus) options() []nats.Option {
	opts := []nats.Option{
		nats.Name(b.cfg.Name),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a password may be changed on one side before the other
		nats.CustomReconnectDelay(b.login.pause),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails now; callers retry
		nats.Timeout(connectWait),
		nats.PingInterval(pingEvery), // a server that is frozen is left after three
		nats.MaxPingsOutstanding(2),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.log.Info("nats reconnected")
			b.login.taken()
			b.down.Store(0)
			b.link.restore()
			b.reconnected()
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.link.sever()
			b.down.CompareAndSwap(0, time.Now().UnixNano())
			if err != nil {
				b.log.Warn("nats disconnected", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			b.watch.errors.Inc()
			switch {
			case refusedLogin(err):
				b.login.refused(b.refusal(err))
			case s != nil:
				b.log.Warn("nats error", "subject", s.Subject, "err", err)
			default:
				b.log.Warn("nats error", "err", err)
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { b.link.sever(); close(b.closed) }),
	}
	if b.srv != nil {
		return append(opts, nats.InProcessServer(b.srv.srv))
	}
	if b.cfg.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(b.cfg.CredentialsFile))
	}
	if b.cfg.User != "" {
		opts = append(opts, nats.UserInfo(b.cfg.User, b.cfg.Password), nats.CustomInboxPrefix("_INBOX_"+b.cfg.User))
	}
	if b.cfg.CA != "" {
		opts = append(opts, nats.RootCAs(b.cfg.CA))
	}
	if b.cfg.Cert != "" {
		opts = append(opts, nats.ClientCert(b.cfg.Cert, b.cfg.Key))
	}
	return opts
}

func (b *Bus) connect() error {
	servers := b.cfg.URL
	nc, err := nats.Connect(servers, b.options()...)
	if refusedLogin(err) {
		return b.refusal(err)
	}
	if err != nil {
		return fmt.Errorf("bus: connect to NATS at %q: %w", RedactURL(servers), err)
	}
	b.nc = nc
	b.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		return fmt.Errorf("bus: jetstream: %w", err)
	}
	return nil
}

func (b *Bus) prepare(ctx context.Context, services []string) error {
	if err := b.checkMapping(ctx); err != nil {
		return err
	}
	put := b.ensure
	if b.cfg.Check {
		put = b.verify
	}
	for _, s := range streams(services, b.cfg.Shards, b.cfg.replicasToMake()) {
		if err := put(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// checkMapping sends a probe through each door's mapping and expects it back under the
// partition that Go computes.
func (b *Bus) checkMapping(ctx context.Context) error {
	for _, door := range [...]subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		if err := b.probe(ctx, door); err != nil {
			return err
		}
	}
	return nil
}

// probe sends a message that the prober alone hears: the stream behind the queue's door
// refuses it, since it expects a sequence that no stream comes to.
func (b *Bus) probe(ctx context.Context, door subjects.Door) error {
	probe := subjects.Command{Service: "probe", ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Verb: "probe", Principal: subjects.System}
	to, err := probe.Subject(door)
	if err != nil {
		return err
	}
	want, err := probe.Routed(door, b.cfg.Partitions)
	if err != nil {
		return err
	}
	sub, err := b.nc.SubscribeSync(want)
	if err != nil {
		return fmt.Errorf("bus: probe: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.nc.FlushWithContext(withDefault(ctx)); err != nil {
		return fmt.Errorf("bus: probe: %w", classify(err))
	}
	m := nats.NewMsg(to)
	m.Header.Set(jetstream.ExpectedLastSeqHeader, "4611686018427387904")
	if err := b.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("bus: probe: %w", classify(err))
	}
	if _, err := sub.NextMsg(2 * time.Second); err != nil {
		src, dst := subjects.Mapping(door, b.cfg.Partitions)
		return fmt.Errorf("%w: add to the account's mappings: %q: %q", ErrMapping, src, dst)
	}
	return nil
}

// Address is where NATS tools connect to the embedded server; empty if it listens
// nowhere or the server is a remote one.
func (b *Bus) Address() string {
	if b.srv == nil {
		return ""
	}
	return b.srv.url(b.cfg.Listen)
}

// Partitions is the number of partitions of this deployment.
func (b *Bus) Partitions() int { return b.cfg.Partitions }

// MaxPayload is the largest message that the server takes, in bytes.
func (b *Bus) MaxPayload() int { return int(b.nc.MaxPayload()) }

// Clock is the log's time as this process knows it.
func (b *Bus) Clock() *Clock { return b.clock }

func (b *Bus) now() time.Time {
	if b.clock == nil {
		return time.Now()
	}
	return b.clock.Now()
}

// Conn gives the connection to the kernel, which subscribes to partitions itself.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// JetStream gives the JetStream handle to the kernel.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Ready returns nil if the server answers now.
func (b *Bus) Ready(ctx context.Context) error {
	if b.nc == nil || !b.nc.IsConnected() {
		return fmt.Errorf("%w: not connected to NATS", ErrUnavailable)
	}
	if err := b.nc.FlushWithContext(withDefault(ctx)); err != nil {
		return classify(err)
	}
	return nil
}

// DownFor tells for how long there has been no connection to NATS; 0 if there is one.
func (b *Bus) DownFor() time.Duration {
	since := b.down.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// OnReconnect calls f after each reconnection, until the returned function is called. f
// must not block.
func (b *Bus) OnReconnect(f func()) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.nextHook
	b.nextHook++
	b.onReconnect[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.onReconnect, id)
	}
}

func (b *Bus) reconnected() {
	b.mu.Lock()
	hooks := make([]func(), 0, len(b.onReconnect))
	for _, f := range b.onReconnect {
		hooks = append(hooks, f)
	}
	b.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// Close drains the connection, then stops the embedded server. It waits until both are
// done or ctx ends.
func (b *Bus) Close(ctx context.Context) {
	b.watch.forget()
	b.survey.stop()
	if b.clock != nil {
		b.clock.stop()
	}
	if b.nc != nil {
		if err := b.nc.Drain(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			b.nc.Close()
		}
		select {
		case <-b.closed:
		case <-ctx.Done():
			b.nc.Close()
			<-b.closed
		}
	}
	if b.srv != nil {
		b.srv.stop()
	}
}

// RedactURL hides the passwords in a list of server addresses.
func RedactURL(list string) string {
	parts := strings.Split(list, ",")
	for i, p := range parts {
		if u, err := url.Parse(strings.TrimSpace(p)); err == nil && u.User != nil {
			parts[i] = u.Redacted()
			if _, has := u.User.Password(); !has { // a token stands where a name would
				u.User = url.User("xxxxx")
				parts[i] = u.String()
			}
		} else if err != nil {
			parts[i] = "(not an address)"
		}
	}
	return strings.Join(parts, ",")
}

// withDefault gives ctx a deadline if it has none: the client library insists on one.
func withDefault(ctx context.Context) context.Context {
	if _, ok := ctx.Deadline(); ok {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// Check returns nil if the server routes commands to partitions and has JetStream.
func (b *Bus) Check(ctx context.Context) error {
	if err := b.checkMapping(ctx); err != nil {
		return err
	}
	if _, err := b.js.AccountInfo(withDefault(ctx)); err != nil {
		return fmt.Errorf("bus: JetStream: %w", classify(err))
	}
	return nil
}
