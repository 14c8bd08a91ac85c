package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config says which sources there are and within what bounds they work. Start from
// DefaultConfig: the zero value is not valid.
type Config struct {
	// Timeout bounds one resolution, waiting for a free place included. Default 15 s.
	Timeout time.Duration `koanf:"timeout"`
	// Parallel bounds the resolutions under way at once in this process: its places.
	// Demo tracks take none. One list of tracks has at most a quarter of the places at
	// a time (but one in any case), and one host has at most two. Default 8.
	Parallel int `koanf:"parallel"`
	// CacheSize bounds the answers remembered, tracks and refusals together; the least
	// recently used goes first. Default 4096.
	CacheSize int `koanf:"cache_size"`
	// CacheTTL is how long a track is remembered. Default 1 h.
	CacheTTL time.Duration `koanf:"cache_ttl"`
	// RefusalTTL is how long a final refusal is remembered, so that a text that was
	// refused cannot be used to make the server fetch again and again. Default 1 min.
	RefusalTTL time.Duration `koanf:"refusal_ttl"`
	// MaxDuration is the longest track taken. Default 12 h.
	MaxDuration time.Duration `koanf:"max_duration"`

	Demo    DemoConfig    `koanf:"demo"`
	URL     URLConfig     `koanf:"url"`
	YouTube YouTubeConfig `koanf:"youtube"`
}

// DemoConfig is about the pieces made by package demo.
type DemoConfig struct {
	// Enabled offers them. Default true.
	Enabled bool `koanf:"enabled"`
	// Path is where the edge serves them, without a slash at the end; a piece named n
	// is Path/n.wav and its picture Path/n.svg. Default "/media/demo".
	Path string `koanf:"path"`
	// CachedPieces bounds how many rendered pieces are kept in memory, about 5 MB
	// each; another one is rendered again when asked for. Default 4.
	CachedPieces int `koanf:"cached_pieces"`
}

// URLConfig is about media files at addresses that people type.
type URLConfig struct {
	// Enabled takes such addresses. Default true.
	Enabled bool `koanf:"enabled"`
	// AllowPrivate also follows addresses in private networks and on this machine, for
	// a home network or a test. Link-local addresses, where clouds keep their
	// credentials, stay closed. Default false.
	AllowPrivate bool `koanf:"allow_private"`
	// MaxFileBytes is the largest file taken. Default 4 GiB.
	MaxFileBytes int64 `koanf:"max_file_bytes"`
	// MaxReadBytes is how much is read of one file at most to learn its title and
	// duration. Default 8 MiB.
	MaxReadBytes int64 `koanf:"max_read_bytes"`
	// MaxRedirects is how many redirects are followed; zero follows none. Default 4.
	MaxRedirects int `koanf:"max_redirects"`
}

// YouTubeConfig is about YouTube's Data API, version 3.
type YouTubeConfig struct {
	// APIKey is the operator's key. Without one a YouTube link is recognised and
	// refused with ErrUnconfigured. Default none.
	APIKey string `koanf:"api_key"`
	// BaseURL is where the API is. Default "https://www.googleapis.com/youtube/v3".
	BaseURL string `koanf:"base_url"`
}

// DefaultConfig is what a laptop uses: all sources on, YouTube waiting for its key.
func DefaultConfig() Config {
	return Config{
		Timeout:     15 * time.Second,
		Parallel:    8,
		CacheSize:   4096,
		CacheTTL:    time.Hour,
		RefusalTTL:  time.Minute,
		MaxDuration: 12 * time.Hour,
		Demo:        DemoConfig{Enabled: true, Path: "/media/demo", CachedPieces: 4},
		URL: URLConfig{
			Enabled:      true,
			MaxFileBytes: 4 << 30,
			MaxReadBytes: 8 << 20,
			MaxRedirects: 4,
		},
		YouTube: YouTubeConfig{BaseURL: "https://www.googleapis.com/youtube/v3"},
	}
}

// Validate reports every setting that cannot work, joined into one error; nil if none.
func (c Config) Validate() error {
	var errs []error
	bad := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("catalog.%s: "+format, append([]any{name}, args...)...))
	}
	within := func(name string, v, lo, hi int64) {
		if v < lo || v > hi {
			bad(name, "%d is not between %d and %d", v, lo, hi)
		}
	}
	lasts := func(name string, v, lo, hi time.Duration) {
		if v < lo || v > hi {
			bad(name, "%v is not between %v and %v", v, lo, hi)
		}
	}
	lasts("timeout", c.Timeout, 10*time.Millisecond, 5*time.Minute)
	within("parallel", int64(c.Parallel), 1, 1024)
	within("cache_size", int64(c.CacheSize), 1, 1<<20)
	lasts("cache_ttl", c.CacheTTL, time.Second, 30*24*time.Hour)
	lasts("refusal_ttl", c.RefusalTTL, 0, 24*time.Hour)
	lasts("max_duration", c.MaxDuration, time.Second, 7*24*time.Hour)
	if c.Demo.Enabled {
		if p := c.Demo.Path; len(p) < 2 || p[0] != '/' || strings.HasSuffix(p, "/") || strings.ContainsAny(p, "?#% \\") || strings.Contains(p, "//") {
			bad("demo.path", "%q is not a path such as /media/demo", c.Demo.Path)
		}
		within("demo.cached_pieces", int64(c.Demo.CachedPieces), 1, 64)
	}
	if c.URL.Enabled {
		within("url.max_file_bytes", c.URL.MaxFileBytes, 1<<10, 1<<42)
		within("url.max_read_bytes", c.URL.MaxReadBytes, 64<<10, 1<<30)
		within("url.max_redirects", int64(c.URL.MaxRedirects), 0, 20)
	}
	if u, err := url.Parse(c.YouTube.BaseURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		bad("youtube.base_url", "not an http or https address without query: set it to %q", DefaultConfig().YouTube.BaseURL)
	}
	if strings.ContainsFunc(c.YouTube.APIKey, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		bad("youtube.api_key", "contains a space or another character that no key has")
	}
	return errors.Join(errs...)
}
