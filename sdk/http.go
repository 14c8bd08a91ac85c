package tutti

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// maxAnswer bounds what is read of an answer; the largest a server gives is a room with
	// a full queue, a tenth of this.
	maxAnswer = 8 << 20
	// requestTime bounds one attempt of a request.
	requestTime = 30 * time.Second
)

// servers are the edges of a system, of which one is in use.
type servers struct {
	bases []string
	next  atomic.Uint32
}

func (s *servers) base() string { return s.bases[int(s.next.Load())%len(s.bases)] }

// move goes on to the next edge.
func (s *servers) move() { s.next.Add(1) }

// netHTTP is the gateway over net/http.
type netHTTP struct {
	servers   *servers
	client    *http.Client
	transport *http.Transport
}

func newNetHTTP(s *servers) *netHTTP {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: 60 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
	}
	return &netHTTP{servers: s, transport: t, client: &http.Client{
		Transport: t, Timeout: requestTime,
		// A token goes to the server it is meant for, not to where that points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send implements HTTP.
func (g *netHTTP) Send(ctx context.Context, method, path, token string, body []byte) (Response, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.servers.base()+path, r)
	if err != nil {
		return Response{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", subjects.TokenBearer+" "+token)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			g.servers.move()
		}
		return Response{}, err
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		g.servers.move() // another edge may be better off
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Response{}, err
	}
	if len(text) > maxAnswer {
		return Response{}, fmt.Errorf("%w: an answer of more than %d bytes", ErrProtocol, maxAnswer)
	}
	out := Response{Status: resp.StatusCode, Body: text}
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil {
		out.RetryAfter = time.Duration(s) * time.Second
	}
	return out, nil
}

func (g *netHTTP) close() { g.transport.CloseIdleConnections() }

// problem is what an answer above 399 holds.
type problem struct {
	Code   subjects.Code `json:"code"`
	Detail string        `json:"detail"`
	Field  string        `json:"field"`
	Retry  bool          `json:"retry"`
}

// answerOf reads an answer into out. The error is a *subjects.Refusal where the server
// refused; again says that the same request may be sent again.
func answerOf(r Response, out any) (again bool, err error) {
	if r.Status >= 200 && r.Status < 300 {
		if out == nil {
			return false, nil
		}
		if err := json.Unmarshal(r.Body, out); err != nil {
			return false, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		return false, nil
	}
	var p problem
	if err := json.Unmarshal(r.Body, &p); err != nil || p.Code == "" {
		// A proxy, or a server that has no room for the connection.
		again := r.Status == http.StatusBadGateway || r.Status == http.StatusServiceUnavailable || r.Status == http.StatusGatewayTimeout
		if again {
			return true, subjects.Refuse(subjects.CodeUnavailable, "the server answered %d", r.Status)
		}
		return false, fmt.Errorf("%w: status %d without a problem document", ErrProtocol, r.Status)
	}
	return p.Retry || !p.Code.Final(), &subjects.Refusal{Code: p.Code, Message: p.Detail, Field: p.Field}
}

// identity says with whose token a request is made.
type identity int

const (
	asAnyone identity = iota // without a token
	asViewer                 // with the account's, if there is one
	asUser                   // with the account's; refused without one
)

// call makes a request until it has its final answer or ctx ends. The caller makes sure
// that it may be made more than once.
func (c *Client) call(ctx context.Context, as identity, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	renewed := false
	for try := 0; ; try++ {
		token := ""
		if as != asAnyone {
			var err error
			if token, err = c.session.token(ctx); err != nil {
				return err
			}
			if token == "" && as == asUser {
				return errSignedOut()
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := c.http.Send(ctx, method, path, token, body)
		again := true
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		} else if again, err = answerOf(r, out); err == nil {
			return nil
		}
		if token != "" && !renewed && subjects.CodeOf(err) == subjects.CodeUnauthenticated {
			renewed = true
			c.session.distrust(token)
			continue
		}
		if !again {
			return err
		}
		wait := max(r.RetryAfter, jitter(try, 100*time.Millisecond, 5*time.Second))
		if late := c.wait(ctx, wait); late != nil {
			return fmt.Errorf("%w: %w", late, err)
		}
	}
}

// wait returns nil after d, and earlier with the reason if ctx or the client ends.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}
