package services

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// logged is what a room's log holds.
type logged struct {
	head   RoomReport
	public uint64 // the last revision that has a public part
	events map[string][]subjects.Event
}

// read folds a room from its log in three ways: as the services do it, from the public
// events alone, and by patches. All must agree.
func (f *fleet) read(ctx context.Context, t *testing.T, id string) *logged {
	t.Helper()
	cfg := Defaults()
	cfg.NATS.URL = "nats://" + f.home.natsHost()
	admin, err := DialAdmin(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	out := &logged{events: map[string][]subjects.Event{}}
	doc, patched := subjects.Room{ID: id}, []byte(nil)
	rev := uint64(0)
	if err := admin.Tail(ctx, id, 1, false, func(_ uint64, c subjects.Commit) error {
		if rev++; c.Rev != rev {
			return fmt.Errorf("commit %d of the log has revision %d", rev, c.Rev)
		}
		if len(c.Public.Events) > 0 {
			out.public = c.Rev
		}
		for _, e := range c.Public.Events {
			ev, err := subjects.DecodeRoomEvent(e.Type, e.Body)
			if err == nil {
				err = doc.Apply(subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At}, ev, nil)
			}
			if err != nil {
				return err
			}
		}
		if patched, err = subjects.ApplyPatch(patched, c.Public.Patch); err != nil {
			return err
		}
		return c.Each(func(e *subjects.Event, _ []string) error {
			out.events[e.By+" "+e.Cmd] = append(out.events[e.By+" "+e.Cmd], *e)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if out.head, err = admin.Room(ctx, id, rev); err != nil {
		t.Fatal(err)
	}
	folded, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for how, text := range map[string][]byte{"from public events": folded, "by patches": patched} {
		if h, err := subjects.Hash(text); err != nil || h != out.head.Hash {
			t.Errorf("folded %s the room has hash %s, %v; the services' fold has %s", how, h, err, out.head.Hash)
		}
	}
	return out
}

// faults is a log handler that keeps what must not be logged.
type faults struct {
	mu    sync.Mutex
	found []string
}

func (f *faults) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (f *faults) WithAttrs([]slog.Attr) slog.Handler           { return f }
func (f *faults) WithGroup(string) slog.Handler                { return f }

// Handle implements slog.Handler.
func (f *faults) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelError && !strings.Contains(r.Message, "panic") {
		return nil
	}
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.found) < 20 {
		f.found = append(f.found, line)
	}
	return nil
}

func (f *faults) judge(t *testing.T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.found {
		t.Errorf("logged: %s", line)
	}
}
