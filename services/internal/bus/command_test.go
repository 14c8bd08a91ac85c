package bus

import (
	"slices"
	"testing"
	"time"
)

// Whoever asks an owner that stands still asks again often enough that it is answered within
// three seconds, by another, and then gives a slow one ever more time, up to a bound.
func TestAttemptsBeginSoonAndLastLonger(t *testing.T) {
	const ms = time.Millisecond
	var begin []time.Duration
	wait, at := askFirst, time.Duration(0)
	for range 10 {
		begin = append(begin, at)
		at += wait
		wait = nextWait(wait, at)
	}
	want := []time.Duration{0, 1000 * ms, 1500 * ms, 2000 * ms, 2500 * ms, 3000 * ms, 3500 * ms, 4500 * ms, 6500 * ms, 9500 * ms}
	if !slices.Equal(begin, want) {
		t.Fatalf("attempts begin at %v, want %v", begin, want)
	}
	if wait != askAttempt {
		t.Fatalf("in the end an attempt lasts %v, want %v", wait, askAttempt)
	}
}
