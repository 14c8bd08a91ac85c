package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuttihq/tutti/services/internal/catalog/media"
	"github.com/tuttihq/tutti/subjects"
)

const (
	urlPrefix = "url:"
	maxTitle  = 200 // characters
)

// urlSource resolves addresses of media files.
type urlSource struct {
	cfg    URLConfig
	client *http.Client
}

func newURLSource(cfg URLConfig) *urlSource {
	return &urlSource{cfg: cfg, client: newGuardedClient(cfg)}
}

func (s *urlSource) close() { s.client.CloseIdleConnections() }

// Match takes addresses, and ids made from them before.
func (s *urlSource) Match(ref string) (string, bool) {
	if isURLID(ref) {
		return ref, true
	}
	u, err := normalise(ref)
	if err != nil {
		return "", false
	}
	return urlID(u), true
}

// Host implements Hosted. Redirects may lead elsewhere; who answers first is counted.
func (s *urlSource) Host(ref string) string {
	if isURLID(ref) {
		return ""
	}
	u, err := normalise(ref)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Hostname(), ".")
}

func (s *urlSource) Resolve(ctx context.Context, ref string) (Track, error) {
	if isURLID(ref) {
		return Track{}, fmt.Errorf("%w: it is not remembered any more; give its address", ErrUnknown)
	}
	u, err := normalise(ref)
	if err != nil {
		return Track{}, err
	}
	if err := followable(u); err != nil {
		return Track{}, err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !permitted(a, s.cfg.AllowPrivate) {
		return Track{}, errForbidden
	}
	address := u.String()
	f, err := openRemote(ctx, s.client, address, s.cfg)
	if err != nil {
		return Track{}, err
	}
	defer f.close()
	info, err := media.Probe(f, f.size)
	switch {
	case err == nil:
	case f.err != nil:
		return Track{}, f.err
	case errors.Is(err, media.ErrNoLength):
		return Track{}, fmt.Errorf("%w: it does not state how long it is", ErrNotMedia)
	case strings.HasPrefix(f.kind, "text/html"):
		return Track{}, fmt.Errorf("%w: this is a web page; give the address of the music or video file itself", ErrNotMedia)
	default:
		return Track{}, fmt.Errorf("%w: it is no MP3, WAV, FLAC, Ogg, MP4 or WebM file that can be read", ErrNotMedia)
	}
	t := Track{
		ID:         urlID(u),
		Provider:   "url",
		Title:      clean(info.Title),
		Artist:     clean(info.Artist),
		DurationMs: info.Duration.Milliseconds(),
		URL:        address,
	}
	if t.Title == "" {
		t.Title = titleFrom(u)
	}
	return t, nil
}

// normalise reads an address and brings it to the form that its id is made of: scheme
// and host in small letters, no default port, no fragment.
func normalise(ref string) (*url.URL, error) {
	if len(ref) > subjects.MaxTrackRef || !utf8.ValidString(ref) {
		return nil, fmt.Errorf("%w: not a valid address", ErrUnknown)
	}
	u, err := url.Parse(ref)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, fmt.Errorf("%w: not a valid address", ErrUnknown)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: only http and https", ErrUnknown)
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), ":"+map[string]string{"http": "80", "https": "443"}[u.Scheme])
	u.Host = strings.TrimSuffix(u.Host, ":")
	if clean(u.Hostname()) == "" { // nothing that could be shown, and no host has such a name
		return nil, fmt.Errorf("%w: not a valid address", ErrUnknown)
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	if len(u.String()) > subjects.MaxTrackRef { // escaping makes some longer
		return nil, fmt.Errorf("%w: the address is too long", ErrUnknown)
	}
	return u, nil
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// urlID makes a track id from an address: 160 bits of its hash.
func urlID(u *url.URL) string {
	h := sha256.Sum256([]byte(u.String()))
	return urlPrefix + strings.ToLower(idEncoding.EncodeToString(h[:20]))
}

func isURLID(ref string) bool {
	key, ok := strings.CutPrefix(ref, urlPrefix)
	if !ok || len(key) != 32 {
		return false
	}
	return strings.Trim(key, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// titleFrom makes a title from the file's name, or failing that from the host.
func titleFrom(u *url.URL) string {
	name := path.Base(u.Path)
	if ext := path.Ext(name); len(ext) > 1 && len(ext) <= 5 {
		name = strings.TrimSuffix(name, ext)
	}
	name = clean(strings.NewReplacer("_", " ", "+", " ").Replace(name))
	if name == "" || name == "/" || name == "." {
		return clean(u.Hostname())
	}
	return name
}

// clean makes a text from a stranger's file fit to be shown: valid, on one line, without
// characters that are not seen or that turn the direction of what follows, and not
// longer than maxTitle characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u200b', r == '\ufeff':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	n := 0
	for i := range s {
		if n++; n > maxTitle {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}
