// Package built builds the program for the tests that run it.
//
// The go command takes an earlier result of a test as long as the packages that the test
// imports are the same, and the files that it has looked at. A test that runs the program
// does not import it: without more, a change of the program would leave its old result
// standing. So its sources are looked at when it is built; that counts within a test only,
// not in a TestMain before the tests run.
package built
