// Package rethinktest runs real RethinkDB servers for tests, on 127.0.0.1, on free ports
// and in directories that the tests leave behind.
//
// Most tests want a fresh database on a server that they share, since a server takes a
// second to start:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(rethinktest.Stopping(m)) }
//
//	func TestSomething(t *testing.T) {
//		db := rethinktest.Shared(t)
//		s, err := rethink.Open(t.Context(), rethink.Config{
//			Addresses: []string{db.Addr}, Database: db.Name, Create: true,
//		}, tables)
//		…
//	}
//
// Tests that kill, freeze or stop a server start their own, with [Start], or several that
// know each other, with [StartCluster].
//
// The program is the "rethinkdb" on the PATH. Where there is none, tests that need it are
// skipped and say so; with TUTTI_TEST_RETHINKDB=1 in the environment they fail.
package rethinktest
