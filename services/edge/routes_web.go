package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// webIndex is the file that is the page itself.
const webIndex = "index.html"

// pathWeb is what the web app's files count as in metrics: together as one path.
const pathWeb = "/"

// webTypes are the kinds of files that the web app is made of; a file of another kind is a
// mistake, which newServer reports.
var webTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// webFile is one file of the web app as it is sent.
type webFile struct {
	mime, tag   string
	plain, gzip []byte
}

// mountWeb serves the web app: the page at / and each other file at its own path. The files
// are read once, here: there are a few dozen, of a few kilobytes each. They are not counted
// against anybody's limits, being cheaper than the answer that would say so.
func (s *Server) mountWeb(app *fiber.App) error {
	if s.deps.Web == nil {
		return nil
	}
	return fs.WalkDir(s.deps.Web, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(s.deps.Web, name)
		if err != nil {
			return err
		}
		file, err := newWebFile(name, content)
		if err != nil {
			return err
		}
		at := "/" + name
		if name == webIndex {
			at = pathWeb
		}
		// The metrics count them all as one path.
		app.Get(at, s.serve(route{http.MethodGet, pathWeb, anyone, classNone, file.send}))
		return nil
	})
}

func newWebFile(name string, content []byte) (*webFile, error) {
	mime, ok := webTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("edge: web file %s is of no kind that is served", name)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return &webFile{mime: mime, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: content, gzip: packed.Bytes()}, nil
}

// send answers with the file, or with 304 to who has it. A browser keeps it and asks each
// time whether it is still the one.
func (f *webFile) send(r *request) error {
	r.Set(fiber.HeaderContentSecurityPolicy, webPolicy(string(r.Context().Host()), r.secure))
	r.Set(fiber.HeaderCacheControl, "no-cache")
	r.Set(fiber.HeaderETag, f.tag)
	r.Vary(fiber.HeaderAcceptEncoding)
	if matches(r.Get(fiber.HeaderIfNoneMatch), f.tag) {
		r.Status(http.StatusNotModified)
		return nil
	}
	r.Context().SetContentType(f.mime)
	body := f.plain
	if len(f.gzip) < len(f.plain) && r.Context().Request.Header.HasAcceptEncoding("gzip") {
		// The tag is weak then: the same file, in other bytes.
		r.Set(fiber.HeaderETag, "W/"+f.tag)
		r.Set(fiber.HeaderContentEncoding, "gzip")
		body = f.gzip
	}
	r.Context().SetBody(body)
	return nil
}

// page gives where the web app shows what somebody typed or followed, for example
// "/#/room/room_…" for /room/room_…: a browser that wants a page gets one, though it may say that
// there is nothing at that address. Empty for whoever did not ask for a page.
func (s *Server) page(r *request, err error) string {
	var missing *fiber.Error
	if s.deps.Web == nil || !errors.As(err, &missing) || missing.Code != http.StatusNotFound {
		return ""
	}
	at := string(r.Context().URI().Path())
	if r.Method() != http.MethodGet || path.Ext(at) != "" || strings.HasPrefix(at, "/v1/") || !strings.Contains(r.Get(fiber.HeaderAccept), "text/html") {
		return ""
	}
	return (&url.URL{Path: pathWeb, Fragment: strings.TrimSuffix(at, "/")}).String()
}

// webPolicy lets the page run its own files and nothing else: no inline code or style, no
// code that is made of text. Sounds and pictures of tracks may come from elsewhere. Some
// browsers do not take 'self' for sockets, so the page's own host is named for them.
func webPolicy(host string, secure bool) string {
	elsewhere := "https:"
	if !secure { // a page that came in the clear may play what does
		elsewhere = "http: https:"
	}
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' " + elsewhere + "; media-src 'self' " + elsewhere + "; " +
		"connect-src 'self'%s; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	sockets := ""
	if host != "" && !strings.ContainsFunc(host, notInHost) {
		sockets = " ws://" + host + " wss://" + host
	}
	return fmt.Sprintf(policy, sockets)
}

// notInHost reports what no host name, address or port holds: a Host header is the client's
// word, and must not become part of a policy as anything else.
func notInHost(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == ':', c == '[', c == ']':
		return false
	}
	return true
}
