package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func put(t *testing.T, b *bus.Bus, d bus.Document) {
	t.Helper()
	if err := b.PutState(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func invitation(user string, i int, rev uint64, stands bool) bus.Document {
	d := bus.Document{Table: subjects.TableRoomInvites, Owner: user, ID: fmt.Sprintf("room%d", i), Version: bus.StateVersion{Rev: rev}, Deleted: !stands}
	if stands {
		d.Body = json.RawMessage(`{"room":"x"}`)
	}
	return d
}

// However many documents of a user went, those that stand are read, and nobody else's.
func TestOwnDocuments(t *testing.T) {
	b := start(t, config(t))
	for i := range 1500 { // more than the server finds at once
		put(t, b, invitation("user_a", i, 1, false))
	}
	for i := range 40 {
		put(t, b, invitation("user_a", 2000+i, 1, true))
	}
	put(t, b, invitation("user_b", 7, 1, true))
	put(t, b, bus.Document{Table: subjects.TableRoomInvites, ID: "user_a", Version: bus.StateVersion{Rev: 1}, Body: json.RawMessage(`{}`)})
	for user, n := range map[string]int{"user_a": 40, "user_b": 1, "user_c": 0} {
		docs, err := b.Own(t.Context(), subjects.TableRoomInvites, user)
		if err != nil || len(docs) != n {
			t.Errorf("%s: %d documents, %v", user, len(docs), err)
		}
	}
	if _, err := b.Own(t.Context(), subjects.TableRoomInvites, "*"); err == nil {
		t.Error("everybody's documents are read")
	}
}

// A hint comes after the document was stored, so that who then reads finds it.
func TestHintsOfOwnDocuments(t *testing.T) {
	b := start(t, config(t))
	hints := make(chan struct{}, 16)
	stop, err := b.OnOwn(subjects.TableRoomInvites, "user_a", func() { hints <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	put(t, b, invitation("user_b", 1, 1, true))
	put(t, b, invitation("user_a", 1, 1, true))
	select {
	case <-hints:
	case <-time.After(10 * time.Second):
		t.Fatal("no hint came")
	}
	if docs, err := b.Own(t.Context(), subjects.TableRoomInvites, "user_a"); err != nil || len(docs) != 1 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}

// A watch gives what there is, says that this was all, and then gives what changes.
func TestWatch(t *testing.T) {
	b := start(t, config(t))
	doc := func(id, body string, rev uint64) bus.Document {
		return bus.Document{Table: subjects.TableRooms, ID: id, Version: bus.StateVersion{Rev: rev}, Body: json.RawMessage(body), Deleted: body == ""}
	}
	put(t, b, doc("one", `{"n":1}`, 1))
	put(t, b, doc("two", `{"n":1}`, 1))
	put(t, b, bus.Document{Table: subjects.TableProfiles, ID: "other", Version: bus.StateVersion{Rev: 1}, Body: json.RawMessage(`{}`)})
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	have, seen := map[string]string{}, make(chan string, 64)
	done := make(chan error, 1)
	go func() {
		done <- b.Watch(ctx, subjects.TableRooms, func(id string, body json.RawMessage) {
			mu.Lock()
			defer mu.Unlock()
			if have[id] = string(body); body == nil {
				delete(have, id)
			}
			seen <- "doc"
		}, func() { seen <- "ready" }, func() { seen <- "again" })
	}()
	next := func(want ...string) {
		t.Helper()
		for _, w := range want {
			select {
			case got := <-seen:
				if got != w {
					t.Fatalf("got %s, want %s", got, w)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("no %s came", w)
			}
		}
	}
	next("doc", "doc", "ready")
	put(t, b, doc("two", `{"n":2}`, 2))
	put(t, b, doc("one", "", 2))
	next("doc", "doc")
	mu.Lock()
	if len(have) != 1 || have["two"] != `{"n":2}` {
		t.Errorf("have %v", have)
	}
	mu.Unlock()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
