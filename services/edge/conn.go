package edge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
	// A connection that lingers is read from for this long and this far before it is
	// closed.
	lingerTime  = time.Second
	lingerBytes = 4 << 20
)

// door accepts connections, and can close all that it accepted. An error that passes,
// such as a shortage of file descriptors, does not close it: it pauses and tries again.
type door struct {
	net.Listener
	log  *slog.Logger
	quit context.Context // ends when the door is closed
	shut context.CancelFunc

	mu    sync.Mutex
	conns map[*conn]struct{} // bounded by Config.MaxConnections
}

func newDoor(l net.Listener, log *slog.Logger) *door {
	quit, shut := context.WithCancel(context.Background())
	return &door{Listener: l, log: log, quit: quit, shut: shut, conns: map[*conn]struct{}{}}
}

// Accept implements net.Listener. It returns an error only after Close.
func (d *door) Accept() (net.Conn, error) {
	for pause := acceptPauseMin; ; pause = min(pause*2, acceptPauseMax) {
		c, err := d.Listener.Accept()
		if err == nil {
			own := &conn{Conn: c, door: d}
			d.mu.Lock()
			d.conns[own] = struct{}{}
			d.mu.Unlock()
			return own, nil
		}
		if d.quit.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil, io.EOF
		}
		d.log.Error("cannot accept a connection; trying again", "err", err, "pause", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-d.quit.Done():
			t.Stop()
		}
	}
}

// Close implements net.Listener: no connection is accepted any more, those that are open
// stay so. Calling it again does nothing.
func (d *door) Close() error {
	if d.quit.Err() != nil {
		return nil
	}
	d.shut()
	return d.Listener.Close()
}

// closeAll closes every connection that is open.
func (d *door) closeAll() {
	d.mu.Lock()
	open := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		open = append(open, c)
	}
	d.mu.Unlock()
	for _, c := range open {
		_ = c.close() // it is being given up
	}
}

// conn is a connection that the door knows.
type conn struct {
	net.Conn
	door   *door
	linger atomic.Bool
}

// Close implements net.Conn. If the connection is to linger, what the other side still
// sends is read away for a moment: closing with unread bytes makes the system reset the
// connection, and the answer that says why would be lost.
func (c *conn) Close() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() && half.CloseWrite() == nil {
		if c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // ends at the deadline at the latest
		}
	}
	return c.close()
}

func (c *conn) close() error {
	c.door.mu.Lock()
	delete(c.door.conns, c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}

// lingerOn makes a connection linger when it is closed.
func lingerOn(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	if own, ok := c.(*conn); ok {
		own.linger.Store(true)
	}
}
