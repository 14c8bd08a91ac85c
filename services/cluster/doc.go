// Package cluster runs the production shape of Tutti on one machine, without containers:
// NATS servers, RethinkDB, and every service in several replicas, each a process of its
// own, all on loopback and all under one directory. "tutti cluster up" is Start with a
// table printed; the fault tests are Start with things broken on purpose.
//
//	c, err := cluster.Start(ctx, cluster.Config{Dir: dir, Binary: tutti, NATSNodes: 3})
//	…
//	leader, err := c.Leader(ctx, subjects.StreamEvents(subjects.ServiceRoom))
//	err = c.Kill(leader)          // SIGKILL, as a power cut of the process
//	err = c.Launch(ctx, leader)   // again, on what it had on its disk
//	…
//	err = c.Close(ctx)            // edges, services, store, NATS: each waits for the one before
//
// # Shapes
//
// With RethinkDB (Config.RethinkDB is the path of its program) the processes are
//
//	nats-1 … nats-N, rethinkdb,
//	auth-1 … auth-R, profile-1 …, room-1 …, playlist-1 …, chat-1 …, edge-1 … edge-E
//
// Without it the documents are in SQLite, which belongs to one process, so that one runs
// every role, and the edges stand beside it:
//
//	nats-1 … nats-N, services-1, edge-1 … edge-E
//
// # The directory
//
//	DIR/LOCK            held by the cluster and by every process of it
//	DIR/state.json      ports and process ids
//	DIR/logs/NAME.log   what a process said, appended over its lives
//	DIR/conf/…          configuration of the NATS servers
//	DIR/NAME/…          what a process keeps; Process.Dir
//
// A second Start on the same directory goes on with what is in it, on the same ports where
// they are still free. What a process keeps is in a directory of its own, so that a test
// can mount something small there before Start.
//
// # Ends
//
// No process outlives the cluster: Close stops and waits for all of them, Start does so
// when it fails half-way, and on Linux the kernel kills them when this process dies. Where
// it does not, the lock tells the next Start that something is left.
package cluster
