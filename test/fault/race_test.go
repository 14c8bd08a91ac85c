//go:build race

package fault

// The race detector makes processes five times as slow and as big. What may race has tests
// of its own beside it; here the detector would only find its own delays.
const raced = true
