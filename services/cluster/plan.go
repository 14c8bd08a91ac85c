package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The kinds of store, as store.kind says them.
const (
	storeSQLite    = "sqlite"
	storeRethinkDB = "rethinkdb"
)

func (c Config) storeKind() string {
	if c.RethinkDB != "" {
		return storeRethinkDB
	}
	return storeSQLite
}

// plan decides which processes there are, where they listen and in which order they start.
func (c *Cluster) plan() error {
	if err := c.chooseNodes(); err != nil {
		return err
	}
	if err := c.writeNATS(); err != nil {
		return err
	}
	var servers []*child
	for _, n := range c.nodes {
		servers = append(servers, c.add(spec{
			name: n.name, class: ClassNATS, path: c.cfg.Binary, args: []string{"nats-server", "--config", n.file},
			env: c.environment(ClassNATS), dir: n.dir,
			address: "nats://" + at(n.clients), metrics: "http://" + at(n.status), ready: c.natsReady(n),
			stop: os.Interrupt, // all end together: there is nobody to hand over to
		}))
	}
	c.stages = append(c.stages, servers)
	if err := c.planStore(); err != nil {
		return err
	}
	return c.planServices()
}

func (c *Cluster) planStore() error {
	if c.cfg.RethinkDB == "" {
		c.store = Store{Kind: storeSQLite, Path: filepath.Join(c.cfg.Dir, nth(ClassServices, 0), "documents.db")}
		return nil
	}
	drivers, err := c.memory.port("rethinkdb/drivers")
	if err != nil {
		return err
	}
	peers, err := c.memory.port("rethinkdb/peers")
	if err != nil {
		return err
	}
	c.store = Store{Kind: storeRethinkDB, Addresses: []string{at(drivers)}, Database: "tutti"}
	dir := filepath.Join(c.cfg.Dir, string(ClassRethinkDB))
	ch := c.add(spec{
		name: string(ClassRethinkDB), class: ClassRethinkDB, path: c.cfg.RethinkDB,
		args: []string{
			"--bind", loopback, "--no-http-admin", "--no-update-check", "--cache-size", "256",
			"--directory", filepath.Join(dir, "data"), // RethinkDB wants to make it itself
			"--driver-port", strconv.Itoa(drivers), "--cluster-port", strconv.Itoa(peers),
		},
		env: c.environment(ClassRethinkDB), dir: dir, address: at(drivers), stop: gently,
		ready: func(ctx context.Context) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", at(drivers))
			if err != nil {
				return fmt.Errorf("cluster: rethinkdb: %w", err)
			}
			return conn.Close()
		},
	})
	c.stages = append(c.stages, []*child{ch})
	return nil
}

// planServices puts the first process with a service alone: it makes the streams and the
// tables, which the others find.
func (c *Cluster) planServices() error {
	var list []*child
	if c.cfg.RethinkDB == "" {
		ch, err := c.service(ClassServices, 0)
		if err != nil {
			return err
		}
		list = append(list, ch)
	} else {
		for _, class := range apart {
			for i := range c.cfg.Replicas {
				ch, err := c.service(class, i)
				if err != nil {
					return err
				}
				list = append(list, ch)
			}
		}
	}
	c.stages = append(c.stages, list[:1])
	if len(list) > 1 {
		c.stages = append(c.stages, list[1:])
	}
	var edges []*child
	for i := range c.cfg.Edges {
		ch, err := c.service(ClassEdge, i)
		if err != nil {
			return err
		}
		edges = append(edges, ch)
		c.edges = append(c.edges, ch.address)
	}
	c.stages = append(c.stages, edges)
	return nil
}

// service plans one process of tutti serve.
func (c *Cluster) service(class Class, i int) (*child, error) {
	name := nth(class, i)
	roles := string(class)
	if class == ClassServices {
		roles = strings.Join([]string{"auth", "profile", "room", "playlist", "chat", "edge"}, ",")
	}
	metrics, err := c.memory.port(name + "/metrics")
	if err != nil {
		return nil, err
	}
	servers, err := c.serversFor(class, name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.cfg.Dir, name)
	env := []string{
		"TUTTI_DATA=" + dir,
		"TUTTI_ROLES=" + roles,
		"TUTTI_METRICS__LISTEN=" + at(metrics),
		"TUTTI_NATS__URL=" + servers,
		"TUTTI_NATS__PARTITIONS=" + strconv.Itoa(c.cfg.Partitions),
		"TUTTI_NATS__SHARDS=" + strconv.Itoa(c.cfg.Shards),
		"TUTTI_NATS__REPLICAS=" + strconv.Itoa(c.cfg.streamReplicas()),
	}
	switch {
	case c.cfg.RethinkDB != "":
		env = append(env, "TUTTI_STORE__KIND="+storeRethinkDB, "TUTTI_STORE__DATABASE="+c.store.Database,
			"TUTTI_STORE__ADDRESSES="+strings.Join(c.store.Addresses, ","))
	case class == ClassEdge: // it opens none, but must not ask for the one that is services-1's
		env = append(env, "TUTTI_STORE__KIND="+storeRethinkDB)
	}
	address := ""
	if class == ClassEdge || class == ClassServices {
		listen, err := c.listenHTTP(class, name, i)
		if err != nil {
			return nil, err
		}
		env = append(env, "TUTTI_EDGE__LISTEN="+listen)
		address = (&url.URL{Scheme: "http", Host: listen}).String()
	}
	status := "http://" + at(metrics)
	return c.add(spec{
		name: name, class: class, path: c.cfg.Binary, args: []string{"serve"},
		env: append(c.environment(class), env...), dir: dir, address: address, metrics: status, stop: gently,
		ready: func(ctx context.Context) error {
			_, err := c.get(ctx, status+"/readyz")
			return err
		},
	}), nil
}

func (c *Cluster) listenHTTP(class Class, name string, i int) (string, error) {
	if class == ClassEdge && i < len(c.cfg.HTTP) {
		if host, port, err := net.SplitHostPort(c.cfg.HTTP[i]); err != nil {
			return "", fmt.Errorf("cluster: address of %s: %w", name, err)
		} else if port != "0" {
			return net.JoinHostPort(host, port), nil
		}
	}
	port, err := c.memory.port(name + "/http")
	return at(port), err
}

// serversFor gives the NATS addresses for a process: the servers' own, or those of a proxy.
func (c *Cluster) serversFor(class Class, name string) (string, error) {
	if !slices.Contains(c.cfg.Proxied, class) {
		return c.NATSURLs(), nil
	}
	p := newProxy(c.log.With("proxy", name))
	c.proxies[name] = p
	var list []string
	for _, n := range c.nodes {
		l, err := c.memory.listen(name + "/" + n.name)
		if err != nil {
			return "", err
		}
		p.door(l, at(n.clients))
		list = append(list, "nats://"+l.Addr().String())
	}
	return strings.Join(list, ","), nil
}

// add notes a process.
func (c *Cluster) add(s spec) *child {
	s.log = filepath.Join(c.cfg.Dir, "logs", s.name+".log")
	s.env = append(s.env, c.cfg.Env[s.class]...)
	ch := &child{spec: s, state: StateStopped}
	c.children = append(c.children, ch)
	return ch
}

// environment is this process's own without settings of tutti, and who the process is to
// NATS.
func (c *Cluster) environment(class Class) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TUTTI_") {
			env = append(env, kv)
		}
	}
	_ = class
	return env
}
