package projection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Publication says what of a table everybody may know.
type Publication struct {
	Table string
	// Public gives the published body of a live document. What it does not name stays
	// unknown: ok is false for a document that is not to be published, and one that was
	// is then retracted. It is pure, and must not modify the document.
	Public func(store.Document) (body json.RawMessage, ok bool)
	// Owner gives whom a document concerns and what it is called among theirs, by its id;
	// it is then published for that user alone. Nil: for everybody, under its id.
	Owner func(id string) (owner, rest string, ok bool)

	// Workers is how many documents are published at once. Default 8.
	Workers int
	// Backlog bounds the documents of each worker that wait to be published, of each only
	// the newest version; past it the changefeed waits. Default 1024.
	Backlog int
	// RetryMin and RetryMax bound the pauses while NATS is unavailable. Default 50 ms, 2 s.
	RetryMin, RetryMax time.Duration
	Log                *slog.Logger
}

func (p Publication) withDefaults() Publication {
	if p.Workers <= 0 {
		p.Workers = 8
	}
	if p.Backlog <= 0 {
		p.Backlog = 1024
	}
	if p.RetryMin <= 0 {
		p.RetryMin = 50 * time.Millisecond
	}
	if p.RetryMax < p.RetryMin {
		p.RetryMax = max(2*time.Second, p.RetryMin)
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return p
}

// Publish follows the changefeed of a table and keeps the STATE stream at the newest
// published version of each document, until ctx ends; then it returns nil. It may run in
// every replica of a service at once.
//
// An error is one that waiting does not mend: the store was closed or has no such table.
func Publish(ctx context.Context, b *bus.Bus, s store.Store, p Publication) error {
	if p.Public == nil || !subjects.Token(p.Table) {
		return fmt.Errorf("projection: publication of table %q: it needs a name that fits a subject, and Public", p.Table)
	}
	p = p.withDefaults()
	log := p.Log.With("table", p.Table)
	f := &feed{bus: b, pub: p, outage: outage{log: log}, source: source{log: log}, seed: maphash.MakeSeed()}
	work, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range p.Workers {
		q := newBacklog(p.Backlog)
		f.backlogs = append(f.backlogs, q)
		wg.Go(func() { f.work(work, q) })
	}
	err := store.Watch(ctx, s, p.Table, store.WatchOptions{OnLost: f.source.lost}, f.handle)
	cancel()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("projection: publication of table %q: %w", p.Table, err)
}

type feed struct {
	bus      *bus.Bus
	pub      Publication
	outage   outage
	source   source
	seed     maphash.Seed
	backlogs []*backlog // by hash of the document's id
}

func (f *feed) handle(ctx context.Context, e store.Event) error {
	if e.Kind == store.Synced {
		f.source.synced()
		return nil
	}
	q := f.backlogs[maphash.String(f.seed, e.Document.ID)%uint64(len(f.backlogs))]
	return q.put(ctx, e.Document)
}

// work publishes what comes through a backlog until ctx ends.
func (f *feed) work(ctx context.Context, q *backlog) {
	for {
		d, err := q.take(ctx)
		if err != nil {
			return
		}
		for wait := f.pub.RetryMin; ; wait = min(2*wait, f.pub.RetryMax) {
			err := f.publish(ctx, d)
			if err == nil {
				f.outage.end()
				break
			}
			if errors.Is(err, ErrUndecodable) {
				f.pub.Log.Error("document cannot be published", "table", f.pub.Table, "document", d.ID, "err", err)
				break
			}
			if ctx.Err() != nil {
				return
			}
			f.outage.begin(err)
			if !pause(ctx, wait) {
				return
			}
		}
	}
}

// publish brings STATE up to a document. ErrUndecodable: that can never be.
func (f *feed) publish(ctx context.Context, d store.Document) error {
	body, ok := f.public(d)
	out := bus.Document{Table: f.pub.Table, ID: d.ID, Version: bus.StateVersion(d.Version)}
	fits := true
	if f.pub.Owner != nil {
		out.Owner, out.ID, fits = f.pub.Owner(d.ID)
		fits = fits && subjects.Token(out.Owner)
	}
	if !fits || !subjects.Token(out.ID) {
		if !ok {
			return nil
		}
		return fmt.Errorf("%w: its id does not fit a subject", ErrUndecodable)
	}
	if ok {
		if !json.Valid(body) {
			return fmt.Errorf("%w: its public body is not JSON", ErrUndecodable)
		}
		out.Body = body
	} else {
		// The public learns of a document's end only if it knew of the document.
		live, err := f.published(ctx, out.Subject())
		if err != nil || !live {
			return err
		}
		out.Deleted = true
	}
	err := f.bus.PutState(ctx, out)
	switch {
	case errors.Is(err, bus.ErrStale):
		return nil
	case errors.Is(err, bus.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return err
}

// public is Publication.Public, and false for whatever it does not say yes to.
func (f *feed) public(d store.Document) (body json.RawMessage, ok bool) {
	if d.Deleted {
		return nil, false
	}
	defer func() {
		if r := recover(); r != nil {
			f.pub.Log.Error("document is not published", "table", f.pub.Table, "document", d.ID, "panic", r)
			body, ok = nil, false
		}
	}()
	return f.pub.Public(d)
}

// published reports whether STATE holds a live document.
func (f *feed) published(ctx context.Context, subject string) (bool, error) {
	e, err := f.bus.Head(ctx, subjects.StreamState, subject)
	if errors.Is(err, bus.ErrNoMessage) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d, err := bus.DecodeState(subject, e.Data)
	return err != nil || !d.Deleted, nil
}
