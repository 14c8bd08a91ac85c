package aggregate

import (
	"fmt"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// An aggregate's timer is kept twice: exact in the process, while the owner lives, and as
// a schedule on the server, for when it does not.

const (
	// owedPause is how long a wake that failed waits before it is tried again, and the
	// longest pause between wakes that change nothing.
	owedPause = time.Second
	// overduePause is the shortest time between two wakes.
	overduePause = 2 * time.Millisecond
	// scheduleEarly is how much too early the server may deliver a schedule, in
	// milliseconds.
	scheduleEarly = 1000
)

// alarm is an actor's timer in this process; the actor's mu guards it.
type alarm struct {
	timer *time.Timer
	// set is the time that timer stands for, in Unix milliseconds; alarmOwed for a wake
	// that is owed.
	set int64
	// generation tells a timer that was stopped too late from the present one.
	generation uint64
	// waking is set while a wake is queued or at work.
	waking bool
	// owed is set while the time of the next wake is not known, because the state was
	// dropped: a wake finds out.
	owed bool
	// fired is what the last wake stood for, and pause how long the next one waits if that
	// was of no use: the same time is due again.
	fired int64
	pause time.Duration
}

const alarmOwed = -1

func (l *alarm) stop() {
	l.generation++
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// nextTimer asks the machine when the aggregate wants to be woken.
func (a *actor[S, C, E]) nextTimer() (at int64, ok bool) {
	if a.f == nil || a.f.Unknown != nil {
		return 0, false
	}
	defer func() {
		if p := recover(); p != nil {
			a.e.opt.Log.Error("next timer panicked", a.e.m.Service(), a.id, "panic", p)
			at, ok = 0, false
		}
	}()
	return a.e.m.NextTimer(a.f.State)
}

// schedule has the server wake the aggregate at its next timer. One that is due within
// the time that the server may be early, or overdue, is scheduled for a little later: a
// schedule for its own second may just have been delivered.
func (a *actor[S, C, E]) schedule() error {
	at, ok := a.nextTimer()
	if !ok {
		return nil
	}
	now := a.now()
	second := (at + 999) / 1000
	if soon := now + scheduleEarly; at > soon {
		if second == a.scheduled {
			return nil
		}
	} else {
		if due := a.scheduled * 1000; due >= at && due > soon {
			return nil
		}
		second = (max(at, now)+999)/1000 + 1
	}
	if err := a.e.j.Schedule(a.e.ctx, a.id, time.Unix(second, 0)); err != nil {
		return fmt.Errorf("aggregate: timer of %s: %w", a.id, err)
	}
	a.scheduled = second
	a.e.counters.scheduled.Add(1)
	return nil
}

// arm sets the timer of this process. a.mu is held, by the worker.
func (a *actor[S, C, E]) arm() {
	l := &a.alarm
	if l.waking {
		return // when it is answered
	}
	at, ok := a.nextTimer()
	if a.f == nil && a.lost != (place{}) {
		l.owed = true
	}
	if l.owed {
		at, ok = alarmOwed, true
	}
	if !ok {
		l.stop()
		return
	}
	if l.timer != nil && l.set == at {
		return // not anew: a busy aggregate would put it off for ever
	}
	l.stop()
	d := owedPause
	if !l.owed {
		d = time.Duration(at-a.now()) * time.Millisecond
		if d > a.e.opt.StayUp {
			return // asleep by then; the scheduled wake comes through the queue
		}
		if d <= 0 && at == l.fired {
			l.pause = min(l.pause*2, owedPause)
		} else {
			l.pause = overduePause
		}
		d = max(d, l.pause)
	}
	l.set = at
	generation := l.generation
	l.timer = time.AfterFunc(d, func() { a.fire(generation) })
}

// fire queues a wake, unless its timer was stopped.
func (a *actor[S, C, E]) fire(generation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &a.alarm
	if a.retired || l.generation != generation {
		return
	}
	l.fired, l.timer = l.set, nil
	id := subjects.NewID(subjects.PrefixCommand, a.e.opt.Now())
	key, err := keyOf(subjects.System, id)
	if err != nil {
		return
	}
	l.owed, l.waking = false, true
	a.e.taken.Add(1)
	a.e.wakes.Add(1)
	a.enter(&item[C]{
		call: Call{ID: a.id, Verb: subjects.VerbWake, Principal: subjects.System, Command: id},
		cmd:  a.e.m.Wake(), key: key, queued: true, own: true,
	})
}

// woken notes that the wake which fire queued is answered. If it failed, so that the
// state is gone, arm sees to another.
func (a *actor[S, C, E]) woken() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarm.waking = false
}
