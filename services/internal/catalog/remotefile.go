package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	firstBlock  = 64 << 10 // bytes asked for at first, and at each jump
	maxBlock    = 1 << 20  // the most asked for at once, when reading on
	maxRequests = 48       // per file
)

// remoteFile reads a file at the far end of HTTP at any offset, a block at a time. A
// server that does not know ranges is read from the start, as far as needed. How much
// is read in total is bounded; beyond it ReadAt returns ErrTooLarge. It serves one
// goroutine, within one resolution.
type remoteFile struct {
	ctx      context.Context
	client   *http.Client
	url      string
	size     int64
	etag     string
	modified string
	kind     string // content type as claimed

	budget   int64 // bytes that may still be read
	requests int
	blocks   []block       // what was read, by falling age
	body     io.ReadCloser // the whole file from its start, if the server knows no ranges
	err      error         // the first failure, which ends the file
}

// block is a stretch of the file.
type block struct {
	at   int64
	data []byte
}

func (b *block) end() int64 { return b.at + int64(len(b.data)) }

// openRemote asks for the start of a file and learns its size.
func openRemote(ctx context.Context, client *http.Client, address string, cfg URLConfig) (*remoteFile, error) {
	f := &remoteFile{ctx: ctx, client: client, url: address, budget: cfg.MaxReadBytes}
	resp, err := f.request(0, firstBlock)
	if err != nil {
		return nil, err
	}
	f.etag, f.modified, f.kind = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), resp.Header.Get("Content-Type")
	switch resp.StatusCode {
	case http.StatusPartialContent:
		from, size, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || from != 0 {
			_ = resp.Body.Close()
			return nil, fmt.Errorf("%w: its server answers with another part than was asked for, or does not say how large the file is", ErrNotMedia)
		}
		f.size = size
		f.blocks = append(f.blocks, block{})
		err = f.fill(resp.Body, firstBlock)
		_ = resp.Body.Close()
	default: // 200, the whole file
		f.size, f.body = resp.ContentLength, resp.Body
		f.blocks = append(f.blocks, block{})
		if f.size < 0 { // then only its end tells
			err = f.fill(f.body, f.budget+1)
			f.size = f.blocks[0].end()
		}
	}
	if err == nil && f.size > cfg.MaxFileBytes {
		err = fmt.Errorf("%w: the file has %d bytes, the limit is %d", ErrTooLarge, f.size, cfg.MaxFileBytes)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *remoteFile) close() {
	if f.body != nil {
		_ = f.body.Close()
	}
}

// request asks for n bytes at an offset. The answer's status is 200 or 206.
func (f *remoteFile) request(at, n int64) (*http.Response, error) {
	if f.requests++; f.requests > maxRequests {
		return nil, fmt.Errorf("%w: its parts lie too far apart to learn its length", ErrTooLarge)
	}
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: not a valid address", ErrUnknown)
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, at+n-1))
	req.Header.Set("Accept", "audio/*, video/*, */*;q=0.1")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "tutti-catalog")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
			_ = resp.Body.Close()
			return nil, fmt.Errorf("%w: its server sends it packed", ErrNotMedia)
		}
		return resp, nil
	}
	_ = resp.Body.Close()
	switch s := resp.StatusCode; {
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return nil, fmt.Errorf("%w: its server answers %d", ErrUnavailable, s)
	case s == http.StatusRequestedRangeNotSatisfiable:
		return nil, fmt.Errorf("%w: the file is empty", ErrNotMedia)
	default:
		return nil, fmt.Errorf("%w: its server answers %d", ErrUnknown, s)
	}
}

// fill reads up to n bytes into the newest block.
func (f *remoteFile) fill(r io.Reader, n int64) error {
	b := &f.blocks[len(f.blocks)-1]
	// One byte over the budget is read to tell a file that just fits from one that
	// does not.
	data, err := io.ReadAll(io.LimitReader(r, min(n, f.budget+1)))
	b.data = append(b.data, data...)
	f.budget -= int64(len(data))
	switch {
	case f.budget < 0:
		return fmt.Errorf("%w: too much of the file has to be read to learn its length", ErrTooLarge)
	case err != nil:
		return explain(err)
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (f *remoteFile) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, errors.New("catalog: negative offset")
	}
	n := 0
	for n < len(p) {
		if at+int64(n) >= f.size {
			return n, io.EOF
		}
		k := f.copy(p[n:], at+int64(n))
		if k == 0 {
			if f.err == nil {
				f.err = f.more(at+int64(n), int64(len(p)-n))
			}
			if f.err != nil {
				return n, f.err
			}
			continue
		}
		n += k
	}
	return n, nil
}

// copy takes what is there, newest first.
func (f *remoteFile) copy(p []byte, at int64) int {
	for i := len(f.blocks) - 1; i >= 0; i-- {
		if b := &f.blocks[i]; at >= b.at && at < b.end() {
			return copy(p, b.data[at-b.at:])
		}
	}
	return 0
}

// more fetches at least the byte at an offset.
func (f *remoteFile) more(at, want int64) error {
	if f.body != nil {
		end := f.blocks[0].end()
		need := at + want - end
		if need > f.budget {
			return fmt.Errorf("%w: its server cannot send parts of a file, and too much of it has to be read", ErrTooLarge)
		}
		if err := f.fill(f.body, max(need, firstBlock)); err != nil {
			return err
		}
		if f.blocks[0].end() <= at {
			return fmt.Errorf("%w: its server broke off", ErrUnavailable)
		}
		return nil
	}
	// Reading on from a block asks for ever more; a jump starts small.
	n := max(int64(firstBlock), min(want, maxBlock))
	for _, b := range f.blocks {
		if b.end() == at {
			n = min(maxBlock, max(n, 2*int64(len(b.data))))
		}
	}
	n = min(n, f.size-at, f.budget)
	if n <= 0 {
		return fmt.Errorf("%w: too much of the file has to be read to learn its length", ErrTooLarge)
	}
	resp, err := f.request(at, n)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	from, size, ok := contentRange(resp.Header.Get("Content-Range"))
	if resp.StatusCode != http.StatusPartialContent || !ok || from != at || size != f.size ||
		resp.Header.Get("ETag") != f.etag || resp.Header.Get("Last-Modified") != f.modified {
		return fmt.Errorf("%w: the file changed while it was read", ErrUnavailable)
	}
	f.blocks = append(f.blocks, block{at: at})
	if err := f.fill(resp.Body, n); err != nil {
		return err
	}
	if len(f.blocks[len(f.blocks)-1].data) == 0 {
		return fmt.Errorf("%w: its server broke off", ErrUnavailable)
	}
	return nil
}

// contentRange reads "bytes from-to/size". A size that is not stated is not ok.
func contentRange(h string) (from, size int64, ok bool) {
	h, ok = strings.CutPrefix(strings.TrimSpace(h), "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, total, ok := strings.Cut(h, "/")
	if !ok {
		return 0, 0, false
	}
	a, b, ok := strings.Cut(strings.TrimSpace(span), "-")
	if !ok {
		return 0, 0, false
	}
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	size, err3 := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || from < 0 || to < from || size <= to {
		return 0, 0, false
	}
	return from, size, true
}
