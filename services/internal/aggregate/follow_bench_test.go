package aggregate_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/subjects"
)

// counter is a Sink that counts, and says when it has seen so many.
type counter struct {
	sync.Mutex
	rev, want uint64
	done      chan struct{}
}

func (c *counter) see(rev uint64) {
	if c.rev < c.want && rev >= c.want {
		close(c.done)
	}
	c.rev = rev
}
func (c *counter) Reset(f *tallyFolded)                                { c.see(f.Rev) }
func (c *counter) Commit(f *tallyFolded, _ []byte, _ *subjects.Commit) { c.see(f.Rev) }
func (c *counter) Lost(error)                                          {}

// Commits that one followed aggregate takes a second, from the feed's messages on; the
// server and its publisher are not counted.
func BenchmarkFollow(b *testing.B) {
	j := aggregatetest.NewFeed()
	const round = 200 // within the buffer
	c := &counter{}
	log := make([][]byte, b.N)
	for i := range log {
		log[i] = entry(1, uint64(i+1), 1)
	}
	w := aggregate.NewFollowerOn(j, j, aggregatetest.Tally{Name: "tally"}, aggregate.FollowOptions{CheckEvery: time.Hour})
	defer w.Close()
	n := w.Follow("a", c)
	if err := n.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var took time.Duration
	for i := 0; i < b.N; i += round {
		part := log[i:min(i+round, b.N)]
		c.Lock() // it waits until all is there
		c.done, c.want = make(chan struct{}), uint64(i+len(part))
		for k, data := range part {
			j.Live("a", aggregate.Entry{Seq: uint64(i + k + 1), Data: data}, uint64(i+k))
		}
		start := time.Now()
		c.Unlock()
		<-c.done
		took += time.Since(start)
	}
	b.StopTimer()
	if s := w.Stats(); s.Gaps != 0 {
		b.Fatalf("%+v", s)
	}
	b.ReportMetric(float64(b.N)/took.Seconds(), "commits/s")
}

// From the append of a commit to its folding, through a server, one at a time.
func BenchmarkFollowLatency(b *testing.B) {
	r := onNATS(b, aggregate.FollowOptions{CheckEvery: time.Hour})
	l := &listener{}
	heard := told(l)
	r.sync(r.w.Follow("a", l))
	b.ResetTimer()
	for i := range b.N {
		r.add("a")
		r.sees(heard, uint64(i+1))
	}
}

// What Sync costs where nothing is new, and right after an append.
func BenchmarkFollowSync(b *testing.B) {
	for _, news := range []bool{false, true} {
		b.Run(fmt.Sprint("news-", news), func(b *testing.B) {
			r := onNATS(b, aggregate.FollowOptions{CheckEvery: time.Hour})
			l := &listener{}
			n := r.w.Follow("a", l)
			r.add("a")
			r.sync(n)
			b.ResetTimer()
			var took time.Duration
			for range b.N {
				if news {
					r.add("a")
				}
				start := time.Now()
				r.sync(n)
				took += time.Since(start)
			}
			b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs/sync")
		})
	}
}

// A check of 1,000 followed aggregates: of all their heads, and of those that have
// changed since the last, which are none.
func BenchmarkFollowCheck(b *testing.B) {
	const rooms = 1000
	r := onNATS(b, aggregate.FollowOptions{CheckEvery: time.Hour})
	for i := range rooms {
		id := fmt.Sprint("room-", i)
		r.add(id)
		r.sync(r.w.Follow(id, &counter{}))
	}
	for _, full := range []bool{true, false} {
		b.Run(map[bool]string{true: "full", false: "changed"}[full], func(b *testing.B) {
			since, err := r.w.Check(nil)
			if err != nil {
				b.Fatal(err)
			}
			if full {
				since = nil
			}
			for range b.N {
				if _, err := r.w.Check(since); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/check")
		})
	}
}
