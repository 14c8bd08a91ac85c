//go:build race

package chat

// Raced: with the race detector the large tests are smaller. What is looked for then are
// races, and everything takes ten times as long.
const Raced = true
