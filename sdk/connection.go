package tutti

import (
	"errors"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// proven is how long a connection must have been identified for the next pause to start
	// short again.
	proven = 10 * time.Second
	// restartPause is the most that is waited after a server said that it restarts.
	restartPause = 200 * time.Millisecond
	// fullPause is the least that is waited where a server asked for a pause.
	fullPause = time.Second
)

// run is the connection's loop: it keeps a socket open while one is wanted.
func (c *Client) run() {
	defer c.become(func(s *Connection) { *s = Connection{State: Closed, Err: ErrClosed, Count: s.Count} })
	tries, renewals := 0, 0
	for {
		if !c.untilWanted() {
			return
		}
		c.become(func(s *Connection) { s.State, s.User = Connecting, "" })
		began := time.Now()
		identified, err := c.connect()
		if c.ctx.Err() != nil {
			return
		}
		if identified {
			renewals = 0
			if time.Since(began) > proven {
				tries = 0
			}
		}
		var closed *CloseError
		hasCode := errors.As(err, &closed)
		refused := subjects.CodeOf(err) == subjects.CodeUnauthenticated || hasCode && closed.Code == subjects.CloseUnauthenticated
		switch {
		case errors.Is(err, ErrAccountChanged):
			c.become(func(s *Connection) { s.State, s.User, s.Err = Offline, "", nil })
			continue
		case refused && renewals == 0 && c.session.user() != "":
			renewals++ // the token was refused and is renewed; that may have been all
			c.session.distrustAll()
			continue
		case refused, hasCode && !closed.Code.ComeBack() && closed.Code != subjects.CloseOtherUser:
			c.shut(err)
			continue
		}
		if hasCode && closed.Code == subjects.CloseExpired {
			c.session.distrustAll()
		}
		c.become(func(s *Connection) { s.State, s.User, s.Err = Offline, "", err })
		if !c.pause(pauseAfter(closed, tries, &c.opt)) {
			return
		}
		tries++
	}
}

// shut has the connection closed until something needs it again. What waits for it comes
// back with the reason.
func (c *Client) shut(err error) {
	c.become(func(s *Connection) {
		c.wanted = false
		s.State, s.User, s.Err = Closed, "", err
	})
	c.outbox.fail(err)
	c.feeds.fail(err)
}

// untilWanted waits until a socket is wanted; false if the client is closed.
func (c *Client) untilWanted() bool {
	for {
		c.mu.Lock()
		wanted := c.wanted
		c.mu.Unlock()
		if wanted {
			return c.ctx.Err() == nil
		}
		select {
		case <-c.kick:
		case <-c.ctx.Done():
			return false
		}
	}
}

// pause waits before the next attempt, and not longer than until somebody signs in.
func (c *Client) pause(d time.Duration) bool {
	select {
	case <-c.kick: // from before the socket broke
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.kick:
	case <-c.ctx.Done():
		return false
	}
	return true
}

// pauseAfter says how long to wait after a socket ended, with a code or without one.
func pauseAfter(closed *CloseError, tries int, o *options) time.Duration {
	d := jitter(tries, o.pause, o.maxPause)
	if closed == nil {
		return d
	}
	switch closed.Code {
	case subjects.CloseRestart, subjects.CloseExpired, subjects.CloseNoHello:
		if tries == 0 {
			return min(d, restartPause)
		}
	case subjects.CloseFlooding, subjects.CloseUnavailable, subjects.CloseFull:
		return fullPause + jitter(tries, fullPause, max(fullPause, o.maxPause))
	}
	return d
}

// connect opens a socket, identifies it and serves it until it ends.
func (c *Client) connect() (identified bool, err error) {
	// The token comes first: a server does not wait long for hello.
	token, user, err := c.session.credentials(c.ctx)
	if err != nil {
		return false, err
	}
	socket, err := c.open()
	if err != nil {
		return false, err
	}
	c.become(func(s *Connection) { s.State = Connected })
	l := newLink(c, socket, user)
	defer l.close()
	welcome, err := l.hello(token)
	if err != nil {
		return false, err
	}
	if !c.adopt(l) {
		return false, ErrAccountChanged // signed in or out meanwhile
	}
	c.become(func(s *Connection) { s.State, s.User, s.Err, s.Count = Identified, l.user, nil, s.Count+1 })
	c.feeds.connected(l)
	if l.user != "" {
		c.outbox.connected(l)
	}
	err = l.serve(welcome)
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	c.outbox.disconnected()
	c.feeds.disconnected()
	return true, err
}

// adopt makes l the connection, unless it is not that of who is signed in now.
func (c *Client) adopt(l *link) bool {
	c.mu.Lock()
	c.link = l
	c.mu.Unlock()
	if l.user == c.session.user() {
		return true
	}
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	return false
}
