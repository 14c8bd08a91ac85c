package rethink_test

import (
	"fmt"
	"testing"
	"time"
	"sync"

	"github.com/tuttihq/tutti/services/internal/store/storetest"
)

func TestDbg(t *testing.T) {
	for range 2 {
	s := open(t, fresh(t), storetest.Tables()...)
	for i := range 5 {
		start := time.Now()
		err := try(t, s, fmt.Sprint("r", i), 1)
		fmt.Println("put", err, time.Since(start))
	}
	for _, n := range []int{64, 64, 64} {
		start := time.Now()
		var wg sync.WaitGroup
		for i := range n { wg.Go(func() { try(t, s, fmt.Sprint("x", i), int(time.Now().UnixMicro())) }) }
		wg.Wait()
		fmt.Println(n, "puts", time.Since(start))
	}
	}
}
