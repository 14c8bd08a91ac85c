package services

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/catalog"
)

// fleet is a system and further edges on its bus, each behind a door of its own, as
// processes on other machines would be.
type fleet struct {
	t     *testing.T
	cfg   Config
	log   *slog.Logger
	home  *System
	edges []*station
}

// station is a place where an edge serves, again and again.
type station struct {
	fleet *fleet
	door  *door
	edge  *System // nil while none serves; used by one goroutine at a time
}

func newFleet(t *testing.T, edges int, log *slog.Logger) *fleet {
	cfg := Defaults()
	cfg.Data, cfg.Edge.Listen, cfg.NATS.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Auth.Cost = 4
	cfg.Edge.Limits.Exempt = []string{"127.0.0.1"}
	cfg.Edge.AccessLog = false
	home, err := Start(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, cfg: cfg, log: log, home: home}
	for range edges {
		st := &station{fleet: f, door: newDoor(t)}
		f.edges = append(f.edges, st)
		if err := st.up(); err != nil {
			f.close()
			t.Fatal(err)
		}
	}
	return f
}

// up starts an edge with a connection to NATS and a cache of its own.
func (s *station) up() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e := &System{log: s.fleet.log}
	bc := s.fleet.cfg.bus()
	bc.URL, bc.DataDir, bc.Listen, bc.Name = "nats://"+s.fleet.home.natsHost(), "", "", "edge"
	b, err := bus.Start(ctx, bc, logKeepers(), e.log)
	if err != nil {
		return err
	}
	e.bus = b
	e.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	tracks, err := catalog.New(s.fleet.cfg.Catalog)
	if err == nil {
		e.onStop("catalogue", func(context.Context) error { tracks.Close(); return nil })
		err = e.startEdge(ctx, s.fleet.cfg, nil, tracks)
	}
	if err != nil {
		return errors.Join(err, e.Stop(ctx))
	}
	s.edge = e
	s.door.lead(e.HTTP)
	return nil
}

// kill takes the edge away without a word to its clients: their connections are reset, and
// nobody listens there until up. What the process would have held in memory goes with it.
func (s *station) kill() error {
	s.door.lead("")
	if s.edge == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := s.edge.Stop(ctx)
	s.edge = nil
	return err
}

func (f *fleet) urls() []string {
	var out []string
	for _, s := range f.edges {
		out = append(out, s.door.url())
	}
	return out
}

func (f *fleet) close() {
	for _, s := range f.edges {
		if err := s.kill(); err != nil {
			f.t.Error(err)
		}
		s.door.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.home.Stop(ctx); err != nil {
		f.t.Error(err)
	}
}

// natsHost is where the embedded server listens, as HOST:PORT.
func (s *System) natsHost() string {
	const scheme = "nats://"
	if len(s.NATS) > len(scheme) && s.NATS[:len(scheme)] == scheme {
		return s.NATS[len(scheme):]
	}
	return s.NATS
}

// door is an address that leads to another one, or nowhere. Connections are cut, not
// closed: the other side gets a reset.
type door struct {
	ln   net.Listener
	wait sync.WaitGroup

	mu   sync.Mutex
	to   string
	open map[net.Conn]struct{}
}

func newDoor(t *testing.T) *door {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{ln: ln, open: map[net.Conn]struct{}{}}
	d.wait.Go(d.serve)
	return d
}

func (d *door) url() string { return "http://" + d.ln.Addr().String() }

// lead cuts all connections and has new ones go to an address, "" for nowhere.
func (d *door) lead(url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = ""
	if url != "" {
		d.to = url[len("http://"):]
	}
	d.cutAll()
}

// cut cuts all connections, and new ones go where they went.
func (d *door) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAll()
}

func (d *door) cutAll() {
	for c := range d.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset instead of a goodbye
		}
		_ = c.Close()
		delete(d.open, c)
	}
}

func (d *door) close() {
	_ = d.ln.Close()
	d.cut()
	d.wait.Wait()
}

func (d *door) serve() {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			return
		}
		d.wait.Go(func() { d.pass(c) })
	}
}

func (d *door) pass(c net.Conn) {
	d.mu.Lock()
	to := d.to
	d.mu.Unlock()
	if to == "" {
		_ = c.Close()
		return
	}
	up, err := net.Dial("tcp", to)
	if err != nil {
		_ = c.Close()
		return
	}
	d.mu.Lock()
	if d.to != to {
		d.mu.Unlock()
		_, _ = c.Close(), up.Close()
		return
	}
	d.open[c], d.open[up] = struct{}{}, struct{}{}
	d.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(up, c); _, _ = c.Close(), up.Close() })
	wg.Go(func() { _, _ = io.Copy(c, up); _, _ = c.Close(), up.Close() })
	wg.Wait()
	d.mu.Lock()
	delete(d.open, c)
	delete(d.open, up)
	d.mu.Unlock()
}

// between gives a random time below d.
func between(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}
