package tutti

import (
	"fmt"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// feeds are the channels that the client follows, each once, however many follow it here.
type feeds struct {
	client *Client

	mu   sync.Mutex
	open map[subjects.Channel]*feed
	link *link // nil while there is none
}

// feed is one channel. It is asked for over each new socket until nobody follows it.
type feed struct {
	channel subjects.Channel
	of      follower

	// The lock of feeds guards these.
	users int
	sub   string      // id of the last sub
	tries int         // subs in a row that were not answered well
	timer *time.Timer // runs while the channel is to be asked for again later
}

// follower makes sense of a channel's frames. Its methods are called by the socket's reader
// and must not block.
type follower interface {
	// ask fills in what a sub of a user, "" for a guest, says beside the channel; frames that
	// belong to what was asked before are then passed over until the answer comes.
	ask(user string, f *subjects.ClientFrame)
	// take takes a frame. again says that the channel must be asked for again. An error ends
	// the connection.
	take(f *subjects.ServerFrame) (again bool, err error)
	// fail tells that the channel is not followed any more.
	fail(err error)
}

func newFeeds(c *Client) *feeds {
	return &feeds{client: c, open: map[subjects.Channel]*feed{}}
}

// follow gives the feed of a channel, making it if there is none. Each call is paired with
// one of leave.
func (s *feeds) follow(ch subjects.Channel, fresh func() follower) (*feed, error) {
	s.mu.Lock()
	f := s.open[ch]
	if f == nil {
		if len(s.open) >= subjects.MaxChannels {
			s.mu.Unlock()
			return nil, ErrTooManyChannels
		}
		f = &feed{channel: ch, of: fresh()}
		s.open[ch] = f
		s.ask(f)
	}
	f.users++
	s.mu.Unlock()
	s.client.want()
	if s.client.ctx.Err() != nil {
		s.fail(ErrClosed) // Close may have looked before
	}
	return f, nil
}

// leave gives a feed back; the last to leave ends it.
func (s *feeds) leave(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.users--
	if f.users > 0 || s.open[f.channel] != f {
		return
	}
	s.remove(f)
	if s.link != nil {
		s.link.send(encodeFrame(&subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: f.channel}))
	}
}

func (s *feeds) remove(f *feed) {
	delete(s.open, f.channel)
	if f.timer != nil {
		f.timer.Stop()
	}
}

// ask subscribes to a channel, if there is a socket. The caller holds the lock.
func (s *feeds) ask(f *feed) {
	if s.link == nil || f.timer != nil {
		return
	}
	f.sub = subjects.NewID("sub", time.Now())
	frame := subjects.ClientFrame{Type: subjects.FrameSub, ID: f.sub, Channel: f.channel}
	f.of.ask(s.link.user, &frame)
	s.link.send(encodeFrame(&frame))
}

// askAgain ends what there is of a subscription and asks anew.
func (s *feeds) askAgain(f *feed) {
	if s.link == nil || f.timer != nil {
		return
	}
	s.link.send(encodeFrame(&subjects.ClientFrame{Type: subjects.FrameUnsub, Channel: f.channel}))
	s.ask(f)
}

// renew has a channel asked for anew a moment later, without a break in what there is: what
// its sub says has changed. It reports whether the channel is followed.
func (s *feeds) renew(f *feed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[f.channel] != f {
		return false
	}
	if s.link == nil || f.timer != nil {
		return true // it is asked for later, and says then what it is to say
	}
	f.timer = time.AfterFunc(renewPause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.timer = nil
		if s.open[f.channel] == f {
			s.ask(f)
		}
	})
	return true
}

func (s *feeds) connected(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = l
	for _, f := range s.open {
		s.ask(f)
	}
}

func (s *feeds) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = nil
	for _, f := range s.open {
		if f.timer != nil {
			f.timer.Stop()
			f.timer = nil
		}
	}
}

// frame takes a frame of a channel. One that nobody follows any more is passed over.
func (s *feeds) frame(sf *subjects.ServerFrame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.open[sf.Channel]
	if f == nil {
		return nil
	}
	if sf.Type == subjects.FrameGone {
		s.refused(f, sf)
		return nil
	}
	again, err := f.of.take(sf)
	if err != nil {
		return fmt.Errorf("channel %s: %w", sf.Channel, err)
	}
	switch {
	case again:
		s.later(f, 0)
	case sf.Type == subjects.FrameEvt, sf.Type == subjects.FrameDoc:
		f.tries = 0 // it goes on
	}
	return nil
}

// answered takes the answer to a sub.
func (s *feeds) answered(sf *subjects.ServerFrame) {
	if sf.Type != subjects.FrameErr || sf.ID == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.open {
		if f.sub == sf.ID {
			s.refused(f, sf)
			return
		}
	}
}

// refused: the channel is not followed, for now or for good.
func (s *feeds) refused(f *feed, sf *subjects.ServerFrame) {
	err := refusalOf(sf)
	if sf.Retry || sf.Refusal != nil && !sf.Refusal.Code.Final() {
		s.later(f, time.Duration(sf.RetryMs)*time.Millisecond)
		return
	}
	s.remove(f)
	f.of.fail(err)
}

// later asks for a channel again: at once the first time, then after growing pauses. The
// caller holds the lock.
func (s *feeds) later(f *feed, asked time.Duration) {
	f.tries++
	if f.tries == 1 && asked == 0 {
		s.askAgain(f)
		return
	}
	if f.timer != nil {
		return
	}
	f.timer = time.AfterFunc(asked+jitter(f.tries, firstRetry, longestRetry), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.timer = nil
		if s.open[f.channel] == f {
			s.askAgain(f)
		}
	})
}

// fail ends every feed.
func (s *feeds) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.open {
		s.remove(f)
		f.of.fail(err)
	}
}
