//go:build !race

package chat_test

const (
	manyMessages  = 100_000
	manySenders   = 256
	snapshotEvery = 200
)
