package natsconf

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/subjects"
)

// leaf starts a server for browsers beside one of Tutti's; change may make it more generous
// than the file is.
func leaf(t *testing.T, change func(*server.Options)) (hub, edge *server.Server) {
	t.Helper()
	sign(t)
	opts := read(t, "nats.conf")
	opts.LeafNode.Host, opts.LeafNode.Port = "127.0.0.1", freePort(t)
	hub = run(t, opts)
	t.Setenv("TUTTI_NATS_LEAF", fmt.Sprintf("nats://browser:%s@127.0.0.1:%d", users["browser"], opts.LeafNode.Port))
	t.Setenv("TUTTI_NATS_WEBSOCKET", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	t.Setenv("TUTTI_NATS_ORIGINS", "[https://tutti.example]")
	own := read(t, "deploy/nats/websocket.conf")
	if change != nil {
		change(own)
	}
	edge = run(t, own)
	eventually(t, "the leaf is connected", func() error {
		if hub.NumLeafNodes() != 1 {
			return fmt.Errorf("%d leaves", hub.NumLeafNodes())
		}
		return nil
	})
	return hub, edge
}

// surf connects as a browser does, without a name.
func surf(t *testing.T, s *server.Server) *client {
	t.Helper()
	nc, err := nats.Connect(s.WebsocketURL(), nats.Secure(&tls.Config{InsecureSkipVerify: true}), // whose it is does not matter here
		nats.NoReconnect(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	must(t, "websocket", err)
	t.Cleanup(nc.Close)
	return &client{t, "anybody", nc}
}

// A browser hears public documents through a leaf, and can do nothing else.
func TestLeafForBrowsers(t *testing.T) {
	hub, edge := leaf(t, nil)
	c := surf(t, edge)
	for _, r := range contract(t) {
		if c.mayPublish(r.subject) {
			t.Errorf("publishes %s", r.subject)
		}
		if got, want := c.mayHear(r.subject), may(r.hear, "browser"); got != want {
			t.Errorf("hears %s: %v", r.subject, got)
		}
	}
	heard, err := c.SubscribeSync(subjects.StateWildcard(subjects.TableRooms))
	must(t, "hear", err)
	must(t, "flush", c.FlushTimeout(patience))
	admin := login(t, hub, "admin")
	subject := subjects.State(subjects.TableRooms, someID)
	eventually(t, "the leaf's interest", func() error { // it comes to the other server after a moment
		must(t, "publish", admin.Publish(subject, nil))
		must(t, "flush", admin.FlushTimeout(patience))
		if n, _, err := heard.Pending(); err != nil || n == 0 {
			return fmt.Errorf("%d messages, %w", n, err)
		}
		return nil
	})
}

// What a leaf allows its clients does not widen what Tutti's server allows the leaf.
func TestLeafIsNotTrusted(t *testing.T) {
	hub, edge := leaf(t, func(o *server.Options) {
		for _, u := range o.Users {
			u.Permissions = nil
		}
	})
	c, admin := surf(t, edge), login(t, hub, "admin")
	all, err := c.SubscribeSync(subjects.Root + ".>")
	must(t, "hear", err)
	public, err := c.SubscribeSync(subjects.StateWildcard(subjects.TableRooms))
	must(t, "hear", err)
	must(t, "flush", c.FlushTimeout(patience))
	sent, err := admin.SubscribeSync(subjects.Root + ".>")
	must(t, "hear", err)
	room, account := subjects.State(subjects.TableRooms, someID), subjects.State(subjects.TableAccounts, someID)
	secret := subjects.Feed(subjects.ServiceRoom, someID)
	must(t, "publish", c.Publish(secret, []byte("forged")))
	must(t, "flush", c.FlushTimeout(patience))
	eventually(t, "the leaf's interest", func() error {
		for _, subject := range []string{secret, account, room} {
			must(t, "publish", admin.Publish(subject, nil))
		}
		must(t, "flush", admin.FlushTimeout(patience))
		if n, _, err := public.Pending(); err != nil || n == 0 {
			return fmt.Errorf("%d messages, %w", n, err)
		}
		return nil
	})
	for {
		m, err := all.NextMsg(0)
		if err != nil {
			break
		}
		if m.Subject != room && string(m.Data) != "forged" { // its own, at its own leaf
			t.Errorf("a browser hears %s", m.Subject)
		}
	}
	for {
		m, err := sent.NextMsg(0)
		if err != nil {
			break
		}
		if string(m.Data) == "forged" {
			t.Errorf("a browser published %s", m.Subject)
		}
	}
}
