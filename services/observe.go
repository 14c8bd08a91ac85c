package services

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// observers is how a process is watched. Without a listener for metrics there is no
// registry, and without a collector no tracer: then nobody pays for them.
type observers struct {
	metrics *telemetry.Registry
	tracer  *telemetry.Tracer
	server  *telemetry.Server
	// ready is what the listener's /readyz asks; set once everything is started.
	ready atomic.Pointer[func(context.Context) error]
}

// startObservers begins to watch the process. What Stop does last is to give the
// collector the last spans, and to close the listener.
func (s *System) startObservers(ctx context.Context, cfg Config, exporter telemetry.Exporter) error {
	o := &s.observe
	if cfg.Metrics.Listen != "" {
		o.metrics = telemetry.NewRegistry()
		srv, err := telemetry.Serve(ctx, cfg.Metrics.Listen, o.metrics, o.isReady, s.log.With("service", "metrics"))
		if err != nil {
			return err
		}
		o.server, s.Metrics = srv, srv.URL()+"/metrics"
		s.onStop("metrics", srv.Shutdown)
	}
	if cfg.Telemetry.OTLP == "" && exporter == nil && !telemetry.EnvironmentNames() {
		return nil
	}
	tracer, err := telemetry.NewTracer(ctx, telemetry.TraceOptions{
		Endpoint: cfg.Telemetry.OTLP, Sample: cfg.Telemetry.Sample, Exporter: exporter, Metrics: o.metrics,
		Version: telemetry.Version(), Instance: subjects.NewID("node", time.Now()), Log: s.log.With("service", "traces"),
	})
	if err != nil {
		return err
	}
	o.tracer = tracer
	s.onStop("traces", tracer.Close)
	return nil
}

func (o *observers) isReady(ctx context.Context) error {
	ready := o.ready.Load()
	if ready == nil {
		return telemetry.ErrStarting
	}
	return (*ready)(ctx)
}

// kernel gives the options with which a kernel is watched.
func (o *observers) kernel(service string, verbs []string) aggregate.Options {
	opt := aggregate.Options{Tracer: o.tracer}
	if o.metrics != nil {
		opt.Metrics = aggregate.NewMetrics(o.metrics, service, verbs)
	}
	return opt
}

// queueWait bounds how long reading the metrics waits for what the NATS server says of the
// command queues; without an answer they are left out.
const queueWait = 2 * time.Second

// aggregates is a service that runs aggregates and projects them.
type aggregates interface {
	Stats() aggregate.Stats
	Projected() projection.Stats
	Unprojected(ctx context.Context) (uint64, error)
	Queued(ctx context.Context) (waiting uint64, flight int, err error)
	Partitions() int
}

// aggregates has the counters of a service read with the metrics, until forget.
func (o *observers) aggregates(service string, r aggregates) (forget func()) {
	set := telemetry.NewReads(map[string]string{"service": service})
	kernel, projector := kernelReads(set), projectorReads(set)
	partitions := set.Gauge("tutti_partitions_owned", "Partitions that this process owns.")
	waiting := set.Gauge("tutti_command_queue_waiting", "Commands in the COMMANDS stream that this process's partitions have not taken yet.")
	flight := set.Gauge("tutti_command_queue_in_flight", "Commands from the COMMANDS stream that are being worked on.")
	behind := set.Gauge("tutti_projector_behind", "Commits in the log that no projector has taken yet, over all processes.")
	return o.metrics.Read(set, func(set func(telemetry.Reading, float64)) {
		kernel(set, r.Stats())
		projector(set, r.Projected())
		set(partitions, float64(r.Partitions()))
		ctx, cancel := context.WithTimeout(context.Background(), queueWait)
		defer cancel()
		if w, f, err := r.Queued(ctx); err == nil {
			set(waiting, float64(w))
			set(flight, float64(f))
		}
		if n, err := r.Unprojected(ctx); err == nil {
			set(behind, float64(n))
		}
	})
}

type setter = func(telemetry.Reading, float64)

func kernelReads(s *telemetry.Reads) func(setter, aggregate.Stats) {
	commits := s.Counter("tutti_commits_total", "Commits appended to the log.")
	conflicts := s.Counter("tutti_commit_conflicts_total", "Appends refused because another owner had appended: reloaded and decided again.")
	repeats := s.Counter("tutti_command_repeats_total", "Commands that were answered from memory, as they were answered before.")
	loads := s.Counter("tutti_aggregate_loads_total", "Aggregates folded from snapshot and log.")
	snapshots := s.Counter("tutti_snapshots_total", "Snapshots stored.")
	wakes := s.Counter("tutti_timers_fired_total", "Timers that went off in this process.")
	scheduled := s.Counter("tutti_timers_scheduled_total", "Timers left with the NATS server.")
	live := s.Gauge("tutti_aggregates_live", "Aggregates awake in this process.")
	waiting := s.Gauge("tutti_commands_waiting", "Commands that this process has taken and not answered yet.")
	loading := s.Gauge("tutti_aggregates_loading", "Aggregates being folded now.")
	preparing := s.Gauge("tutti_commands_preparing", "Commands being prepared now: tracks looked up, names claimed.")
	return func(set setter, v aggregate.Stats) {
		set(commits, float64(v.Commits))
		set(conflicts, float64(v.Conflicts))
		set(repeats, float64(v.Repeats))
		set(loads, float64(v.Loads))
		set(snapshots, float64(v.Snapshots))
		set(wakes, float64(v.Wakes))
		set(scheduled, float64(v.Scheduled))
		set(live, float64(v.Live))
		set(waiting, float64(v.Waiting))
		set(loading, float64(v.Loading))
		set(preparing, float64(v.Preparing))
	}
}

func projectorReads(s *telemetry.Reads) func(setter, projection.Stats) {
	commits := s.Counter("tutti_projector_commits_total", "Commits whose documents are in the store.")
	writes := s.Counter("tutti_projector_writes_total", "Documents written.")
	stale := s.Counter("tutti_projector_stale_total", "Documents that were in the store already, as new or newer.")
	loads := s.Counter("tutti_projector_loads_total", "Aggregates that the projector read from the log.")
	retries := s.Counter("tutti_projector_retries_total", "Commits tried again because something was unavailable.")
	dead := s.Counter("tutti_projector_dead_letters_total", "Commits that could not be projected.")
	working := s.Gauge("tutti_projector_in_flight", "Commits taken from the stream whose documents are not in the store yet.")
	lag := s.Gauge("tutti_projector_lag_seconds", "Age of the last commit when its documents came into the store.")
	waits := s.Gauge("tutti_projector_waiting", "1 while the projector waits for the store or NATS.")
	return func(set setter, v projection.Stats) {
		set(commits, float64(v.Commits))
		set(writes, float64(v.Writes))
		set(stale, float64(v.Stale))
		set(loads, float64(v.Loads))
		set(retries, float64(v.Retries))
		set(dead, float64(v.DeadLetters))
		set(working, float64(v.Working))
		set(lag, v.Lag.Seconds())
		down := 0.0
		if v.Waits {
			down = 1
		}
		set(waits, down)
	}
}

// follower has the counters of an edge's folds read with the metrics, until forget.
func (o *observers) follower(service string, stats func() aggregate.FollowStats) (forget func()) {
	s := telemetry.NewReads(map[string]string{"service": service})
	followed := s.Gauge("tutti_follower_followed", "Aggregates whose log this edge follows.")
	lost := s.Gauge("tutti_follower_lost", "Those among them whose log cannot be followed at the moment.")
	commits := s.Counter("tutti_follower_commits_total", "Commits folded and given on.")
	resets := s.Counter("tutti_follower_resets_total", "Aggregates given anew: at first, or because the log did not go on from what was known.")
	losses := s.Counter("tutti_follower_losses_total", "Times that a log could not be followed.")
	gaps := s.Counter("tutti_follower_gaps_total", "Times that live commits were missing and the log was read instead.")
	checks := s.Counter("tutti_follower_checks_total", "Comparisons with the heads of the logs.")
	failed := s.Counter("tutti_follower_checks_failed_total", "Comparisons with the heads of the logs that could not be made.")
	lag := s.Gauge("tutti_follower_lag_seconds", "Age of the last commit when it was folded.")
	lagSum := s.Counter("tutti_follower_lag_sum_seconds_total", "Ages of all commits when they were folded, summed.")
	return o.metrics.Read(s, func(set setter) {
		v := stats()
		set(followed, float64(v.Followed))
		set(lost, float64(v.Lost))
		set(commits, float64(v.Commits))
		set(resets, float64(v.Resets))
		set(losses, float64(v.Losses))
		set(gaps, float64(v.Gaps))
		set(checks, float64(v.Checks))
		set(failed, float64(v.FailedChecks))
		set(lag, v.Lag.Seconds())
		set(lagSum, v.LagSum.Seconds())
	})
}
