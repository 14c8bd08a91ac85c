package rethink_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// A server that answers, and does not reach the others, is left for one that does.
func TestACutOffServerIsLeft(t *testing.T) {
	t.Parallel()
	holder := rethinktest.Start(t)
	soft := store.Table{Name: "soft"}
	config := impatient(rethink.Config{Addresses: []string{holder.Addr()}, Database: "tutti", Create: true})
	write := func(s store.Store, n int) error {
		return s.Put(t.Context(), soft.Name, store.Document{ID: "r1", Version: rev(n), Body: []byte(`{}`)})
	}
	if err := write(open(t, config, soft), 1); err != nil {
		t.Fatal(err)
	}
	other := rethinktest.StartBeside(t, holder)
	config.Create, config.Addresses = false, []string{holder.Addr(), other.Addr()}
	s := open(t, config, soft)
	if err := write(s, 2); err != nil {
		t.Fatal(err)
	}
	holder.Kill()
	if err := write(s, 3); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("without who holds the table: %v", err)
	}
	holder.RestartApart(t)
	for over := time.Now().Add(patience); ; {
		_, err := s.Get(t.Context(), soft.Name, "r1")
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(over) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
