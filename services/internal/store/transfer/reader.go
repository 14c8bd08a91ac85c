package transfer

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 16 << 20

// Reader reads an export that was found whole. Close it. Many goroutines may read.
type Reader struct {
	manifest Manifest
	path     string
	tar      *os.File // nil for a directory
	places   map[string]place
}

// place is where a file begins in a .tar, and how long it is.
type place struct{ at, size int64 }

// Open reads the whole export once and compares it with its manifest: ErrIncomplete,
// ErrDamaged, ErrNewerFormat, or what the file system says. progress, if it is not nil, hears
// how many bytes were checked, and of how many.
func Open(ctx context.Context, path string, progress func(done, total int64)) (_ *Reader, err error) {
	r := &Reader{path: path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	var text []byte
	if info.IsDir() {
		text, err = r.openDir()
	} else {
		text, err = r.openTar()
	}
	if err != nil {
		return nil, err
	}
	if r.manifest, err = decodeManifest(text); err != nil {
		return nil, err
	}
	if len(r.places) != len(r.manifest.Members) {
		return nil, fmt.Errorf("%w: it has %d files, its manifest names %d", ErrDamaged, len(r.places), len(r.manifest.Members))
	}
	var done, total int64
	for _, m := range r.manifest.Members {
		total += m.Size
	}
	for _, m := range r.manifest.Members {
		if err := r.check(ctx, m); err != nil {
			return nil, err
		}
		if done += m.Size; progress != nil {
			progress(done, total)
		}
	}
	return r, nil
}

// Manifest says what the export holds.
func (r *Reader) Manifest() Manifest { return r.manifest }

// Close releases the files.
func (r *Reader) Close() error {
	if r.tar == nil {
		return nil
	}
	return r.tar.Close()
}

func (r *Reader) openDir() (manifest []byte, err error) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	r.places = map[string]place{}
	for _, e := range entries {
		if !memberForm.MatchString(e.Name()) {
			continue // the manifest, or somebody's note beside it
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		r.places[e.Name()] = place{size: info.Size()}
	}
	f, err := os.Open(filepath.Join(r.path, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s", ErrIncomplete, r.path, manifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	text, err := readManifest(f)
	return text, errors.Join(err, f.Close())
}

func (r *Reader) openTar() (manifest []byte, err error) {
	if r.tar, err = os.Open(r.path); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	r.places = map[string]place{}
	tr := tar.NewReader(r.tar)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s breaks off or is no .tar: %w", ErrIncomplete, r.path, err)
		}
		if h.Name == manifestName {
			if manifest, err = readManifest(tr); err != nil {
				return nil, err
			}
			continue
		}
		at, err := r.tar.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		if _, twice := r.places[h.Name]; twice || h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%w: it holds %q twice, or not as a file", ErrDamaged, h.Name)
		}
		r.places[h.Name] = place{at, h.Size}
	}
	if manifest == nil {
		return nil, fmt.Errorf("%w: %s has no %s", ErrIncomplete, r.path, manifestName)
	}
	return manifest, nil
}

func readManifest(from io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	if len(text) > maxManifest {
		return nil, fmt.Errorf("%w: its manifest is too large", ErrDamaged)
	}
	return text, nil
}

// file opens a member as it is stored.
func (r *Reader) file(m Member) (io.ReadCloser, error) {
	if r.tar != nil {
		p := r.places[m.Name]
		return io.NopCloser(io.NewSectionReader(r.tar, p.at, p.size)), nil
	}
	return os.Open(filepath.Join(r.path, m.Name))
}

// check compares a member with what the manifest says of it.
func (r *Reader) check(ctx context.Context, m Member) error {
	p, ok := r.places[m.Name]
	if !ok || p.size != m.Size {
		return fmt.Errorf("%w: %s is missing, or has another size than its manifest says", ErrDamaged, m.Name)
	}
	f, err := r.file(m)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, m.Name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return fmt.Errorf("%w: %s is not what was written", ErrDamaged, m.Name)
	}
	var n uint64
	for _, err := range r.Records(m) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		n++
	}
	if n != m.Records {
		return fmt.Errorf("%w: %s holds %d records, its manifest says %d", ErrDamaged, m.Name, n, m.Records)
	}
	return nil
}

// Records yields the records of a member in order, each good until the next. After an
// error, which comes with a nil record, it stops.
func (r *Reader) Records(m Member) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := r.file(m)
		if err != nil {
			yield(nil, fmt.Errorf("import: %w", err))
			return
		}
		defer func() { _ = f.Close() }() // it was only read
		zip, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			yield(nil, fmt.Errorf("%w: %s: %w", ErrDamaged, m.Name, err))
			return
		}
		lines := bufio.NewScanner(zip)
		lines.Buffer(make([]byte, 64<<10), MaxRecord+1)
		lines.Split(wholeLines)
		for lines.Scan() {
			if !yield(lines.Bytes(), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("%w: %s: %w", ErrDamaged, m.Name, err))
		}
	}
}

var errCutOff = errors.New("the last record is cut off")

// wholeLines is bufio.ScanLines that refuses a last line without its end, and takes nothing
// off the others.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errCutOff
	}
	return 0, nil, nil
}
