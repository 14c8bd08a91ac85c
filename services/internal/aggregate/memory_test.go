package aggregate

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

// What the memory of commands must hold is modelled by a list of everything that was ever
// accepted.
func TestMemoryKeepsWhatItPromises(t *testing.T) {
	horizon := subjects.CommandHorizon.Milliseconds()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		m := newMemory()
		m.limit = limit
		type accepted struct {
			key commandKey
			first
		}
		var all []accepted
		now := int64(1_700_000_000_000)
		forgotten := int64(0) // the newest time in an id that may be forgotten
		for n := range rapid.IntRange(1, 200).Draw(t, "commands") {
			now += rapid.SampledFrom([]int64{0, 0, 1, 1000, horizon / 3, horizon, 2 * horizon}).Draw(t, "pause")
			age := rapid.SampledFrom([]int64{0, 0, 1, -60_000, 5000, horizon - 1, horizon + 1, 5 * horizon}).Draw(t, "age")
			id := subjects.DeriveID(subjects.PrefixCommand, time.UnixMilli(now-age), fmt.Sprint(n))
			key, err := keyOf("user_1", id)
			if err != nil {
				t.Fatal(err)
			}
			if key.millis() != now-age {
				t.Fatalf("the time in the key is %d, in the id %d", key.millis(), now-age)
			}
			if m.forgotten(key) {
				if key.millis() > forgotten {
					t.Fatalf("an id of %d is called forgotten, and nothing newer than %d is", key.millis(), forgotten)
				}
				continue // it would be refused
			}
			f := first{epoch: 1, rev: uint64(n + 1), at: now}
			m.add(key, f)
			all = append(all, accepted{key, f})
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				again, err := decodeMemory(m.encode())
				if err != nil {
					t.Fatal(err)
				}
				again.limit = limit
				m = again
			}
			if len(m.firsts) > limit || len(m.firsts) != len(m.byDue) {
				t.Fatalf("%d remembered, %d in the heap, limit %d", len(m.firsts), len(m.byDue), limit)
			}
			var remembered []accepted
			for _, a := range all {
				f, ok := m.lookup(a.key)
				switch {
				case ok && f != a.first:
					t.Fatalf("remembered as %+v, was %+v", f, a.first)
				case ok:
					remembered = append(remembered, a)
				case !m.forgotten(a.key):
					t.Fatalf("an id of %d is neither remembered nor called forgotten", a.key.millis())
				default:
					forgotten = max(forgotten, a.key.millis())
				}
			}
			// Within the horizon only the limit is a reason to forget, and then the oldest
			// go first.
			young := slices.DeleteFunc(slices.Clone(all), func(a accepted) bool { return a.due(a.key) < now-horizon })
			if want := min(len(young), limit); len(remembered) != want {
				t.Fatalf("%d remembered of %d within the horizon, limit %d", len(remembered), len(young), limit)
			}
			for _, a := range young {
				_, ok := m.lookup(a.key)
				for _, b := range remembered {
					if !ok && a.due(a.key) > b.due(b.key) {
						t.Fatalf("one due at %d was forgotten before one due at %d", a.due(a.key), b.due(b.key))
					}
				}
			}
		}
	})
}

func TestMemoryDoesNotDependOnTheWayItCameAbout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newMemory(), newMemory()
		a.limit, b.limit = 10, 10
		for n := range rapid.IntRange(1, 100).Draw(t, "commands") {
			at := int64(1_700_000_000_000) + int64(n/7) // many in one commit
			key, err := keyOf("user_1", subjects.DeriveID(subjects.PrefixCommand, time.UnixMilli(at), fmt.Sprint(n)))
			if err != nil {
				t.Fatal(err)
			}
			a.add(key, first{rev: uint64(n), at: at})
			b.add(key, first{rev: uint64(n), at: at})
			if rapid.Bool().Draw(t, "reload") {
				if b, err = decodeMemory(b.encode()); err != nil {
					t.Fatal(err)
				}
				b.limit = 10
			}
			for k, f := range a.firsts {
				if b.firsts[k] != f || a.floor != b.floor || len(a.firsts) != len(b.firsts) {
					t.Fatalf("they differ after %d commands", n+1)
				}
			}
		}
	})
}

func FuzzDecodeMemory(f *testing.F) {
	m := newMemory()
	for i := range byte(3) {
		m.add(commandKey{5: 1, 15: i}, first{1, uint64(i), 1})
	}
	f.Add(m.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMemory(data)
		if err != nil {
			return
		}
		again, err := decodeMemory(m.encode())
		if err != nil || len(again.firsts) != len(m.firsts) || again.floor != m.floor {
			t.Fatalf("encoded and decoded it is another: %v", err)
		}
	})
}

func FuzzPlaceOf(f *testing.F) {
	c := subjects.Commit{Epoch: 3, Rev: 70, At: 1_700_000_000_000}
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"rev":1}`))
	f.Add(bytes.Replace(data, []byte(`70`), []byte(`99999999999999999999`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := subjects.DecodeCommit(data)
		if err != nil {
			return
		}
		got, err := placeOf(data)
		if err != nil || got.Epoch != want.Epoch || got.Rev != want.Rev || got.At != want.At {
			t.Fatalf("%s: %+v, %v; want %+v", data, got, err, want)
		}
	})
}
