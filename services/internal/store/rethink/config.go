package rethink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Config says where the database is and how to use it. Only Addresses and Database are
// needed.
type Config struct {
	// Addresses of the servers of one cluster, HOST:PORT. Connections are spread over
	// them, and go elsewhere when one does not answer.
	Addresses []string
	// Database that holds the tables: letters, digits and underscores.
	Database string
	// User and Password to log in with; "admin" without a password unless set.
	User, Password string
	// CA is the path of a PEM file with the authorities that sign the servers'
	// certificates. It turns TLS on.
	CA string
	// Create makes what is missing: database, tables and indexes. Without it Open only
	// checks that they are there, and answers [ErrUnprepared] if not.
	Create bool
	// DropOld drops the indexes that this release does not ask for, once the others are
	// built; see [Store.Old]. A release that asks for them and still runs gets errors where
	// it uses them. It wants Create.
	DropOld bool
	// Shards and Replicas of the tables that are made; 1 unless set. Tables that are
	// there stay as they are.
	Shards, Replicas int
	// MaxOpen is how many queries run at once, each on a connection of its own: 20
	// unless set. More wait. Feeds have connections besides.
	MaxOpen int
	// Patience is how long a call waits for the database before it answers
	// [store.ErrUnavailable]: 10 s unless set.
	Patience time.Duration
	// Heartbeat is how often a feed asks its server for a sign of life, 2 s unless set.
	// After three in vain the feed is lost.
	Heartbeat time.Duration
	// FeedBuffer is how many changes a feed holds for a reader that is behind: 8192
	// unless set. One more, and the feed is lost.
	FeedBuffer int
	// FeedQueue is how many changes the server holds for a feed, 100,000 unless set.
	FeedQueue int
	// Log hears of what is made and repaired, and of connections that break. Nothing is
	// logged unless it is set.
	Log *slog.Logger
}

// ErrUnprepared says that the database lacks tables or indexes that this release needs,
// and that Open was not to make them.
var ErrUnprepared = errors.New(`rethink: the database is not prepared for this release; run "tutti migrate"`)

const (
	defaultMaxOpen    = 20
	defaultPatience   = 10 * time.Second
	defaultHeartbeat  = 2 * time.Second
	defaultFeedBuffer = 8192
	defaultFeedQueue  = 100_000
	defaultPort       = "28015"
)

var databaseForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// complete checks the configuration, reports everything that is wrong with it, and
// fills in what was left open.
func (c Config) complete() (Config, error) {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(c.Addresses) == 0 {
		report("no addresses")
	}
	addresses := make([]string, len(c.Addresses))
	for i, address := range c.Addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			host, port = strings.Trim(address, "[]"), defaultPort
		}
		if host == "" || port == "" {
			report("bad address %q", address)
		}
		addresses[i] = net.JoinHostPort(host, port)
	}
	c.Addresses = addresses
	if !databaseForm.MatchString(c.Database) || c.Database == "rethinkdb" {
		report("bad database name %q", c.Database)
	}
	for name, n := range map[string]int{
		"shards": c.Shards, "replicas": c.Replicas, "open connections": c.MaxOpen,
		"feed buffer": c.FeedBuffer, "feed queue": c.FeedQueue,
	} {
		if n < 0 {
			report("%d %s", n, name)
		}
	}
	if c.Patience < 0 || c.Heartbeat < 0 {
		report("negative durations")
	}
	if c.DropOld && !c.Create {
		report("indexes are to be dropped, and nothing is to be made")
	}
	if len(problems) > 0 {
		return c, fmt.Errorf("%w: rethink: %s", store.ErrInvalid, strings.Join(problems, "; "))
	}
	c.Shards, c.Replicas = max(1, c.Shards), max(1, c.Replicas)
	c.MaxOpen = orElse(c.MaxOpen, defaultMaxOpen)
	c.Patience = orElse(c.Patience, defaultPatience)
	c.Heartbeat = orElse(c.Heartbeat, defaultHeartbeat)
	c.FeedBuffer = orElse(c.FeedBuffer, defaultFeedBuffer)
	c.FeedQueue = orElse(c.FeedQueue, defaultFeedQueue)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orElse[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// authorities reads the file CA, and returns nil if there is none.
func (c Config) authorities() (*tls.Config, error) {
	if c.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("rethink: read the certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w: rethink: no certificate in %s", store.ErrInvalid, c.CA)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
