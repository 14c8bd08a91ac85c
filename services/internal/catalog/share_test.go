package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/catalog"
)

// near is a shelf in memory, far one whose tracks "x:<host>/<name>" are on hosts.
type (
	near struct{ shelf }
	far  struct{ shelf }
)

func (n *near) Match(ref string) (string, bool) { return ref, strings.HasPrefix(ref, "n:") }
func (n *near) Local()                          {}

func (f *far) Match(ref string) (string, bool) {
	return strings.ReplaceAll(ref, "/", "-"), strings.HasPrefix(ref, "x:")
}
func (f *far) Host(ref string) string { return strings.SplitN(ref, "/", 2)[0] }

// stuck never answers.
func stuck(ctx context.Context, _ string) (catalog.Track, error) {
	<-ctx.Done()
	return catalog.Track{}, ctx.Err()
}

func TestOneLongListLeavesPlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{resolve: func(ctx context.Context, ref string) (catalog.Track, error) {
			if strings.HasPrefix(ref, "x:slow") {
				return stuck(ctx, ref)
			}
			return track(ref), nil
		}}
		for parallel, most := range map[int]int64{1: 1, 3: 1, 8: 2, 32: 8} {
			cfg := catalog.DefaultConfig()
			cfg.Parallel = parallel
			s.most.Store(0)
			c := newFrom(t, cfg, &near{}, s)
			refs := make([]string, 40)
			for i := range refs {
				refs[i] = fmt.Sprint("x:slow", i)
			}
			refs[39] = "n:last"
			var got []catalog.Result
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { got = c.ResolveAll(ctx, refs) })
			synctest.Wait()
			if n := s.most.Load(); n != most {
				t.Errorf("of %d places one list has %d, want %d", parallel, n, most)
			}
			start := time.Now()
			if _, err := c.Resolve(t.Context(), "x:quick"); parallel > 1 && (err != nil || time.Since(start) > 0) {
				t.Errorf("beside a long list: %v after %v", err, time.Since(start))
			}
			cancel()
			wg.Wait()
			if r := got[39]; r.Err != nil || r.Track != track("n:last") {
				t.Errorf("a track in memory at the end of the list: %+v", r)
			}
			c.Close()
		}
	})
}

func TestLocalSourcesTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := catalog.DefaultConfig()
		cfg.Parallel = 1
		c := newFrom(t, cfg, &near{}, &shelf{resolve: stuck})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Resolve(t.Context(), "x:a") })
		synctest.Wait()
		start := time.Now()
		if _, err := c.Resolve(t.Context(), "n:a"); err != nil || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		for _, r := range c.ResolveAll(t.Context(), []string{"n:b", "n:c"}) {
			if r.Err != nil || time.Since(start) > 0 {
				t.Errorf("%+v after %v", r, time.Since(start))
			}
		}
		wg.Wait()
		c.Close()
	})
}

func TestOneHostHasTwoPlacesWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &far{shelf{resolve: func(ctx context.Context, ref string) (catalog.Track, error) {
			if strings.HasPrefix(ref, "x:tar/") {
				return stuck(ctx, ref)
			}
			return track(strings.ReplaceAll(ref, "/", "-")), nil
		}}}
		c := newFrom(t, catalog.DefaultConfig(), s)
		var wg sync.WaitGroup
		for list := range 6 {
			wg.Go(func() {
				for _, r := range c.ResolveAll(t.Context(), []string{fmt.Sprintf("x:tar/%da", list), fmt.Sprintf("x:tar/%db", list)}) {
					if !errors.Is(r.Err, catalog.ErrUnavailable) {
						t.Errorf("%+v", r)
					}
				}
			})
		}
		synctest.Wait()
		if n := s.now.Load(); n != 2 {
			t.Errorf("%d at once on one host, want 2", n)
		}
		start := time.Now()
		if _, err := c.Resolve(t.Context(), "x:fine/a"); err != nil || time.Since(start) > 0 {
			t.Errorf("another host: %v after %v", err, time.Since(start))
		}
		wg.Wait()
		c.Close()
	})
}

func TestAPanicInASourceEndsOneResolution(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	s := &shelf{resolve: func(_ context.Context, ref string) (catalog.Track, error) {
		if ref == "x:bad" {
			panic("the inside story")
		}
		return track(ref), nil
	}}
	cfg := catalog.DefaultConfig()
	cfg.Parallel = 1
	c := newFrom(t, cfg, s)
	for range 2 {
		_, err := c.Resolve(t.Context(), "x:bad")
		if !errors.Is(err, catalog.ErrNotMedia) || strings.Contains(err.Error(), "story") {
			t.Errorf("got %v", err)
		}
	}
	if s.calls.Load() != 1 {
		t.Error("the source was asked again at once")
	}
	if _, err := c.Resolve(t.Context(), "x:good"); err != nil {
		t.Errorf("its place was not given back: %v", err)
	}
	if !strings.Contains(log.String(), "the inside story") {
		t.Error("the defect is not in the log")
	}
}
