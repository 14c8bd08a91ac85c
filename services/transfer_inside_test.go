package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// Contents is everything that a stopped deployment holds, in a form that can be compared.
type Contents struct {
	// Commits lists the bytes of each aggregate's log, States the hash of what they make.
	Commits map[string][]string
	States  map[string]string
	// Documents by table and id: version and canonical body.
	Documents map[string]map[string]string
	Commands  int
}

// Inspect reads a stopped deployment.
func Inspect(ctx context.Context, cfg Config) (c Contents, err error) {
	s, st, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.detach(ctx, cfg)) }()
	c = Contents{Commits: map[string][]string{}, States: map[string]string{}, Documents: map[string]map[string]string{}}
	for _, service := range logKeepers() {
		l := s.bus.Log(service)
		for shard, stream := range l.Streams() {
			err := s.bus.Read(ctx, stream, l.Wildcard(shard), 1, func(e bus.Entry) error {
				_, id, err := subjects.ParseEvents(e.Subject)
				c.Commits[service+" "+id] = append(c.Commits[service+" "+id], string(e.Data))
				return err
			})
			if err != nil {
				return c, err
			}
		}
	}
	for key := range c.Commits {
		var service, id string
		if _, err := fmt.Sscan(key, &service, &id); err != nil {
			return c, err
		}
		if c.States[key], err = s.hash(ctx, service, id); err != nil {
			return c, err
		}
	}
	for _, t := range tables() {
		if c.Documents[t.Name], err = s.documents(ctx, st, t.Name); err != nil {
			return c, err
		}
	}
	return c, s.bus.Commands(ctx, func(to subjects.Command, _ []byte) error {
		if to.Verb != subjects.VerbWake {
			c.Commands++
		}
		return nil
	})
}

func (s *System) documents(ctx context.Context, st store.Store, table string) (map[string]string, error) {
	feed, err := st.Changes(ctx, table)
	if err != nil {
		return nil, err
	}
	defer feed.Close()
	out := map[string]string{}
	for {
		change, err := feed.Next(ctx)
		if err != nil || change.Kind == store.Ready {
			return out, err
		}
		d := change.New
		if d.Deleted {
			out[d.ID] = d.Version.String() + " deleted"
			continue
		}
		body, err := subjects.Canonical(d.Body)
		if err != nil {
			return nil, err
		}
		out[d.ID] = d.Version.String() + " " + string(body)
	}
}

// hash folds an aggregate and gives the hash of all of its public document.
func (s *System) hash(ctx context.Context, service, id string) (string, error) {
	j := aggregate.NewJournal(s.bus, service)
	var public any
	switch service {
	case subjects.ServiceRoom:
		f, err := aggregate.Load(ctx, j, room.Fold{}, id)
		if err != nil {
			return "", err
		}
		public = f.State.Room
	case subjects.ServicePlaylist:
		f, err := aggregate.Load(ctx, j, playlist.Fold{}, id)
		if err != nil {
			return "", err
		}
		public = f.State.Playlist
	default:
		f, err := aggregate.Load(ctx, j, chat.Fold{}, id)
		if err != nil {
			return "", err
		}
		public = f.State.Chat
	}
	doc, err := subjects.CanonicalOf(public)
	if err != nil {
		return "", err
	}
	return subjects.Hash(doc)
}

// Quiet waits until every log was dealt with by all of its readers, and no command waits.
func (s *System) Quiet(ctx context.Context) error {
	var streams []string
	for _, service := range logKeepers() {
		streams = append(streams, s.bus.Log(service).Streams()...)
	}
	streams = append(streams, subjects.StreamState)
	for still := 0; still < 3; {
		busy := ""
		for _, name := range streams {
			state, err := s.bus.StreamState(ctx, name)
			if err != nil {
				return err
			}
			readers, err := s.bus.Readers(ctx, name)
			if err != nil {
				return err
			}
			for reader, upTo := range readers {
				if upTo < state.LastSeq {
					busy = reader
				}
			}
		}
		err := s.bus.Commands(ctx, func(to subjects.Command, _ []byte) error {
			busy = to.Verb
			return nil
		})
		if err != nil {
			return err
		}
		if still++; busy != "" {
			still = 0
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%w: %s is busy", err, busy)
		}
	}
	return nil
}

// Derived reports whether a table's documents follow from the logs.
func Derived(table string) bool {
	return table != tableMeta && !slices.ContainsFunc(moved(), func(t store.Table) bool { return t.Name == table })
}

// Append stores a message under the end of an aggregate's log, whatever it holds.
func Append(ctx context.Context, cfg Config, service, id string, data []byte, after uint64) error {
	s, _, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = s.bus.Append(ctx, s.bus.Log(service).Subject(id), data, after)
	return errors.Join(err, s.detach(ctx, cfg))
}

// LeaveCommand leaves a command in a stopped deployment, as a reaction would have.
func LeaveCommand(ctx context.Context, cfg Config, to subjects.Command, env subjects.Envelope) error {
	s, _, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(s.bus.Send(ctx, to, env), s.detach(ctx, cfg))
}

// State reads what a stopped deployment has on the STATE stream, by subject: the version, and
// the body or "deleted".
func State(ctx context.Context, cfg Config) (map[string]string, error) {
	s, _, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	err = s.bus.Read(ctx, subjects.StreamState, subjects.Root+".>", 1, func(e bus.Entry) error {
		d, err := bus.DecodeState(e.Subject, e.Data)
		v := store.Version(d.Version)
		if out[e.Subject] = v.String() + " " + string(d.Body); d.Deleted {
			out[e.Subject] = v.String() + " deleted"
		}
		return err
	})
	return out, errors.Join(err, s.detach(ctx, cfg))
}

// Leave stores a message in a stopped deployment, and has it keep an archive if archive names
// a service.
func Leave(ctx context.Context, cfg Config, archive, subject string, data []byte) error {
	s, _, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if archive != "" {
		err = s.bus.EnsureArchive(ctx, archive, bus.ArchiveOptions{})
	}
	if err == nil {
		err = s.bus.Put(ctx, subject, data)
	}
	return errors.Join(err, s.detach(ctx, cfg))
}

// LeaveDocument stores a document in a stopped deployment, whatever was imported into it.
func LeaveDocument(ctx context.Context, cfg Config, table string, doc store.Document) error {
	s, st, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(st.Put(ctx, table, doc), s.detach(ctx, cfg))
}

// Holds tells how many messages a stream of a stopped deployment holds.
func Holds(ctx context.Context, cfg Config, stream string) (uint64, error) {
	s, _, err := attach(ctx, cfg, (*System).openBare, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	state, err := s.bus.StreamState(ctx, stream)
	return state.Messages, errors.Join(err, s.detach(ctx, cfg))
}

// Stated gives the last message of a subject of the STATE stream, empty if there is none.
func (s *System) Stated(ctx context.Context, subject string) (string, error) {
	e, err := s.bus.Head(ctx, subjects.StreamState, subject)
	if errors.Is(err, bus.ErrNoMessage) {
		err = nil
	}
	return string(e.Data), err
}
