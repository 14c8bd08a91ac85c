package edge

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

func TestADemoFileIsServedInRanges(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	const path = "/media/demo/aurora.wav"
	whole := s.do(t, call{method: "GET", path: path})
	tag, date := whole.header.Get("Etag"), whole.header.Get("Last-Modified")
	if whole.status != 200 || !bytes.Equal(whole.body, piece) || whole.header.Get("Content-Type") != "audio/wav" ||
		tag == "" || date != "Fri, 01 May 2026 12:00:00 GMT" || whole.header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("%d bytes, %v", len(whole.body), whole.header)
	}
	size := len(piece)
	later := noon.Add(time.Hour).Format("Mon, 02 Jan 2006 15:04:05") + " GMT"
	for _, c := range []struct {
		header      map[string]string
		status      int
		first, last int
	}{
		{map[string]string{"Range": "bytes=0-"}, 206, 0, size - 1},
		{map[string]string{"Range": "bytes=0-0"}, 206, 0, 0},
		{map[string]string{"Range": "bytes=5-9"}, 206, 5, 9},
		{map[string]string{"Range": "bytes=990-5000"}, 206, 990, size - 1},
		{map[string]string{"Range": "bytes=-7"}, 206, size - 7, size - 1},
		{map[string]string{"Range": "bytes=-5000"}, 206, 0, size - 1},
		{map[string]string{"Range": "bytes=5-9", "If-Range": tag}, 206, 5, 9},
		{map[string]string{"Range": "bytes=5-9", "If-Range": date}, 206, 5, 9},
		{map[string]string{"Range": "bytes=5-9", "If-Range": `"other"`}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=5-9", "If-Range": later}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=5-9", "If-Range": "W/" + tag}, 200, 0, size - 1},
		// What is not understood is not asked for.
		{map[string]string{"Range": "bytes=0-1,5-6"}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=9-5"}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=a-b"}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=-"}, 200, 0, size - 1},
		{map[string]string{"Range": "lines=1-2"}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=99999999999999999999-"}, 200, 0, size - 1},
		{map[string]string{"Range": "bytes=1000-"}, 416, 0, 0},
		{map[string]string{"Range": "bytes=-0"}, 416, 0, 0},
		{map[string]string{"If-None-Match": tag}, 304, 0, 0},
		{map[string]string{"If-None-Match": `"x", W/` + tag}, 304, 0, 0},
		{map[string]string{"If-None-Match": `"x"`, "If-Modified-Since": later}, 200, 0, size - 1},
		{map[string]string{"If-Modified-Since": date}, 304, 0, 0},
		{map[string]string{"If-Modified-Since": later}, 304, 0, 0},
		{map[string]string{"If-Modified-Since": "yesterday"}, 200, 0, size - 1},
	} {
		r := s.do(t, call{method: "GET", path: path, header: c.header})
		contentRange := ""
		switch r.status {
		case 206:
			contentRange = fmt.Sprintf("bytes %d-%d/%d", c.first, c.last, size)
			fallthrough
		case 200:
			if !bytes.Equal(r.body, piece[c.first:c.last+1]) {
				t.Errorf("%v: %d bytes", c.header, len(r.body))
			}
		case 304:
			if len(r.body) != 0 || r.header.Get("Etag") != tag {
				t.Errorf("%v: %v", c.header, r)
			}
		case 416:
			r.problem(t)
			contentRange = "bytes */1000"
		}
		if r.status != c.status || r.header.Get("Content-Range") != contentRange {
			t.Errorf("%v: status %d, Content-Range %q, want %d", c.header, r.status, r.header.Get("Content-Range"), c.status)
		}
	}
	if r := s.do(t, call{method: "GET", path: "/media/demo/aurora.svg"}); r.status != 200 || r.header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("got %d %v", r.status, r.header)
	}
	for _, name := range []string{"other.wav", "aurora.mp3", "aurora", ".wav", "aurora.wav.wav", "..%2faurora.wav", "aurora.wav%00"} {
		if p := s.do(t, call{method: "GET", path: "/media/demo/" + name}).problem(t); p.Status != 404 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "bytes=0-", "bytes=-1", "bytes=5-9", "bytes=9-5", "bytes=-", "bytes=+1-2", "bytes= 1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		first, last, ok := parseRange(header, size)
		if ok && (first < 0 || last >= size || first <= last && last-first+1 > size) {
			t.Fatalf("%q of %d: %d to %d", header, size, first, last)
		}
	})
}
