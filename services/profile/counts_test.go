package profile

import (
	"fmt"
	"testing"
	"time"
)

// Large numbers are remembered for a moment, small ones are not, and what changes is
// forgotten; there is a bound to how many.
func TestCountsAreRememberedForAMoment(t *testing.T) {
	var c counts
	at := time.Unix(1000, 0)
	if _, ok := c.recall("star", at); ok {
		t.Fatal("remembered what was never counted")
	}
	c.keep("star", countLarge+1, at)
	if n, ok := c.recall("star", at.Add(countFresh-1)); !ok || n != countLarge+1 {
		t.Fatalf("%d, %t", n, ok)
	}
	if _, ok := c.recall("star", at.Add(countFresh)); ok {
		t.Fatal("too old")
	}
	c.forget("star")
	if _, ok := c.recall("star", at); ok {
		t.Fatal("forgotten")
	}
	c.keep("star", countLarge+1, at)
	c.keep("star", countLarge, at)
	if _, ok := c.recall("star", at); ok {
		t.Fatal("a small number is remembered")
	}
	for i := range 2 * countsMost {
		c.keep(fmt.Sprint(i), countLarge+1, at)
		if len(c.kept) > countsMost {
			t.Fatalf("%d are kept", len(c.kept))
		}
	}
}
