package subjects_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// One shard is spelled as if there were none: what is stored stays where it is.
func TestLogOfOneShardNamesNone(t *testing.T) {
	for _, n := range []int{0, 1} {
		l := subjects.Log{Service: "room", Shards: n}
		source, destination := l.FeedMapping(0)
		for got, want := range map[string]string{
			fmt.Sprint(l.Streams()): "[EVENTS_ROOM]",
			l.Subject("r"):          "tutti.v1.evt.room.r",
			l.Wildcard(0):           "tutti.v1.evt.room.*",
			source:                  "tutti.v1.evt.room.*",
			destination:             "tutti.v1.feed.room.{{wildcard(1)}}",
		} {
			if got != want {
				t.Errorf("%d shards: %q, want %q", n, got, want)
			}
		}
		if l.Len() != 1 || l.Shard("r") != 0 {
			t.Errorf("%d shards: length %d, shard %d", n, l.Len(), l.Shard("r"))
		}
	}
}

func TestLogOfShards(t *testing.T) {
	l := subjects.Log{Service: "room", Shards: 3}
	if got := fmt.Sprint(l.Streams()); got != "[EVENTS_ROOM_0 EVENTS_ROOM_1 EVENTS_ROOM_2]" {
		t.Error(got)
	}
	used := map[int]int{}
	for i := range 300 {
		id := fmt.Sprintf("room_%d", i)
		n := l.Shard(id)
		used[n]++
		if want := fmt.Sprintf("tutti.v1.evt.room.%d.%s", n, id); l.Subject(id) != want || n != subjects.Partition(id, 3) {
			t.Errorf("%q, want %q", l.Subject(id), want)
		}
		service, got, err := subjects.ParseEvents(l.Subject(id))
		if service != "room" || got != id || err != nil {
			t.Errorf("%q reads as %q %q, %v", l.Subject(id), service, got, err)
		}
	}
	for n := range 3 {
		source, destination := l.FeedMapping(n)
		if want := fmt.Sprintf("tutti.v1.evt.room.%d.*", n); source != want || l.Wildcard(n) != want || used[n] < 50 {
			t.Errorf("shard %d: %q, %d of 300", n, source, used[n])
		}
		if destination != "tutti.v1.feed.room.{{wildcard(1)}}" {
			t.Errorf("shard %d appears at %q", n, destination)
		}
	}
	for _, bad := range []string{
		"tutti.v1.evt.room.64.r", "tutti.v1.evt.room.03.r", "tutti.v1.evt.room.-1.r", "tutti.v1.evt.room.x.r",
		"tutti.v1.feed.room.1.r", "tutti.v1.arc.room.1.r", "tutti.v1.evt.room.1.2.r",
	} {
		if _, _, err := subjects.ParseEvents(bad); !errors.Is(err, subjects.ErrBadSubject) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got := subjects.Archived("room", "r"); got != "tutti.v1.arc.room.r" || subjects.StreamArchive("room") != "ARCHIVE_ROOM" {
		t.Error(got)
	}
}

func BenchmarkLogSubject(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := subjects.Log{Service: "room", Shards: n}
			b.ReportAllocs()
			for b.Loop() {
				if l.Subject("room_01KQHPHXG05QEVK0843BW3VH8V") == "" {
					b.Fatal("no subject")
				}
			}
		})
	}
}
