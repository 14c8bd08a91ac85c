package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/coder/websocket"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// maxFrame is the largest frame that is read.
const maxFrame = 8 << 20

// Dialer opens a client's sockets, each to another edge than the one before where there are
// several.
type Dialer struct {
	watch *Watch
	edges []string

	mu   sync.Mutex
	rng  *rand.Rand
	last int
}

// NewDialer makes a dialer to edges, "http://HOST:PORT" each, in an order that seed gives.
func NewDialer(w *Watch, seed uint64, edges ...string) *Dialer {
	return &Dialer{watch: w, edges: edges, rng: rand.New(rand.NewPCG(seed, 7))}
}

func (d *Dialer) next() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.edges); n > 1 {
		d.last = (d.last + 1 + d.rng.IntN(n-1)) % n
	}
	return d.edges[d.last]
}

// Dial implements tutti.Dialer.
func (d *Dialer) Dial(ctx context.Context) (tutti.Socket, error) {
	url := "ws" + strings.TrimPrefix(d.next(), "http") + subjects.SocketPath
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	d.watch.connected()
	return &socket{conn, d.watch}, nil
}

type socket struct {
	conn  *websocket.Conn
	watch *Watch
}

// Read implements tutti.Socket.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	_, data, err := s.conn.Read(ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return nil, &tutti.CloseError{Code: subjects.CloseCode(closed.Code), Reason: closed.Reason}
	}
	if err == nil {
		s.watch.read(data)
	}
	return data, err
}

// Write implements tutti.Socket.
func (s *socket) Write(ctx context.Context, frame []byte) error {
	s.watch.wrote(frame) // before the answer can come
	return s.conn.Write(ctx, websocket.MessageText, frame)
}

// Close implements tutti.Socket.
func (s *socket) Close(code subjects.CloseCode) error {
	if code == subjects.CloseNormal {
		return s.conn.Close(websocket.StatusNormalClosure, "")
	}
	return s.conn.CloseNow()
}
