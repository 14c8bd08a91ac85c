package edge

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// writeAtOnce is about how many bytes are put together for one write.
const writeAtOnce = 32 << 10

var writeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, writeAtOnce); return &b }}

// item is something that waits to be written.
type item struct {
	data message
	// of is the listener whose place in its channel the message moves on, so that a fresh
	// start can stand for it; nil for what must not be left out.
	of *listener
	// fresh says that the listener starts afresh here, with what its source then gives.
	fresh bool
	// last ends the socket once it is written.
	last bool
}

// outbox is what a socket has to say. It is bounded: past the bound what a channel would
// have said is left out and a snapshot put in its place, made when its turn comes; what
// still does not fit, or is not taken in time, closes the socket.
//
// Its writer is a goroutine that exists while there is something to write.
type outbox struct {
	conn      net.Conn
	maxFrames int
	maxBytes  int
	stall     time.Duration
	// slow is told once that the client does not keep up and the socket ends.
	slow    func()
	metrics *metrics

	mu      sync.Mutex
	queue   []item
	spare   []item
	bytes   int // of what waits and of what is being written
	writing bool
	ending  bool      // the last message is queued, or there will be none
	until   time.Time // when set: nothing is written later
	writers sync.WaitGroup
}

// say queues a message that must not be left out.
func (o *outbox) say(m message) { o.push(item{data: m}) }

// tell queues a message of a listener's channel.
func (o *outbox) tell(l *listener, m message) { o.push(item{data: m, of: l}) }

// mention queues a message that may be left out: it is when much waits already.
func (o *outbox) mention(l *listener, m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending || l.lagging || len(o.queue) > o.maxFrames/2 || o.bytes+len(m) > o.maxBytes/2 {
		return
	}
	o.add(item{data: m})
}

func (o *outbox) push(it item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending || it.of != nil && it.of.lagging {
		return
	}
	if !o.fits(it) {
		o.conflate()
		if it.of != nil && it.of.lagging {
			return
		}
		if !o.fits(it) {
			o.finish(subjects.CloseSlow, "read faster, or follow less", true)
			return
		}
	}
	o.add(it)
}

// fits allows one message of any size where nothing else waits.
func (o *outbox) fits(it item) bool {
	return len(o.queue) < o.maxFrames && (o.bytes+len(it.data) <= o.maxBytes || len(o.queue) == 0)
}

// conflate leaves out what the channels would have said and lets each start afresh.
func (o *outbox) conflate() {
	kept := make([]item, 0, len(o.queue))
	var behind []*listener
	for _, it := range o.queue {
		if it.of == nil || it.fresh {
			kept = append(kept, it)
			continue
		}
		o.bytes -= len(it.data)
		if !it.of.lagging {
			it.of.lagging = true
			behind = append(behind, it.of)
		}
	}
	for _, l := range behind {
		kept = append(kept, item{of: l, fresh: true})
		o.metrics.conflated.Inc()
	}
	o.queue = kept
}

// caughtUp says that the listener's fresh start was made. Its source calls it under the
// lock under which it tells the listener more, so that nothing is missed between.
func (o *outbox) caughtUp(l *listener) {
	o.mu.Lock()
	l.lagging = false
	o.mu.Unlock()
}

func (o *outbox) add(it item) {
	o.queue = append(o.queue, it)
	o.bytes += len(it.data)
	if !o.writing {
		o.writing = true
		o.writers.Add(1)
		go o.write()
	}
}

// end queues the close message behind what waits, or in place of it.
func (o *outbox) end(code subjects.CloseCode, reason string, atOnce bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finish(code, reason, atOnce)
}

func (o *outbox) finish(code subjects.CloseCode, reason string, atOnce bool) {
	if o.ending {
		return
	}
	if atOnce {
		for _, it := range o.queue {
			o.bytes -= len(it.data)
		}
		o.queue = nil
	}
	o.add(item{data: closing(code, reason), last: true})
	o.ending = true
	o.metrics.closed.Of(code.String()).Inc()
	if code == subjects.CloseSlow {
		o.slow()
	}
}

// stop ends the writer: what is not written within grace never will be.
func (o *outbox) stop(grace time.Duration) {
	o.mu.Lock()
	if !o.ending {
		o.ending, o.queue = true, nil
	}
	o.until = time.Now().Add(grace)
	_ = o.conn.SetWriteDeadline(o.until) // a connection that is closed writes nothing anyway
	o.mu.Unlock()
	o.writers.Wait()
}

func (o *outbox) write() {
	defer o.writers.Done()
	buf, _ := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buf)
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.writing = false
			o.queue, o.spare = nil, nil // an idle socket keeps no memory for its queue
			o.mu.Unlock()
			return
		}
		batch := o.queue
		o.queue, o.spare = o.spare[:0], nil
		waiting := o.bytes
		o.mu.Unlock()
		o.metrics.queueBytes.Observe(float64(waiting))

		written, last, err := o.writeAll(batch, buf)
		clear(batch)
		o.mu.Lock()
		o.bytes -= written
		o.spare = batch[:0]
		if err != nil || last {
			ending := o.ending
			o.ending, o.writing, o.queue, o.spare = true, false, nil, nil
			o.mu.Unlock()
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) && !ending {
					o.metrics.closed.Of(subjects.CloseSlow.String()).Inc()
				}
				_ = o.conn.Close() // the reader notices, and ends the socket
			}
			return
		}
		o.mu.Unlock()
	}
}

// writeAll writes a batch with as few writes as its size allows; taken is what of it the
// outbox had counted.
func (o *outbox) writeAll(batch []item, buf *[]byte) (taken int, last bool, err error) {
	pending := (*buf)[:0]
	flush := func() {
		if err == nil && len(pending) > 0 {
			err = o.put(pending)
			pending = pending[:0]
		}
	}
	for _, it := range batch {
		taken += len(it.data)
		if err != nil {
			continue
		}
		parts := []message{it.data}
		if it.fresh {
			if parts, err = freshOf(it.of); err != nil {
				continue
			}
		}
		for _, m := range parts {
			if len(pending)+len(m) > writeAtOnce {
				flush()
			}
			if len(m) > writeAtOnce {
				if err == nil {
					err = o.put(m)
				}
				continue
			}
			pending = append(pending, m...)
		}
		last = last || it.last
	}
	flush()
	o.metrics.bytesOut.Add(float64(taken))
	return taken, last, err
}

// errPanic is a panic in a source.
var errPanic = errors.New("edge: panic")

// freshOf asks a listener's source for a fresh start; a panic in it ends the socket alone.
func freshOf(l *listener) (parts []message, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.sock.panicked(p)
			err = errPanic
		}
	}()
	return l.from.fresh(l), nil
}

func (o *outbox) put(b []byte) error {
	o.mu.Lock()
	deadline := time.Now().Add(o.stall)
	if !o.until.IsZero() && o.until.Before(deadline) {
		deadline = o.until
	}
	err := o.conn.SetWriteDeadline(deadline)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = o.conn.Write(b)
	return err
}

// behind reports whether a fresh start of the listener is queued: it will be given all
// there is then.
func (o *outbox) behind(l *listener) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return l.lagging
}
