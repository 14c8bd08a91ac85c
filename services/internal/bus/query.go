package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

const (
	queryWait = 5 * time.Second
	// serveConcurrency bounds the requests that one endpoint works on at once; further
	// ones wait in the subscription, and past its limit the sender times out.
	serveConcurrency = 64
)

// Query asks a service's endpoint and decodes the answer into resp (nil to ignore it). A
// refusal comes back as *subjects.Refusal; ErrUnavailable if nobody answered. Nobody
// listening is tried again for a moment, since a service may just be changing hands.
func (b *Bus) Query(ctx context.Context, service, endpoint string, req, resp any) error {
	if !telemetry.Traced(ctx) {
		return b.query(ctx, service, endpoint, req, resp)
	}
	ctx, span := telemetry.Child(ctx, "query "+service+"."+endpoint, telemetry.KindClient)
	defer span.End()
	err := b.query(ctx, service, endpoint, req, resp)
	told(span, nil, err)
	return err
}

func (b *Bus) query(ctx context.Context, service, endpoint string, req, resp any) error {
	data, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("bus: query: %w", err)
	}
	ctx, cancel := b.bounded(ctx, queryWait)
	defer cancel()
	var header nats.Header
	if trace := telemetry.Traceparent(ctx); trace != "" {
		header = nats.Header{subjects.HeaderTrace: {trace}}
	}
	var reply *nats.Msg
	for pause := askPauseMin; ; pause = min(pause*2, askPauseMax) {
		reply, err = b.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: subjects.Query(service, endpoint), Data: data, Header: header})
		if !errors.Is(err, nats.ErrNoResponders) || ctx.Err() != nil {
			break
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	if err != nil {
		return fmt.Errorf("bus: query %s.%s: %w", service, endpoint, classify(err))
	}
	if reply.Header.Get(micro.ErrorCodeHeader) != "" {
		var r subjects.Refusal
		if json.Unmarshal(reply.Data, &r) == nil && r.Code != "" {
			return &r
		}
		return fmt.Errorf("bus: query %s.%s: %s", service, endpoint, reply.Header.Get(micro.ErrorHeader))
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(reply.Data, resp); err != nil {
		return fmt.Errorf("bus: query %s.%s: %w", service, endpoint, err)
	}
	return nil
}

// Endpoint answers one kind of query: it gets the request's JSON and returns what is
// encoded as the answer, or an error. A *subjects.Refusal reaches the asker as it is;
// ErrUnavailable and the like as CodeUnavailable, any other error as CodeInternal,
// without its text.
type Endpoint func(ctx context.Context, req json.RawMessage) (any, error)

// Serve answers queries of a service until the returned stop function is called, which
// waits for those under way. Several processes may serve the same: each query goes to
// one of them.
func (b *Bus) Serve(service, version string, endpoints map[string]Endpoint) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := micro.AddService(b.nc, micro.Config{
		Name: "tutti-" + service, Version: version, Description: "Tutti's " + service + " service",
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("bus: serve %s: %w", service, err)
	}
	var (
		mu      sync.Mutex
		stopped bool
		wg      sync.WaitGroup
	)
	names := slices.Sorted(maps.Keys(endpoints))
	for name, ep := range endpoints {
		seen := b.watch.endpoint(service, names, name)
		slots := make(chan struct{}, serveConcurrency)
		handler := micro.HandlerFunc(func(r micro.Request) {
			slots <- struct{}{}
			mu.Lock()
			defer mu.Unlock()
			if stopped { // the asker tries again, and finds another replica
				<-slots
				return
			}
			wg.Go(func() {
				defer func() { <-slots }()
				b.answer(ctx, service, name, ep, seen, r)
			})
		})
		if err := s.AddEndpoint(name, handler, micro.WithEndpointSubject(subjects.Query(service, name))); err != nil {
			cancel()
			return nil, errors.Join(fmt.Errorf("bus: serve %s.%s: %w", service, name, err), s.Stop())
		}
	}
	return func() {
		if err := s.Stop(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			b.log.Warn("stopping queries", "service", service, "err", err)
		}
		mu.Lock()
		stopped = true
		mu.Unlock()
		wg.Wait()
		cancel()
	}, nil
}

func (b *Bus) answer(ctx context.Context, service, name string, ep Endpoint, seen endpointWatch, r micro.Request) {
	ctx, cancel := context.WithTimeout(ctx, queryWait)
	defer cancel()
	begin := time.Now()
	if b.cfg.Tracer.On() {
		var span telemetry.Span
		ctx = b.cfg.Tracer.Follow(ctx, r.Headers().Get(subjects.HeaderTrace))
		ctx, span = b.cfg.Tracer.Start(ctx, "answer "+service+"."+name, telemetry.KindServer)
		defer span.End()
	}
	out, err := b.call(ctx, service, name, ep, r)
	code := subjects.Code("")
	defer func() { seen.answered(code, time.Since(begin)) }()
	if err != nil {
		var refusal *subjects.Refusal
		if !errors.As(err, &refusal) {
			code = subjects.CodeInternal
			if errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				code = subjects.CodeUnavailable
			}
			b.log.ErrorContext(ctx, "query failed", "service", service, "endpoint", name, "err", err)
			refusal = subjects.Refuse(code, "the %s service could not answer", service)
		}
		code = refusal.Code
		told(telemetry.Current(ctx), refusal, nil)
		body, merr := json.Marshal(refusal)
		if merr != nil {
			body = nil
		}
		b.respond(service, name, &nats.Msg{Subject: r.Reply(), Data: body, Header: nats.Header{
			micro.ErrorCodeHeader: {string(refusal.Code)}, micro.ErrorHeader: {refusal.Message},
		}})
		return
	}
	body, err := json.Marshal(out)
	if err != nil {
		code = subjects.CodeInternal
		b.log.ErrorContext(ctx, "query answer not encoded", "service", service, "endpoint", name, "err", err)
		return
	}
	b.respond(service, name, &nats.Msg{Subject: r.Reply(), Data: body})
}

// respond publishes the answer itself: the request's own methods keep the outcome where
// the library reads it as soon as the handler has returned, and an endpoint runs longer
// than that.
func (b *Bus) respond(service, name string, m *nats.Msg) {
	if !isInbox(m.Subject) { // see Reply
		return
	}
	if err := b.nc.PublishMsg(m); err != nil {
		b.log.Warn("query answer not sent", "service", service, "endpoint", name, "err", err)
	}
}

// call runs the endpoint; a panic in it is an error of that query alone.
func (b *Bus) call(ctx context.Context, service, name string, ep Endpoint, r micro.Request) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bus: endpoint %s.%s panicked: %v", service, name, p)
		}
	}()
	return ep(ctx, r.Data())
}
