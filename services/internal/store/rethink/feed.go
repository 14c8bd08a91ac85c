package rethink

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

const (
	// mostFeeds is how many feeds a store has open at most, each on a connection of its own.
	mostFeeds = 256
	// feedBytes bounds what a feed holds for its reader, in bytes of bodies.
	feedBytes = 64 << 20
	// silence is for how many heartbeats the server may say nothing.
	silence = 3
	// standstill is for how many heartbeats the server may live and not go on with the
	// initial documents. If its queue overflows before Ready, it keeps that to itself
	// until every shard of the table is written to again.
	standstill = 5
)

var (
	errOverflow = fmt.Errorf("%w: its reader fell behind and its buffer is full", store.ErrFeedLost)
	errCleared  = fmt.Errorf("%w: the table was cleared", store.ErrFeedLost)
	errSilent   = fmt.Errorf("%w: the server gives no sign of life", store.ErrFeedLost)
	errStuck    = fmt.Errorf("%w: the server does not come to the end of the initial documents", store.ErrFeedLost)
)

// feed implements store.Feed. One goroutine takes changes from the server as fast as
// they come, and keeps them for the reader; until Ready it waits for the reader instead,
// and the server keeps them. A second goroutine asks the server for a sign of life on
// the same connection. Breaking the connection off ends both.
type feed struct {
	store *Store
	table *table
	ctx   context.Context //nolint:containedctx // the life of the feed, as Changes says
	link  *link
	stop  func() bool   // stops waiting for ctx
	over  chan struct{} // closed when the feed has ended
	gone  chan struct{} // closed when its goroutines have

	seen atomic.Uint64 // how much the server has sent, whatever it was

	mu     sync.Mutex
	buffer []store.Change
	bytes  int
	ready  bool // Ready was put into the buffer
	err    error
	signal chan struct{} // holds one token when something was put into the buffer
	room   chan struct{} // holds one when something was taken out
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, name string) (store.Feed, error) {
	t, err := s.table(name)
	if err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	f := &feed{
		store: s, table: t, ctx: ctx,
		over: make(chan struct{}), gone: make(chan struct{}), signal: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	cursor, err := f.open(ctx)
	if err == nil {
		err = s.add(f)
	}
	if err != nil {
		if f.link != nil {
			f.link.close()
		}
		leave()
		return nil, err
	}
	f.stop = context.AfterFunc(ctx, func() { f.end(ctx.Err()) })
	go func() {
		defer leave()
		var listening sync.WaitGroup
		listening.Go(f.listen)
		f.read(cursor)
		listening.Wait()
		s.remove(f)
		close(f.gone)
	}()
	return f, nil
}

func (s *Store) add(f *feed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if len(s.feeds) >= mostFeeds {
		return fmt.Errorf("%w: %d feeds are open", store.ErrUnavailable, mostFeeds)
	}
	s.feeds[f] = struct{}{}
	return nil
}

func (s *Store) remove(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.feeds, f)
}

// open makes a connection and begins the feed on it.
func (f *feed) open(ctx context.Context) (*r.Cursor, error) {
	waiting, cancel := context.WithTimeout(ctx, f.store.config.Patience)
	defer cancel()
	var err error
	if f.link, err = f.store.dialer.dial(waiting); err != nil {
		return nil, f.store.failed(ctx, waiting, err)
	}
	inTime := context.AfterFunc(waiting, f.link.close)
	cursor, err := f.link.run(
		f.table.term.Without("x", "s").Changes(r.ChangesOpts{IncludeInitial: true, IncludeStates: true, IncludeTypes: true, Squash: false}),
		r.RunOpts{ChangefeedQueueSize: f.store.config.FeedQueue})
	if !inTime() && err == nil {
		err = errSilent
	}
	if err != nil {
		return nil, f.store.failed(ctx, waiting, err)
	}
	return cursor, nil
}

// read takes what the server sends, until the feed ends.
func (f *feed) read(cursor *r.Cursor) {
	for {
		text, ok := cursor.NextResponse()
		if !ok {
			f.end(lost(cursor.Err()))
			return
		}
		f.seen.Add(1)
		change, relevant, err := parseChange(text)
		switch {
		case err != nil:
			f.end(err)
			return
		case relevant && !f.offer(change):
			return
		}
	}
}

// lost is what the reader of a feed learns, who also tells the log.
func lost(err error) error {
	if err == nil {
		return fmt.Errorf("%w: the server ended it", store.ErrFeedLost)
	}
	return fmt.Errorf("%w: %s", store.ErrFeedLost, told(err))
}

// parseChange reads what the server sends; not all of it is a change.
func parseChange(text []byte) (change store.Change, relevant bool, err error) {
	var sent struct {
		Type  string          `json:"type"`
		State string          `json:"state"`
		Error string          `json:"error"`
		New   json.RawMessage `json:"new_val"`
		Old   json.RawMessage `json:"old_val"`
	}
	if err := json.Unmarshal(text, &sent); err != nil {
		return change, false, fmt.Errorf("%w: %w", store.ErrFeedLost, err)
	}
	switch {
	case sent.Error != "":
		// The server's buffer overflowed, and it goes on as if nothing had happened.
		return change, false, fmt.Errorf("%w: %s", store.ErrFeedLost, sent.Error)
	case sent.Type == "state":
		change.Kind = store.Ready
		return change, sent.State == "ready", nil
	case sent.Type == "initial":
		change.Kind = store.Initial
	default:
		change.Kind = store.Changed
	}
	if isNull(sent.New) {
		return change, false, errCleared // nothing else removes a row
	}
	if change.New, err = parseRow(sent.New); err != nil {
		return change, false, fmt.Errorf("%w: %w", store.ErrFeedLost, err)
	}
	if change.Kind == store.Initial || isNull(sent.Old) {
		return change, true, nil
	}
	if change.Old, err = parseRow(sent.Old); err != nil {
		return change, false, fmt.Errorf("%w: %w", store.ErrFeedLost, err)
	}
	// A row that was only entered into indexes is no news.
	return change, change.New.Version != change.Old.Version, nil
}

func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// listen asks the server for a sign of life now and then, until the feed ends.
func (f *feed) listen() {
	interval := f.store.config.Heartbeat
	beat := r.DB(f.store.config.Database).Table(beatTable).Get(beatTable)
	timer := time.NewTimer(interval)
	defer timer.Stop()
	var seen uint64
	for still := 0; still < standstill; {
		select {
		case <-f.over:
			return
		case <-timer.C:
		}
		patience := time.AfterFunc(silence*interval, func() { f.end(errSilent) })
		_, err := f.link.one(beat, r.RunOpts{})
		patience.Stop()
		if err != nil && !answered(err) { // that the row is not to be had is a sign too
			f.end(lost(err))
			return
		}
		still++
		if now := f.seen.Load(); now != seen || !f.expecting() {
			seen, still = now, 0
		}
		timer.Reset(interval)
	}
	f.end(errStuck)
}

// expecting reports whether it is the server's turn to go on with the initial documents.
func (f *feed) expecting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.ready && len(f.buffer) == 0
}

// offer puts a change into the buffer, and reports whether the feed goes on. A full
// buffer ends it, but for initial documents, which wait for the reader.
func (f *feed) offer(change store.Change) bool {
	for {
		full, waits := f.put(change)
		switch {
		case !full:
			return true
		case !waits:
			f.end(errOverflow)
			return false
		}
		select {
		case <-f.room:
		case <-f.over:
			return false
		}
	}
}

func (f *feed) put(change store.Change) (full, waits bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := sizeOf(change)
	if len(f.buffer) >= f.store.config.FeedBuffer || f.bytes+size > feedBytes && len(f.buffer) > 0 {
		return true, !f.ready
	}
	f.buffer = append(f.buffer, change)
	f.bytes += size
	f.ready = f.ready || change.Kind == store.Ready
	token(f.signal)
	return false, false
}

func sizeOf(change store.Change) int {
	n := 0
	if change.Old != nil {
		n += len(change.Old.Body)
	}
	if change.New != nil {
		n += len(change.New.Body)
	}
	return n
}

func token(into chan struct{}) {
	select {
	case into <- struct{}{}:
	default:
	}
}

// end ends the feed with err, unless it has ended before.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.err = err
	f.buffer = nil
	close(f.over)
	f.link.close()
}

// Close implements store.Feed.
func (f *feed) Close() error {
	f.stop()
	f.end(store.ErrClosed)
	<-f.gone
	return nil
}

// Next implements store.Feed.
func (f *feed) Next(ctx context.Context) (store.Change, error) {
	for {
		if err := ctx.Err(); err != nil {
			return store.Change{}, err
		}
		if err := f.ctx.Err(); err != nil {
			f.end(err)
		}
		change, ok, err := f.take()
		if err != nil || ok {
			return change, err
		}
		select {
		case <-f.signal:
		case <-f.over:
		case <-ctx.Done():
		}
	}
}

// take takes the oldest change out of the buffer, if there is one.
func (f *feed) take() (change store.Change, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return store.Change{}, false, f.err
	}
	if len(f.buffer) == 0 {
		return store.Change{}, false, nil
	}
	change = f.buffer[0]
	f.buffer[0] = store.Change{}
	f.buffer = f.buffer[1:]
	f.bytes -= sizeOf(change)
	token(f.room)
	return change, true, nil
}
