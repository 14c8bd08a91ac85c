// Package telemetrytest lets tests read metrics as Prometheus would: over the listener
// that serves them, so that what is tested is what an operator sees.
package telemetrytest
