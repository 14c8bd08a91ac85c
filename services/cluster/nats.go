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

// nodes chooses the servers' ports.
func (c *Cluster) chooseNodes() error {
	for i := range c.cfg.NATSNodes {
		name := nth(ClassNATS, i)
		n := node{name: name, dir: filepath.Join(c.cfg.Dir, name), file: filepath.Join(c.cfg.Dir, "conf", name+".conf")}
		for key, port := range map[string]*int{"clients": &n.clients, "routes": &n.routes, "status": &n.status} {
			p, err := c.memory.port(name + "/" + key)
			if err != nil {
				return err
			}
			*port = p
		}
		c.nodes = append(c.nodes, n)
	}
	return nil
}

func (c *Cluster) routes() []string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, "nats://"+at(n.routes))
	}
	return out
}

// writeNATS writes the configuration of every server.
func (c *Cluster) writeNATS() error {
	for _, n := range c.nodes {
		if err := os.MkdirAll(filepath.Dir(n.file), 0o700); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		if err := os.WriteFile(n.file, []byte(c.natsConf(n)), 0o600); err != nil {
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

// natsConf is a server's configuration without users. Clients are not told of the other
// servers: they know them all, and one behind a proxy must not find a way around it.
func (c *Cluster) natsConf(n node) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Written by tutti cluster at every start; changes are lost.")
	say("server_name: %s", n.name)
	say("listen: %q", at(n.clients))
	say("http: %q", at(n.status))
	say("max_payload: %d", maxPayload)
	say("max_pending: %d", maxPending)
	say("jetstream { store_dir: %q, max_file: %d }", n.dir, c.cfg.NATSStore)
	say("mappings {")
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		from, to := subjects.Mapping(d, c.cfg.Partitions)
		say("  %q: %q", from, to)
	}
	say("}")
	if len(c.nodes) > 1 {
		say("cluster {\n  name: tutti\n  listen: %q\n  no_advertise: true\n  routes: [", at(n.routes))
		for _, r := range c.routes() {
			say("    %q", r)
		}
		say("  ]\n}")
	}
	return b.String()
}

// natsReady asks a server's monitoring whether it serves, knows who leads, and has caught
// up with the others.
func (c *Cluster) natsReady(n node) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.get(ctx, "http://"+at(n.status)+"/healthz")
		return err
	}
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
	text, err := c.get(ctx, "http://"+at(n.status)+"/jsz?streams=true&stream-leader-only=true&limit=1000")
	if err != nil {
		return false, err
	}
	var said struct {
		Accounts []struct {
			Streams []struct {
				Name string `json:"name"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return false, fmt.Errorf("cluster: %s: %w", n.name, err)
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
