package bus

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
)

// Config says where NATS is and how the streams are kept.
type Config struct {
	// URL of a NATS server or cluster, comma separated. Empty starts the embedded server.
	URL string
	// CredentialsFile is a NATS .creds file for a remote server; empty for none.
	CredentialsFile string
	// User and Password log in to a remote server. Answers come to inboxes under "_INBOX_"
	// and the user's name, so that permissions can keep one user from another's answers.
	User, Password string
	// CA, Cert and Key are PEM files for TLS with a remote server: who signs its
	// certificate, and the certificate that this process shows. Empty for the system's
	// authorities and for none.
	CA, Cert, Key string
	// Check makes Start find the streams instead of making them: ErrStreams if one is
	// missing or kept in another way. For processes that may not make streams.
	Check bool
	// DataDir is where the embedded server keeps its streams. Empty keeps nothing: a
	// temporary directory is used and removed on Close.
	DataDir string
	// Listen is the embedded server's client address "HOST:PORT", so that NATS tools and
	// bots can connect; port 0 takes any. Empty listens nowhere: only this process
	// speaks to it. The server asks for no password, so only loopback addresses are taken.
	Listen string
	// SyncAlways makes the embedded server fsync every message: nothing accepted is lost
	// by a power cut, at about 26 times the cost of an append. Without it a killed
	// process loses nothing, a power cut may lose what the system had not yet written.
	SyncAlways bool
	// Partitions is the number of partitions of each service's aggregates. It is fixed
	// for a deployment: Start refuses another number than the streams were made with.
	Partitions int
	// Shards is the number of streams that hold the commits of each service. It is fixed for
	// a deployment, like Partitions: ErrShards otherwise.
	Shards int
	// Replicas of every stream, 1 to 5; above 1 needs a cluster. Streams that have another
	// number are changed. 0 leaves those that are there as they are, and makes new ones with
	// 3 if the URL names three servers or more, otherwise with 1.
	Replicas int
	// Name is shown in the server's list of connections.
	Name string
	// Metrics is where the bus's metrics can be read; nil: nowhere.
	Metrics *telemetry.Registry
	// Tracer follows queries to who answers them; nil follows none.
	Tracer *telemetry.Tracer
	// MaxStore bounds the embedded server's disk use in bytes; 0 leaves it to the server.
	MaxStore int64
}

// MaxPayload is the largest message, in bytes, that the embedded server takes and that a
// remote server should (snapshots of large rooms need it).
const MaxPayload = 8 << 20

const (
	connectWait   = 10 * time.Second
	reconnectWait = 250 * time.Millisecond
	pingEvery     = 2 * time.Second
	settleWait    = time.Minute
	lookWait      = 2 * time.Second
	settlePause   = 500 * time.Millisecond
)

// Defaults gives the configuration of a laptop: embedded, 16 partitions, one replica.
func Defaults() Config {
	return Config{Partitions: 16, Shards: 1, Name: "tutti"}
}

// loopback reports whether nobody outside this machine can connect to the host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Partitions < 1 || c.Partitions > 4096 {
		errs = append(errs, fmt.Errorf("nats: partitions is %d; it must be between 1 and 4096", c.Partitions))
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		errs = append(errs, fmt.Errorf("nats: replicas is %d; it must be between 1 and 5, or 0 to leave them as they are", c.Replicas))
	}
	if c.Shards < 0 || c.Shards > 64 {
		errs = append(errs, fmt.Errorf("nats: shards is %d; it must be between 1 and 64, or 0 for 1", c.Shards))
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, errors.New("nats: a certificate and its key go together"))
	}
	if c.CredentialsFile != "" && c.User != "" {
		errs = append(errs, errors.New("nats: log in with a credentials file or with a user and password, not both"))
	}
	if c.URL == "" && (c.User != "" || c.CredentialsFile != "" || c.CA != "" || c.Cert != "") {
		errs = append(errs, errors.New("nats: user, credentials and certificates are for a remote server: name its URL"))
	}
	if c.URL == "" && c.Replicas > 1 {
		errs = append(errs, errors.New("nats: the embedded server keeps one replica; set replicas to 1 or a URL of a cluster"))
	}
	if c.URL != "" && c.Listen != "" {
		errs = append(errs, errors.New("nats: a listen address is for the embedded server; leave it out or leave out the URL"))
	}
	if c.Listen != "" {
		if host, _, err := net.SplitHostPort(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("nats: listen address %q: %w", c.Listen, err))
		} else if !loopback(host) {
			errs = append(errs, fmt.Errorf("nats: listen address %q: the embedded server asks for no password, so it listens on loopback only; for other machines run a NATS server with accounts and name its URL", c.Listen))
		}
	}
	return errors.Join(errs...)
}
