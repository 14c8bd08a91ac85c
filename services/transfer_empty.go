package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// stopped refuses a deployment whose services run: the owners of rooms, playlists and chats
// tell each other several times a second that they are there, and all services answer a ping.
// An embedded one cannot run, since its files are ours.
func (m *importer) stopped(ctx context.Context, cfg Config) error {
	if cfg.NATS.URL == "" {
		return nil
	}
	var mu sync.Mutex
	running := map[string]struct{}{}
	heard := func(service string) {
		mu.Lock()
		defer mu.Unlock()
		if len(running) < mostNamed {
			running[service] = struct{}{}
		}
	}
	var stops []func()
	listen := func(subject string, f func([]byte)) error {
		stop, err := m.bus.OnSignal(subject, f)
		if err == nil {
			stops = append(stops, stop)
		}
		return err
	}
	var err error
	for _, service := range logKeepers() {
		if err = listen(subjects.Live(service, "owners", "lease"), func([]byte) { heard(service) }); err != nil {
			break
		}
	}
	inbox := m.bus.Conn().NewInbox()
	if err == nil {
		err = listen(inbox, func(data []byte) {
			var pong struct {
				Name string `json:"name"`
			}
			// Services of others may be on the same servers.
			service, ours := "", false
			if json.Unmarshal(data, &pong) == nil {
				service, ours = strings.CutPrefix(pong.Name, servicePrefix)
			}
			if ours {
				heard(service)
			}
		})
	}
	if err == nil {
		err = m.bus.Conn().PublishRequest(pingAll, inbox, nil)
	}
	if err == nil {
		err = wait(ctx, leaseListening)
	}
	for _, stop := range stops {
		stop()
	}
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	if len(running) > 0 {
		return fmt.Errorf("%w: %s", ErrRunning, strings.Join(slices.Sorted(maps.Keys(running)), ", "))
	}
	return nil
}

const (
	// pingAll is what every service of NATS's own protocol for them answers.
	pingAll = "$SRV.PING"
	// servicePrefix begins the names that those of Tutti have there.
	servicePrefix = "tutti-"
	// mostNamed bounds the services that a refused import names.
	mostNamed = 32
)

// empty refuses a deployment that has data. Where the logs come too, that is also what was
// archived of others and what was published of them.
func (m *importer) empty(ctx context.Context) error {
	if m.logged {
		if err := m.emptyStreams(ctx); err != nil {
			return err
		}
	}
	for _, t := range moved() {
		if t.Name == tableKeys {
			continue
		}
		some, err := m.any(ctx, t.Name)
		if err != nil {
			return err
		}
		if some {
			return fmt.Errorf("%w: table %s has documents", ErrNotEmpty, t.Name)
		}
	}
	return nil
}

func (m *importer) emptyStreams(ctx context.Context) error {
	left := []string{subjects.StreamState}
	for _, service := range logKeepers() {
		states, err := m.bus.LogState(ctx, service)
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.LastSeq > 0 {
				return fmt.Errorf("%w: stream %s holds, or held, %d messages", ErrNotEmpty, s.Name, s.LastSeq)
			}
		}
		left = append(left, subjects.StreamArchive(service))
	}
	for _, name := range left {
		s, err := m.bus.StreamState(ctx, name)
		if errors.Is(err, bus.ErrNoStream) {
			continue // nothing was ever archived
		}
		if err != nil {
			return err
		}
		if s.Messages > 0 {
			return fmt.Errorf("%w: stream %s holds %d messages", ErrNotEmpty, name, s.Messages)
		}
	}
	return nil
}

// forgetSnapshots removes the snapshots that are left of logs which were here before: they
// would be taken for those of the logs that come.
func (m *importer) forgetSnapshots(ctx context.Context) error {
	s, err := m.bus.StreamState(ctx, subjects.StreamSnapshots)
	if err != nil || s.Messages == 0 {
		return err
	}
	return m.bus.Purge(ctx, subjects.StreamSnapshots, subjects.SnapshotWildcard(), s.LastSeq+1)
}

// any reports whether a table has documents or tombstones.
func (m *importer) any(ctx context.Context, table string) (bool, error) {
	feed, err := m.store.Changes(ctx, table)
	if err != nil {
		return false, err
	}
	defer func() { _ = feed.Close() }() // it was only read
	change, err := feed.Next(ctx)
	return err == nil && change.Kind != store.Ready, err
}
