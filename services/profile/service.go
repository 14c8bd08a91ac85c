package profile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// version is what the service tells NATS tools.
const version = "1.0.0"

// maxRequest bounds a request in bytes.
const maxRequest = 32 << 10

// Deps is what the service needs. All fields must be set.
type Deps struct {
	Bus    *bus.Bus
	Store  store.Store // with Tables
	Log    *slog.Logger
	Config Config
}

// Validate reports everything that is missing or wrong.
func (d Deps) Validate() error {
	var errs []error
	for _, f := range [...]struct {
		name string
		ok   bool
	}{{"bus", d.Bus != nil}, {"store", d.Store != nil}, {"log", d.Log != nil}} {
		if !f.ok {
			errs = append(errs, fmt.Errorf("profile: the service needs a %s", f.name))
		}
	}
	return errors.Join(append(errs, d.Config.Validate())...)
}

// Service is the running service. Many replicas may run, on one store.
type Service struct {
	cfg   Config
	bus   *bus.Bus
	store store.Store
	log   *slog.Logger
	// counts remembers large numbers of followers for a moment.
	counts counts

	stopServing func()
	cancel      context.CancelFunc
	background  sync.WaitGroup
	once        sync.Once
}

// Start checks the dependencies, opens the accounts' feed and answers requests. It needs
// NATS to answer; the store may be away. Stop it before closing the bus and the store.
func Start(ctx context.Context, d Deps) (*Service, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: d.Config, bus: d.Bus, store: d.Store, log: d.Log}
	sub, err := s.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	s.stopServing, err = d.Bus.Serve(subjects.ServiceProfile, version, map[string]bus.Endpoint{
		subjects.ProfileGet:    endpoint(s, s.get),
		subjects.ProfileBatch:  endpoint(s, s.batch),
		subjects.ProfileUpdate: endpoint(s, s.update),

		subjects.ProfilePerson:    endpoint(s, s.person),
		subjects.ProfileSearch:    endpoint(s, s.search),
		subjects.ProfileFollowers: endpoint(s, s.followers),
		subjects.ProfileFollowing: endpoint(s, s.following),
		subjects.ProfileFollow:    endpoint(s, s.follow),
		subjects.ProfileUnfollow:  endpoint(s, s.unfollow),
		subjects.ProfileFollows:   endpoint(s, s.follows),
	})
	if err != nil {
		sub.Stop()
		return nil, err
	}
	work, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.background.Go(func() { s.listen(work, sub) })
	s.background.Go(func() { s.publishFollows(work) })
	return s, nil
}

// Stop ends the serving, waits for requests under way, and for everything the service
// started. A second call does nothing.
func (s *Service) Stop() {
	s.once.Do(func() {
		s.cancel()
		s.stopServing()
		s.background.Wait()
	})
}

// publishFollows keeps the STATE stream at who follows whom, until ctx ends. What ends it
// before is a defect of the deployment: it is logged, and requests are answered still.
func (s *Service) publishFollows(ctx context.Context) {
	err := projection.Publish(ctx, s.bus, s.store, projection.Publication{
		Table: tableFollows, Public: PublicFollow, Owner: subjects.SplitFollowID, Log: s.log,
	})
	if err != nil {
		s.log.Error("documents are not published any more", "table", tableFollows, "err", err)
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
	if errors.As(err, &refusal) {
		return err
	}
	for _, passing := range []error{store.ErrUnavailable, store.ErrClosed, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, passing) {
			s.log.Warn("request not answered", "err", err)
			return subjects.Refuse(subjects.CodeUnavailable, "profiles cannot be reached now; try again")
		}
	}
	return err
}
