//go:build race

package chat_test

// With the race detector a chat is smaller: what is looked for then are races, and everything
// takes ten times as long.
const (
	manyMessages  = 3_000
	manySenders   = 32
	snapshotEvery = 50
)
