package natsserver

import (
	"time"
	_ "unsafe" // for linkname
)

// The server waits 4 to 9 s without a word from a leader before it holds an election, and
// has no setting for that: when a leader is killed, its streams stand still for 5.8 s on
// average. These are the server's own variables for it, which its own tests set. A release
// that renames them does not link, and the test of this package fails if they do nothing.
//
//go:linkname minElection github.com/nats-io/nats-server/v2/server.minElectionTimeout
var minElection time.Duration

//go:linkname maxElection github.com/nats-io/nats-server/v2/server.maxElectionTimeout
var maxElection time.Duration

//go:linkname heartbeat github.com/nats-io/nats-server/v2/server.hbInterval
var heartbeat time.Duration

// setElection has every server of this process hold elections after between once and twice
// the time without a word, of which three fit into the shortest wait. It is called before a
// server starts.
func setElection(after time.Duration) {
	minElection, maxElection, heartbeat = after, 2*after, min(after/3, heartbeat)
}
