package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

func TestRemoteFileReadsAnywhere(t *testing.T) {
	data := piece(t)
	for name, handle := range map[string]http.HandlerFunc{"ranges": serve(data), "plain": plain(data, true), "chunked": plain(data, false)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, handle)
			cfg := DefaultConfig().URL
			cfg.AllowPrivate = true
			client := newGuardedClient(cfg)
			defer client.CloseIdleConnections()
			f, err := openRemote(t.Context(), client, s.URL, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer f.close()
			if f.size != int64(len(data)) {
				t.Fatalf("size %d, want %d", f.size, len(data))
			}
			for _, at := range []int64{0, 10, 100_000, 65_530, int64(len(data)) - 20, int64(len(data)), 3_000_000, 7} {
				p := make([]byte, 5000)
				n, err := f.ReadAt(p, at)
				want := data[min(at, f.size):min(at+5000, f.size)]
				if !bytes.Equal(p[:n], want) || (n < len(p)) != errors.Is(err, io.EOF) {
					t.Errorf("at %d: %d bytes, %v", at, n, err)
				}
			}
			if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
				t.Error("read before the start")
			}
		})
	}
}

func TestRemoteFileIsBounded(t *testing.T) {
	data := make([]byte, 4<<20)
	for name, handle := range map[string]http.HandlerFunc{"ranges": serve(data), "plain": plain(data, true)} {
		s := open(t, handle)
		cfg := URLConfig{AllowPrivate: true, MaxFileBytes: 1 << 30, MaxReadBytes: 256 << 10}
		client := newGuardedClient(cfg)
		f, err := openRemote(t.Context(), client, s.URL, cfg)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.size))
		if !errors.Is(err, ErrTooLarge) || n > cfg.MaxReadBytes {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		f.close()
		client.CloseIdleConnections()
	}
	s := open(t, serve(data))
	cfg := URLConfig{AllowPrivate: true, MaxFileBytes: 1 << 30, MaxReadBytes: 1 << 30}
	client := newGuardedClient(cfg)
	defer client.CloseIdleConnections()
	f, err := openRemote(t.Context(), client, s.URL, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := int64(0); err == nil && i < 1000; i++ {
		_, err = f.ReadAt(make([]byte, 1), (f.size-1-i*70_000+f.size*1000)%f.size)
		f.blocks = f.blocks[:1]
	}
	if !errors.Is(err, ErrTooLarge) || s.requests.Load() > maxRequests {
		t.Errorf("%d requests, %v", s.requests.Load(), err)
	}
}

func TestFileThatChangesIsUnavailable(t *testing.T) {
	n := 0
	data := make([]byte, 1<<20)
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		serve(data)(w, r)
	})
	cfg := DefaultConfig().URL
	cfg.AllowPrivate = true
	client := newGuardedClient(cfg)
	defer client.CloseIdleConnections()
	f, err := openRemote(t.Context(), client, s.URL, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 500_000); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-99/100")
	f.Add("bytes */100")
	f.Fuzz(func(t *testing.T, s string) {
		if from, size, ok := contentRange(s); ok && (from < 0 || size <= from) {
			t.Errorf("%q: %d of %d", s, from, size)
		}
	})
}
