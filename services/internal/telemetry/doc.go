// Package telemetry is how a process is watched: its metrics, its traces, and what ties
// its log lines to them. It is the one place that knows Prometheus and OpenTelemetry; the
// rest of the tree uses what stands here.
//
// # Metrics
//
// A Registry holds the metrics of one process, never those of another in the same
// program. What makes metrics of it names them by the field's conventions: the prefix
// "tutti_", base units, "_total" for what only grows. A label's values are a closed set
// (see Label), so the number of series is known when the program is written: an id is
// never a label. A nil *Registry makes metrics that count and that nobody reads, so that
// code under test needs none.
//
// What a package counts anyway, for its Stats, is read when somebody asks (Registry.Read):
// that costs nothing in between.
//
// # Traces
//
// A Tracer follows a command from the request to the commit and back. A nil *Tracer is
// off: nothing is allocated, no header is sent. Between processes a span travels as a W3C
// traceparent (Traceparent, Tracer.Follow). Only requests whose caller asks for it, or
// that the sampling share picks, are recorded.
//
// # Logs
//
// Handler adds trace_id to a log line that is written while a span is under way.
//
// # Over HTTP
//
// A Server answers /metrics, /healthz and /readyz on a listener of its own, for the
// operator's network alone.
package telemetry
