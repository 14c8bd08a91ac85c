package bus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// BenchmarkAppend is what one append at an expected sequence costs, alone and with others
// beside it.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bs := start(b, config(b))
			data := make([]byte, 230)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for i := range n {
				wg.Go(func() {
					subject, after := subjects.Events("toy", fmt.Sprint(i)), uint64(0)
					for left.Add(-1) >= 0 {
						seq, err := bs.Append(context.Background(), subject, data, after)
						if err != nil {
							b.Error(err)
							return
						}
						after = seq
					}
				})
			}
			wg.Wait()
		})
	}
}
