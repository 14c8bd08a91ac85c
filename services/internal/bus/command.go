package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// The first attempt is given up after askFirst, the next ones after askSoon each: an owner
	// that died or stands still with a command in its hands is noticed, and another asked,
	// soon after the server has given that owner up (ping_interval in nats.conf). From askLong
	// on each attempt has twice the time of the one before, up to askAttempt: an owner that is
	// only slow is not asked to hurry for ever.
	askFirst    = time.Second
	askSoon     = 500 * time.Millisecond
	askLong     = 3500 * time.Millisecond
	askAttempt  = 3 * time.Second
	askPauseMin = 10 * time.Millisecond
	askPauseMax = 400 * time.Millisecond
	// sendTTL is how long a queued command waits for an owner before the server drops it:
	// longer than any outage that a deployment comes back from.
	sendTTL = 7 * 24 * time.Hour
	// maxDeadLetter bounds what is kept of one dead letter, in bytes.
	maxDeadLetter = 256 << 10
)

// Ask sends a command to the owner of its aggregate and waits for the answer. While
// nobody owns the partition, the owner is busy, or an answer does not come, it sends the
// same command again, until ctx ends: an id takes effect once, so that is safe. An attempt
// that was given up is not decided later (subjects.HeaderDeadline). A refusal
// comes in the answer; the error is ErrUnavailable (whether the command takes effect is
// then not known) or subjects.ErrBadSubject.
func (b *Bus) Ask(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error) {
	if !telemetry.Traced(ctx) {
		return b.ask(ctx, to, env)
	}
	ctx, span := telemetry.Child(ctx, "ask "+to.Service+"."+to.Verb, telemetry.KindClient, about(to, env)...)
	defer span.End()
	a, err := b.ask(ctx, to, env)
	told(span, a.Err(), err)
	return a, err
}

func (b *Bus) ask(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error) {
	subject, err := to.Subject(subjects.DoorAsk)
	if err != nil {
		return subjects.Answer{}, err
	}
	data, err := json.Marshal(env)
	if err != nil {
		return subjects.Answer{}, subjects.Refuse(subjects.CodeInvalid, "the command's body is not JSON")
	}
	if len(data) > subjects.MaxCommandBytes {
		return subjects.Answer{}, subjects.Refuse(subjects.CodeTooLarge, "a command is at most %d bytes", subjects.MaxCommandBytes)
	}
	var last error
	again := false
	wait, lost := askFirst, time.Duration(0)
	for pause := askPauseMin; ; pause = min(pause*2, askPauseMax) {
		a, err := b.askOnce(ctx, subject, data, again, wait)
		if errors.Is(err, context.DeadlineExceeded) {
			lost += wait
			wait = nextWait(wait, lost)
			pause = askPauseMin // it has waited
		}
		// Nobody has it if nobody was there to take it, or if it was not let in.
		again = again || !errors.Is(err, nats.ErrNoResponders) && subjects.CodeOf(a.Err()) != subjects.CodeBusy
		switch {
		case err != nil && !errors.Is(err, ErrUnavailable):
			return subjects.Answer{}, err
		case err != nil:
			last = err
		case a.Refusal != nil && !a.Refusal.Code.Final():
			last = errors.Join(ErrUnavailable, a.Refusal)
		default:
			return a, nil
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return subjects.Answer{}, fmt.Errorf("bus: ask: %w", errors.Join(ErrUnavailable, last, ctx.Err()))
		case <-t.C:
		}
		b.watch.retries.Inc()
	}
}

// nextWait gives the time of the attempt after one that was given up, where all that were
// given up took lost together.
func nextWait(wait, lost time.Duration) time.Duration {
	if lost < askLong {
		return askSoon
	}
	return min(2*wait, askAttempt)
}

func (b *Bus) askOnce(ctx context.Context, subject string, data []byte, again bool, wait time.Duration) (subjects.Answer, error) {
	ctx, cancel := b.bounded(ctx, wait)
	defer cancel()
	m := nats.NewMsg(subject)
	m.Data = data
	if end, ok := ctx.Deadline(); ok {
		// The owner stops a little before the sender does: their clocks may differ.
		left := time.Until(end) * 9 / 10
		m.Header.Set(subjects.HeaderDeadline, strconv.FormatInt(b.now().Add(left).UnixMilli(), 10))
	}
	if again {
		m.Header.Set(subjects.HeaderAgain, "1")
	}
	if trace := telemetry.Traceparent(ctx); trace != "" {
		m.Header.Set(subjects.HeaderTrace, trace)
	}
	reply, err := b.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return subjects.Answer{}, classify(err)
	}
	var a subjects.Answer
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return subjects.Answer{}, fmt.Errorf("bus: answer: %w", err)
	}
	return a, nil
}

// Send leaves a command in the COMMANDS stream and returns once it is stored: its
// aggregate's owner will carry it out, after a crash too, in the order sent. One that found no
// owner for a week is dropped. ErrFull: the store's limit is reached.
func (b *Bus) Send(ctx context.Context, to subjects.Command, env subjects.Envelope) (err error) {
	subject, err := to.Subject(subjects.DoorQueue)
	if err != nil {
		return err
	}
	data, err := json.Marshal(env)
	if err != nil {
		return fmt.Errorf("bus: send: %w", err)
	}
	ctx, cancel := b.bounded(ctx, appendWait)
	defer cancel()
	m := &nats.Msg{Subject: subject, Data: data}
	if telemetry.Traced(ctx) {
		var span telemetry.Span
		ctx, span = telemetry.Child(ctx, "send "+to.Service+"."+to.Verb, telemetry.KindProducer, about(to, env)...)
		defer func() { told(span, nil, err); span.End() }()
	}
	if trace := telemetry.Traceparent(ctx); trace != "" {
		m.Header = nats.Header{subjects.HeaderTrace: {trace}}
	}
	if _, err := b.js.PublishMsg(ctx, m, jetstream.WithExpectStream(subjects.StreamCommands), jetstream.WithMsgTTL(sendTTL)); err != nil {
		return fmt.Errorf("bus: send: %w", classify(err))
	}
	return nil
}

// DeadLetter keeps what could not be decoded, with the reason and where it was found; of a
// large message it keeps the beginning.
func (b *Bus) DeadLetter(ctx context.Context, service, subject, reason string, data []byte) error {
	ctx, cancel := b.bounded(ctx, appendWait)
	defer cancel()
	m := nats.NewMsg(subjects.DLQ(service))
	m.Header.Set(subjects.HeaderSubject, subject)
	m.Header.Set(subjects.HeaderReason, reason)
	if len(data) > maxDeadLetter {
		m.Header.Set(subjects.HeaderReason, fmt.Sprintf("%s (the first %d of %d bytes)", reason, maxDeadLetter, len(data)))
		data = data[:maxDeadLetter]
	}
	m.Data = data
	if _, err := b.js.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("bus: dead letter: %w", classify(err))
	}
	return nil
}
