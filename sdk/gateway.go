package tutti

import (
	"context"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// HTTP carries requests. It knows nothing of accounts or rooms; tests and programs with a
// transport of their own give one with WithHTTP.
type HTTP interface {
	// Send makes one request and returns its answer, whatever the status. Path begins
	// with "/"; token is an access token, or empty; body is JSON, or nil for none. An error
	// means that no answer came: whether the request took effect is then not known.
	Send(ctx context.Context, method, path, token string, body []byte) (Response, error)
}

// Response is the answer to a request.
type Response struct {
	Status int
	// RetryAfter is what the server asked for, 0 if nothing.
	RetryAfter time.Duration
	// Body is the whole of it.
	Body []byte
}

// Dialer opens sockets; give another with WithDialer. Each call may lead to another edge.
type Dialer interface {
	Dial(ctx context.Context) (Socket, error)
}

// Socket carries frames, one text message each. Read and Write are called by one goroutine
// each, Close by any, more than once.
type Socket interface {
	// Read waits for the next message. If the server closed the socket with a code, the
	// error is a *CloseError. When ctx ends the socket is of no use any more.
	Read(ctx context.Context) ([]byte, error)
	// Write returns when the message was handed on, not when it arrived.
	Write(ctx context.Context, frame []byte) error
	// Close ends the socket. CloseNormal tells the server so first and waits a moment for
	// its answer; any other code cuts the connection.
	Close(code subjects.CloseCode) error
}
