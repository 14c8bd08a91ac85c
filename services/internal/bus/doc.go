// Package bus is where Tutti meets NATS. It starts the embedded server or connects to a
// remote one, keeps the streams as the contract wants them, and gives the services the
// few verbs that they need:
//
//   - Ask: send a command and wait for the owner's answer (request-reply);
//   - Send: leave a command in the COMMANDS stream, from where its owner takes it;
//   - Query and Serve: request-reply reads between an edge and a service;
//   - Append, Head and Read: one aggregate's log (see Log);
//   - Listen and Heads: commits live, and whether any was missed;
//   - PutState and LastState: public documents on the STATE stream, by compare-and-set;
//   - Consume: a durable, ordered reader of a stream, for projections and reactions;
//   - Clock: the time of the stream's leader, which is the time of every log.
//
// No service imports a NATS package: what can fail on the wire is an error of this
// package or a subjects.Refusal. A lost connection is kept and resumed by the client
// library; calls made meanwhile end with ErrUnavailable when their context does.
//
// Commands are routed by the server: an account mapping (see subjects.Mapping) rewrites
// what a sender publishes to the partition of the aggregate. The embedded server has
// the mapping built in; a remote one needs it in its configuration, and Connect checks
// that it is there.
package bus
