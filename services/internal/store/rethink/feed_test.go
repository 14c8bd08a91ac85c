package rethink_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// lines is a log that many write to.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Feeds that their reader ends, by their context, by themselves or with the store, are not
// lost: nobody is told of it.
func TestEndingFeedsIsNotLogged(t *testing.T) {
	config := fresh(t)
	open(t, config, rooms)
	var log lines
	config.Create, config.Log = false, slog.New(slog.NewTextHandler(&log, nil))
	s, err := rethink.Open(t.Context(), config, []store.Table{rooms})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var feeds []store.Feed
	for i := range 12 {
		of := t.Context()
		if i%3 == 0 {
			of = ctx
		}
		feed, err := s.Changes(of, rooms.Name)
		if err != nil {
			t.Fatal(err)
		}
		if change, err := feed.Next(t.Context()); err != nil || change.Kind != store.Ready {
			t.Fatalf("%s, %v", change.Kind, err)
		}
		feeds = append(feeds, feed)
	}
	cancel()
	for i := 1; i < len(feeds); i += 3 {
		if err := feeds[i].Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil { // waits for what reads the feeds
		t.Error(err)
	}
	for i, feed := range feeds {
		if _, err := feed.Next(t.Context()); !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("feed %d ended with %v", i, err)
		}
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
	}
	if said := log.String(); strings.Contains(said, "lost") || strings.Contains(said, "broke") {
		t.Error(said)
	}
}
