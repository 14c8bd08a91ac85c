package rethink

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
	"gopkg.in/rethinkdb/rethinkdb-go.v6/ql2"
)

// link is one connection to a server. One caller has it at a time, or one feed. The
// driver's sessions are not used, see the package's comment.
type link struct {
	// QueryExecutor makes the driver's queries, and does not execute them: the driver
	// has no other way to make one.
	r.QueryExecutor

	conn    *r.Connection
	address string
	used    time.Time // when it was last put back
}

// IsConnected implements r.QueryExecutor. A query on a broken connection says so itself.
func (*link) IsConnected() bool { return true }

// Query implements r.QueryExecutor.
func (l *link) Query(ctx context.Context, q r.Query) (*r.Cursor, error) {
	_, cursor, err := l.conn.Query(ctx, q)
	return cursor, err
}

// Exec implements r.QueryExecutor.
func (l *link) Exec(ctx context.Context, q r.Query) error {
	_, _, err := l.conn.Query(ctx, q)
	return err
}

// run starts a query. It does not end with a context: end it by closing the link. When
// its context ends, the driver tells the server to stop and waits for the answer, which
// from a frozen server never comes.
func (l *link) run(term r.Term, opts r.RunOpts) (*r.Cursor, error) {
	opts.Context = context.Background()
	return term.Run(l, opts)
}

// one runs a query that has one answer, and returns it as JSON.
func (l *link) one(term r.Term, opts r.RunOpts) ([]byte, error) {
	cursor, err := l.run(term, opts)
	if err != nil {
		return nil, err
	}
	answer, ok := cursor.NextResponse()
	if err := errors.Join(cursor.Err(), cursor.Close()); err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.ErrEmptyResult
	}
	return answer, nil
}

// close breaks the connection off, and with it every query on it.
func (l *link) close() { _ = l.conn.Close() }

// alive asks the server for a sign of life, until ctx ends.
func (l *link) alive(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, l.close)
	_, err := l.conn.Server()
	return stop() && err == nil
}

const (
	// dialPatience is how long one address is given to answer.
	dialPatience = 3 * time.Second
	// mostDials is how many connections are being made at once.
	mostDials = 32
)

// dialer makes links, to one address after another.
type dialer struct {
	addresses []string
	opts      r.ConnectOpts
	tls       *tls.Config
	turn      atomic.Uint32
	busy      chan struct{} // a token for each connection that is being made
}

func newDialer(c Config) (*dialer, error) {
	authorities, err := c.authorities()
	if err != nil {
		return nil, err
	}
	return &dialer{
		addresses: c.Addresses, tls: authorities, busy: make(chan struct{}, mostDials),
		opts: r.ConnectOpts{Username: c.User, Password: c.Password, Timeout: dialPatience, KeepAlivePeriod: 15 * time.Second},
	}, nil
}

// dial makes a link to the first server that answers, beginning with the next in turn.
func (d *dialer) dial(ctx context.Context) (*link, error) {
	first := int(d.turn.Add(1))
	var problems []error
	for i := range d.addresses {
		address := d.addresses[(first+i)%len(d.addresses)]
		l, err := d.connect(ctx, address)
		if err == nil {
			return l, nil
		}
		problems = append(problems, fmt.Errorf("connect to %s: %w", address, err))
		if refused(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(problems...)
}

// connect gives up with ctx. The driver's handshake knows no deadline: if the server
// freezes in the midst of it, what connect leaves behind ends when the server goes on
// or dies. So connect looks first whether the server answers at all, and bounds how
// many there can be.
func (d *dialer) connect(ctx context.Context, address string) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if err := d.probe(ctx, address); err != nil {
		return nil, err
	}
	select {
	case d.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, errors.New("too many connections are being made")
	}
	opts := d.opts
	opts.TLSConfig = d.tlsFor(address)
	made, failed := make(chan *r.Connection), make(chan error, 1)
	go func() {
		defer func() { <-d.busy }()
		conn, err := r.NewConnection(address, &opts)
		if err != nil {
			failed <- err
			return
		}
		select {
		case made <- conn:
		case <-ctx.Done():
			_ = conn.Close()
		}
	}()
	select {
	case conn := <-made:
		return &link{QueryExecutor: r.NewMock(), conn: conn, address: address}, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, errors.New("the server does not answer")
	}
}

func (d *dialer) tlsFor(address string) *tls.Config {
	if d.tls == nil {
		return nil
	}
	own := d.tls.Clone()
	own.ServerName, _, _ = net.SplitHostPort(address)
	return own
}

// probe says hello, and waits for the server to say what it is.
func (d *dialer) probe(ctx context.Context, address string) (err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		stop()
		_ = conn.Close()
	}()
	if own := d.tlsFor(address); own != nil {
		secure := tls.Client(conn, own)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	hello := binary.LittleEndian.AppendUint32(nil, uint32(ql2.VersionDummy_V1_0))
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString(0)
	switch {
	case ctx.Err() != nil:
		return errors.New("the server does not answer")
	case err != nil:
		return err
	case !strings.HasPrefix(answer, "{"):
		return fmt.Errorf("not a RethinkDB server of our time: it says %.100q", answer)
	}
	return nil
}

// rest waits until no connection is being made, or until the patience is over.
func (d *dialer) rest(patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	for range mostDials {
		select {
		case d.busy <- struct{}{}:
		case <-over.C:
			return
		}
	}
}

// refused reports whether the server answered, and said no to who we are.
func refused(err error) bool {
	var auth r.RQLAuthError
	return errors.As(err, &auth)
}
