package tutti

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// maxFrame bounds a frame of the server's: a snapshot of a room with a full queue of
	// the longest titles is a tenth of this.
	maxFrame = 8 << 20
	// dialTime bounds one attempt to open a socket.
	dialTime = 15 * time.Second
	// writeTime bounds handing one frame on; past it the connection is given up.
	writeTime = 10 * time.Second
)

// wsDialer is the gateway over github.com/coder/websocket.
type wsDialer struct {
	servers *servers
	client  *http.Client
}

// Dial implements Dialer.
func (d wsDialer) Dial(ctx context.Context) (Socket, error) {
	base := d.servers.base()
	url := "ws" + strings.TrimPrefix(base, "http") + subjects.SocketPath
	//nolint:bodyclose // the library's promise: the response's body need not be closed
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: d.client})
	if err != nil {
		d.servers.move()
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	return &wsSocket{conn: conn, servers: d.servers}, nil
}

type wsSocket struct {
	conn    *websocket.Conn
	servers *servers
}

// Read implements Socket.
func (s *wsSocket) Read(ctx context.Context) ([]byte, error) {
	typ, data, err := s.conn.Read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.servers.move()
		}
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return nil, &CloseError{Code: subjects.CloseCode(closed.Code), Reason: closed.Reason}
		}
		return nil, err
	}
	if typ != websocket.MessageText {
		return nil, ErrProtocol
	}
	return data, nil
}

// Write implements Socket.
func (s *wsSocket) Write(ctx context.Context, frame []byte) error {
	return s.conn.Write(ctx, websocket.MessageText, frame)
}

// Close implements Socket.
func (s *wsSocket) Close(code subjects.CloseCode) error {
	if code == subjects.CloseNormal {
		return s.conn.Close(websocket.StatusNormalClosure, "")
	}
	return s.conn.CloseNow()
}
