package services

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/auth"
	"github.com/tuttihq/tutti/services/edge"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/services/internal/telemetry"
)

// The roles that a process can have.
const (
	RoleAuth     = "auth"     // accounts, sessions and keys
	RoleProfile  = "profile"  // what people show of themselves
	RoleRoom     = "room"     // the rooms' owners, their documents and searches
	RolePlaylist = "playlist" // the playlists' owners, their documents and lists
	RoleChat     = "chat"     // the chats' owners and their history
	RoleEdge     = "edge"     // HTTP
)

// Roles lists every role.
func Roles() []string {
	return []string{RoleAuth, RoleProfile, RoleRoom, RolePlaylist, RoleChat, RoleEdge}
}

// The kinds of store.
const (
	StoreSQLite    = "sqlite"    // embedded, for one process
	StoreRethinkDB = "rethinkdb" // a server or cluster that many processes share
)

// ErrEmbeddedStore is returned by Validate for a process that is to run a part of the
// roles on the embedded store, which only one process can open.
var ErrEmbeddedStore = errors.New("the embedded store belongs to one process")

// ErrEmbeddedNATS is returned by Validate for a process that is to run a part of the roles
// on the embedded NATS server, on which the others could not log in.
var ErrEmbeddedNATS = errors.New("the embedded NATS server belongs to one process")

// Config is the configuration of a process. Start from Defaults.
type Config struct {
	// Data is the directory of the embedded NATS server and the embedded store. Empty
	// keeps nothing beyond the process.
	Data string `koanf:"data"`
	// Roles that this process runs; default all.
	Roles []string `koanf:"roles"`
	// StopWithin bounds how long stopping may take before what is still under way is cut
	// off. Default 20 s.
	StopWithin time.Duration `koanf:"stop_within"`
	// AutoMigrate makes what is missing at start, and brings up to date what an older
	// release made: streams, tables, the schema. Default true. False only looks, and
	// refuses to start unless all is in place: for processes that may not do more, beside
	// a "tutti migrate" that did.
	AutoMigrate bool `koanf:"auto_migrate"`

	Log     LogConfig      `koanf:"log"`
	NATS    NATSConfig     `koanf:"nats"`
	Store   StoreConfig    `koanf:"store"`
	Edge    edge.Config    `koanf:"edge"`
	Auth    AuthConfig     `koanf:"auth"`
	Catalog catalog.Config `koanf:"catalog"`

	Metrics   MetricsConfig   `koanf:"metrics"`
	Telemetry TelemetryConfig `koanf:"telemetry"`
}

// MetricsConfig says where an operator looks at the process.
type MetricsConfig struct {
	// Listen is the address "HOST:PORT" of a listener that answers /metrics, /healthz and
	// /readyz to whoever reaches it; port 0 takes any. Default empty: there is none, and
	// nothing is counted.
	Listen string `koanf:"listen"`
}

// TelemetryConfig says where traces go.
type TelemetryConfig struct {
	// OTLP is the URL of a collector that takes OTLP over HTTP ("http://127.0.0.1:4318").
	// Default empty: the collector that OTEL_EXPORTER_OTLP_ENDPOINT in the environment
	// names, and without one nothing is traced.
	OTLP string `koanf:"otlp"`
	// Sample is the share of traces that are recorded, from 0 to 1. Default 1.
	Sample float64 `koanf:"sample"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	// Level is debug, info, warn or error. Default info.
	Level string `koanf:"level"`
	// Format is text or json. Default text.
	Format string `koanf:"format"`
}

// NATSConfig says where NATS is; see bus.Config for each.
type NATSConfig struct {
	URL         string `koanf:"url"`
	Credentials string `koanf:"credentials"`
	User        string `koanf:"user"`
	Password    string `koanf:"password"`
	// PasswordFile holds the password, alone; a line end after it does not count.
	PasswordFile string `koanf:"password_file"`
	CA           string `koanf:"ca"`
	Cert         string `koanf:"cert"`
	Key          string `koanf:"key"`
	Listen       string `koanf:"listen"`
	Partitions   int    `koanf:"partitions"`
	Shards       int    `koanf:"shards"`
	Replicas     int    `koanf:"replicas"`
	SyncAlways   bool   `koanf:"sync_always"`
	MaxStore     int64  `koanf:"max_store"`
}

// StoreConfig says where documents are kept.
type StoreConfig struct {
	// Kind is sqlite, embedded under Data, or rethinkdb. Default sqlite.
	Kind string `koanf:"kind"`
	// Addresses "HOST:PORT" of the RethinkDB servers. Default 127.0.0.1:28015.
	Addresses []string `koanf:"addresses"`
	// Database that holds the tables. Default tutti.
	Database string `koanf:"database"`
	// User and Password log in to RethinkDB; PasswordFile holds the password, alone.
	User         string `koanf:"user"`
	Password     string `koanf:"password"`
	PasswordFile string `koanf:"password_file"`
	// CA is a PEM file of who signs the servers' certificates; it turns TLS on.
	CA string `koanf:"ca"`
	// Shards and Replicas of each table, when it is made. Default 1 and 1.
	Shards   int `koanf:"shards"`
	Replicas int `koanf:"replicas"`
	// MaxOpen is the number of connections of this process. Default 20.
	MaxOpen int `koanf:"max_open"`
}

// AuthConfig tunes accounts; see auth.Config for each.
type AuthConfig struct {
	AccessLife  time.Duration `koanf:"access_life"`
	RefreshLife time.Duration `koanf:"refresh_life"`
	MaxSessions int           `koanf:"max_sessions"`
	Cost        int           `koanf:"cost"`
}

// Defaults gives the configuration of a laptop.
func Defaults() Config {
	b, a := bus.Defaults(), auth.Defaults()
	return Config{
		Data:       "data",
		Roles:      Roles(),
		StopWithin: 20 * time.Second,

		AutoMigrate: true,

		Log:  LogConfig{Level: "info", Format: "text"},
		NATS: NATSConfig{Listen: "127.0.0.1:4222", Partitions: b.Partitions, Shards: b.Shards, Replicas: b.Replicas},
		Store: StoreConfig{
			Kind: StoreSQLite, Addresses: []string{"127.0.0.1:28015"}, Database: "tutti", User: "admin",
			Shards: 1, Replicas: 1, MaxOpen: 20,
		},
		Edge:      edge.Defaults(),
		Auth:      AuthConfig{AccessLife: a.AccessLife, RefreshLife: a.RefreshLife, MaxSessions: a.MaxSessions, Cost: a.Cost},
		Catalog:   catalog.DefaultConfig(),
		Telemetry: TelemetryConfig{Sample: 1},
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if len(c.Roles) == 0 {
		errs = append(errs, fmt.Errorf("roles: name at least one of %s", strings.Join(Roles(), ", ")))
	}
	for _, r := range c.Roles {
		if !slices.Contains(Roles(), r) {
			errs = append(errs, fmt.Errorf("roles: there is no role %q; the roles are %s", r, strings.Join(Roles(), ", ")))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, c.apart())
	}
	errs = append(errs, c.Store.validate(), onePassword("nats", c.NATS.Password, c.NATS.PasswordFile))
	if c.StopWithin <= 0 {
		errs = append(errs, errors.New("stop_within: must be above zero"))
	}
	if _, err := c.Log.level(); err != nil {
		errs = append(errs, err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		errs = append(errs, fmt.Errorf("log.format: %q is neither text nor json", c.Log.Format))
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			errs = append(errs, fmt.Errorf("metrics.listen: %q is not HOST:PORT: %w", c.Metrics.Listen, err))
		}
	}
	if c.Telemetry.OTLP != "" {
		if err := telemetry.CheckEndpoint(c.Telemetry.OTLP); err != nil {
			errs = append(errs, fmt.Errorf("telemetry.otlp: %w", err))
		}
	}
	if !(c.Telemetry.Sample >= 0 && c.Telemetry.Sample <= 1) { // also refuses NaN
		errs = append(errs, fmt.Errorf("telemetry.sample: %v is not between 0 and 1", c.Telemetry.Sample))
	}
	errs = append(errs, c.bus().Validate(), c.Edge.Validate(), c.auth().Validate(), c.Catalog.Validate())
	return errors.Join(errs...)
}

func (c Config) has(role string) bool { return slices.Contains(c.Roles, role) }

func (c Config) bus() bus.Config {
	b := bus.Config{
		URL: c.NATS.URL, CredentialsFile: c.NATS.Credentials, Listen: c.NATS.Listen, SyncAlways: c.NATS.SyncAlways,
		User: c.NATS.User, Password: c.NATS.Password, CA: c.NATS.CA, Cert: c.NATS.Cert, Key: c.NATS.Key,
		Partitions: c.NATS.Partitions, Shards: c.NATS.Shards, Replicas: c.NATS.Replicas, MaxStore: c.NATS.MaxStore,
		Name: c.name(), Check: !c.AutoMigrate,
	}
	if c.NATS.URL != "" {
		b.Listen = ""
	}
	if c.Data != "" {
		b.DataDir = filepath.Join(c.Data, "nats")
	}
	return b
}

func (c Config) auth() auth.Config {
	a := auth.Defaults()
	a.AccessLife, a.RefreshLife, a.MaxSessions, a.Cost = c.Auth.AccessLife, c.Auth.RefreshLife, c.Auth.MaxSessions, c.Auth.Cost
	return a
}

func (l LogConfig) level() (slog.Level, error) {
	var v slog.Level
	if err := v.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("log.level: %q is none of debug, info, warn, error", l.Level)
	}
	return v, nil
}
