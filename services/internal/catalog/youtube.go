package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	youTubePrefix = "yt:"
	youTubeAnswer = 1 << 20 // bytes read of an answer at most
)

// youTube resolves YouTube links through the Data API.
type youTube struct {
	cfg       YouTubeConfig
	client    *http.Client
	transport *http.Transport
}

func newYouTube(cfg YouTubeConfig) *youTube {
	// The address is the operator's, so it may be anywhere and behind a proxy.
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
	return &youTube{cfg: cfg, transport: t, client: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (y *youTube) close() { y.transport.CloseIdleConnections() }

func (y *youTube) Match(ref string) (string, bool) {
	id, ok := videoID(ref)
	return youTubePrefix + id, ok
}

// videoID finds the id of a video in a track id, in a bare id, or in any usual form of
// link.
func videoID(ref string) (string, bool) {
	if id, ok := strings.CutPrefix(ref, youTubePrefix); ok {
		return id, isVideoID(id)
	}
	if isVideoID(ref) {
		return ref, true
	}
	lower := strings.ToLower(ref)
	if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		if !strings.HasPrefix(lower, "youtu.be/") && !strings.Contains(strings.SplitN(lower, "/", 2)[0], "youtube") {
			return "", false
		}
		ref = "https://" + ref
	}
	u, err := url.Parse(ref)
	if err != nil || u.User != nil {
		return "", false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch strings.ToLower(u.Hostname()) {
	case "youtu.be", "www.youtu.be":
		return parts[0], isVideoID(parts[0])
	case "youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "gaming.youtube.com",
		"youtube-nocookie.com", "www.youtube-nocookie.com":
	default:
		return "", false
	}
	id := ""
	switch parts[0] {
	case "watch", "watch_popup":
		id = u.Query().Get("v")
		if id == "" && len(parts) > 1 {
			id = parts[1]
		}
	case "shorts", "embed", "live", "v", "e":
		if len(parts) > 1 {
			id = parts[1]
		}
	}
	return id, isVideoID(id)
}

func isVideoID(id string) bool {
	if len(id) != 11 {
		return false
	}
	for _, b := range []byte(id) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

// youTubeVideos is what the API answers, as far as it is used.
type youTubeVideos struct {
	Items []struct {
		ID      string `json:"id"`
		Snippet struct {
			Title        string `json:"title"`
			ChannelTitle string `json:"channelTitle"`
			Live         string `json:"liveBroadcastContent"`
			Thumbnails   map[string]struct {
				URL string `json:"url"`
			} `json:"thumbnails"`
		} `json:"snippet"`
		ContentDetails struct {
			Duration string `json:"duration"`
		} `json:"contentDetails"`
	} `json:"items"`
	Error struct {
		Status string `json:"status"`
		Errors []struct {
			Reason string `json:"reason"`
		} `json:"errors"`
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	} `json:"error"`
}

func (y *youTube) Resolve(ctx context.Context, ref string) (Track, error) {
	id, ok := videoID(ref)
	if !ok {
		return Track{}, fmt.Errorf("%w: not a YouTube link", ErrUnknown)
	}
	if y.cfg.APIKey == "" {
		return Track{}, fmt.Errorf("%w: YouTube needs a key of its Data API v3; the operator sets it as catalog.youtube.api_key", ErrUnconfigured)
	}
	q := url.Values{"part": {"snippet,contentDetails"}, "id": {id}, "maxResults": {"1"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(y.cfg.BaseURL, "/")+"/videos?"+q.Encode(), nil)
	if err != nil {
		return Track{}, fmt.Errorf("%w: catalog.youtube.base_url is not a valid address", ErrUnconfigured)
	}
	// In a header the key stays out of the logs that addresses end up in.
	req.Header.Set("X-Goog-Api-Key", y.cfg.APIKey)
	req.Header.Set("Accept", "application/json")
	resp, err := y.client.Do(req)
	if err != nil {
		return Track{}, fmt.Errorf("%w: YouTube did not answer", ErrUnavailable)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer youTubeVideos
	body, err := io.ReadAll(io.LimitReader(resp.Body, youTubeAnswer))
	if err != nil {
		return Track{}, fmt.Errorf("%w: YouTube's answer broke off", ErrUnavailable)
	}
	decodeErr := json.Unmarshal(body, &answer)
	if resp.StatusCode != http.StatusOK {
		return Track{}, answer.refusal(resp.StatusCode)
	}
	if decodeErr != nil {
		return Track{}, fmt.Errorf("%w: YouTube's answer could not be read", ErrUnavailable)
	}
	return answer.track(id)
}

// refusal tells apart what the operator must mend from what passes.
func (v *youTubeVideos) refusal(status int) error {
	reason := v.Error.Status
	if len(v.Error.Errors) > 0 {
		reason = v.Error.Errors[0].Reason
	}
	if len(v.Error.Details) > 0 && v.Error.Details[0].Reason != "" {
		reason = v.Error.Details[0].Reason
	}
	switch {
	case reason == "quotaExceeded", reason == "dailyLimitExceeded":
		return fmt.Errorf("%w: the quota of the YouTube key is used up for today", ErrUnavailable)
	case reason == "rateLimitExceeded", reason == "userRateLimitExceeded", reason == "RATE_LIMIT_EXCEEDED",
		status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return fmt.Errorf("%w: YouTube is busy", ErrUnavailable)
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: YouTube refuses the key in catalog.youtube.api_key (%s); check the key, its restrictions, and that the YouTube Data API v3 is enabled for it", ErrUnconfigured, clean(reason))
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: catalog.youtube.base_url does not lead to the YouTube Data API v3", ErrUnconfigured)
	}
	return fmt.Errorf("%w: YouTube answers %d", ErrUnavailable, status)
}

// track reads the one video that was asked for.
func (v *youTubeVideos) track(id string) (Track, error) {
	for _, item := range v.Items {
		if item.ID != id {
			continue
		}
		if item.Snippet.Live == "live" || item.Snippet.Live == "upcoming" {
			return Track{}, fmt.Errorf("%w: a live video has no length yet", ErrNotMedia)
		}
		d, ok := parseISODuration(item.ContentDetails.Duration)
		if !ok || d <= 0 {
			return Track{}, fmt.Errorf("%w: YouTube does not state how long it is", ErrNotMedia)
		}
		t := Track{
			ID:         youTubePrefix + id,
			Provider:   "yt",
			Title:      clean(item.Snippet.Title),
			Artist:     clean(strings.TrimSuffix(item.Snippet.ChannelTitle, " - Topic")),
			DurationMs: d.Milliseconds(),
			URL:        "https://www.youtube.com/watch?v=" + id,
		}
		if t.Title == "" {
			t.Title = "YouTube " + id
		}
		for _, size := range []string{"medium", "high", "default"} {
			if u, err := url.Parse(item.Snippet.Thumbnails[size].URL); err == nil && u.Scheme == "https" && u.Host != "" {
				t.ArtworkURL = u.String()
				break
			}
		}
		return t, nil
	}
	return Track{}, fmt.Errorf("%w: YouTube has no such public video", ErrUnknown)
}

// parseISODuration reads an ISO 8601 duration of weeks, days, hours, minutes and
// seconds, such as PT3M33S or P1DT2H, in whole seconds and at most about a century. Years
// and months have no fixed length and are not taken.
func parseISODuration(s string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return 0, false
	}
	const most = 100 * 365 * 24 * time.Hour
	var (
		total time.Duration
		units = "WD" // each at most once, in this order
		value = map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
		clock bool // after the T
		some  bool
	)
	for rest != "" {
		if rest[0] == 'T' {
			if clock {
				return 0, false
			}
			clock, some, units, rest = true, false, "HMS", rest[1:]
			continue
		}
		n, digits := int64(0), 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			if digits++; digits > 10 {
				return 0, false
			}
			n = n*10 + int64(rest[digits-1]-'0')
		}
		if digits == 0 || digits == len(rest) {
			return 0, false
		}
		unit := rest[digits]
		at := strings.IndexByte(units, unit)
		if at < 0 || n > int64(most/value[unit]) {
			return 0, false
		}
		if total += time.Duration(n) * value[unit]; total > most {
			return 0, false
		}
		units, rest, some = units[at+1:], rest[digits+1:], true
	}
	return total, some
}
