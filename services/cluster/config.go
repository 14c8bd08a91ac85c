package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Class says what a process is. Its name is the class, a dash and a number from 1; that
// of RethinkDB, of which there is one, is the class alone.
type Class string

// The classes of processes, in the order in which they are started.
const (
	ClassNATS      Class = "nats"
	ClassRethinkDB Class = "rethinkdb"
	ClassServices  Class = "services" // every role in one process, on SQLite
	ClassAuth      Class = "auth"
	ClassProfile   Class = "profile"
	ClassRoom      Class = "room"
	ClassPlaylist  Class = "playlist"
	ClassChat      Class = "chat"
	ClassEdge      Class = "edge"
)

// apart are the classes that run one role each, when there is a store that many can open.
var apart = []Class{ClassAuth, ClassProfile, ClassRoom, ClassPlaylist, ClassChat}

// ServiceClasses lists the classes whose processes are "tutti serve".
func ServiceClasses() []Class {
	return slices.Concat([]Class{ClassServices}, apart, []Class{ClassEdge})
}

// Config says what a cluster is made of. Dir and Binary must be given, the rest has
// defaults.
type Config struct {
	// Dir is where everything is kept; made if it is not there.
	Dir string
	// Binary is the tutti program that the NATS servers and the services run.
	Binary string
	// NATSNodes is the number of NATS servers, 1 to 5. From three on every stream is kept
	// on three of them. Default 3.
	NATSNodes int
	// Replicas is the number of processes of each service, 1 to 8. Default 2. Without
	// RethinkDB there is one process with all of them.
	Replicas int
	// Edges is the number of edges, 1 to 8. Default 2.
	Edges int
	// HTTP are the addresses "HOST:PORT" of the edges, the first for edge-1. An edge
	// without one takes a free port.
	HTTP []string
	// RethinkDB is the path of the rethinkdb program; empty: documents are in SQLite.
	RethinkDB string
	// Partitions and Shards are nats.partitions and nats.shards, fixed for a directory.
	// Default 16 and 1.
	Partitions, Shards int
	// NATSConf is a nats.conf (the one at the root of the repository, or alike) whose
	// accounts and limits the NATS servers have, with passwords that the cluster makes. Its
	// mappings must be those of Partitions. Empty: nobody logs in.
	NATSConf string
	// NATSStore bounds what each NATS server keeps on the disk, in bytes; 0: 1 GiB. A
	// NATSConf has bounds of its own.
	NATSStore int64
	// Election is how long the NATS servers wait for a silent leader of a stream before they
	// elect another, at least; at most twice as long. Negative leaves them their own 4 to 9 s.
	// Default 1.5 s.
	Election time.Duration
	// Env adds settings, "TUTTI_EDGE__LIMITS__EXEMPT=127.0.0.1", to the environment of each
	// process of a class. They override what the cluster sets.
	Env map[Class][]string
	// Proxied lists the classes whose processes reach NATS through a proxy of the
	// cluster's, so that Cut and Stall can part them from it. Default: the edges.
	Proxied []Class
	// Restart starts a process again that ended unasked, Kill included, after a pause that
	// doubles from 250 ms to 15 s. Default: it stays down until Launch.
	Restart bool
	// StartWithin bounds the time until a process is ready, StopWithin the time until it
	// has stopped, after which it is killed. Default 60 s and 25 s.
	StartWithin, StopWithin time.Duration
	// WithoutServices starts NATS servers and RethinkDB alone, and makes streams and tables.
	WithoutServices bool
	// Told is called for each process that ends unasked (Kill does not ask), from the
	// goroutine that waited for it: it must not block. Default nil: it is logged only.
	Told func(Ended)
	// Log is told what happens. Default: nobody is.
	Log *slog.Logger
}

// Ended tells of a process that ended unasked.
type Ended struct {
	Name string
	// Err is how it ended, an *exec.ExitError; nil: with exit status 0.
	Err error
	// Last are the last lines that it said in this life, at most 10: errors alone, if it said
	// any.
	Last []string
}

func (c Config) withDefaults() Config {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&c.NATSNodes, 3)
	set(&c.Replicas, 2)
	set(&c.Edges, 2)
	set(&c.Partitions, 16)
	set(&c.Shards, 1)
	if c.NATSStore == 0 {
		c.NATSStore = 1 << 30
	}
	if c.Election == 0 {
		c.Election = 1500 * time.Millisecond
	}
	if c.Proxied == nil {
		c.Proxied = []Class{ClassEdge}
	}
	if c.StartWithin == 0 {
		c.StartWithin = 60 * time.Second
	}
	if c.StopWithin == 0 {
		c.StopWithin = 25 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("cluster: "+format, args...)) }
	if c.Dir == "" {
		bad("no directory is given")
	}
	if c.Binary == "" {
		bad("no tutti program is given")
	}
	for _, f := range []struct{ what, path string }{{"tutti program", c.Binary}, {"rethinkdb program", c.RethinkDB}, {"nats.conf", c.NATSConf}} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			bad("%s: %w", f.what, err)
		}
	}
	for _, n := range []struct {
		what      string
		v, lo, hi int
	}{
		{"NATS servers", c.NATSNodes, 1, 5}, {"replicas", c.Replicas, 1, 8}, {"edges", c.Edges, 1, 8},
		{"partitions", c.Partitions, 1, 4096}, {"shards", c.Shards, 1, 64}, {"addresses of edges", len(c.HTTP), 0, c.Edges},
	} {
		if n.v < n.lo || n.v > n.hi {
			bad("%d %s; there can be %d to %d", n.v, n.what, n.lo, n.hi)
		}
	}
	known := append([]Class{ClassNATS, ClassRethinkDB}, ServiceClasses()...)
	for class, vars := range c.Env {
		if !slices.Contains(known, class) {
			bad("environment of %q: there is no such class of processes", class)
		}
		for _, kv := range vars {
			if !strings.Contains(kv, "=") {
				bad("environment of %s: %q is not KEY=VALUE", class, kv)
			}
		}
	}
	for _, class := range c.Proxied {
		if !slices.Contains(ServiceClasses(), class) {
			bad("%q does not connect to NATS, so it cannot be proxied", class)
		}
	}
	for i, address := range c.HTTP {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad("address of %s: %w", nth(ClassEdge, i), err)
		}
	}
	if len(c.Dir) > 0 {
		if _, err := filepath.Abs(c.Dir); err != nil {
			bad("directory: %w", err)
		}
	}
	return errors.Join(errs...)
}

// streamReplicas is how many NATS servers keep each stream.
func (c Config) streamReplicas() int {
	if c.NATSNodes >= 3 {
		return 3
	}
	return 1
}
