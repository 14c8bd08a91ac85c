package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// Sizes of answers to a search for tracks, and of what may be searched for.
const (
	tracksPage, tracksPageMost = 50, 200
	tracksQueryMost            = 100
)

// tracks lists tracks that can be suggested without leaving the house: those of sources
// that can be browsed.
func (s *Server) tracks(r *request) error {
	limit, err := r.limitParam(tracksPage, tracksPageMost)
	if err != nil {
		return err
	}
	out, err := s.findTracks(r.ctx, r.Query("query"), limit)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// tracksFound is the answer to a search for tracks.
type tracksFound struct {
	Tracks []subjects.Track `json:"tracks"`
}

func (s *Server) findTracks(ctx context.Context, query string, limit int) (tracksFound, error) {
	out := tracksFound{[]subjects.Track{}}
	if err := checkText("query", query, tracksQueryMost); err != nil || s.deps.Tracks == nil {
		return out, err
	}
	found, err := s.deps.Tracks.List(ctx, query, limit)
	out.Tracks = append(out.Tracks, found...)
	return out, err
}

// mediaTags remembers the entity tag of each demo file, a digest of its bytes; there are
// as many as there are files.
type mediaTags struct {
	mu   sync.Mutex
	tags map[string]string
}

func (m *mediaTags) of(file string, content io.ReadSeeker) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tag, ok := m.tags[file]; ok {
		return tag, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", err
	}
	if m.tags == nil {
		m.tags = map[string]string{}
	}
	tag := `"` + hex.EncodeToString(h.Sum(nil)[:12]) + `"`
	m.tags[file] = tag
	return tag, nil
}

// demoFile serves a demo track's sound or picture, whole or one range of it. A request
// for several ranges gets the whole, as HTTP allows.
func (s *Server) demoFile(r *request) error {
	file := r.Params("file")
	content, modified, size, mime, err := s.openDemo(file)
	if err != nil {
		return err
	}
	tag, err := s.media.of(file, content)
	if err != nil {
		return err
	}
	r.Set(fiber.HeaderETag, tag)
	r.Set(fiber.HeaderLastModified, modified.UTC().Format(http.TimeFormat))
	r.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	r.Set(fiber.HeaderAcceptRanges, "bytes")
	// Pages of other origins may play it; a picture that is opened as a page is inert.
	r.Set("Cross-Origin-Resource-Policy", "cross-origin")
	r.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	if r.unchanged(tag, modified) {
		r.Status(http.StatusNotModified)
		return nil
	}
	first, last, status := int64(0), size-1, http.StatusOK
	if from, to, ok := r.wantedRange(size, tag, modified); ok {
		if from > to {
			r.Set(fiber.HeaderContentRange, "bytes */"+strconv.FormatInt(size, 10))
			return withStatus(http.StatusRequestedRangeNotSatisfiable, subjects.Refuse(subjects.CodeInvalid, "the file has %d bytes and no such range", size))
		}
		first, last, status = from, to, http.StatusPartialContent
		r.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", first, last, size))
	}
	if _, err := content.Seek(first, io.SeekStart); err != nil {
		return err
	}
	r.Status(status)
	r.Context().SetContentType(mime)
	r.Context().SetBodyStream(io.LimitReader(content, last-first+1), int(last-first+1))
	return nil
}

func (s *Server) openDemo(file string) (content io.ReadSeeker, modified time.Time, size int64, mime string, err error) {
	missing := subjects.Refuse(subjects.CodeNotFound, "there is no such demo file")
	name, ext, _ := strings.Cut(file, ".")
	if s.deps.Media == nil || !subjects.Token(name) {
		return nil, time.Time{}, 0, "", missing
	}
	switch ext {
	case "wav":
		mime = "audio/wav"
		content, modified, size, err = s.deps.Media.Open(name)
	case "svg":
		mime = "image/svg+xml"
		content, modified, size, err = s.deps.Media.Artwork(name)
	default:
		return nil, time.Time{}, 0, "", missing
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = missing
	}
	return content, modified, size, mime, err
}

// unchanged reports whether the caller has the file already.
func (r *request) unchanged(tag string, modified time.Time) bool {
	if h := r.Get(fiber.HeaderIfNoneMatch); h != "" {
		return matches(h, tag)
	}
	since, err := http.ParseTime(r.Get(fiber.HeaderIfModifiedSince))
	return err == nil && !modified.Truncate(time.Second).After(since)
}

// wantedRange gives the range to answer with, first above last if the file has no such
// bytes. ok is false where the whole is answered: no range is asked for, or none in a form
// that is served, or not of the very file that the caller has a part of (If-Range).
func (r *request) wantedRange(size int64, tag string, modified time.Time) (first, last int64, ok bool) {
	if r.Method() != http.MethodGet {
		return 0, 0, false
	}
	if have := r.Get(fiber.HeaderIfRange); strings.HasPrefix(have, `"`) {
		if have != tag {
			return 0, 0, false
		}
	} else if have != "" {
		t, err := http.ParseTime(have)
		if err != nil || !t.Equal(modified.Truncate(time.Second)) {
			return 0, 0, false
		}
	}
	return parseRange(r.Get(fiber.HeaderRange), size)
}

// parseRange reads a Range header of one range of bytes. ok is false for anything else;
// first is above last if the range lies outside of size.
func parseRange(header string, size int64) (first, last int64, ok bool) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	from, to, isRange := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !isRange {
		return 0, 0, false
	}
	if from == "" { // the last bytes
		n, err := strconv.ParseUint(to, 10, 62)
		return max(0, size-int64(n)), size - 1, err == nil
	}
	a, err := strconv.ParseUint(from, 10, 62)
	if err != nil {
		return 0, 0, false
	}
	if to == "" {
		return int64(a), size - 1, true
	}
	b, err := strconv.ParseUint(to, 10, 62)
	if err != nil || b < a {
		return 0, 0, false
	}
	return int64(a), min(int64(b), size-1), true
}
