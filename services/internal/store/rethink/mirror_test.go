package rethink_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// patience bounds what these tests wait for. They do not measure time.
const patience = 60 * time.Second

var rooms = store.Table{Name: "rooms", Durability: store.Hard, Indexes: []store.Index{{Name: "by_name", Fields: []string{"name"}}}}

// mirror is what somebody holds who follows a table with store.Watch. It fails the test
// when it is told of an older state after a newer one.
type mirror struct {
	t testing.TB

	mu      sync.Mutex
	live    map[string]store.Version
	highest map[string]store.Version
	synced  int
	losses  []error
	news    chan struct{}
}

func watch(t testing.TB, s store.Store) *mirror {
	t.Helper()
	m := &mirror{t: t, live: make(map[string]store.Version), highest: make(map[string]store.Version), news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		options := store.WatchOptions{MinBackoff: 5 * time.Millisecond, MaxBackoff: 100 * time.Millisecond, OnLost: m.lost}
		if err := store.Watch(ctx, s, rooms.Name, options, m.handle); !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	m.until(t, "synced", func() bool { return m.synced > 0 })
	return m
}

func (m *mirror) handle(_ context.Context, e store.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, v := e.Document.ID, e.Document.Version
	switch e.Kind {
	case store.Synced:
		m.synced++
	case store.Updated:
		if !v.Newer(m.highest[id]) {
			m.t.Errorf("%s was told at %s after %s", id, v, m.highest[id])
		}
		m.live[id], m.highest[id] = v, v
	case store.Removed:
		if m.highest[id].Newer(v) {
			m.t.Errorf("%s was removed at %s after %s", id, v, m.highest[id])
		}
		delete(m.live, id)
		m.highest[id] = v
	}
	m.tell()
	return nil
}

func (m *mirror) lost(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.losses = append(m.losses, err)
	m.tell()
}

func (m *mirror) tell() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// until waits for something to become true; holds is called with the lock held.
func (m *mirror) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		m.mu.Lock()
		done := holds()
		state := fmt.Sprintf("%d live, %d synced, losses %v", len(m.live), m.synced, m.losses)
		m.mu.Unlock()
		if done {
			return
		}
		select {
		case <-m.news:
		case <-over.C:
			t.Fatalf("not %s: %s", what, state)
		}
	}
}

// untilLost waits for a loss that was not there at the time of before.
func (m *mirror) untilLost(t testing.TB, before int) {
	t.Helper()
	m.until(t, "lost", func() bool { return len(m.losses) > before })
}

func (m *mirror) lossCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.losses)
}

// untilPresent waits until the store can be read and the mirror holds exactly what it does.
func (m *mirror) untilPresent(t testing.TB, s store.Store) {
	t.Helper()
	present := make(map[string]store.Version)
	eventually(t, func() error {
		clear(present)
		for doc, err := range store.All(t.Context(), s, rooms.Name, store.Query{Limit: store.MaxLimit}) {
			if err != nil {
				return err
			}
			present[doc.ID] = doc.Version
		}
		return nil
	})
	m.until(t, "present", func() bool { return maps.Equal(m.live, present) })
}

func rev(n int) store.Version { return store.Version{Epoch: 1, Rev: uint64(n)} }

func put(t testing.TB, s store.Store, id string, n int) {
	t.Helper()
	if err := try(t, s, id, n); err != nil {
		t.Fatal(err)
	}
}

func try(t testing.TB, s store.Store, id string, n int) error {
	t.Helper()
	return s.Put(t.Context(), rooms.Name, store.Document{ID: id, Version: rev(n), Body: fmt.Appendf(nil, `{"name":"%s","n":%d}`, id, n)})
}

func remove(t testing.TB, s store.Store, id string, n int) {
	t.Helper()
	if err := s.Delete(t.Context(), rooms.Name, id, rev(n)); err != nil {
		t.Fatal(err)
	}
}

// seed writes r0 to r19 at revision 1, of which the last is deleted at 2.
func seed(t testing.TB, s store.Store) {
	t.Helper()
	for i := range 20 {
		put(t, s, fmt.Sprint("r", i), 1)
	}
	remove(t, s, "r19", 2)
}

// impatient makes what is lost show within a test.
func impatient(config rethink.Config) rethink.Config {
	config.Heartbeat = 100 * time.Millisecond
	config.Patience = 2 * time.Second
	return config
}
