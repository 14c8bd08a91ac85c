package fault

import (
	"context"
	"fmt"
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
	raw, err := s.read(ctx, spy, from)
	if err != nil {
		t.Fatalf("%s: reading the logs: %v", what, err)
	}
	r.unheard = ear.missed(raw)
	logs := map[thing]*folded{}
	for _, of := range s.things() {
		if logs[of], err = fold(of, raw[of]); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	e := evidence{logs: logs}
	e.views = s.arrive(ctx, logs)
	if e.documents, err = s.documents(ctx, spy, logs); err != nil {
		t.Errorf("%s: %v", what, err)
	}
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
	if r.report.acknowledged < 30 || r.judged < 10 {
		t.Errorf("%s: that was no load: %+v, %d judged", what, r.report, r.judged)
	}
	t.Log(r)
	return r
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
		n := 0
		for _, log := range raw {
			n += len(log)
		}
		if n == size {
			return raw, nil
		}
		size = n
		if !pause(ctx, 500*time.Millisecond) {
			return nil, ctx.Err()
		}
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
