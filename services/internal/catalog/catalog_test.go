package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a source of tracks "x:<name>" that answers as it is told.
type shelf struct {
	resolve func(ctx context.Context, ref string) (catalog.Track, error)
	calls   atomic.Int64
	now     atomic.Int64
	most    atomic.Int64
}

func (s *shelf) Match(ref string) (string, bool) { return ref, strings.HasPrefix(ref, "x:") }

func (s *shelf) Resolve(ctx context.Context, ref string) (catalog.Track, error) {
	s.calls.Add(1)
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	if s.resolve != nil {
		return s.resolve(ctx, ref)
	}
	return track(ref), nil
}

func track(id string) catalog.Track {
	return catalog.Track{ID: id, Provider: "x", Title: "T " + id, DurationMs: 1000, URL: "https://x.example/" + id}
}

func newFrom(t *testing.T, cfg catalog.Config, s ...catalog.Source) *catalog.Catalog {
	t.Helper()
	c, err := catalog.NewFrom(cfg, s...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestResolveRemembersForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		c := newFrom(t, catalog.DefaultConfig(), s)
		for range 3 {
			got, err := c.Resolve(t.Context(), "  x:a ")
			if err != nil || got != track("x:a") {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		if n := s.calls.Load(); n != 1 {
			t.Errorf("asked the source %d times, want once", n)
		}
		time.Sleep(catalog.DefaultConfig().CacheTTL)
		if _, err := c.Resolve(t.Context(), "x:a"); err != nil || s.calls.Load() != 2 {
			t.Errorf("after its time: %v, %d calls", err, s.calls.Load())
		}
		c.Close()
	})
}

func TestRefusalsAreRememberedBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			err  error
			want int64 // calls for two questions
		}{
			{catalog.ErrUnknown, 1}, {catalog.ErrNotMedia, 1}, {catalog.ErrTooLarge, 1}, {catalog.ErrForbiddenAddress, 1},
			{catalog.ErrUnavailable, 2}, {catalog.ErrUnconfigured, 2},
		} {
			s := &shelf{resolve: func(context.Context, string) (catalog.Track, error) {
				return catalog.Track{}, fmt.Errorf("%w: so", c.err)
			}}
			cat := newFrom(t, catalog.DefaultConfig(), s)
			for range 2 {
				if _, err := cat.Resolve(t.Context(), "x:a"); !errors.Is(err, c.err) {
					t.Errorf("%v, want %v", err, c.err)
				}
			}
			if n := s.calls.Load(); n != c.want {
				t.Errorf("%v: %d calls, want %d", c.err, n, c.want)
			}
			time.Sleep(catalog.DefaultConfig().RefusalTTL)
			_, _ = cat.Resolve(t.Context(), "x:a")
			if n := s.calls.Load(); n != c.want+1 {
				t.Errorf("%v: not asked again after its time", c.err)
			}
			cat.Close()
		}
	})
}

func TestCallersShareOneFetchAndMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{resolve: func(ctx context.Context, ref string) (catalog.Track, error) {
			select {
			case <-time.After(time.Second):
				return track(ref), nil
			case <-ctx.Done():
				return catalog.Track{}, ctx.Err()
			}
		}}
		c := newFrom(t, catalog.DefaultConfig(), s)
		var wg sync.WaitGroup
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := c.Resolve(ctx, "x:a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		for range 5 {
			wg.Go(func() {
				if got, err := c.Resolve(t.Context(), "x:a"); err != nil || got != track("x:a") {
					t.Errorf("who stayed got %+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		c.Close()
	})
}

func TestTimeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{resolve: func(ctx context.Context, _ string) (catalog.Track, error) {
			<-ctx.Done()
			return catalog.Track{}, ctx.Err()
		}}
		cfg := catalog.DefaultConfig()
		cfg.Parallel = 1
		c := newFrom(t, cfg, s)
		var wg sync.WaitGroup
		for i := range 2 { // the second one waits for a place until its time is up
			wg.Go(func() {
				if _, err := c.Resolve(t.Context(), fmt.Sprint("x:", i)); !errors.Is(err, catalog.ErrUnavailable) || !catalog.Retryable(err) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		c.Close()
	})
}

func TestResolveAllKeepsOrderWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{resolve: func(_ context.Context, ref string) (catalog.Track, error) {
			time.Sleep(time.Duration(len(ref)) * time.Second / 10)
			if ref == "x:7" {
				return catalog.Track{}, catalog.ErrNotMedia
			}
			return track(ref), nil
		}}
		cfg := catalog.DefaultConfig()
		cfg.Parallel = 12
		c := newFrom(t, cfg, s)
		var refs []string
		for i := range 20 {
			refs = append(refs, fmt.Sprint("x:", i))
		}
		refs = append(refs, "nobody's", "x:3")
		got := c.ResolveAll(t.Context(), refs)
		for i, r := range got {
			switch {
			case r.Ref != refs[i]:
				t.Errorf("place %d holds %q", i, r.Ref)
			case r.Ref == "x:7" && !errors.Is(r.Err, catalog.ErrNotMedia), r.Ref == "nobody's" && !errors.Is(r.Err, catalog.ErrUnknown):
				t.Errorf("%q: %v", r.Ref, r.Err)
			case r.Ref != "x:7" && r.Ref != "nobody's" && r.Track != track(r.Ref):
				t.Errorf("%q: %+v, %v", r.Ref, r.Track, r.Err)
			}
		}
		if n := s.most.Load(); n != 3 {
			t.Errorf("%d at once, want a quarter of 12", n)
		}
		if n := s.calls.Load(); n != 20 {
			t.Errorf("%d fetches for 20 tracks", n)
		}
		if got := c.ResolveAll(t.Context(), nil); len(got) != 0 {
			t.Errorf("%v", got)
		}
		c.Close()
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{resolve: func(ctx context.Context, _ string) (catalog.Track, error) {
			<-ctx.Done()
			return catalog.Track{}, ctx.Err()
		}}
		c := newFrom(t, catalog.DefaultConfig(), s)
		done := make(chan error, 1)
		go func() {
			_, err := c.Resolve(context.Background(), "x:a")
			done <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-done; !errors.Is(err, catalog.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if _, err := c.Resolve(t.Context(), "x:b"); !errors.Is(err, catalog.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		c.Close()
	})
}

func TestCacheIsBounded(t *testing.T) {
	s := &shelf{}
	cfg := catalog.DefaultConfig()
	cfg.CacheSize = 2
	c := newFrom(t, cfg, s)
	for _, ref := range []string{"x:1", "x:2", "x:3", "x:2", "x:3", "x:1"} {
		if _, err := c.Resolve(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.calls.Load(); n != 4 {
		t.Errorf("%d fetches, want 4", n)
	}
}

func TestSourcesAreHeldToTheirPromise(t *testing.T) {
	for name, c := range map[string]struct {
		give catalog.Track
		want error
	}{
		"another track": {track("x:b"), catalog.ErrUnavailable},
		"no title":      {catalog.Track{ID: "x:a", DurationMs: 1}, catalog.ErrNotMedia},
		"no length":     {catalog.Track{ID: "x:a", Title: "t"}, catalog.ErrNotMedia},
		"endless":       {catalog.Track{ID: "x:a", Title: "t", DurationMs: 1 << 40}, catalog.ErrTooLarge},
	} {
		s := &shelf{resolve: func(context.Context, string) (catalog.Track, error) { return c.give, nil }}
		if _, err := newFrom(t, catalog.DefaultConfig(), s).Resolve(t.Context(), "x:a"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestDemoTracks(t *testing.T) {
	c, err := catalog.New(catalog.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := c.List(t.Context(), "", 100)
	if err != nil || len(all) < 6 {
		t.Fatalf("%d demo tracks, %v", len(all), err)
	}
	for _, want := range all {
		got, err := c.Resolve(t.Context(), want.ID)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", want.ID, got, err)
		}
		if want.URL != "/media/demo/"+strings.TrimPrefix(want.ID, "demo:")+".wav" || !strings.HasSuffix(want.ArtworkURL, ".svg") || want.Provider != "demo" || want.DurationMs < 20_000 {
			t.Errorf("%+v", want)
		}
	}
	if got, err := c.Resolve(t.Context(), "Demo:AURORA"); err != nil || got.Title != "Aurora" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Resolve(t.Context(), "demo:nothing"); !errors.Is(err, catalog.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if got, _ := c.List(t.Context(), "tRaM", 5); len(got) != 1 || got[0].ID != "demo:night-tram" {
		t.Errorf("%+v", got)
	}
	if got, _ := c.List(t.Context(), "", 2); len(got) != 2 {
		t.Errorf("%d tracks, want the limit 2", len(got))
	}
	if _, _, _, err := c.Demo().Open("nothing"); !errors.Is(err, catalog.ErrNoPiece) {
		t.Errorf("%v", err)
	}
	r, _, size, err := c.Demo().Artwork("aurora")
	if b, _ := io.ReadAll(r); err != nil || int64(len(b)) != size {
		t.Errorf("%v", err)
	}
}

func TestNonsenseIsUnknown(t *testing.T) {
	c, err := catalog.New(catalog.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, ref := range []string{"", "   ", "hello", "demo:", "yt:short", "url:short", "ftp://x.example/a.mp3", "file:///etc/passwd",
		"javascript:alert(1)", "http://", "https://:80/", "http:opaque", "demo:a b", strings.Repeat("a", subjects.MaxTrackRef+1)} {
		if id, ok := c.Match(ref); ok {
			t.Errorf("%q matches as %q", ref, id)
		}
		if _, err := c.Resolve(t.Context(), ref); !errors.Is(err, catalog.ErrUnknown) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestConfigReportsEveryProblem(t *testing.T) {
	if err := catalog.DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := catalog.Config{
		Demo:    catalog.DemoConfig{Enabled: true, Path: "media/"},
		URL:     catalog.URLConfig{Enabled: true, MaxRedirects: -1},
		YouTube: catalog.YouTubeConfig{BaseURL: "nowhere", APIKey: "two words"},
	}
	err := bad.Validate()
	for _, name := range []string{"timeout", "parallel", "cache_size", "cache_ttl", "max_duration", "demo.path", "demo.cached_pieces",
		"url.max_file_bytes", "url.max_read_bytes", "url.max_redirects", "youtube.base_url", "youtube.api_key"} {
		if err == nil || !strings.Contains(err.Error(), "catalog."+name+": ") {
			t.Errorf("catalog.%s is not reported in: %v", name, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), "two words") {
		t.Error("the key stands in the error")
	}
	if _, err := catalog.New(bad); err == nil {
		t.Error("New took it")
	}
	if _, err := catalog.NewFrom(bad); err == nil {
		t.Error("NewFrom took it")
	}
}

func FuzzMatch(f *testing.F) {
	for _, ref := range []string{"demo:aurora", "yt:dQw4w9WgXcQ", "dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ?t=3", "music.youtube.com/watch?v=dQw4w9WgXcQ&list=x",
		"http://h.example/a b.mp3#x", "HTTPS://H.example:443/%zz", "http://[::1]:80/ü.ogg", "url:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "http://u:p@h/"} {
		f.Add(ref)
	}
	c, err := catalog.New(catalog.DefaultConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, ref string) {
		id, ok := c.Match(ref)
		if !ok {
			return
		}
		if len(id) > subjects.MaxTrackID || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-") != "" {
			t.Errorf("%q gives the id %q", ref, id)
		}
		if again, ok := c.Match(id); !ok || again != id {
			t.Errorf("%q gives %q, and that %q, %v", ref, id, again, ok)
		}
	})
}
