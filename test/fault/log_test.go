package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// entry is a message of an EVENTS stream.
type entry struct {
	seq  uint64
	data []byte
}

// logs are what the EVENTS streams hold, by what it happened to, in order.
type logs map[thing][]entry

func (l logs) size() int {
	n := 0
	for _, log := range l {
		n += len(log)
	}
	return n
}

// spy reads streams as an operator may.
type spy struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// newSpy connects as a user, or as anybody for "".
func newSpy(url, user, password string) (*spy, error) {
	nc, err := connect(url, user, password)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	return &spy{nc, js}, err
}

// connect keeps quiet about servers that go: that is what the trials are about.
func connect(url, user, password string, more ...nats.Option) (*nats.Conn, error) {
	opts := append(more, nats.Name("fault"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if user != "" {
		opts = append(opts, nats.UserInfo(user, password), nats.CustomInboxPrefix("_INBOX_"+user))
	}
	return nats.Connect(url, opts...)
}

func (s *spy) close() { s.nc.Close() }

// marks are where streams stood at a moment, by name.
type marks map[string]uint64

// marks gives where the EVENTS streams of some services stand. Each is asked of its leader.
func (s *spy) marks(ctx context.Context, services ...string) (marks, error) {
	out := marks{}
	names := s.js.StreamNames(ctx)
	for n := range names.Name() {
		for _, service := range services {
			whole := subjects.StreamEvents(service)
			if n != whole && !strings.HasPrefix(n, whole+"_") { // or a shard
				continue
			}
			st, err := s.js.Stream(ctx, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n, err)
			}
			out[n] = st.CachedInfo().State.LastSeq
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("streams: %w", err)
	}
	if len(out) < len(services) {
		return nil, fmt.Errorf("of the streams of %v there is only %v", services, out)
	}
	return out, nil
}

// read gives the logs of things that began after some marks, up to where the streams stand
// now. Messages are asked for one by one: a replica that lags does not have the last ones
// yet, and is asked again.
func (s *spy) read(ctx context.Context, of []thing, from marks) (logs, error) {
	wanted, services := map[thing]bool{}, []string{}
	for _, t := range of {
		wanted[t] = true
		if !slices.Contains(services, t.service) {
			services = append(services, t.service)
		}
	}
	now, err := s.marks(ctx, services...)
	if err != nil {
		return nil, err
	}
	out := logs{}
	for name, last := range now {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for seq := from[name] + 1; seq <= last; {
			m, err := st.GetMsg(ctx, seq)
			if err != nil {
				if pause(ctx, 20*time.Millisecond) {
					continue
				}
				return nil, fmt.Errorf("%s: message %d of %d: %w", name, seq, last, err)
			}
			for _, service := range services {
				if t := (thing{service, m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]}); wanted[t] && strings.HasPrefix(name, subjects.StreamEvents(service)) {
					out[t] = append(out[t], entry{seq, m.Data})
				}
			}
			seq++
		}
	}
	return out, nil
}

// state gives the body of a document's last value on the STATE stream; nil if there is none.
func (s *spy) state(ctx context.Context, table, id string) ([]byte, error) {
	st, err := s.js.Stream(ctx, subjects.StreamState)
	if err != nil {
		return nil, err
	}
	m, err := st.GetLastMsgForSubject(ctx, subjects.State(table, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var doc struct {
		Body json.RawMessage `json:"body"`
	}
	err = json.Unmarshal(m.Data, &doc)
	return doc.Body, err
}

// folded is a log, read and folded.
type folded struct {
	of         thing
	commits    []subjects.Commit
	epoch, rev uint64
	public     uint64 // the last revision that has a public part
	doc        any    // the public document, as its events make it
	hash       string // of its canonical form
	// found lists, by principal and command, the revision of each of its events.
	found map[[2]string][]found
}

// found is an event of a command.
type found struct {
	epoch, rev uint64
	index      int // among all events of the log
	typ        string
}

// fold reads a log: revisions without a gap, epochs and times that never go back, and two
// ways to the public document, by its events and by its patches, that agree at every
// revision.
func fold(of thing, log []entry) (*folded, error) {
	f := &folded{of: of, found: map[[2]string][]found{}}
	apply, err := f.folder()
	if err != nil {
		return nil, err
	}
	patched := []byte("{}")
	var before subjects.Commit
	events := 0
	for _, e := range log {
		c, err := subjects.DecodeCommit(e.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of, err)
		}
		if c.Rev != before.Rev+1 {
			return nil, fmt.Errorf("%s: revision %d follows %d", of, c.Rev, before.Rev)
		}
		if c.Epoch < before.Epoch || c.At < before.At {
			return nil, fmt.Errorf("%s: revision %d is of epoch %d and time %d, the one before of %d and %d", of, c.Rev, c.Epoch, c.At, before.Epoch, before.At)
		}
		if len(c.Public.Events) > 0 {
			f.public = c.Rev
		}
		if err := apply(c.Public.Events); err != nil {
			return nil, fmt.Errorf("%s: revision %d: %w", of, c.Rev, err)
		}
		if err := c.Each(func(e *subjects.Event, _ []string) error {
			k := [2]string{e.By, e.Cmd}
			f.found[k] = append(f.found[k], found{c.Epoch, c.Rev, events, e.Type})
			events++
			return nil
		}); err != nil {
			return nil, fmt.Errorf("%s: revision %d: %w", of, c.Rev, err)
		}
		if patched, err = subjects.ApplyPatch(patched, c.Public.Patch); err != nil {
			return nil, fmt.Errorf("%s: revision %d: %w", of, c.Rev, err)
		}
		by, err := subjects.CanonicalOf(f.doc)
		if err != nil {
			return nil, fmt.Errorf("%s: revision %d: %w", of, c.Rev, err)
		}
		if also, err := subjects.Canonical(patched); err != nil || !bytes.Equal(by, also) {
			return nil, fmt.Errorf("%s: revision %d: its events make %s, its patches %s, %w", of, c.Rev, by, also, err)
		}
		if f.hash, err = subjects.Hash(by); err != nil {
			return nil, err
		}
		f.commits, f.epoch, f.rev, before = append(f.commits, c), c.Epoch, c.Rev, c
	}
	return f, nil
}

// folder gives the function that applies public events to the document.
func (f *folded) folder() (func([]subjects.Event) error, error) {
	switch f.of.service {
	case subjects.ServiceRoom:
		doc := &subjects.Room{ID: f.of.id}
		f.doc = doc
		return applying(subjects.DecodeRoomEvent, doc.Apply), nil
	case subjects.ServicePlaylist:
		doc := &subjects.Playlist{ID: f.of.id}
		f.doc = doc
		return applying(subjects.DecodePlaylistEvent, doc.Apply), nil
	case subjects.ServiceChat:
		doc := &subjects.Chat{ID: f.of.id}
		f.doc = doc
		return applying(subjects.DecodeChatEvent, doc.Apply), nil
	}
	return nil, fmt.Errorf("%s: no logs are kept of it", f.of)
}

func applying[E any](decode func(string, []byte) (E, error), apply func(subjects.Meta, E, *subjects.Marks) error) func([]subjects.Event) error {
	return func(events []subjects.Event) error {
		for _, e := range events {
			ev, err := decode(e.Type, e.Body)
			if err == nil {
				err = apply(subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At}, ev, nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
