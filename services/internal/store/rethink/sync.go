package rethink

import (
	"context"
	"errors"
	"fmt"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

var _ store.Syncer = (*Store)(nil)

// errRestarted says that nobody can tell whether what was written softly is still there.
var errRestarted = errors.New("the database may have died since it was last asked, and have lost soft writes")

// Sync implements store.Syncer. The database can only tell that what it has is on disk, and a
// server that was killed and is back has lost what it does not know of. So a connection to
// each of Config.Addresses is kept, and if one of them broke since the tables were last
// asked about, Sync answers ErrUnavailable once. What it cannot see is the death of a server
// that is not among the addresses, or stands behind another at one address: have several
// replicas of each table there.
func (s *Store) Sync(ctx context.Context, names ...string) error {
	syncs := make([]any, len(names))
	for i, name := range names {
		t, err := s.table(name)
		if err != nil {
			return err
		}
		syncs[i] = t.term.Sync()
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = s.one(ctx, r.Expr(syncs), r.RunOpts{}, new([]any))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// Afterwards: a server that answered as another than before has broken its connection.
	// And after an error too, which speaks for all that was written before.
	waiting, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	changed := s.witness.look(waiting, names)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case changed != nil:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, changed)
	}
	return nil
}

// absentFor is how long a server that could not be reached is left alone.
const absentFor = 30 * time.Second

// witness keeps a connection to each server, to know whether it is the process that it was.
type witness struct {
	dialer *dialer
	turn   chan struct{} // holds a token while somebody looks; it guards the rest

	links []*link     // by address; nil: it could not be reached
	tried []time.Time // by address, when last in vain
	life  uint64      // how often a connection was made or broke
	seen  map[string]uint64
}

func newWitness(d *dialer) *witness {
	return &witness{
		dialer: d, turn: make(chan struct{}, 1), seen: make(map[string]uint64),
		links: make([]*link, len(d.addresses)), tried: make([]time.Time, len(d.addresses)),
	}
}

// look returns nil if all servers are those that they were when these tables were last
// looked after, or if they never were.
func (w *witness) look(ctx context.Context, tables []string) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var problems []error
	present := 0
	for i := range w.links {
		if err := w.call(ctx, i); err != nil {
			problems = append(problems, err)
		}
		if w.links[i] != nil {
			present++
		}
	}
	if present == 0 {
		return fmt.Errorf("no server can be watched: %w", errors.Join(problems...))
	}
	same := true
	for _, t := range tables {
		life, before := w.seen[t]
		same = same && (!before || life == w.life)
		w.seen[t] = w.life
	}
	if !same {
		return errRestarted
	}
	return nil
}

// call asks one server for a sign of life, over the connection that there is or a new one.
func (w *witness) call(ctx context.Context, i int) error {
	if l := w.links[i]; l != nil {
		if l.alive(ctx) {
			return nil
		}
		l.close()
		w.links[i], w.tried[i] = nil, time.Time{}
		w.life++
	}
	if !w.tried[i].IsZero() && time.Since(w.tried[i]) < absentFor && w.others(i) {
		return nil
	}
	l, err := w.dialer.connect(ctx, w.dialer.addresses[i])
	if err != nil {
		w.tried[i] = time.Now()
		return fmt.Errorf("connect to %s: %w", w.dialer.addresses[i], err)
	}
	w.links[i] = l
	w.life++
	return nil
}

// others reports whether another server than i is watched.
func (w *witness) others(i int) bool {
	for j, l := range w.links {
		if j != i && l != nil {
			return true
		}
	}
	return false
}

// close ends the connections, when nobody looks any more.
func (w *witness) close() {
	for _, l := range w.links {
		if l != nil {
			l.close()
		}
	}
}
