package aggregate

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// verdict is how one command of a batch ends, if the batch stands.
type verdict[C any] struct {
	it     *item[C]
	answer subjects.Answer
	// accepted says that its events are in this batch's commit.
	accepted bool
	// proven says that the log itself holds the answer, so that it needs no confirming.
	proven bool
	// remember says that the answer leaves no trace in the log and is kept in recent.
	remember bool
}

// draft is a batch while it is decided.
type draft[C any] struct {
	commit   subjects.Commit
	order    []byte
	bytes    int
	verdicts []verdict[C]
	seen     map[commandKey]int // index into verdicts
	now      int64
	erases   bool // see Eraser
}

// errPoison wraps a defect of the machine that showed in one command.
var errPoison = errors.New("aggregate: defect while deciding")

// commit decides a batch, appends what happened, and answers. It returns the commands
// that must be decided again, with the reason; the actor's state is then gone, unless
// the batch was merely cut short.
func (a *actor[S, C, E]) commit(batch []*item[C]) (rest []*item[C], err error) {
	d, rest, err := a.decide(batch)
	if err != nil {
		// The state may be half changed: forget it, and all that was decided on it.
		a.drop()
		bad := batch[len(batch)-len(rest)-1]
		a.blame(bad, err)
		again := make([]*item[C], 0, len(batch))
		for _, v := range d.verdicts {
			again = append(again, v.it)
		}
		return append(append(again, bad), rest...), nil
	}
	if len(d.verdicts) == 0 {
		return rest, nil
	}
	if err := a.settle(d); err != nil {
		a.drop()
		return append(a.undo(d, err), rest...), err
	}
	for _, v := range d.verdicts {
		if v.accepted {
			a.f.memory.add(v.it.key, first{epoch: v.answer.Epoch, rev: v.answer.Rev, at: v.answer.At})
		}
		if v.remember {
			a.recent.add(v.it.key, v.answer)
		}
		a.answer(v.it, v.answer)
	}
	a.f.erased = a.saver.missed.Swap(false) || a.f.erased || d.erases
	if a.f.erased || a.f.sinceSnapshot >= a.e.opt.SnapshotEvery {
		a.snapshot()
	}
	return rest, nil
}

// undo answers what it can of a batch that came to nothing, and returns what must be
// decided again.
func (a *actor[S, C, E]) undo(d *draft[C], err error) (again []*item[C]) {
	fenced := errors.Is(err, ErrFenced)
	fault := errors.Is(err, ErrTooLarge) || errors.Is(err, errPoison)
	if fault {
		// One of the commands is to blame. If there are several, each is tried alone.
		var accepted []*item[C]
		for _, v := range d.verdicts {
			if v.accepted {
				accepted = append(accepted, v.it)
			}
		}
		if len(accepted) == 1 {
			a.blame(accepted[0], err)
		}
		for _, it := range accepted {
			it.alone = true
		}
	}
	for _, v := range d.verdicts {
		switch {
		case v.proven:
			a.answer(v.it, v.answer)
		case fenced:
			v.it.conflicts++
			again = append(again, v.it)
		case fault:
			again = append(again, v.it)
		case errors.Is(err, ErrFull):
			a.refuse(v.it, subjects.Refuse(subjects.CodeUnavailable, "there is no room in the log now"))
		default:
			a.refuse(v.it, subjects.Refuse(subjects.CodeUnavailable, "the log cannot be reached now"))
		}
	}
	return again
}

// blame has a command refused when it is decided again, since it met a defect of the
// machine or its events cannot be stored.
func (a *actor[S, C, E]) blame(it *item[C], err error) {
	if errors.Is(err, ErrTooLarge) {
		it.refusal = subjects.Refuse(subjects.CodeTooLarge, "what the command would change is too large to be stored")
		return
	}
	a.e.opt.Log.ErrorContext(it.seen.span.In(a.e.ctx), "command met a defect",
		a.e.m.Service(), a.id, "verb", it.call.Verb, telemetry.KeyCommand, it.call.Command, "err", err)
	it.refusal = subjects.Refuse(subjects.CodeInternal, "the command met a defect and was not carried out")
}

// decide goes through the batch on the evolving state. It stops early when the commit is
// large enough, or with an error at the command after which the state cannot be trusted;
// rest holds what was not looked at.
func (a *actor[S, C, E]) decide(batch []*item[C]) (d *draft[C], rest []*item[C], poison error) {
	f := a.f
	d = &draft[C]{now: max(a.now(), f.At), verdicts: make([]verdict[C], 0, len(batch))}
	d.commit = subjects.Commit{Epoch: max(f.Epoch, 1), Rev: f.Rev + 1, At: d.now}
	if len(batch) > 1 {
		d.seen = make(map[commandKey]int, len(batch))
	}
	a.marks.Reset()
	for i, it := range batch {
		if len(d.order) > 0 && (it.alone || d.bytes >= a.e.opt.BatchBytes) {
			return d, batch[i:], nil
		}
		if err := a.decideOne(d, it); err != nil {
			return d, batch[i+1:], err
		}
		if len(d.order) > 0 && it.alone {
			return d, batch[i+1:], nil
		}
	}
	return d, nil, nil
}

// decideOne gives one command its verdict, or sets it aside to be prepared.
func (a *actor[S, C, E]) decideOne(d *draft[C], it *item[C]) (poison error) {
	f := a.f
	it.call.At = d.now
	here := subjects.Answer{Command: it.call.Command, Epoch: f.Epoch, Rev: f.Rev, At: f.At}
	if len(d.order) > 0 { // what is looked at is in this commit
		here.Epoch, here.Rev, here.At = d.commit.Epoch, d.commit.Rev, d.now
	}
	add := func(v verdict[C]) {
		v.it = it
		if d.seen != nil {
			d.seen[it.key] = len(d.verdicts)
		}
		d.verdicts = append(d.verdicts, v)
	}
	refuse := func(r *subjects.Refusal) {
		here.Refusal = r
		// "Not now" is true whatever the log says.
		add(verdict[C]{answer: here, remember: r.Code.Final(), proven: !r.Code.Final()})
	}

	if first, ok := f.memory.lookup(it.key); ok {
		a.e.repeats.Add(1)
		here.Epoch, here.Rev, here.At = first.epoch, first.rev, first.at
		add(verdict[C]{answer: here, proven: true})
		return nil
	}
	if d.seen != nil {
		if k, ok := d.seen[it.key]; ok { // the same command twice in one batch
			same := d.verdicts[k]
			same.it = it
			d.verdicts = append(d.verdicts, same)
			return nil
		}
	}
	if ans, ok := a.recent.lookup(it.key); ok {
		a.e.repeats.Add(1)
		add(verdict[C]{answer: ans})
		return nil
	}
	if a.setAside(it) {
		return nil
	}
	if it.gone() {
		refuse(subjects.Refuse(subjects.CodeUnavailable, "another owner may have this command by now"))
		return nil
	}
	switch {
	case !it.own && f.memory.forgotten(it.key):
		refuse(subjects.Refuse(subjects.CodeExpired, "the command's id is older than what is remembered here"))
		return nil
	case it.refusal != nil:
		refuse(it.refusal)
		return nil
	case f.Unknown != nil:
		refuse(subjects.Refuse(subjects.CodeUpgrade, "the log holds events of a newer release"))
		return nil
	}
	if !it.queued {
		if err := checkAsked(it.call.Command, d.now); err != nil {
			refuse(asRefusal(err))
			return nil
		}
	} else if it.key.millis() > d.now+subjects.CommandSkew.Milliseconds() {
		refuse(subjects.RefuseField("id", "the time in the command's id lies in the future; check the clock"))
		return nil
	}
	return a.judge(d, it, here, add, refuse)
}

// judge asks the machine.
func (a *actor[S, C, E]) judge(d *draft[C], it *item[C], here subjects.Answer, add func(verdict[C]), refuse func(*subjects.Refusal)) (poison error) {
	f, m := a.f, a.e.m
	defer func() {
		if p := recover(); p != nil {
			poison = fmt.Errorf("%w: panic: %v", errPoison, p)
		}
	}()
	if !it.prepared {
		prepare, err := m.Admit(f.State, it.call, it.cmd)
		if err != nil {
			refuse(asRefusal(err))
			return nil
		}
		if prepare {
			a.prepare(it)
			return nil
		}
	}
	outs, err := m.Decide(f.State, it.call, it.cmd)
	if err != nil {
		refuse(asRefusal(err))
		return nil
	}
	if len(outs) == 0 {
		add(verdict[C]{answer: here, remember: !it.own})
		return nil
	}
	for i := range outs {
		body, err := json.Marshal(outs[i].Event)
		if err != nil {
			return fmt.Errorf("%w: encode %T: %w", errPoison, outs[i].Event, err)
		}
		ev := subjects.Event{Type: m.EventType(outs[i].Event), By: it.call.Principal, At: d.now, Cmd: it.call.Command, Body: body}
		meta := subjects.Meta{By: ev.By, Cmd: ev.Cmd, At: ev.At, To: outs[i].To}
		if err := m.Evolve(f.State, meta, outs[i].Event, &a.marks); err != nil {
			return fmt.Errorf("%w: fold %s: %w", errPoison, ev.Type, err)
		}
		d.bytes += len(body) + 128
		d.erases = d.erases || erases(m, ev.Type)
		if outs[i].To == nil {
			d.commit.Public.Events = append(d.commit.Public.Events, ev)
			d.order = append(d.order, 'p')
		} else {
			d.commit.Sealed = append(d.commit.Sealed, subjects.Sealed{To: outs[i].To, Event: ev})
			d.order = append(d.order, 's')
		}
	}
	add(verdict[C]{
		answer:   subjects.Answer{Command: it.call.Command, Epoch: d.commit.Epoch, Rev: d.commit.Rev, At: d.now},
		accepted: true,
	})
	return nil
}
