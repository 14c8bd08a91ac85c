//go:build !race

package chat

// Raced: the tests run without the race detector.
const Raced = false
