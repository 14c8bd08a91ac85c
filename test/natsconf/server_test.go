package natsconf

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// patience bounds what is waited for that comes at once on a machine with nothing else to
// do.
const patience = 30 * time.Second

// root is the directory of the repository.
var root = filepath.Join("..", "..")

// read reads a configuration file as a server does, and puts what is one machine's own
// somewhere free: addresses and the directory.
func read(t *testing.T, file string) *server.Options {
	t.Helper()
	opts, err := server.ProcessConfigFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port = "127.0.0.1", server.RANDOM_PORT
	if opts.HTTPPort != 0 {
		opts.HTTPHost, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT
	}
	opts.StoreDir = t.TempDir()
	opts.NoSigs = true
	opts.LameDuckDuration = 0 // a test does not wait for that
	return opts
}

// run starts a server.
func run(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.SetLogger(logger{t}, false, false)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not become ready")
	}
	return s
}

// logger shows what a server says of mistakes.
type logger struct{ t *testing.T }

func (l logger) Fatalf(f string, a ...any) { l.t.Logf("server: "+f, a...) }
func (logger) Noticef(string, ...any)      {}
func (logger) Warnf(string, ...any)        {}
func (logger) Errorf(string, ...any)       {}
func (logger) Debugf(string, ...any)       {}
func (logger) Tracef(string, ...any)       {}

// client is a connection of one user.
type client struct {
	t    *testing.T
	user string
	*nats.Conn
}

// login connects as a user, with the inbox that is theirs.
func login(t *testing.T, s *server.Server, user string, opts ...nats.Option) *client {
	t.Helper()
	opts = append([]nats.Option{
		nats.UserInfo(user, users[user]), nats.CustomInboxPrefix("_INBOX_" + user), nats.Name("test of " + user),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the tries look themselves
		nats.NoReconnect(),
	}, opts...)
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err != nil {
		t.Fatalf("%s: %v", user, err)
	}
	t.Cleanup(nc.Close)
	return &client{t, user, nc}
}

// refused does something on the connection and reports whether the server called it a
// permission violation. The server answers in order, so what it has not said before its
// answer to a ping it will not say.
func (c *client) refused(do func() error) bool {
	c.t.Helper()
	before := c.LastError()
	if err := do(); err != nil {
		c.t.Fatalf("%s: %v", c.user, err)
	}
	if err := c.FlushTimeout(patience); err != nil {
		c.t.Fatalf("%s: %v", c.user, err)
	}
	err := c.LastError()
	if err == nil || err == before { //nolint:errorlint // whether it is the very same
		return false
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.t.Fatalf("%s: %v", c.user, err)
	}
	return true
}

// mayPublish tries to publish.
func (c *client) mayPublish(subject string) bool {
	c.t.Helper()
	return !c.refused(func() error { return c.Publish(subject, nil) })
}

// mayHear tries to subscribe.
func (c *client) mayHear(subject string) bool {
	c.t.Helper()
	var sub *nats.Subscription
	no := c.refused(func() (err error) {
		sub, err = c.SubscribeSync(subject)
		return err
	})
	if !no {
		if err := sub.Unsubscribe(); err != nil {
			c.t.Fatalf("%s: %v", c.user, err)
		}
	}
	return !no
}

// The server takes messages as large as Tutti makes them.
func TestLargeMessages(t *testing.T) {
	const most = 8 << 20 // what the embedded server takes
	s := run(t, read(t, "nats.conf"))
	for user := range users {
		if got := login(t, s, user).MaxPayload(); got != most {
			t.Errorf("%s may send %d bytes, not %d", user, got, most)
		}
	}
}
