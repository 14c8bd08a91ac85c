//go:build race

package e2e

// raced: the tests run with the race detector, and so does the program.
const raced = true
