package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
}

// errPoison wraps a defect of the machine that showed in one command.
var errPoison = errors.New("aggregate: defect while deciding")

// commit decides a batch, appends what happened, and answers. It returns the commands
// that must be decided again, with the reason; the actor's state is then gone, unless
// the batch was merely cut short.
func (a *actor[S, C, E]) commit(batch []*item[C]) (rest []*item[C], err error) {
	d, rest, poison := a.decide(batch)
	if poison != nil {
		// The state may be half changed: forget it, and all that was decided on it.
		a.f = nil
		bad := batch[len(batch)-len(rest)-1]
		a.e.opt.Log.Error("command met a defect", "service", a.e.m.Service(), "id", a.id,
			"verb", bad.call.Verb, "cmd", bad.call.Command, "err", poison)
		again := make([]*item[C], 0, len(batch))
		for _, v := range d.verdicts {
			again = append(again, v.it)
		}
		bad.refusal = subjects.Refuse(subjects.CodeInternal, "the command met a defect and was not carried out")
		return append(append(again, bad), rest...), nil
	}
	if len(d.verdicts) == 0 {
		return rest, nil
	}
	if err := a.settle(d); err != nil {
		a.f = nil
		again := make([]*item[C], 0, len(batch))
		for _, v := range d.verdicts {
			switch {
			case v.proven:
				a.e.answer(v.it, v.answer)
			case errors.Is(err, ErrFenced):
				again = append(again, v.it)
			default:
				a.refuse(v.it, refusalFor(err))
			}
		}
		return append(again, rest...), err
	}
	for _, v := range d.verdicts {
		if v.accepted {
			a.f.memory.add(v.it.key, first{epoch: v.answer.Epoch, rev: v.answer.Rev, at: v.answer.At})
		}
		if v.remember {
			a.recent.add(v.it.key, v.answer)
		}
		a.e.answer(v.it, v.answer)
	}
	if a.f.sinceSnapshot >= a.e.opt.SnapshotEvery {
		a.snapshot()
	}
	return rest, nil
}

func refusalFor(err error) *subjects.Refusal {
	if errors.Is(err, ErrTooLarge) {
		return subjects.Refuse(subjects.CodeTooLarge, "what the command would change is too large to be stored")
	}
	return subjects.Refuse(subjects.CodeUnavailable, "the log cannot be reached now")
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
		if d.bytes >= a.e.opt.BatchBytes {
			return d, batch[i:], nil
		}
		if err := a.decideOne(d, it); err != nil {
			return d, batch[i+1:], err
		}
	}
	return d, nil, nil
}

// decideOne gives one command its verdict, or sets it aside to be prepared.
func (a *actor[S, C, E]) decideOne(d *draft[C], it *item[C]) (poison error) {
	f := a.f
	it.call.At = d.now
	here := subjects.Answer{Command: it.call.Command, Epoch: f.Epoch, Rev: f.Rev, At: f.At}
	add := func(v verdict[C]) {
		v.it = it
		if d.seen != nil {
			d.seen[it.key] = len(d.verdicts)
		}
		d.verdicts = append(d.verdicts, v)
	}
	refuse := func(r *subjects.Refusal) {
		here.Refusal = r
		add(verdict[C]{answer: here, remember: r.Code.Final()})
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
	switch {
	case f.memory.forgotten(it.key):
		refuse(subjects.Refuse(subjects.CodeExpired, "the command's id is older than what is remembered here"))
		return nil
	case it.refusal != nil:
		refuse(it.refusal)
		return nil
	case f.Unknown != nil:
		add(verdict[C]{answer: subjects.Answer{Command: it.call.Command, Epoch: f.Epoch, Rev: f.Rev, At: f.At,
			Refusal: subjects.Refuse(subjects.CodeUpgrade, "the log holds events of a newer release")}})
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
	return a.judge(d, it, add, refuse)
}

// judge asks the machine.
func (a *actor[S, C, E]) judge(d *draft[C], it *item[C], add func(verdict[C]), refuse func(*subjects.Refusal)) (poison error) {
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
		add(verdict[C]{
			answer:   subjects.Answer{Command: it.call.Command, Epoch: f.Epoch, Rev: f.Rev, At: f.At},
			remember: it.reply != nil,
		})
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

// settle makes the batch's verdicts stand: it appends the commit, if there is one, and
// otherwise confirms that the state they were given on is the log's head.
func (a *actor[S, C, E]) settle(d *draft[C]) error {
	ctx := a.e.ctx
	if len(d.order) == 0 {
		if a.fresh {
			return nil // the load has read the head
		}
		for _, v := range d.verdicts {
			if !v.proven {
				head, err := a.e.j.Head(ctx, a.id)
				if err != nil {
					return err
				}
				if head.Seq != a.f.Seq {
					return ErrFenced
				}
				return nil
			}
		}
		return nil
	}
	if len(d.commit.Public.Events) > 0 && len(d.commit.Sealed) > 0 {
		// The order is spelled only where it is not "public, then sealed".
		if i := bytes.IndexByte(d.order, 's'); bytes.IndexByte(d.order[i:], 'p') >= 0 {
			d.commit.Order = string(d.order)
		}
	}
	patch, err := safely(func() (json.RawMessage, error) { return a.e.m.Patch(a.f.State, &a.marks) })
	if err != nil {
		return err
	}
	d.commit.Public.Patch = patch
	if a.buf, err = subjects.AppendCommit(a.buf[:0], &d.commit); err != nil {
		return err
	}
	if err := a.schedule(); err != nil {
		return err
	}
	seq, err := a.append(ctx, a.buf)
	if err != nil {
		return err
	}
	a.e.commits.Add(1)
	a.f.Epoch, a.f.Rev, a.f.Seq, a.f.At = d.commit.Epoch, d.commit.Rev, seq, d.commit.At
	a.f.sinceSnapshot++
	if cap(a.buf) > 1<<20 {
		a.buf = nil // an outlier is not kept for ever
	}
	return nil
}

// append stores the commit and finds out what became of it: an append without an answer
// is looked up at the log's head, and made again, at the same place, if it is not there.
// The fence lets only one of them in.
func (a *actor[S, C, E]) append(ctx context.Context, data []byte) (uint64, error) {
	seq, err := a.e.j.Append(ctx, a.id, data, a.f.Seq)
	if err == nil || errors.Is(err, ErrTooLarge) {
		return seq, err
	}
	uncertain := !errors.Is(err, ErrFenced)
	deadline := time.Now().Add(a.e.opt.Resolve)
	for pause := 10 * time.Millisecond; ; pause = min(pause*2, time.Second) {
		head, herr := a.e.j.Head(ctx, a.id)
		if herr == nil {
			switch {
			case head.Seq > a.f.Seq && bytes.Equal(head.Data, data):
				return head.Seq, nil // it is ours, whichever try it was
			case head.Seq != a.f.Seq:
				a.e.conflicts.Add(1)
				return 0, ErrFenced
			case !uncertain:
				// Fenced, and yet the head is where it was: a stale answer. Try again.
			}
			if seq, err = a.e.j.Append(ctx, a.id, data, a.f.Seq); err == nil {
				return seq, nil
			}
			uncertain = uncertain || !errors.Is(err, ErrFenced)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return 0, fmt.Errorf("%w: outcome of an append is not known: %w", ErrUnavailable, err)
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// snapshot stores the state beside the worker. A snapshot that cannot be stored is
// missing and no more: the next wake folds a longer tail.
func (a *actor[S, C, E]) snapshot() {
	data, err := safely(func() ([]byte, error) { return encodeSnapshot(a.e.m, a.f) })
	a.f.sinceSnapshot = 0
	if err != nil {
		a.e.opt.Log.Error("snapshot not made", "service", a.e.m.Service(), "id", a.id, "err", err)
		return
	}
	a.e.wg.Go(func() {
		if err := a.e.j.SaveSnapshot(a.e.ctx, a.id, data); err != nil {
			a.e.opt.Log.Warn("snapshot not stored", "service", a.e.m.Service(), "id", a.id, "bytes", len(data), "err", err)
			return
		}
		a.e.snapshots.Add(1)
	})
}
