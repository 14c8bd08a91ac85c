// Package natsconf tries the configuration of Tutti's NATS servers, the file nats.conf and
// those under deploy/nats, as a server reads them: each test starts a real server from the
// file itself, on addresses and a directory of its own, and logs in over the wire.
//
// What each user may do is written down twice: in nats.conf, as permissions, and here, as
// what must be refused and what must be allowed for every subject that package subjects
// spells and every request that JetStream answers (rights_test.go). A new table, service,
// verb or stream is a new subject here, and fails until both say who may use it. That it is
// enough to work with is what system_test.go shows: Tutti itself runs on the file, and a
// single permission violation in any process fails it.
package natsconf

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// users are all users of the file, with their passwords.
var users = map[string]string{
	"admin": "", "services": "", "auth": "", "profile": "", "room": "", "playlist": "", "chat": "",
	"edge": "", "bot": "", "browser": "", "bench": "", "sys": "",
}

// clusterPassword is what the nodes of a cluster show to each other.
var clusterPassword = password()

func TestMain(m *testing.M) {
	for u := range users {
		users[u] = password()
		if err := os.Setenv("TUTTI_NATS_PASSWORD_"+strings.ToUpper(u), users[u]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := os.Setenv("TUTTI_NATS_PASSWORD_CLUSTER", clusterPassword); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps these two for the life of a process: the one writes the date of
		// every answer, the other cleans a pool of workers of servers that have stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// A nats-server that was a node of a cluster leaves some of its stores open when it
		// stops, and with them the clock that all stores share.
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

func password() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand ends the program rather than fail
	return "p" + hex.EncodeToString(b)
}
