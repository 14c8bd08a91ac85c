package profile

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// consumer is the durable's name; replicas share it.
const consumer = "profile-nicknames"

func (s *Service) subscribe(ctx context.Context) (*bus.Subscription, error) {
	return s.bus.Consume(ctx, bus.ConsumerSpec{
		Stream: subjects.StreamState, Name: consumer,
		Filters:  []string{subjects.StateWildcard(subjects.TableAccounts)},
		InFlight: s.cfg.InFlight, AckWait: s.cfg.AckWait,
	})
}

// listen keeps profiles up with accounts until ctx ends. It opens the consumer again when it is lost.
func (s *Service) listen(ctx context.Context, sub *bus.Subscription) {
	wait := s.cfg.RetryMin
	for {
		if sub == nil {
			var err error
			if sub, err = s.subscribe(ctx); err != nil {
				if ctx.Err() != nil {
					return
				}
				s.log.Warn("waiting for the accounts' feed", "err", err)
				if !pause(ctx, wait) {
					return
				}
				wait = min(2*wait, s.cfg.RetryMax)
				continue
			}
		}
		m, err := sub.Next(ctx)
		if err != nil {
			sub.Stop()
			if ctx.Err() != nil {
				return
			}
			s.log.Warn("accounts' feed lost; opening it again", "err", err)
			sub = nil
			if !pause(ctx, wait) {
				return
			}
			wait = min(2*wait, s.cfg.RetryMax)
			continue
		}
		wait = s.cfg.RetryMin
		if !s.take(ctx, m) {
			sub.Stop()
			return
		}
	}
}

// take does what one message asks for, however long the store or NATS are away, and
// acknowledges it. It reports false if ctx ended first; the message then comes again, to
// this replica's successor.
func (s *Service) take(ctx context.Context, m *bus.Message) bool {
	for wait := s.cfg.RetryMin; ; wait = min(2*wait, s.cfg.RetryMax) {
		err := s.carry(ctx, m.Entry)
		if err == nil {
			if err := m.Ack(); err != nil {
				s.log.Warn("account message not acknowledged; it will come again", "err", err)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.log.Warn("account not carried over yet", "subject", m.Subject, "retry", wait, "err", err)
		if err := m.InProgress(); err != nil { // at worst another replica takes it too
			s.log.Debug("message not kept", "err", err)
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

// carry brings the profile of one account message to be, or its nickname up to date. It
// returns nil when the message is done: the profile is there and no older than the message,
// or there is none to make, or the message went to the dead letters.
func (s *Service) carry(ctx context.Context, e bus.Entry) error {
	doc, err := bus.DecodeState(e.Subject, e.Data)
	if err != nil {
		return s.bury(ctx, e, err)
	}
	if doc.Deleted {
		return nil // an account that is gone keeps its profile until that is deleted too
	}
	a, err := readAccount(doc.ID, doc.Body)
	if err != nil {
		return s.bury(ctx, e, err)
	}
	p, err := document{CreatedAt: a.CreatedAt}.named(a, doc.Version.Rev).stored(a.ID, first)
	if err != nil {
		return err
	}
	err = s.store.Insert(ctx, table, p)
	switch {
	case err == nil:
		s.log.Info("profile created", "user", p.ID)
		return nil
	case errors.Is(err, store.ErrExists):
		return s.rename(ctx, a, doc.Version.Rev)
	case errors.Is(err, store.ErrStale): // deleted since
		return nil
	case errors.Is(err, store.ErrInvalid):
		return s.bury(ctx, e, err)
	default:
		return err
	}
}

// rename gives a profile the nickname that its account has at a version, unless it has that
// of a later one: messages may come again and overtake each other. The version is noted
// also where the nickname stays, or one that came late would seem to be news.
func (s *Service) rename(ctx context.Context, a subjects.Account, rev uint64) error {
	for {
		d, version, err := s.read(ctx, a.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // deleted
		}
		if err != nil {
			return err
		}
		if d.Account >= rev {
			return nil
		}
		doc, err := d.named(a, rev).stored(a.ID, version.Next())
		if err != nil {
			return err
		}
		err = s.store.Put(ctx, table, doc)
		if errors.Is(err, store.ErrStale) {
			continue // each lost round is somebody else's change
		}
		if err == nil && d.Nickname != a.Nickname {
			s.log.Info("profile renamed", "user", a.ID)
		}
		return err
	}
}

func (s *Service) bury(ctx context.Context, e bus.Entry, why error) error {
	s.log.Warn("account message cannot be read", "subject", e.Subject, "err", why)
	return s.bus.DeadLetter(ctx, subjects.ServiceProfile, e.Subject, why.Error(), e.Data)
}

// pause waits for d, or reports false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
