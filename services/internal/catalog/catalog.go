package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/tuttihq/tutti/services/internal/catalog/demo"
	"github.com/tuttihq/tutti/subjects"
)

// Track is what a resolution yields.
type Track = subjects.Track

// Source is one place where tracks come from. Implementations are safe for use by many
// goroutines at once.
type Source interface {
	// Match reports whether ref, which is trimmed and at most subjects.MaxTrackRef
	// bytes, belongs to this source, and if so its track id. It looks at the text
	// alone: the track need not exist. Match of the id it returned gives the same id.
	Match(ref string) (id string, ok bool)
	// Resolve fetches the track that ref names; Match took ref before. The track's ID
	// is the one Match gave, its Title is not empty and its DurationMs is above zero.
	// Errors wrap the sentinels of this package. Resolve returns soon after ctx ends.
	Resolve(ctx context.Context, ref string) (Track, error)
}

// Lister is a Source whose tracks can be browsed.
type Lister interface {
	// List returns at most limit tracks whose title, artist or id contains query,
	// ignoring case; an empty query matches all. The order is stable.
	List(ctx context.Context, query string, limit int) ([]Track, error)
}

// Result is the outcome for one of several texts.
type Result struct {
	Ref   string
	Track Track // only if Err is nil
	Err   error
}

// Catalog resolves texts through its sources and remembers the answers. It is safe for
// use by many goroutines at once. Close it when done.
type Catalog struct {
	cfg     Config
	sources []Source
	library *demo.Library
	closers []func()

	cache  *lru.Cache[string, answer] // by track id
	flight singleflight.Group         // by track id
	places *places

	base   context.Context // ends at Close
	stop   context.CancelFunc
	mu     sync.Mutex // guards closed, and running.Add against Close
	closed bool
	// running counts the resolutions under way; Close waits for them.
	running sync.WaitGroup
}

// answer is one remembered outcome: a track or a final refusal.
type answer struct {
	track   Track
	err     error
	expires time.Time
}

// New returns a Catalog with the sources that cfg turns on, or what Validate says.
func New(cfg Config) (*Catalog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var (
		sources []Source
		library *demo.Library
		closers []func()
	)
	if cfg.Demo.Enabled {
		library = demo.NewLibrary(cfg.Demo.CachedPieces)
		sources = append(sources, &demoSource{library: library, path: cfg.Demo.Path})
	}
	yt := newYouTube(cfg.YouTube)
	sources = append(sources, yt)
	closers = append(closers, yt.close)
	if cfg.URL.Enabled {
		u := newURLSource(cfg.URL)
		sources = append(sources, u)
		closers = append(closers, u.close)
	}
	c, err := NewFrom(cfg, sources...)
	if err != nil {
		return nil, err
	}
	c.library, c.closers = library, closers
	return c, nil
}

// NewFrom returns a Catalog over the given sources, asked in that order; of cfg only the
// settings outside Demo, URL and YouTube matter. It is for sources of one's own and for
// tests.
func NewFrom(cfg Config, sources ...Source) (*Catalog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cache, err := lru.New[string, answer](cfg.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("catalog.cache_size: %w", err)
	}
	base, stop := context.WithCancel(context.Background())
	return &Catalog{
		cfg:     cfg,
		sources: sources,
		cache:   cache,
		places:  newPlaces(cfg.Parallel),
		base:    base,
		stop:    stop,
	}, nil
}

// Close ends the resolutions under way, waits for them and drops idle connections.
// After it every Resolve returns ErrClosed. Calling it again does nothing.
func (c *Catalog) Close() {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
	if again {
		return
	}
	for _, f := range c.closers {
		f()
	}
}

// Demo is the library behind the demo tracks, from which the edge serves their sound
// and pictures; nil if they are turned off.
func (c *Catalog) Demo() *demo.Library { return c.library }

// Match returns the track id that ref would resolve to, without fetching anything. It
// is how a caller tells that two texts name one track.
func (c *Catalog) Match(ref string) (id string, ok bool) {
	_, _, id, ok = c.match(ref)
	return id, ok
}

func (c *Catalog) match(ref string) (s Source, trimmed, id string, ok bool) {
	ref = strings.TrimSpace(ref)
	if ref == "" || len(ref) > subjects.MaxTrackRef {
		return nil, "", "", false
	}
	for _, s := range c.sources {
		if id, ok := s.Match(ref); ok {
			return s, ref, id, true
		}
	}
	return nil, "", "", false
}

// Resolve turns what a person typed into a track. Callers that ask for one track at the
// same time share one fetch; a caller that leaves does not disturb the others. It
// returns ctx's error if ctx ends first, and otherwise an error that wraps one of the
// sentinels.
func (c *Catalog) Resolve(ctx context.Context, ref string) (Track, error) {
	source, ref, id, ok := c.match(ref)
	if !ok {
		return Track{}, fmt.Errorf("%w: give a demo track such as demo:aurora, a link to a media file, or a YouTube link", ErrUnknown)
	}
	if err := ctx.Err(); err != nil {
		return Track{}, err
	}
	if a, ok := c.cache.Get(id); ok && time.Now().Before(a.expires) {
		return a.track, a.err
	}
	if !c.begin() {
		return Track{}, ErrClosed
	}
	defer c.running.Done()
	key := id
	if bareHash(ref, id) { // it will be refused; somebody may be giving the address
		key = "bare " + id
	}
	wait := c.flight.DoChan(key, func() (any, error) {
		if !c.begin() {
			return nil, ErrClosed
		}
		defer c.running.Done()
		return c.fetch(source, ref, id)
	})
	select {
	case r := <-wait:
		if r.Err != nil {
			return Track{}, r.Err
		}
		return r.Val.(Track), nil
	case <-ctx.Done():
		return Track{}, ctx.Err()
	}
}

// begin counts a resolution, unless the Catalog is closed.
func (c *Catalog) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

// fetch asks the source within the bounds and remembers a lasting answer.
func (c *Catalog) fetch(source Source, ref, id string) (Track, error) {
	ctx, cancel := context.WithTimeout(c.base, c.cfg.Timeout)
	defer cancel()
	if _, local := source.(Local); !local {
		var host string
		if h, ok := source.(Hosted); ok {
			host = h.Host(ref)
		}
		leave, err := c.places.take(ctx, host)
		if err != nil {
			return Track{}, c.ended("too many tracks are being looked up")
		}
		defer leave()
	}
	t, err := ask(ctx, source, ref, id)
	if err == nil {
		err = c.check(t, id)
	}
	if err != nil {
		if ctx.Err() != nil {
			return Track{}, c.ended("it took longer than " + c.cfg.Timeout.String())
		}
		if lasting(err) && !bareHash(ref, id) && c.cfg.RefusalTTL > 0 {
			c.cache.Add(id, answer{err: err, expires: time.Now().Add(c.cfg.RefusalTTL)})
		}
		return Track{}, err
	}
	c.cache.Add(id, answer{track: t, expires: time.Now().Add(c.cfg.CacheTTL)})
	return t, nil
}

// ask has the source resolve ref. Sources read files that strangers made, and singleflight
// would end the process over a panic: here it ends one resolution, for good, and is logged
// as the defect it is, by the track's id alone.
func ask(ctx context.Context, source Source, ref, id string) (t Track, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("catalog: a source panicked", "source", fmt.Sprintf("%T", source), "track", id, "panic", p, "stack", string(debug.Stack()))
			t, err = Track{}, fmt.Errorf("%w: it cannot be read", ErrNotMedia)
		}
	}()
	return source.Resolve(ctx, ref)
}

// bareHash reports whether ref is the id of an address without the address. That it is
// refused says nothing about the address.
func bareHash(ref, id string) bool { return ref == id && strings.HasPrefix(id, urlPrefix) }

func (c *Catalog) ended(why string) error {
	if c.base.Err() != nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, why)
}

// check holds a source to its promise, and the track to the operator's limit.
func (c *Catalog) check(t Track, id string) error {
	switch {
	case t.ID != id || !validID(id):
		return fmt.Errorf("%w: the source answered for %q when asked for %q", ErrUnavailable, t.ID, id)
	case t.Title == "" || t.DurationMs <= 0:
		return fmt.Errorf("%w: it does not state how long it is", ErrNotMedia)
	case t.DurationMs > c.cfg.MaxDuration.Milliseconds():
		return fmt.Errorf("%w: longer than %v", ErrTooLarge, c.cfg.MaxDuration)
	}
	return nil
}

// ResolveAll resolves each of refs and returns the outcomes in the order of refs. A text
// given twice is fetched once. At a time it has at most a quarter of Config.Parallel under
// way (but one in any case), so that a long list leaves places to others; local sources
// are not counted and come first.
func (c *Catalog) ResolveAll(ctx context.Context, refs []string) []Result {
	out := make([]Result, len(refs))
	resolve := func(i int) {
		t, err := c.Resolve(ctx, refs[i])
		out[i] = Result{Ref: refs[i], Track: t, Err: err}
	}
	var far []int
	for i, ref := range refs {
		if s, _, _, ok := c.match(ref); ok {
			if _, local := s.(Local); !local {
				far = append(far, i)
				continue
			}
		}
		resolve(i)
	}
	var g errgroup.Group
	g.SetLimit(max(1, c.cfg.Parallel/4))
	for _, i := range far {
		g.Go(func() error {
			resolve(i)
			return nil
		})
	}
	_ = g.Wait() // its functions return nil; each outcome carries its own error
	return out
}

// List browses the sources that can be browsed, in their order, up to limit tracks. A
// source that fails leaves the tracks of the others; if nothing was found and one
// failed, its error is returned.
func (c *Catalog) List(ctx context.Context, query string, limit int) ([]Track, error) {
	var (
		out  []Track
		errs []error
	)
	for _, s := range c.sources {
		l, ok := s.(Lister)
		if !ok || len(out) >= limit {
			continue
		}
		ts, err := l.List(ctx, query, limit-len(out))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, ts...)
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, errors.Join(errs...)
}

// validID reports whether id keeps the contract's form for track ids.
func validID(id string) bool {
	if id == "" || len(id) > subjects.MaxTrackID {
		return false
	}
	for _, b := range []byte(id) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == ':', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}
