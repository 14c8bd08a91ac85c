package tutti

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// helloTime bounds the wait for the answer to hello.
	helloTime = 15 * time.Second
	// maxUnsent bounds the frames that wait to be written. There is one for each room at
	// most, and a few of the connection's own; more means that nothing is written any more,
	// and the connection is given up.
	maxUnsent = 1024
	// pingEvery is the longest between two pings, and silence how long nothing may be heard
	// before the connection is given up.
	pingEvery = 15 * time.Second
	silence   = 40 * time.Second
	// burst is how many pings follow each other, burstPause apart, when a connection is new.
	burst      = 5
	burstPause = 100 * time.Millisecond
)

// helloID comes back in the answer to hello.
const helloID = "hello"

// errSilent ends a socket on which nothing was heard; errStalled one that takes no frames.
var (
	errSilent  = fmt.Errorf("%w: nothing was heard for %v", ErrUnreachable, silence)
	errStalled = fmt.Errorf("%w: the socket takes no frames", ErrUnreachable)
)

// link is one open socket. One goroutine reads, one writes and one looks after it; serve
// waits for all of them.
type link struct {
	client *Client
	socket Socket
	ctx    context.Context
	cancel context.CancelCauseFunc
	user   string // whose it is, "" for a guest

	mu     sync.Mutex
	unsent [][]byte
	heard  time.Time
	again  time.Time     // when to say hello again, by the local clock; zero for never
	fill   chan struct{} // signalled when there is something to write
	why    error         // set once the client leaves
	leave  chan struct{} // closed then
}

func newLink(c *Client, s Socket, user string) *link {
	l := &link{client: c, socket: s, user: user, heard: time.Now(), fill: make(chan struct{}, 1), leave: make(chan struct{})}
	// Not below the client's: goodbye is said before the reader stops.
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(c.ctx))
	return l
}

// open opens a socket.
func (c *Client) open() (Socket, error) {
	ctx, cancel := context.WithTimeout(c.ctx, dialTime)
	defer cancel()
	s, err := c.dialer.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return s, nil
}

// end has serve return with the reason.
func (l *link) end(why error) { l.cancel(why) }

// part has serve say goodbye and return with the reason.
func (l *link) part(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = why
		close(l.leave)
	}
}

// close gives the socket back.
func (l *link) close() {
	l.cancel(nil)
	_ = l.socket.Close(closeCut) // it is gone either way
}

// closeCut cuts a connection without a word.
const closeCut subjects.CloseCode = 1006

// hello says who the client is and waits for the welcome.
func (l *link) hello(token string) (*subjects.ServerFrame, error) {
	ctx, cancel := context.WithTimeout(l.client.ctx, helloTime)
	defer cancel()
	if err := l.write(ctx, helloFrame(token)); err != nil {
		return nil, err
	}
	for {
		data, err := l.socket.Read(ctx)
		if err != nil {
			return nil, err
		}
		f, err := decodeFrame(data)
		if err != nil {
			return nil, err
		}
		switch f.Type {
		case subjects.FrameWelcome:
			if f.User != l.user {
				return nil, fmt.Errorf("%w: welcomed as %q", ErrProtocol, f.User)
			}
			return f, nil
		case subjects.FrameErr:
			return nil, refusalOf(f)
		}
	}
}

func helloFrame(token string) []byte {
	return encodeFrame(&subjects.ClientFrame{Type: subjects.FrameHello, ID: helloID, Token: token})
}

// serve reads, writes and looks after the socket until it ends, and says why it did.
func (l *link) serve(welcome *subjects.ServerFrame) error {
	l.welcomed(welcome)
	var wg sync.WaitGroup
	var read error
	for _, part := range [...]func() error{
		func() error { read = l.read(); return read }, l.writeAll, l.tend,
	} {
		wg.Go(func() {
			err := part()
			if err == nil {
				err = net.ErrClosed
			}
			l.end(err)
		})
	}
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var closed *CloseError
	switch {
	case l.why != nil:
		return l.why
	case errors.As(read, &closed):
		return read // also if a write failed sooner: the code says whether to come back
	}
	return context.Cause(l.ctx)
}

// welcomed notes when to say hello again. The session replaces its token a tenth of its
// life, or tokenMargin, before it ends; half of that before the end there is a fresh one.
func (l *link) welcomed(f *subjects.ServerFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again = time.Time{}
	if f.ExpiresAt != 0 {
		left := time.UnixMilli(f.ExpiresAt).Sub(l.client.clock.Now())
		l.again = time.Now().Add(left - min(tokenMargin, left/10)/2)
	}
}

// send has a frame written, in the order of the calls. It does not block.
func (l *link) send(frame []byte) {
	l.mu.Lock()
	full := len(l.unsent) >= maxUnsent
	if !full {
		l.unsent = append(l.unsent, frame)
	}
	l.mu.Unlock()
	if full {
		l.end(errStalled)
		return
	}
	select {
	case l.fill <- struct{}{}:
	default:
	}
}

func (l *link) writeAll() error {
	for {
		select {
		case <-l.fill:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
		l.mu.Lock()
		frames := l.unsent
		l.unsent = nil
		l.mu.Unlock()
		for _, f := range frames {
			if err := l.write(l.ctx, f); err != nil {
				return err
			}
		}
	}
}

func (l *link) write(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return l.socket.Write(ctx, frame)
}

func (l *link) read() error {
	for {
		data, err := l.socket.Read(l.ctx)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.heard = time.Now()
		l.mu.Unlock()
		f, err := decodeFrame(data)
		if err != nil {
			return err
		}
		if err := l.handle(f); err != nil {
			return err
		}
	}
}

// handle routes a frame. Types that this release does not know are passed over.
func (l *link) handle(f *subjects.ServerFrame) error {
	c := l.client
	switch f.Type {
	case subjects.FrameWelcome:
		if f.User != l.user {
			return fmt.Errorf("%w: welcomed as %q", ErrProtocol, f.User)
		}
		l.welcomed(f)
	case subjects.FramePong:
		c.clock.measured(time.Duration(f.Sent*float64(time.Millisecond)), f.ServerTime)
	case subjects.FrameOK, subjects.FrameErr:
		if f.Type == subjects.FrameErr && f.ID == helloID {
			return l.helloRefused(f)
		}
		if !c.outbox.answered(f) {
			c.feeds.answered(f)
		}
	case subjects.FrameSnap, subjects.FrameResumed, subjects.FrameEvt, subjects.FrameSealed,
		subjects.FrameYou, subjects.FrameDocs, subjects.FrameDoc, subjects.FrameLive,
		subjects.FrameGone:
		return c.feeds.frame(f)
	}
	return nil
}

// tend measures the clock, shows the server that the client lives, notices a dead socket
// and says hello again before the token expires.
func (l *link) tend() error {
	for n := 0; ; n++ {
		l.ping()
		pause := pingEvery
		if n < burst-1 {
			pause = burstPause
		}
		t := time.NewTimer(min(pause, l.untilHello()))
		select {
		case <-t.C:
		case <-l.ctx.Done():
			t.Stop()
			return l.ctx.Err()
		case <-l.client.ctx.Done():
			t.Stop()
			l.part(ErrClosed)
			return l.socket.Close(subjects.CloseNormal)
		case <-l.leave:
			t.Stop()
			return l.socket.Close(subjects.CloseNormal)
		}
		l.mu.Lock()
		quiet := time.Since(l.heard)
		l.mu.Unlock()
		if quiet > silence || l.client.outbox.stuck() {
			return errSilent
		}
		if err := l.helloAgain(); err != nil {
			return err
		}
	}
}

// helloAgain says hello with a fresh token, if it is time to.
func (l *link) helloAgain() error {
	l.mu.Lock()
	due := !l.again.IsZero() && !time.Now().Before(l.again)
	l.mu.Unlock()
	if !due {
		return nil
	}
	token, err := l.client.session.token(l.ctx)
	switch {
	case l.client.session.user() != l.user:
		return ErrAccountChanged
	case subjects.CodeOf(err) == subjects.CodeUnauthenticated:
		return err
	case err != nil:
		return nil // not reached just now; tried again in a second
	}
	l.mu.Lock()
	l.again = time.Time{} // until the next welcome
	l.mu.Unlock()
	l.send(helloFrame(token))
	return nil
}

// helloRefused: a fresh token was not taken. The old one counts until it expires; a refusal
// that is not final has hello said again.
func (l *link) helloRefused(f *subjects.ServerFrame) error {
	err := refusalOf(f)
	if !f.Retry && subjects.CodeOf(err).Final() {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again = time.Now().Add(time.Duration(f.RetryMs) * time.Millisecond)
	return nil
}

// untilHello is how long to wait until it is time to say hello again.
func (l *link) untilHello() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch left := time.Until(l.again); {
	case l.again.IsZero():
		return time.Hour
	case left < 0:
		return time.Second // it was tried
	default:
		return left
	}
}

func (l *link) ping() {
	sent := float64(l.client.clock.local()) / float64(time.Millisecond)
	l.send(encodeFrame(&subjects.ClientFrame{Type: subjects.FramePing, Sent: sent}))
}

// encodeFrame writes a frame. Its parts are text, numbers and JSON that was checked before,
// so it cannot fail.
func encodeFrame(f *subjects.ClientFrame) []byte {
	data, err := json.Marshal(f)
	if err != nil {
		panic("tutti: a frame that cannot be written: " + err.Error())
	}
	return data
}

// decodeFrame reads a frame of the server's. Fields that this release does not know are
// passed over.
func decodeFrame(data []byte) (*subjects.ServerFrame, error) {
	f := &subjects.ServerFrame{}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%w: a frame that is none: %w", ErrProtocol, err)
	}
	if f.Type == "" {
		return nil, fmt.Errorf("%w: a frame without a type", ErrProtocol)
	}
	return f, nil
}

// refusalOf gives the reason in a frame that refuses; a frame without one is a defect of
// the server's.
func refusalOf(f *subjects.ServerFrame) error {
	if f.Refusal == nil {
		return fmt.Errorf("%w: %s without a reason", ErrProtocol, f.Type)
	}
	return f.Refusal
}
