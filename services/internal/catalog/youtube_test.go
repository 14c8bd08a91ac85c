package catalog

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const video = "dQw4w9WgXcQ"

func TestVideoID(t *testing.T) {
	for _, ref := range []string{
		video, "yt:" + video,
		"https://www.youtube.com/watch?v=" + video, "http://youtube.com/watch?feature=share&v=" + video + "&t=43s",
		"https://m.youtube.com/watch?v=" + video + "#t=1", "https://music.youtube.com/watch?v=" + video + "&list=RD",
		"https://youtu.be/" + video, "https://youtu.be/" + video + "?si=abc", "youtu.be/" + video, "www.youtube.com/watch?v=" + video,
		"https://www.youtube.com/shorts/" + video, "https://www.youtube.com/embed/" + video + "?start=4",
		"https://www.youtube-nocookie.com/embed/" + video, "https://www.youtube.com/live/" + video, "https://www.youtube.com/v/" + video,
		"HTTPS://WWW.YouTube.com/watch?v=" + video,
	} {
		if id, ok := videoID(ref); !ok || id != video {
			t.Errorf("%q: %q, %v", ref, id, ok)
		}
	}
	for _, ref := range []string{
		"", "yt:", "yt:dQw4w9WgXc", "yt:dQw4w9WgXcQQ", "yt:dQw4w9WgXc!", "dQw4w9WgXc/", "https://www.youtube.com/", "https://www.youtube.com/watch",
		"https://www.youtube.com/playlist?list=PL", "https://youtube.com.evil.example/watch?v=" + video, "https://evil.example/watch?v=" + video,
		"https://notyoutu.be/" + video, "https://u@youtu.be/" + video, "https://www.youtube.com/watch?v=" + video + "x", "ftp://youtu.be/" + video,
	} {
		if id, ok := videoID(ref); ok {
			t.Errorf("%q taken as %q", ref, id)
		}
	}
}

// api is a stand-in for the Data API that answers as the real one does.
func api(t *testing.T, key string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		fail := func(status int, reason string) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":"m","errors":[{"message":"m","domain":"youtube.quota","reason":%q}]}}`, status, reason)
		}
		switch {
		case r.URL.Path != "/youtube/v3/videos":
			http.NotFound(w, r)
		case r.Header.Get("X-Goog-Api-Key") != key || r.URL.Query().Has("key"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","errors":[{"message":"API key not valid.","domain":"global","reason":"badRequest"}],"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}`)
		case r.URL.Query().Get("part") != "snippet,contentDetails":
			fail(http.StatusBadRequest, "missingRequiredParameter")
		default:
			item := func(title, live, duration string) {
				_, _ = fmt.Fprintf(w, `{"kind":"youtube#videoListResponse","etag":"e","items":[{"kind":"youtube#video","etag":"e","id":%q,
					"snippet":{"publishedAt":"2009-10-25T06:57:33Z","title":%q,"channelTitle":"A Channel - Topic","liveBroadcastContent":%q,
					"thumbnails":{"default":{"url":"https://i.ytimg.com/vi/x/default.jpg","width":120,"height":90},"medium":{"url":"https://i.ytimg.com/vi/x/mqdefault.jpg","width":320,"height":180}}},
					"contentDetails":{"duration":%q,"dimension":"2d","definition":"hd"}}],"pageInfo":{"totalResults":1,"resultsPerPage":1}}`,
					r.URL.Query().Get("id"), title, live, duration)
			}
			switch id := r.URL.Query().Get("id"); id {
			case video:
				item("A Title\u202e & more", "none", "PT3M33S")
			case "liveliveliv":
				item("Now", "live", "P0D")
			case "nolengthnol":
				item("Odd", "none", "P1Y")
			case "notitlenoti":
				item("", "none", "PT1H")
			case "quotaquotaq":
				fail(http.StatusForbidden, "quotaExceeded")
			case "ratelimitra":
				fail(http.StatusForbidden, "rateLimitExceeded")
			case "forbiddenfo":
				fail(http.StatusForbidden, "accessNotConfigured")
			case "brokenbroke":
				w.WriteHeader(http.StatusInternalServerError)
			case "garbagegarb":
				_, _ = fmt.Fprint(w, "<html>")
			default:
				_, _ = fmt.Fprint(w, `{"kind":"youtube#videoListResponse","items":[],"pageInfo":{"totalResults":0,"resultsPerPage":0}}`)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestYouTubeTracks(t *testing.T) {
	s := api(t, "the-key")
	c := atHome(t, func(cfg *Config) {
		cfg.YouTube = YouTubeConfig{APIKey: "the-key", BaseURL: s.URL + "/youtube/v3/"}
	})
	want := Track{ID: "yt:" + video, Provider: "yt", Title: "A Title & more", Artist: "A Channel", DurationMs: 213_000,
		URL: "https://www.youtube.com/watch?v=" + video, ArtworkURL: "https://i.ytimg.com/vi/x/mqdefault.jpg"}
	for _, ref := range []string{video, "https://youtu.be/" + video} {
		if got, err := c.Resolve(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s: %+v, %v", ref, got, err)
		}
	}
	if got, err := c.Resolve(t.Context(), "yt:notitlenoti"); err != nil || got.Title == "" {
		t.Errorf("%+v, %v", got, err)
	}
	for id, want := range map[string]error{
		"liveliveliv": ErrNotMedia, "nolengthnol": ErrNotMedia, "missingmiss": ErrUnknown,
		"quotaquotaq": ErrUnavailable, "ratelimitra": ErrUnavailable, "brokenbroke": ErrUnavailable, "garbagegarb": ErrUnavailable,
		"forbiddenfo": ErrUnconfigured,
	} {
		if _, err := c.Resolve(t.Context(), "yt:"+id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}

func TestYouTubeNeedsItsKey(t *testing.T) {
	s := api(t, "the-key")
	for name, cfg := range map[string]YouTubeConfig{
		"none":        {BaseURL: s.URL + "/youtube/v3"},
		"a wrong one": {BaseURL: s.URL + "/youtube/v3", APIKey: "wrong-key"},
		"nowhere":     {BaseURL: s.URL + "/else", APIKey: "the-key"},
	} {
		c := atHome(t, func(c *Config) { c.YouTube = cfg })
		_, err := c.Resolve(t.Context(), video)
		if !errors.Is(err, ErrUnconfigured) || !strings.Contains(err.Error(), "catalog.youtube.") {
			t.Errorf("%s: %v does not say what to set", name, err)
		}
		if cfg.APIKey != "" && strings.Contains(fmt.Sprint(err), cfg.APIKey) {
			t.Errorf("%s: the key stands in the error: %v", name, err)
		}
	}
	c := atHome(t, func(c *Config) { c.YouTube = YouTubeConfig{APIKey: "k", BaseURL: "http://127.0.0.1:1"} })
	if _, err := c.Resolve(t.Context(), video); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestParseISODuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"PT3M33S": 213 * time.Second, "PT1H": time.Hour, "PT45S": 45 * time.Second, "P1DT2H3M4S": 26*time.Hour + 3*time.Minute + 4*time.Second,
		"P0D": 0, "PT0S": 0, "P2W": 14 * 24 * time.Hour, "PT90M": 90 * time.Minute, "P1W2DT1S": 9*24*time.Hour + time.Second,
	} {
		if got, ok := parseISODuration(s); !ok || got != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "P", "PT", "3M", "PT3", "PTM", "P1H", "PT1D", "P1Y", "P1M", "PT1S1M", "PT1M1M", "P1DT", "PT1.5S", "P-1D", "PTT1S", "P5T",
		"PT99999999999S", "P9999999999W", "pt1s", " PT1S", "PT1S "} {
		if got, ok := parseISODuration(s); ok {
			t.Errorf("%q taken as %v", s, got)
		}
	}
}

func FuzzParseISODuration(f *testing.F) {
	for _, s := range []string{"PT3M33S", "P1DT2H", "P5T", "P0D", "PT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseISODuration(s)
		if !ok {
			return
		}
		if d < 0 || d > 200*365*24*time.Hour || d%time.Second != 0 {
			t.Errorf("%q: %v", s, d)
		}
		back := fmt.Sprintf("PT%dS", int64(d/time.Second))
		if again, ok := parseISODuration(back); !ok || again != d {
			t.Errorf("%q: %v, and as %q %v, %v", s, d, back, again, ok)
		}
	})
}

func FuzzVideoID(f *testing.F) {
	for _, s := range []string{video, "https://youtu.be/" + video, "https://www.youtube.com/watch?v=" + video, "youtube.com//watch?v="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := videoID(s); ok {
			if again, ok := videoID(id); !ok || again != id {
				t.Errorf("%q gives %q, which is none", s, id)
			}
		}
	})
}
