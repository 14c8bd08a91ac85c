package tutti

import (
	"math/rand/v2"
	"time"
)

// jitter gives a random pause for the n-th try in a row, from 0: up to first, doubled with
// each try and never more than longest. Clients that lost the same server at the same
// moment come back at different ones.
func jitter(n int, first, longest time.Duration) time.Duration {
	limit := longest
	if n < 30 && first<<n < longest && first<<n > 0 {
		limit = first << n
	}
	return rand.N(limit) + 1
}
