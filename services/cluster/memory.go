package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrShape is returned by Start for a directory whose data was made by a cluster of another
// shape: another number of NATS servers, of partitions or of shards, or another store.
var ErrShape = errors.New("cluster: the directory belongs to a cluster of another shape")

// shape is what cannot change over the lives of a cluster.
type shape struct {
	NATSNodes  int    `json:"natsNodes"`
	Partitions int    `json:"partitions"`
	Shards     int    `json:"shards"`
	Store      string `json:"store"`
	Users      bool   `json:"users"`
}

// unlike says in words what the shape that was has otherwise than the one that is wanted.
func (s shape) unlike(wanted shape) string {
	var out []string
	differ := func(what string, was, now any) {
		if was != now {
			out = append(out, fmt.Sprintf("%s %v, not %v", what, was, now))
		}
	}
	users := map[bool]string{false: "without users", true: "with users"}
	differ("--nats-nodes is", s.NATSNodes, wanted.NATSNodes)
	differ("--partitions is", s.Partitions, wanted.Partitions)
	differ("--shards is", s.Shards, wanted.Shards)
	differ("its store is", s.Store, wanted.Store)
	differ("NATS is", users[s.Users], users[wanted.Users])
	return strings.Join(out, "; ")
}

// memory is what a cluster's directory remembers of it, state.json.
type memory struct {
	Version   int               `json:"version"`
	Shape     shape             `json:"shape"`
	Ports     map[string]int    `json:"ports"`
	Passwords map[string]string `json:"passwords,omitempty"`
	PIDs      map[string]int    `json:"pids"`
}

const memoryVersion = 1

func (c Config) shape() shape {
	return shape{
		NATSNodes: c.NATSNodes, Partitions: c.Partitions, Shards: c.Shards, Store: c.storeKind(), Users: c.NATSConf != "",
	}
}

// remember reads what the directory remembers, which is nothing at first.
func remember(cfg Config) (memory, error) {
	m := memory{Version: memoryVersion, Shape: cfg.shape(), Ports: map[string]int{}, Passwords: map[string]string{}}
	text, err := os.ReadFile(statePath(cfg.Dir))
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("cluster: %w", err)
	}
	var was memory
	if err := json.Unmarshal(text, &was); err != nil {
		return m, fmt.Errorf("cluster: %s: %w", statePath(cfg.Dir), err)
	}
	if was.Version != memoryVersion {
		return m, fmt.Errorf("cluster: %s has version %d, and this program writes %d", statePath(cfg.Dir), was.Version, memoryVersion)
	}
	if was.Shape != m.Shape {
		return m, fmt.Errorf("%w: %s: choose another --dir, or the same settings", ErrShape, was.Shape.unlike(m.Shape))
	}
	if was.Ports != nil {
		m.Ports = was.Ports
	}
	if was.Passwords != nil {
		m.Passwords = was.Passwords
	}
	return m, nil
}

func statePath(dir string) string { return filepath.Join(dir, "state.json") }

// save writes the memory, so that a reader finds the old or the new one whole.
func (m memory) save(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	next := statePath(dir) + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := os.Rename(next, statePath(dir)); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// saveLocked notes the processes that run. The caller holds the mutex.
func (c *Cluster) saveLocked() {
	c.memory.PIDs = map[string]int{}
	for _, ch := range c.children {
		if ch.life != nil {
			c.memory.PIDs[ch.name] = ch.life.cmd.Process.Pid
		}
	}
	if err := c.memory.save(c.cfg.Dir); err != nil {
		c.log.Warn("state is not noted", "err", err)
	}
}

// Ports are taken from below the range from which systems give out ports by themselves, so
// that no connection takes one between its choice and its use.
const (
	portsFrom = 20000
	portsTo   = 32000
	portTries = 200
)

// port gives the port that something had before, if it is free, else another free one.
func (m memory) port(ctx context.Context, key string) (int, error) {
	l, err := m.listen(ctx, key)
	if err != nil {
		return 0, err
	}
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("cluster: %w", err)
	}
	return m.Ports[key], nil
}

// listen is port, with the listener left open.
func (m memory) listen(ctx context.Context, key string) (net.Listener, error) {
	taken := map[int]bool{}
	for k, p := range m.Ports {
		if k != key {
			taken[p] = true
		}
	}
	var last error
	for try := range portTries {
		p, had := m.Ports[key]
		if try > 0 || !had {
			p = portsFrom + rand.IntN(portsTo-portsFrom)
		}
		if taken[p] {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", at(p))
		if err != nil {
			last = err
			continue
		}
		m.Ports[key] = p
		return l, nil
	}
	return nil, fmt.Errorf("cluster: no free port for %s: %w", key, last)
}

const loopback = "127.0.0.1"

func at(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func lockPath(dir string) string { return filepath.Join(dir, "LOCK") }

const (
	lockWait  = 3 * time.Second
	lockEvery = 50 * time.Millisecond
)

// lockDir takes the directory's lock. What a killed cluster left behind is given a moment
// to end.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	path := lockPath(dir)
	deadline := time.Now().Add(lockWait)
	for {
		f, err := lockFile(path)
		if err == nil || !errors.Is(err, ErrLocked) {
			return f, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %s; its processes are listed in state.json there", ErrLocked, dir)
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
		}
	}
}
