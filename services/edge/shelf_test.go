package edge

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// shelf is the logs of one service, made up: Views and Live.
type shelf[S any] struct {
	mu     sync.Mutex
	fresh  func(id string) S
	views  map[string]View[S]
	reader map[string][]*browse[S]
	looks  int // calls of View
}

func newShelf[S any](fresh func(id string) S) *shelf[S] {
	return &shelf[S]{fresh: fresh, views: map[string]View[S]{}, reader: map[string][]*browse[S]{}}
}

type browse[S any] struct {
	of   *shelf[S]
	id   string
	sink Sink[S]
}

func (r *browse[S]) Sync(context.Context) error { return nil }

func (r *browse[S]) Stop() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.of.reader[r.id] = slices.DeleteFunc(r.of.reader[r.id], func(o *browse[S]) bool { return o == r })
}

func (s *shelf[S]) at(id string) View[S] {
	if v, ok := s.views[id]; ok {
		return v
	}
	return View[S]{State: s.fresh(id)}
}

func (s *shelf[S]) View(_ context.Context, id string, f func(View[S]) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return f(s.at(id))
}

func (s *shelf[S]) Follow(id string, sink Sink[S]) Following {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &browse[S]{s, id, sink}
	s.reader[id] = append(s.reader[id], r)
	sink.Lock()
	defer sink.Unlock()
	sink.Reset(s.at(id))
	return r
}

// put is an event and, if it is sealed, whom it is for.
type put[E any] struct {
	event E
	to    []string
}

// shelved is a state as commits change it.
type shelved[E any] interface {
	Apply(meta subjects.Meta, e E, m *subjects.Marks) error
}

// commitTo adds a commit to a log and tells who follows it.
func commitTo[S shelved[E], E interface{ EventType() string }](t testing.TB, s *shelf[S], id, by string, patch func(S) func([]string) (any, bool), events ...put[E]) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	readers := s.reader[id]
	for _, r := range readers {
		r.sink.Lock()
	}
	defer func() {
		for _, r := range readers {
			r.sink.Unlock()
		}
	}()
	v := s.at(id)
	v.Epoch, v.Rev, v.At = 1, v.Rev+1, noon.UnixMilli()
	c := subjects.Commit{Epoch: 1, Rev: v.Rev, At: v.At}
	var marks subjects.Marks
	for _, p := range events {
		body, err := json.Marshal(p.event)
		if err != nil {
			t.Fatal(err)
		}
		e := subjects.Event{Type: p.event.EventType(), By: by, At: v.At, Cmd: cmdID("c"), Body: body}
		if err := v.State.Apply(subjects.Meta{By: by, At: v.At, Cmd: e.Cmd, To: p.to}, p.event, &marks); err != nil {
			t.Fatal(err)
		}
		if p.to == nil {
			c.Public.Events = append(c.Public.Events, e)
			c.Order += "p"
		} else {
			c.Sealed = append(c.Sealed, subjects.Sealed{To: p.to, Event: e})
			c.Order += "s"
		}
	}
	var err error
	if c.Public.Patch, err = marks.Patch(patch(v.State)); err != nil {
		t.Fatal(err)
	}
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	s.views[id] = v
	for _, r := range readers {
		r.sink.Commit(v, data, &c)
	}
}

// signals implements Signals.
type signals struct {
	mu    sync.Mutex
	hears map[string][]func([]byte)
}

func (s *signals) Signal(subject string, data []byte) error {
	s.mu.Lock()
	hears := slices.Clone(s.hears[subject])
	s.mu.Unlock()
	for _, f := range hears {
		f(data)
	}
	return nil
}

func (s *signals) OnSignal(subject string, f func([]byte)) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hears == nil {
		s.hears = map[string][]func([]byte){}
	}
	i := len(s.hears[subject])
	s.hears[subject] = append(s.hears[subject], f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hears[subject][i] = func([]byte) {}
	}, nil
}
