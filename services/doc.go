// Package services puts the services together: Config says which of them run in this
// process and how, Start starts them in the order in which they need each other, and
// System stops them in the opposite one. It is what the command line and the tests
// start.
//
// A process runs one or more roles (see Roles). All of them together, on the embedded
// NATS server and the embedded store, are the whole of Tutti on one machine. The services
// themselves never call each other: they meet on the bus.
package services
