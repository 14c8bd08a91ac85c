package tutti

import (
	"cmp"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// answerTime is how long a command may be without an answer on a socket that seems to
	// live; then the socket is given up, and the command sent again on the next. Servers
	// answer sooner, if only that they do not know.
	answerTime = 30 * time.Second
	// firstRetry and longestRetry bound the pause before a command is sent again, where the
	// server asks for none.
	firstRetry   = 50 * time.Millisecond
	longestRetry = 5 * time.Second
)

// outbox holds the commands that have no final answer yet. The commands to one channel form
// a lane, of which the first alone is under way: so they take effect in their order, also
// when one has to be sent again. Lanes do not wait for each other.
type outbox struct {
	max int

	mu     sync.Mutex
	closed bool
	count  int
	lanes  map[subjects.Channel]*lane
	link   *link // nil while there is none that takes commands
}

// lane is the queue of one channel; it exists while there is something in it.
type lane struct {
	waiting []*command
	timer   *time.Timer // runs while the first is to be sent again later
}

// command is one that waits for its final answer.
type command struct {
	id      string
	channel subjects.Channel
	frame   []byte
	done    chan struct{} // closed once answer and err are set

	// The outbox's lock guards these until done is closed.
	underway  time.Time // when it was sent on the present socket, zero if it was not
	tries     int       // how often it was sent
	abandoned bool      // nobody waits for the answer; it is never sent again
	last      error     // the last answer that was not final
	answer    subjects.Answer
	made      string // the id of what ChannelRooms or ChannelPlaylists made
	err       error
}

func newOutbox(size int) *outbox { return &outbox{max: size, lanes: map[subjects.Channel]*lane{}} }

// add queues a command and sends it if it is its turn.
func (o *outbox) add(m *command) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case o.count >= o.max:
		return ErrOutboxFull
	}
	l := o.lanes[m.channel]
	if l == nil {
		l = &lane{}
		o.lanes[m.channel] = l
	}
	l.waiting = append(l.waiting, m)
	o.count++
	o.pump(m.channel, l)
	return nil
}

// pump sends the lane's first command unless it is under way or must wait. The caller holds
// the lock.
func (o *outbox) pump(ch subjects.Channel, l *lane) {
	for len(l.waiting) > 0 && l.waiting[0].abandoned && l.waiting[0].underway.IsZero() {
		o.drop(l)
	}
	if len(l.waiting) == 0 {
		if l.timer != nil {
			l.timer.Stop()
		}
		delete(o.lanes, ch)
		return
	}
	m := l.waiting[0]
	if o.link == nil || l.timer != nil || !m.underway.IsZero() {
		return
	}
	m.underway = time.Now()
	m.tries++
	o.link.send(m.frame)
}

func (o *outbox) drop(l *lane) {
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	o.count--
}

// answered takes the answer to a command; false if the frame answers none.
func (o *outbox) answered(f *subjects.ServerFrame) bool {
	if subjects.CheckID(subjects.PrefixCommand, f.ID) != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for ch, l := range o.lanes {
		m := l.waiting[0]
		if m.id != f.ID || m.underway.IsZero() {
			continue
		}
		m.underway = time.Time{}
		var err error
		if f.Type == subjects.FrameErr {
			err = refusalOf(f)
			if (f.Retry || !subjects.CodeOf(err).Final()) && !m.abandoned {
				o.later(ch, l, m, err, time.Duration(f.RetryMs)*time.Millisecond)
				return true
			}
		}
		m.answer = subjects.Answer{Command: m.id, Epoch: f.Epoch, Rev: f.Rev, At: f.At, Refusal: f.Refusal}
		m.made, m.err = cmp.Or(f.Room, f.Playlist), err
		close(m.done)
		o.drop(l)
		o.pump(ch, l)
		return true
	}
	return true // of a command that nobody waits for any more
}

// later has a lane's first command sent again after a pause.
func (o *outbox) later(ch subjects.Channel, l *lane, m *command, err error, asked time.Duration) {
	m.last = err
	pause := asked + jitter(m.tries-1, firstRetry, longestRetry)
	if asked > 0 {
		pause = asked + jitter(0, max(asked/2, firstRetry), longestRetry)
	}
	l.timer = time.AfterFunc(pause, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		l.timer = nil
		if o.lanes[ch] == l {
			o.pump(ch, l)
		}
	})
}

// abandon has a command forgotten: its sender waits no more. It reports whether the command
// was ever sent, so that it may have taken effect, and the last answer.
func (o *outbox) abandon(m *command) (sent bool, last error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m.abandoned = true
	l := o.lanes[m.channel]
	if l != nil && m.underway.IsZero() {
		for i, w := range l.waiting {
			if w == m {
				l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
				o.count--
				if i == 0 && l.timer != nil {
					l.timer.Stop()
					l.timer = nil
				}
				o.pump(m.channel, l)
				break
			}
		}
	}
	return m.tries > 0, m.last
}

// connected sends each lane's first command over a new socket.
func (o *outbox) connected(k *link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link = k
	for ch, l := range o.lanes {
		o.pump(ch, l)
	}
}

// disconnected: what was under way is sent again under its id on the next socket.
func (o *outbox) disconnected() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link = nil
	for ch, l := range o.lanes {
		l.waiting[0].underway = time.Time{}
		o.pump(ch, l) // drops what was abandoned
	}
}

// stuck reports whether a command has been without an answer for too long.
func (o *outbox) stuck() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lanes {
		if at := l.waiting[0].underway; !at.IsZero() && time.Since(at) > answerTime {
			return true
		}
	}
	return false
}

// fail gives everything that waits back with an error.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ch, l := range o.lanes {
		if l.timer != nil {
			l.timer.Stop()
		}
		for _, m := range l.waiting {
			if !m.abandoned {
				m.err = err
				close(m.done)
			}
		}
		delete(o.lanes, ch)
	}
	o.count = 0
}

// close is fail for good.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.fail(ErrClosed)
}
