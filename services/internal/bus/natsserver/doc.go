// Package natsserver runs a real nats-server from a configuration file, as the nats-server
// program does. It is what a local cluster's NATS processes run, so that one program is
// all that a cluster needs. The server that is embedded in a laptop's process is another
// one; see package bus.
package natsserver
