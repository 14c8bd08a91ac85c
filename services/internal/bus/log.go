package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Entry is a stored message.
type Entry struct {
	Subject string
	// Seq is its sequence in the stream, from 1.
	Seq  uint64
	Time time.Time
	Data []byte
}

const (
	// answerWait is how long an append or a look at the log's head waits for its answer. One
	// that does not come by then never will: its leader is gone, or changed meanwhile. Who
	// asked finds out what became of it and tries again.
	answerWait = time.Second
	appendWait = 5 * time.Second
	readWait   = 5 * time.Second
	// resetAttempts bounds how often a reading begins anew after a loss before its caller is
	// told. Without it the client library tries for ever and looks at no context.
	resetAttempts = 1
	// readQuiet is how long nothing comes before a reading asks whether anything will.
	readQuiet = 250 * time.Millisecond
	readBatch = 512
	readBytes = 4 << 20
	readLong  = 4 * readBatch
)

// Append stores data under subject if the last message there has the sequence after (0:
// there is none), and returns its sequence. ErrFenced: there is another last message.
// ErrUnavailable: whether it was stored is not known; it waits for the answer for a second, or
// until the connection is lost, also when ctx ends meanwhile. ErrFull, ErrTooLarge: it was not.
func (b *Bus) Append(ctx context.Context, subject string, data []byte, after uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("bus: append: %w", classify(err))
	}
	// The hot path: the request is made without the library's options and contexts, and
	// a plain acknowledgement is read without reflection.
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(after, 10)},
	}}
	reply, err := b.nc.RequestMsgWithContext(b.link.within(), m)
	if err != nil {
		return 0, fmt.Errorf("bus: append: %w", classify(err))
	}
	if seq, ok := plainAck(reply.Data); ok {
		return seq, nil
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Seq   uint64              `json:"seq"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("bus: append: %w", errors.Join(ErrUnavailable, err))
	}
	if ack.Error != nil {
		return 0, fmt.Errorf("bus: append: %w", classify(ack.Error))
	}
	if ack.Seq == 0 {
		return 0, fmt.Errorf("bus: append: %w", errors.Join(ErrUnavailable, errors.New("the answer is no acknowledgement")))
	}
	return ack.Seq, nil
}

// plainAck reads the sequence out of `{"stream":"…", "seq":N}`; ok is false for anything
// that holds more.
func plainAck(data []byte) (seq uint64, ok bool) {
	head, rest, found := bytes.Cut(data, []byte(`"seq":`))
	if !found || !bytes.HasPrefix(head, []byte(`{"stream":"`)) || len(rest) < 2 || rest[len(rest)-1] != '}' {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(rest[:len(rest)-1]), 10, 64)
	return seq, err == nil && seq > 0
}

// Put stores data under subject, whatever is there.
func (b *Bus) Put(ctx context.Context, subject string, data []byte) error {
	ctx, cancel := b.bounded(ctx, appendWait)
	defer cancel()
	if _, err := b.js.Publish(ctx, subject, data); err != nil {
		return fmt.Errorf("bus: put: %w", classify(err))
	}
	return nil
}

// Schedule has the server store data under target at the given time, rounded up to the
// second; it may do so up to a second early. subject and target must belong to the same
// stream, and a later call with the same subject replaces an earlier one.
func (b *Bus) Schedule(ctx context.Context, subject, target string, at time.Time, data []byte) error {
	ctx, cancel := b.bounded(ctx, appendWait)
	defer cancel()
	if up := at.Truncate(time.Second); up.Before(at) {
		at = up.Add(time.Second)
	}
	_, err := b.js.Publish(ctx, subject, data, jetstream.WithScheduleAt(at), jetstream.WithScheduleTarget(target))
	if err != nil {
		return fmt.Errorf("bus: schedule: %w", classify(err))
	}
	return nil
}

// Head reads the last message of a subject from the stream's leader, so that it is the
// newest one. ErrNoMessage if there is none.
func (b *Bus) Head(ctx context.Context, stream, subject string) (Entry, error) {
	ctx, cancel := b.bounded(ctx, answerWait)
	defer cancel()
	req := append(append([]byte(`{"last_by_subj":"`), subject...), `"}`...)
	reply, err := b.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, req)
	if err != nil {
		return Entry{}, fmt.Errorf("bus: head: %w", classify(err))
	}
	var r struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &r); err != nil {
		return Entry{}, fmt.Errorf("bus: head: %w", err)
	}
	if r.Error != nil {
		return Entry{}, fmt.Errorf("bus: head: %w", classify(r.Error))
	}
	if r.Message == nil {
		return Entry{}, fmt.Errorf("bus: head: %w", ErrNoMessage)
	}
	return Entry{Subject: r.Message.Subject, Seq: r.Message.Seq, Data: r.Message.Data, Time: r.Message.Time}, nil
}

// Last reads the last message of a subject from whichever replica answers; it may be a
// little old. ErrNoMessage if there is none.
func (b *Bus) Last(ctx context.Context, stream, subject string) (Entry, error) {
	ctx, cancel := b.bounded(ctx, readWait)
	defer cancel()
	reply, err := b.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream+"."+subject, nil)
	if err != nil {
		return Entry{}, fmt.Errorf("bus: last: %w", classify(err))
	}
	if s := reply.Header.Get("Status"); s != "" {
		return Entry{}, fmt.Errorf("bus: last: %w", statusError(reply))
	}
	return directEntry(reply)
}

// Read calls f for every message of a subject (which may hold wildcards) from sequence
// from on, in order, until none is left; it reads in batches of bounded size. It stops
// at the first error of f and returns it. A lagging replica may answer: compare with
// Head where the newest matters.
func (b *Bus) Read(ctx context.Context, stream, subject string, from uint64, f func(Entry) error) error {
	inbox := b.nc.NewInbox()
	answers := make(chan *nats.Msg, readBatch+1) // one batch at a time is under way
	sub, err := b.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return fmt.Errorf("bus: read: %w", classify(err))
	}
	defer func() { _ = sub.Unsubscribe() }()
	from = max(from, 1)
	var pending uint64
	for {
		if ctx.Err() != nil { // whatever has arrived meanwhile
			return fmt.Errorf("bus: read: %w", classify(ctx.Err()))
		}
		// A short tail comes without the cost of making a consumer, a long one without the
		// cost of four headers a message.
		if pending > readLong {
			var whole bool
			if from, whole, err = b.readLong(ctx, stream, subject, from, f); err != nil || whole {
				return err
			}
		}
		req := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q,"batch":%d,"max_bytes":%d}`, from, subject, readBatch, readBytes)
		if err := b.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, req); err != nil {
			return fmt.Errorf("bus: read: %w", classify(err))
		}
		if pending, from, err = readOne(ctx, answers, from, f); err != nil {
			return err
		}
		if pending == 0 {
			return nil
		}
	}
}

// readLong reads like Read, through a consumer that lives as long as the call, and ends with
// the last message that was there when it began. It says where to go on; whole is false if
// some of those messages were purged meanwhile.
func (b *Bus) readLong(ctx context.Context, stream, subject string, from uint64, f func(Entry) error) (next uint64, whole bool, err error) {
	whole, err = b.through(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		InactiveThreshold: longInactive,
	}, func(e Entry, _ *jetstream.MsgMetadata) error {
		from = e.Seq + 1
		return f(e)
	})
	return from, whole, err
}

// through calls f with what a consumer gives that lives as long as the call: so many messages
// as there were for it when it was made, or, if some of them were purged meanwhile, as are
// left. whole is false then.
func (b *Bus) through(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, f func(Entry, *jetstream.MsgMetadata) error) (whole bool, err error) {
	open, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	cfg.MaxResetAttempts = resetAttempts
	c, err := b.js.OrderedConsumer(open, stream, cfg)
	if err != nil {
		return false, fmt.Errorf("bus: read: %w", classify(err))
	}
	left := c.CachedInfo().NumPending
	if left == 0 {
		return true, nil
	}
	it, err := c.Messages(jetstream.PullMaxMessages(4 * readBatch))
	if err != nil {
		return false, fmt.Errorf("bus: read: %w", classify(err))
	}
	defer it.Stop()
	var last jetstream.MsgMetadata
	for heard := time.Now(); left > 0; {
		wait, cancel := context.WithTimeout(ctx, readQuiet)
		m, err := it.Next(jetstream.NextContext(wait))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && time.Since(heard) < readWait {
			if drained(ctx, c, last) {
				return false, nil
			}
			continue
		}
		if err != nil {
			return false, fmt.Errorf("bus: read: %w", classify(err))
		}
		meta, err := m.Metadata()
		if err != nil {
			return false, fmt.Errorf("bus: read: %w", err)
		}
		if err := f(Entry{Subject: m.Subject(), Seq: meta.Sequence.Stream, Time: meta.Timestamp, Data: m.Data()}, meta); err != nil {
			return false, err
		}
		last, heard = *meta, time.Now()
		if left--; left > 0 && meta.NumPending == 0 {
			return false, nil
		}
	}
	return true, nil
}

// drained reports whether a consumer has handed out all it has, and last is the end of it.
func drained(ctx context.Context, c jetstream.Consumer, last jetstream.MsgMetadata) bool {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	info, err := c.Info(ctx)
	if err != nil {
		return false // who waits finds out
	}
	var seen uint64 // none, if it was made anew since
	if info.Name == last.Consumer {
		seen = last.Sequence.Consumer
	}
	return info.NumPending == 0 && info.Delivered.Consumer == seen
}

// readOne takes one batch; pending is how many messages come after it, and next where
// they begin.
func readOne(ctx context.Context, answers <-chan *nats.Msg, from uint64, f func(Entry) error) (pending, next uint64, err error) {
	next = from
	for {
		var m *nats.Msg
		select {
		case m = <-answers:
		default:
			var err error
			if m, err = nextAnswer(ctx, answers); err != nil {
				return 0, next, fmt.Errorf("bus: read: %w", err)
			}
		}
		switch m.Header.Get("Status") {
		case "":
		case "204": // end of batch
			pending, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
			if err != nil {
				return 0, next, fmt.Errorf("bus: read: end of batch: %w", err)
			}
			return pending, next, nil
		case "404":
			return 0, next, nil
		default:
			return 0, next, fmt.Errorf("bus: read: %w", statusError(m))
		}
		e, err := directEntry(m)
		if err != nil {
			return 0, next, err
		}
		if err := f(e); err != nil {
			return 0, next, err
		}
		next = e.Seq + 1
	}
}

// nextAnswer waits for a message, for readWait at most.
func nextAnswer(ctx context.Context, answers <-chan *nats.Msg) (*nats.Msg, error) {
	t := time.NewTimer(readWait)
	defer t.Stop()
	select {
	case m := <-answers:
		return m, nil
	case <-t.C:
		return nil, classify(context.DeadlineExceeded)
	case <-ctx.Done():
		return nil, classify(ctx.Err())
	}
}

func directEntry(m *nats.Msg) (Entry, error) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("bus: direct get without a sequence: %w", err)
	}
	t, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return Entry{}, fmt.Errorf("bus: direct get without a time: %w", err)
	}
	return Entry{Subject: m.Header.Get("Nats-Subject"), Seq: seq, Time: t, Data: m.Data}, nil
}

func statusError(m *nats.Msg) error {
	s, d := m.Header.Get("Status"), m.Header.Get("Description")
	switch s {
	case "404":
		return ErrNoMessage
	case "408", "413", "503":
		return errors.Join(ErrUnavailable, errors.New(s+" "+d))
	}
	return errors.New(s + " " + d)
}
