package subjects_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// The files under testdata/vectors are read by the clients in other languages as well:
// what holds here holds there (web/test).

func vectors[T any](t *testing.T, name string) []T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "vectors", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	return out
}

func TestCanonicalVectors(t *testing.T) {
	type vector struct {
		Name, Doc, Canonical, Hash string
		Error                      bool
	}
	for _, v := range vectors[vector](t, "canonical") {
		t.Run(v.Name, func(t *testing.T) {
			got, err := subjects.Canonical([]byte(v.Doc))
			if v.Error {
				if err == nil {
					t.Fatalf("%q was taken as %s", v.Doc, got)
				}
				return
			}
			if err != nil || string(got) != v.Canonical {
				t.Fatalf("canonical %q, %v; want %q", got, err, v.Canonical)
			}
			sum, err := subjects.Hash([]byte(v.Doc))
			if err != nil || sum != v.Hash {
				t.Errorf("hash %s, %v; want %s", sum, err, v.Hash)
			}
			again, err := subjects.Canonical(got)
			if err != nil || string(again) != v.Canonical {
				t.Errorf("canonical of canonical %q, %v", again, err)
			}
		})
	}
}

func TestPatchVectors(t *testing.T) {
	for _, v := range vectors[struct{ Name, Doc, Patch, Result string }](t, "patch") {
		t.Run(v.Name, func(t *testing.T) {
			got, err := subjects.ApplyPatch([]byte(v.Doc), []byte(v.Patch))
			if err != nil || string(got) != v.Result {
				t.Errorf("got %q, %v; want %q", got, err, v.Result)
			}
		})
	}
}

func TestPlaybackVectors(t *testing.T) {
	type vector struct {
		Name       string
		Playback   subjects.Playback
		DurationMs int64
		ServerMs   int64
		Position   int64
	}
	for _, v := range vectors[vector](t, "playback") {
		t.Run(v.Name, func(t *testing.T) {
			if got := v.Playback.PositionAt(v.ServerMs, v.DurationMs); got != v.Position {
				t.Errorf("position %d; want %d", got, v.Position)
			}
		})
	}
}

func TestQueueOrderVectors(t *testing.T) {
	type vector struct {
		Name         string
		MinimumScore int
		Queue        map[string]subjects.QueueEntry
		Order        []string
		Next         string
	}
	for _, v := range vectors[vector](t, "queue_order") {
		t.Run(v.Name, func(t *testing.T) {
			room := subjects.Room{Queue: v.Queue, Options: subjects.RoomOptions{MinimumScore: v.MinimumScore}}
			var order []string
			for _, e := range room.Ordered() {
				order = append(order, e.Track.ID)
			}
			if !slices.Equal(order, v.Order) {
				t.Errorf("order %v; want %v", order, v.Order)
			}
			next, ok := room.NextEligible()
			if next.Track.ID != v.Next || ok != (v.Next != "") {
				t.Errorf("next %q, %v; want %q", next.Track.ID, ok, v.Next)
			}
		})
	}
}
