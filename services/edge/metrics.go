package edge

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// metrics is what an edge counts; docs/guide/observability.md describes each. Label
// values are closed sets: what is not in the set counts as "other", so nobody outside
// makes series.
type metrics struct {
	requests *telemetry.Family[telemetry.Counter]   // method, route, status
	seconds  *telemetry.Family[telemetry.Histogram] // method, route
	limited  *telemetry.Family[telemetry.Counter]   // class
	commands *telemetry.Family[telemetry.Histogram] // service, verb, outcome; seconds from the request or frame to the answer

	connections   *telemetry.Family[telemetry.Gauge]   // kind: user, guest
	subscriptions *telemetry.Family[telemetry.Gauge]   // channel: see followed
	topics        telemetry.Gauge                      // channels that somebody on this edge follows
	framesIn      *telemetry.Family[telemetry.Counter] // type
	framesOut     *telemetry.Family[telemetry.Counter] // type
	bytesOut      telemetry.Counter
	fanout        telemetry.Histogram                  // subscribers of a commit
	fanoutSeconds telemetry.Histogram                  // from a commit's At until its frames are queued
	refused       *telemetry.Family[telemetry.Counter] // code; err frames sent
	conflated     telemetry.Counter                    // queues replaced by a snapshot
	closed        *telemetry.Family[telemetry.Counter] // code, by name (subjects.CloseCode.String)
	queueBytes    telemetry.Histogram                  // a connection's outbound queue when it is written
}

// The values of metrics.connections' label.
const (
	kindUser  = "user"
	kindGuest = "guest"
)

// outcomeOK is the outcome of a command that was accepted; a refused one's is its code.
const outcomeOK = "ok"

// newMetrics makes an edge's metrics in r; with a nil r they count and nobody reads them.
func newMetrics(r *telemetry.Registry, routes []route, all []target) *metrics {
	var codes, closes, paths, services []string
	verbs := []string{subjects.VerbCreate}
	for _, c := range subjects.Codes() {
		codes = append(codes, string(c))
	}
	for _, c := range subjects.CloseCodes() {
		closes = append(closes, c.String())
	}
	for _, rt := range routes {
		paths = append(paths, rt.path)
	}
	for _, k := range all {
		services = append(services, k.name())
		for _, v := range k.verbs() {
			if !slices.Contains(verbs, v) { // several kinds have it
				verbs = append(verbs, v)
			}
		}
	}
	method := telemetry.Label{Name: "method", Values: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}}
	path := telemetry.Label{Name: "route", Values: paths}
	return &metrics{
		requests: r.CounterOf("tutti_http_requests_total", "HTTP requests answered.",
			method, path, telemetry.Label{Name: "status", Values: []string{"1xx", "2xx", "3xx", "4xx", "5xx"}}),
		seconds: r.HistogramOf("tutti_http_request_duration_seconds", "Time from a request's arrival until its answer was made.",
			telemetry.Seconds(), method, path),
		limited: r.CounterOf("tutti_edge_rate_limited_total", "Requests and frames refused because the client made too many.",
			telemetry.Label{Name: "class", Values: []string{
				string(classCommands), string(classReads), string(classAnonymous), string(classAccounts), string(classLogins),
			}}),
		commands: r.HistogramOf("tutti_edge_command_duration_seconds", "Time that the sender of a command waited for its answer, over HTTP or a socket.",
			telemetry.Seconds(), telemetry.Label{Name: "service", Values: services}, telemetry.Label{Name: "verb", Values: verbs},
			telemetry.Label{Name: "outcome", Values: append([]string{outcomeOK}, codes...)}),
		connections: r.GaugeOf("tutti_socket_connections", "Sockets that are open.",
			telemetry.Label{Name: "kind", Values: []string{kindUser, kindGuest}}),
		subscriptions: r.GaugeOf("tutti_socket_subscriptions", "Channels followed, summed over the sockets.",
			telemetry.Label{Name: "channel", Values: []string{
				"room", "playlist", "chat", string(subjects.ChannelRooms), string(subjects.ChannelMe), string(subjects.ChannelPlaylists), string(subjects.ChannelUsers),
			}}),
		topics: r.Gauge("tutti_socket_topics", "Channels that at least one socket of this edge follows."),
		framesIn: r.CounterOf("tutti_socket_frames_in_total", "Frames that clients sent.",
			telemetry.Label{Name: "type", Values: []string{
				subjects.FrameHello, subjects.FrameSub, subjects.FrameUnsub, subjects.FrameCmd, subjects.FrameQuery, subjects.FramePing, subjects.FrameLive,
			}}),
		framesOut: r.CounterOf("tutti_socket_frames_out_total", "Frames queued for clients.",
			telemetry.Label{Name: "type", Values: []string{
				subjects.FrameWelcome, subjects.FrameSnap, subjects.FrameResumed, subjects.FrameEvt, subjects.FrameSealed,
				subjects.FrameYou, subjects.FrameDocs, subjects.FrameDoc, subjects.FrameOK, subjects.FrameErr,
				subjects.FrameResult, subjects.FramePong, subjects.FrameGone, subjects.FrameLive,
			}}),
		bytesOut: r.Counter("tutti_socket_bytes_out_total", "Bytes written to sockets."),
		fanout: r.Histogram("tutti_socket_fanout_subscribers", "Sockets that a commit was queued for.",
			telemetry.Sizes(1<<16)),
		fanoutSeconds: r.Histogram("tutti_socket_fanout_seconds", "Time from a commit's own time until its frames were queued; the clocks' difference is in it.",
			telemetry.Seconds()),
		refused: r.CounterOf("tutti_socket_refused_total", "Frames answered with err.",
			telemetry.Label{Name: "code", Values: codes}),
		conflated: r.Counter("tutti_socket_conflated_total", "Times that what a slow client had not read was replaced by a snapshot."),
		closed: r.CounterOf("tutti_socket_closed_total", "Sockets closed, by the close code's name.",
			telemetry.Label{Name: "code", Values: closes}),
		queueBytes: r.Histogram("tutti_socket_queue_bytes", "Bytes that wait for a client, seen whenever some are written.",
			telemetry.Sizes(1<<22)),
	}
}

// statusClass is the class of an HTTP status: "2xx".
func statusClass(status int) string { return strconv.Itoa(status/100) + "xx" }

// watchRequest begins to follow a request, for which a route was found. Its context holds
// the span. Where the request came through a trusted proxy, the proxy's trace goes on.
func (s *Server) watchRequest(r *request) context.Context {
	if !s.deps.Tracer.On() || r.route == pathHealth || r.route == pathReady {
		return s.base
	}
	ctx := s.base
	if contains(s.trusted, remote(r.Context().RemoteAddr())) {
		ctx = s.deps.Tracer.Follow(ctx, r.Get(subjects.HeaderTrace))
	}
	ctx, r.span = s.deps.Tracer.Start(ctx, r.Method()+" "+r.route, telemetry.KindServer,
		telemetry.String("http.request.method", r.Method()), telemetry.String("http.route", r.route),
		telemetry.String(telemetry.KeyRequest, r.id))
	return ctx
}

// watched tells of a request that has its answer.
func (s *Server) watched(r *request, took time.Duration) {
	status := r.Response().StatusCode()
	s.metrics.requests.Of(r.Method(), r.route, statusClass(status)).Inc()
	s.metrics.seconds.Of(r.Method(), r.route).Observe(took.Seconds())
	if r.span.Recorded() {
		r.span.Set(telemetry.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			r.span.Fail(http.StatusText(status))
		}
	}
	r.span.End()
}

// watchCommand begins to watch a command; the returned function is told how it ended. A
// command that came over a socket begins a trace.
func (s *Server) watchCommand(ctx context.Context, o order) (_ context.Context, told func(error)) {
	begin := time.Now()
	var span telemetry.Span
	if s.deps.Tracer.On() && !telemetry.Followed(ctx) {
		ctx, span = s.deps.Tracer.Start(ctx, "command "+o.verb, telemetry.KindServer,
			telemetry.String(o.to.name(), o.id), telemetry.String(telemetry.KeyCommand, o.command))
	}
	return ctx, func(err error) {
		outcome := outcomeOK
		if err != nil {
			refusal, internal := refusalOf(err)
			outcome = string(refusal.Code)
			if internal {
				span.Fail(outcome)
			}
		}
		span.Set(telemetry.String(telemetry.KeyOutcome, outcome))
		span.End()
		s.metrics.commands.Of(o.to.name(), o.verb, outcome).Observe(time.Since(begin).Seconds())
	}
}
