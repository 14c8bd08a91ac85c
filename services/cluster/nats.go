package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// node is a NATS server of the cluster.
type node struct {
	name                    string
	clients, routes, status int // ports
	dir, file               string
}

// chooseNodes chooses the servers' ports.
func (c *Cluster) chooseNodes(ctx context.Context) error {
	for i := range c.cfg.NATSNodes {
		name := nth(ClassNATS, i)
		n := node{name: name, dir: filepath.Join(c.cfg.Dir, name), file: filepath.Join(c.cfg.Dir, "conf", name+".conf")}
		for key, port := range map[string]*int{"clients": &n.clients, "routes": &n.routes, "status": &n.status} {
			p, err := c.memory.port(ctx, name+"/"+key)
			if err != nil {
				return err
			}
			*port = p
		}
		c.nodes = append(c.nodes, n)
	}
	return nil
}

// writeNATS writes the configuration of every server.
func (c *Cluster) writeNATS() error {
	for _, n := range c.nodes {
		if err := os.MkdirAll(filepath.Dir(n.file), 0o700); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		text, err := c.natsConf(n)
		if err != nil {
			return err
		}
		if err := os.WriteFile(n.file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// maxPayload and maxPending are what package bus asks of a server.
const (
	maxPayload = 8 << 20
	maxPending = 64 << 20
)

// natsConf is a server's configuration: Config.NATSConf, or one without users, and what
// makes it this server. Clients are not told of the other servers: they know them all, and
// one behind a proxy must not find a way around it.
func (c *Cluster) natsConf(n node) (string, error) {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Written by tutti cluster at every start; changes are lost.")
	if c.cfg.NATSConf != "" {
		from, err := filepath.Rel(filepath.Dir(n.file), c.cfg.NATSConf) // an include is always relative
		if err != nil {
			return "", fmt.Errorf("cluster: %w", err)
		}
		say("include %q", from)
		say("jetstream { store_dir: %q, max_mem: $MAX_MEM, max_file: $MAX_FILE }", n.dir)
	} else {
		say("max_payload: %d", maxPayload)
		say("max_pending: %d", maxPending)
		say("ping_interval: \"600ms\"\nping_max: 2") // as in nats.conf
		say("jetstream { store_dir: %q, max_file: %d }", n.dir, c.cfg.NATSStore)
		say("mappings {")
		for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
			from, to := subjects.Mapping(d, c.cfg.Partitions)
			say("  %q: %q", from, to)
		}
		say("}")
	}
	say("server_name: %s", n.name)
	say("listen: %q", at(n.clients))
	say("http: %q", at(n.status))
	if len(c.nodes) == 1 {
		return b.String(), nil
	}
	say("cluster {\n  name: tutti\n  listen: %q\n  no_advertise: true\n  ping_interval: \"1s\"\n  ping_max: 2", at(n.routes))
	login := ""
	if password := c.memory.Passwords[userCluster]; password != "" {
		say("  authorization: { user: %s, password: %q, timeout: 5 }", userCluster, password)
		login = userCluster + ":" + password + "@"
	}
	say("  routes: [")
	for _, peer := range c.nodes {
		say("    %q", "nats://"+login+at(peer.routes))
	}
	say("  ]\n}")
	return b.String(), nil
}

// handOver is how long a NATS server that stops takes to part with its clients.
const handOver = 3 * time.Second

func (c *Cluster) natsArgs(n node) []string {
	args := []string{"nats-server", "--config", n.file, "--hand-over", handOver.String()}
	if c.cfg.Election > 0 {
		args = append(args, "--election", c.cfg.Election.String())
	}
	return args
}

// natsReady asks a server's monitoring whether it serves, knows who leads, and has caught
// up with the others; and the leader whether it counts with this one, for until then it
// places no stream there.
func (c *Cluster) natsReady(n node) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := c.get(ctx, "http://"+at(n.status)+"/healthz"); err != nil || len(c.nodes) == 1 {
			return err
		}
		said, err := c.jetStream(ctx, n)
		if err != nil {
			return err
		}
		for _, leader := range c.nodes {
			if leader.name != said.Meta.Leader {
				continue
			}
			if said, err = c.jetStream(ctx, leader); err != nil {
				return err
			}
			if leader.name == n.name {
				return nil
			}
			for _, r := range said.Meta.Replicas {
				if r.Name == n.name && r.Current && !r.Offline {
					return nil
				}
			}
			return fmt.Errorf("cluster: %s leads, and does not count with %s yet", leader.name, n.name)
		}
		return fmt.Errorf("cluster: %s knows no leader", n.name)
	}
}

// jetStream is what a server's monitoring says of JetStream, as far as it is asked for here.
type jetStream struct {
	Meta struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Name    string `json:"name"`
			Current bool   `json:"current"`
			Offline bool   `json:"offline"`
		} `json:"replicas"`
	} `json:"meta_cluster"`
	// Accounts hold the streams that the server leads.
	Accounts []struct {
		Streams []struct {
			Name string `json:"name"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

func (c *Cluster) jetStream(ctx context.Context, n node) (said jetStream, err error) {
	text, err := c.get(ctx, "http://"+at(n.status)+"/jsz?streams=true&stream-leader-only=true&limit=1000")
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return said, fmt.Errorf("cluster: %s: %w", n.name, err)
	}
	return said, nil
}

// Leader gives the name of the process, "nats-2", that leads a stream. With one server it
// is that one. ErrNotReady if the stream has no leader at the moment.
func (c *Cluster) Leader(ctx context.Context, stream string) (string, error) {
	if len(c.nodes) == 1 {
		return c.nodes[0].name, nil
	}
	for _, n := range c.nodes {
		if p, err := c.Process(n.name); err != nil || p.PID == 0 || p.State == StateFrozen {
			continue // it would say nothing
		}
		if leads, err := c.leads(ctx, n, stream); err == nil && leads {
			return n.name, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%w: stream %s has no leader", ErrNotReady, stream)
}

// leads asks a server whether it leads a stream.
func (c *Cluster) leads(ctx context.Context, n node, stream string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	said, err := c.jetStream(ctx, n)
	if err != nil {
		return false, err
	}
	for _, a := range said.Accounts {
		for _, s := range a.Streams {
			if s.Name == stream {
				return true, nil
			}
		}
	}
	return false, nil
}

const (
	getWait  = 5 * time.Second
	getBytes = 4 << 20
)

// get reads a page of a process; an answer other than 200 is an error.
func (c *Cluster) get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, getBytes))
	if err != nil {
		return nil, fmt.Errorf("cluster: %s: %w", url, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cluster: %s: %s: %.200s", url, res.Status, text)
	}
	return text, nil
}
