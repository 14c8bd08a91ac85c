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
func (c *Cluster) plan(ctx context.Context) error {
	if err := c.chooseNodes(ctx); err != nil {
		return err
	}
	if err := c.makePasswords(); err != nil {
		return err
	}
	if err := c.writeNATS(); err != nil {
		return err
	}
	var servers []*child
	for _, n := range c.nodes {
		servers = append(servers, c.add(spec{
			name: n.name, class: ClassNATS, path: c.cfg.Binary, args: c.natsArgs(n),
			env: c.environment(ClassNATS), dir: n.dir,
			address: "nats://" + at(n.clients), metrics: "http://" + at(n.status), ready: c.natsReady(n),
			stop: os.Interrupt, // all end together: there is nobody to hand over to
		}))
	}
	c.stages = append(c.stages, servers)
	if err := c.planStore(ctx); err != nil {
		return err
	}
	c.migrateBefore = len(c.stages)
	if c.cfg.WithoutServices {
		return nil
	}
	return c.planServices(ctx)
}

func (c *Cluster) planStore(ctx context.Context) error {
	if c.cfg.RethinkDB == "" {
		c.store = Store{Kind: storeSQLite, Path: filepath.Join(c.cfg.Dir, nth(ClassServices, 0), "documents.db")}
		return nil
	}
	drivers, err := c.memory.port(ctx, "rethinkdb/drivers")
	if err != nil {
		return err
	}
	peers, err := c.memory.port(ctx, "rethinkdb/peers")
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

func (c *Cluster) planServices(ctx context.Context) error {
	var list []*child
	if c.cfg.RethinkDB == "" {
		ch, err := c.service(ctx, ClassServices, 0)
		if err != nil {
			return err
		}
		list = append(list, ch)
	} else {
		for _, class := range apart {
			for i := range c.cfg.Replicas {
				ch, err := c.service(ctx, class, i)
				if err != nil {
					return err
				}
				list = append(list, ch)
			}
		}
	}
	c.stages = append(c.stages, list)
	var edges []*child
	for i := range c.cfg.Edges {
		ch, err := c.service(ctx, ClassEdge, i)
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
func (c *Cluster) service(ctx context.Context, class Class, i int) (*child, error) {
	name := nth(class, i)
	roles := string(class)
	if class == ClassServices {
		roles = strings.Join([]string{"auth", "profile", "room", "playlist", "chat", "edge"}, ",")
	}
	metrics, err := c.memory.port(ctx, name+"/metrics")
	if err != nil {
		return nil, err
	}
	servers, err := c.serversFor(ctx, class, name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.cfg.Dir, name)
	env := append(c.settings(dir, servers), "TUTTI_ROLES="+roles, "TUTTI_METRICS__LISTEN="+at(metrics), "TUTTI_AUTO_MIGRATE=false")
	if c.cfg.RethinkDB == "" && class == ClassEdge { // it opens none, but must not ask for the one that is services-1's
		env = append(env, "TUTTI_STORE__KIND="+storeRethinkDB)
	}
	address := ""
	if class == ClassEdge || class == ClassServices {
		listen, err := c.listenHTTP(ctx, class, name, i)
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

// settings are those that all processes of tutti have in common.
func (c *Cluster) settings(dir, servers string) []string {
	env := []string{
		"TUTTI_DATA=" + dir,
		"TUTTI_NATS__URL=" + servers,
		"TUTTI_NATS__PARTITIONS=" + strconv.Itoa(c.cfg.Partitions),
		"TUTTI_NATS__SHARDS=" + strconv.Itoa(c.cfg.Shards),
		"TUTTI_NATS__REPLICAS=" + strconv.Itoa(c.cfg.streamReplicas()),
		"TUTTI_STORE__KIND=" + c.store.Kind,
	}
	if c.store.Kind == storeRethinkDB {
		env = append(env, "TUTTI_STORE__DATABASE="+c.store.Database, "TUTTI_STORE__ADDRESSES="+strings.Join(c.store.Addresses, ","))
	}
	return env
}

func (c *Cluster) listenHTTP(ctx context.Context, class Class, name string, i int) (string, error) {
	if class == ClassEdge && i < len(c.cfg.HTTP) {
		if _, port, err := net.SplitHostPort(c.cfg.HTTP[i]); err != nil {
			return "", fmt.Errorf("cluster: address of %s: %w", name, err)
		} else if port != "0" {
			return c.cfg.HTTP[i], nil
		}
	}
	port, err := c.memory.port(ctx, name+"/http")
	return at(port), err
}

// serversFor gives the NATS addresses for a process: the servers' own, or those of a proxy.
func (c *Cluster) serversFor(ctx context.Context, class Class, name string) (string, error) {
	if !slices.Contains(c.cfg.Proxied, class) {
		return c.NATSURLs(), nil
	}
	p := newProxy(c.log.With("proxy", name))
	c.proxies[name] = p
	var list []string
	for _, n := range c.nodes {
		l, err := c.memory.listen(ctx, name+"/"+n.name)
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
