package natsconf

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// free gives addresses that nobody listens on.
func free(t *testing.T, n int) []string {
	t.Helper()
	out, held := make([]string, n), make([]net.Listener, n)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, "listen", err)
		out[i], held[i] = l.Addr().String(), l
	}
	for _, l := range held { // not before all are found
		must(t, "close", l.Close())
	}
	return out
}

// cluster starts three nodes of one file.
func cluster(t *testing.T, file string) []*server.Server {
	t.Helper()
	at := free(t, 3)
	routes := make([]string, len(at))
	for i, a := range at {
		routes[i] = fmt.Sprintf("nats://cluster:%s@%s", clusterPassword, a)
	}
	t.Setenv("TUTTI_NATS_ROUTES", "["+strings.Join(routes, ", ")+"]")
	t.Setenv("TUTTI_NATS_LISTEN", "127.0.0.1:-1")
	t.Setenv("TUTTI_NATS_MONITOR", "127.0.0.1:-1")
	seen := &violations{logger: logger{t}}
	t.Cleanup(func() { seen.none(t) }) // after all have stopped
	nodes := make([]*server.Server, len(at))
	for i, a := range at {
		t.Setenv("TUTTI_NATS_NAME", fmt.Sprintf("node-%d", i+1))
		t.Setenv("TUTTI_NATS_DATA", t.TempDir())
		t.Setenv("TUTTI_NATS_CLUSTER_LISTEN", a)
		opts, err := server.ProcessConfigFile(root + "/" + file)
		must(t, "configuration", err)
		opts.NoSigs, opts.LameDuckDuration = true, 0
		nodes[i], err = server.NewServer(opts)
		must(t, "server", err)
		nodes[i].SetLogger(seen, false, false)
		nodes[i].Start()
		t.Cleanup(func() {
			nodes[i].Shutdown()
			nodes[i].WaitForShutdown()
		})
	}
	for _, n := range nodes {
		if !n.ReadyForConnections(patience) {
			t.Fatal("a node does not become ready")
		}
	}
	eventually(t, "the nodes agree on a leader", func() error {
		for _, n := range nodes {
			if len(n.JetStreamClusterPeers()) == len(nodes) {
				return nil
			}
		}
		return fmt.Errorf("no leader knows all nodes")
	})
	return nodes
}

// urls lists the nodes' addresses.
func urls(nodes []*server.Server, url func(*server.Server) string) string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = url(n)
	}
	return strings.Join(out, ",")
}

// Three nodes keep every stream three times, and go on when one is gone: with and without
// TLS, from the same file.
func TestClusterOfThree(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers, twice")
	}
	for file, url := range map[string]func(*server.Server) string{
		"deploy/nats/cluster.conf": (*server.Server).ClientURL, "deploy/nats/node.conf": encrypted,
	} {
		t.Run(file, func(t *testing.T) {
			p := sign(t)
			nodes := cluster(t, file)
			cfg := settings(t, urls(nodes, url), "services")
			cfg.NATS.Replicas = 3
			var opts []nats.Option
			if strings.HasSuffix(file, "node.conf") {
				cfg.NATS.CA = p.ca
				opts = append(opts, nats.RootCAs(p.ca))
			}
			migrate(t, cfg)
			opts = append(opts, nats.UserInfo("admin", users["admin"]), nats.CustomInboxPrefix("_INBOX_admin"))
			nc, err := nats.Connect(cfg.NATS.URL, opts...)
			must(t, "admin", err)
			defer nc.Close()
			kept(t, nc)

			first, stop := start(t, cfg)
			state := begin(t, first.HTTP)
			nodes[2].Shutdown()
			nodes[2].WaitForShutdown()
			stop()
			again, stop := start(t, cfg)
			resume(t, again.HTTP, state)
			stop()
		})
	}
}

// kept looks that every stream has three replicas.
func kept(t *testing.T, nc *nats.Conn) {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, "jetstream", err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	names := streamNames(t, nc)
	if !has(names, subjects.StreamCommands) {
		t.Fatalf("there are the streams %v", names)
	}
	for _, name := range names {
		stream, err := js.Stream(ctx, name)
		must(t, name, err)
		c := stream.CachedInfo().Cluster
		if c == nil || len(c.Replicas) != 2 || c.Leader == "" {
			t.Errorf("%s is kept by %+v", name, c)
		}
	}
}
