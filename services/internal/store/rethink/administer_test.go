package rethink_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// The user that services log in as reads, writes and watches what an administrator has made,
// and makes nothing.
func TestMadeUserServesAndMakesNothing(t *testing.T) {
	admin := fresh(t)
	user := admin
	user.User, user.Password, user.Create, user.Patience = "tutti_"+admin.Database, "first", false, 5*time.Second
	if err := rethink.MakeUser(t.Context(), admin, user.User, "first"); err != nil {
		t.Fatal(err)
	}
	table := store.Table{Name: "things", Durability: store.Hard}
	if _, err := rethink.Open(t.Context(), user, []store.Table{table}); !errors.Is(err, rethink.ErrUnprepared) {
		t.Fatalf("before the tables are made: %v", err)
	}
	making := user
	making.Create = true
	if _, err := rethink.Open(t.Context(), making, []store.Table{table}); err == nil || !strings.Contains(err.Error(), "permission") {
		t.Fatalf("the user makes tables: %v", err)
	}
	open(t, admin, table)
	s := open(t, user, table)
	if err := s.Insert(t.Context(), "things", store.Document{ID: "a", Version: store.Version{Rev: 1}, Body: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Get(t.Context(), "things", "a"); err != nil || string(d.Body) != `{"n":1}` {
		t.Fatalf("%s, %v", d.Body, err)
	}
	if err := rethink.MakeUser(t.Context(), user, "other", "password"); err == nil {
		t.Error("the user makes users")
	}
	if err := rethink.MakeUser(t.Context(), admin, user.User, "second"); err != nil {
		t.Fatal(err)
	}
	if _, err := rethink.Open(t.Context(), user, []store.Table{table}); err == nil {
		t.Error("the old password is good")
	}
	user.Password = "second"
	open(t, user, table)
	for name, password := range map[string]string{"admin": "x", "": "x", "a.b": "x", "ann": ""} {
		if err := rethink.MakeUser(t.Context(), admin, name, password); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("user %q, password %q: %v", name, password, err)
		}
	}
}

// Tables are spread anew while they are used.
func TestTablesAreReshaped(t *testing.T) {
	config := fresh(t)
	if err := rethink.Reshape(t.Context(), config); err == nil {
		t.Error("there was something to reshape in no database")
	}
	table := store.Table{Name: "things", Durability: store.Hard}
	s := open(t, config, table)
	if err := s.Insert(t.Context(), "things", store.Document{ID: "a", Version: store.Version{Rev: 1}, Body: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	config.Shards = 2
	if err := rethink.Reshape(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Get(t.Context(), "things", "a"); err != nil || string(d.Body) != `{"n":1}` {
		t.Errorf("%s, %v", d.Body, err)
	}
	config.Replicas = 2 // and there is one server
	if err := rethink.Reshape(t.Context(), config); !errors.Is(err, rethink.ErrRefused) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("one server holds two replicas: %v", err)
	}
}
