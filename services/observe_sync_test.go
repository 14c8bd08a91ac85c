package services

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/telemetry/telemetrytest"
)

// plainStore is a store that needs no Sync, syncedStore one that does.
type plainStore struct{ store.Store }

type syncedStore struct {
	store.Store
	asked []string
}

func (s *syncedStore) Sync(_ context.Context, tables ...string) error {
	s.asked = append(s.asked, tables...)
	return store.ErrUnavailable
}

// What is counted on the way syncs if, and only if, what is behind it does.
func TestAWatchedStoreSyncsAsTheOneBehindIt(t *testing.T) {
	if _, ok := watchStore(telemetry.NewRegistry(), plainStore{}).(store.Syncer); ok {
		t.Error("a store that needs no Sync looks as if it did")
	}
	reg, behind := telemetry.NewRegistry(), &syncedStore{}
	watched, ok := watchStore(reg, behind).(store.Syncer)
	if !ok {
		t.Fatal("Sync is not passed on")
	}
	if err := watched.Sync(t.Context(), "a", "b"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(behind.asked, []string{"a", "b"}) {
		t.Errorf("asked %v", behind.asked)
	}
	if text := telemetrytest.Scrape(t, reg); !strings.Contains(text, `tutti_store_operations_total{op="sync",outcome="unavailable"} 1`) {
		t.Errorf("it is not counted:\n%s", text)
	}
}
