package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// version is what the service tells NATS tools.
const version = "1.0.0"

// maxRequest bounds a request in bytes.
const maxRequest = 16 << 10

// Deps is what the service needs. All fields must be set.
type Deps struct {
	Bus   *bus.Bus
	Store store.Store // with Tables
	Log   *slog.Logger
	// Now is the log's clock.
	Now    func() time.Time
	Config Config
}

// Validate reports everything that is missing or wrong.
func (d Deps) Validate() error {
	var errs []error
	for _, f := range [...]struct {
		name string
		ok   bool
	}{{"bus", d.Bus != nil}, {"store", d.Store != nil}, {"log", d.Log != nil}, {"clock", d.Now != nil}} {
		if !f.ok {
			errs = append(errs, fmt.Errorf("auth: the service needs a %s", f.name))
		}
	}
	return errors.Join(append(errs, d.Config.Validate())...)
}

// Service is the running service. Many replicas may run, on one store.
type Service struct {
	cfg      Config
	store    store.Store
	log      *slog.Logger
	now      func() time.Time
	hasher   *hasher
	keys     *keeper
	verifier *token.Verifier

	stopServing func()
	cancel      context.CancelFunc
	background  sync.WaitGroup
	once        sync.Once
}

// Start checks the dependencies, waits until the keys are there, and answers requests
// from then on. While the store does not answer it waits, until ctx ends. Stop it before
// closing the bus and the store.
func Start(ctx context.Context, d Deps) (*Service, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	s, err := open(ctx, d)
	if err != nil {
		return nil, err
	}
	s.stopServing, err = d.Bus.Serve(subjects.ServiceAuth, version, s.endpoints())
	if err != nil {
		return nil, err
	}
	work, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.background.Go(func() { s.tendKeys(work) })
	return s, nil
}

// open makes a service that knows its keys and does not serve yet.
func open(ctx context.Context, d Deps) (*Service, error) {
	h, err := newHasher(d.Config)
	if err != nil {
		return nil, err
	}
	k := &keeper{cfg: d.Config, store: d.Store, now: d.Now}
	s := &Service{cfg: d.Config, store: d.Store, log: d.Log, now: d.Now, hasher: h, keys: k}
	s.verifier, err = token.NewVerifier(token.Options{
		Issuer: d.Config.Issuer, Audience: d.Config.Audience, Now: d.Now,
		// The ring is in memory, so it may be looked at for every key that is not known.
		Fetch:  func(context.Context) (subjects.KeySet, error) { return k.public(), nil },
		MaxAge: d.Config.KeyCheck, MinPause: time.Nanosecond,
	})
	if err != nil {
		return nil, err
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := k.renew(ctx)
		if err == nil {
			return s, nil
		}
		if !transient(err) {
			return nil, err
		}
		s.log.Warn("waiting for the store", "err", err)
		if !pause(ctx, wait) {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// Stop ends the serving, waits for requests under way, and for everything the service
// started. A second call does nothing.
func (s *Service) Stop() {
	s.once.Do(func() {
		s.stopServing()
		s.cancel()
		s.background.Wait()
	})
}

// tendKeys reads the ring again from time to time, and rotates it. While the store is
// down the ring in memory does.
func (s *Service) tendKeys(ctx context.Context) {
	t := time.NewTicker(s.cfg.KeyCheck)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := s.keys.renew(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("signing keys not renewed; keeping those that are known", "err", err)
			}
		}
	}
}

func (s *Service) endpoints() map[string]bus.Endpoint {
	return map[string]bus.Endpoint{
		subjects.AuthRegister:  endpoint(s, s.register),
		subjects.AuthLogin:     endpoint(s, s.login),
		subjects.AuthRefresh:   endpoint(s, s.refresh),
		subjects.AuthLogout:    endpoint(s, s.logout),
		subjects.AuthLogoutAll: endpoint(s, s.logoutAll),
		subjects.AuthValidate:  endpoint(s, s.validate),
		subjects.AuthNickname:  endpoint(s, s.nickname),
		subjects.AuthKeys: endpoint(s, func(context.Context, struct{}) (subjects.KeySet, error) {
			return s.keys.public(), nil
		}),
	}
}

// endpoint serves f, with its errors sorted.
func endpoint[Req, Resp any](s *Service, f func(context.Context, Req) (Resp, error)) bus.Endpoint {
	return bus.Handle(maxRequest, func(ctx context.Context, req Req) (Resp, error) {
		resp, err := f(ctx, req)
		return resp, s.answerable(err)
	})
}

// answerable makes "try again" of what failed for now. Refusals stay as they are; what
// else there is is a defect, which the bus logs and answers as one.
func (s *Service) answerable(err error) error {
	var refusal *subjects.Refusal
	if errors.As(err, &refusal) || !transient(err) {
		return err
	}
	s.log.Warn("request not answered", "err", err)
	return subjects.Refuse(subjects.CodeUnavailable, "accounts cannot be reached now; try again")
}

func transient(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
