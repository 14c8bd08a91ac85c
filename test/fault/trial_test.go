package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// result is a row of the table.
type result struct {
	what     string
	report   *report
	judged   int // commands whose histories were looked at
	odd      int // of those, in histories that no order explains
	pauses   pauses
	register *register
	took     time.Duration
	unheard  int           // commits that the servers stored and did not republish
	mended   time.Duration // from the fault's end until everything was as it should be
}

const (
	// calm is how long the load runs before a fault and after its end.
	calm = 3 * time.Second
)

// trial plays on a new stage, has fault happen in the middle of it, and judges. fault
// returns when the system is whole again.
func (c *cast) trial(ctx context.Context, t *testing.T, spy *spy, ear *ear, what string, fault func(ctx context.Context) error) result {
	t.Helper()
	began := time.Now()
	from, err := spy.marks(ctx, subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	ear.forget()
	s := c.set(ctx, t, what)
	defer s.strike()
	over, played := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(played)
		s.play(ctx, over)
	}()
	pause(ctx, calm)
	since := time.Now()
	if err := fault(ctx); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	pause(ctx, calm)
	close(over)
	<-played
	s.rest(ctx)
	whole := time.Now()

	r := result{what: what, register: s.people}
	e, raw := s.gather(ctx, t, spy, from)
	r.unheard = ear.missed(raw)
	r.mended = time.Since(whole)
	var sights []sight
	e.ops, sights, e.faults = s.h.all()
	for _, p := range s.players {
		all := p.watch.Faults()
		for _, f := range all[p.known:] {
			e.faults = append(e.faults, fmt.Sprintf("client %d: %s", p.n, f))
		}
		p.known = len(all)
	}
	r.report = check(e)
	var wrong []string
	wrong, r.judged, r.odd = linearizable(e.ops)
	for _, w := range append(wrong, s.people.judge(ctx)...) {
		r.report.fail("%s", w)
	}
	r.pauses = measure(e.ops, sights, since)
	r.took = time.Since(began)
	for _, w := range r.report.wrong {
		t.Errorf("%s: %s", what, w)
	}
	if len(r.report.wrong) > 0 {
		s.keep(t, e, since)
	}
	if r.report.acknowledged < 30 || r.judged < 10 {
		t.Errorf("%s: that was no load: %+v, %d judged", what, r.report, r.judged)
	}
	t.Log(r)
	return r
}

// gather reads the logs, and what everybody makes of them. Where a log has grown meanwhile it
// does so again: an attempt that an edge still had under way for somebody who had their
// answer from the other edge is confirmed by a commit without events, seconds later.
func (s *stage) gather(ctx context.Context, t *testing.T, spy *spy, from marks) (evidence, logs) {
	t.Helper()
	for range 10 {
		raw, err := s.read(ctx, spy, from)
		if err != nil {
			t.Fatalf("reading the logs: %v", err)
		}
		e := evidence{logs: map[thing]*folded{}}
		for _, of := range s.things() {
			if e.logs[of], err = fold(of, raw[of]); err != nil {
				t.Fatal(err)
			}
		}
		e.views = s.arrive(ctx, e.logs)
		if e.documents, err = s.documents(ctx, spy, e.logs); err != nil {
			t.Fatal(err)
		}
		now, err := spy.read(ctx, s.things(), from)
		if err != nil {
			t.Fatalf("reading the logs: %v", err)
		}
		if now.size() == raw.size() {
			return e, raw
		}
	}
	t.Fatal("the logs do not come to rest")
	return evidence{}, nil
}

// read reads the logs of a trial, which nobody writes to any more, until they are as they
// were when they were read before: what got no answer may still be under way.
func (s *stage) read(ctx context.Context, spy *spy, from marks) (logs, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for size := -1; ; {
		raw, err := spy.read(ctx, s.things(), from)
		if err != nil {
			return nil, err
		}
		if raw.size() == size {
			return raw, nil
		}
		size = raw.size()
		if !pause(ctx, 500*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// keep writes what is known of a trial that went wrong to where TUTTI_TEST_FAULT_LOGS says:
// each command with its times in milliseconds after the fault, and each commit.
func (s *stage) keep(t *testing.T, e evidence, since time.Time) {
	dir := os.Getenv("TUTTI_TEST_FAULT_LOGS")
	if dir == "" {
		return
	}
	var b strings.Builder
	for _, o := range e.ops {
		fmt.Fprintf(&b, "%d to %d: %s %s %d %d %s\n", o.sent.Sub(since).Milliseconds(), o.done.Sub(since).Milliseconds(), o, o.track, o.from, o.to, o.why)
	}
	for _, of := range s.things() {
		for _, c := range e.logs[of].commits {
			data, err := subjects.AppendCommit(nil, &c)
			fmt.Fprintf(&b, "%s: %d ms: %s %v\n", of, c.At-since.UnixMilli(), data, err)
		}
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("trial-%d.txt", s.trials)), []byte(b.String()), 0o600)
	}
	if err != nil {
		t.Log(err)
	}
}

func (r result) String() string {
	slow := ""
	if r.pauses.slowest != nil {
		slow = r.pauses.slowest.verb + " " + r.pauses.slowest.at.service
	}
	return fmt.Sprintf("%s: %d sent, %d acknowledged, %d found (%d leave no trace), %d refused, %d unknown, %d duplicated, %d lost; %d linearizable; %d converged; %d not republished; longest pause %v (%s), delivery %v; %d of %d registered, pause %v; whole after %v, took %v",
		r.what, r.report.sent, r.report.acknowledged, r.report.found, r.report.traceless, r.report.refused, r.report.unknown, r.report.duplicated, r.report.lost,
		r.judged, r.report.converged, r.unheard, r.pauses.command.Round(time.Millisecond), slow, r.pauses.delivery.Round(time.Millisecond),
		r.register.kept, r.register.asked, r.register.pause.Round(time.Millisecond), r.mended.Round(time.Millisecond), r.took.Round(time.Millisecond))
}
