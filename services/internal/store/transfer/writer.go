package transfer

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tarSuffix ends the name of an export that is a single file.
const tarSuffix = ".tar"

// partial ends the name of what is not finished.
const partial = ".partial"

// Writer writes an export. One goroutine uses it, and one Records at a time.
type Writer struct {
	path string   // of the finished export
	dir  string   // where files are written
	tar  *os.File // nil for a directory
	tw   *tar.Writer
	all  []Member
	open bool // a member is being written
}

// Create begins an export at path: a .tar if it ends so, otherwise a directory. Nothing may
// be there yet: os.ErrExist. Finish or Abort it.
func Create(path string) (*Writer, error) {
	path = filepath.Clean(path)
	for _, p := range []string{path, path + partial} {
		if _, err := os.Lstat(p); err == nil {
			return nil, fmt.Errorf("export: %s: %w", p, os.ErrExist)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	w := &Writer{path: path}
	if !strings.HasSuffix(path, tarSuffix) {
		w.dir = path + partial
		if err := os.MkdirAll(w.dir, 0o700); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		return w, nil
	}
	var err error
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if w.tar, err = os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	w.tw = tar.NewWriter(w.tar)
	// A member's size stands before it in a .tar: it is written beside it first.
	if w.dir, err = os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+partial+"-"); err != nil {
		return nil, errors.Join(fmt.Errorf("export: %w", err), w.Abort())
	}
	return w, nil
}

// Records is a member that is being written.
type Records struct {
	w      *Writer
	member Member
	file   *os.File
	buf    *bufio.Writer
	sum    hash.Hash
	zip    *gzip.Writer
	line   bytes.Buffer
	enc    *json.Encoder
}

// Begin begins a member, of which Name, Kind, Of and Handled are set. Close or Discard it.
func (w *Writer) Begin(m Member) (*Records, error) {
	if w.open || !memberForm.MatchString(m.Name) {
		return nil, fmt.Errorf("export: member %q: another is open, or a bad name", m.Name)
	}
	f, err := os.OpenFile(filepath.Join(w.dir, m.Name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	r := &Records{w: w, member: m, file: f, sum: sha256.New()}
	r.buf = bufio.NewWriterSize(io.MultiWriter(f, r.sum), 1<<20)
	if r.zip, err = gzip.NewWriterLevel(r.buf, gzip.BestSpeed); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.enc = json.NewEncoder(&r.line)
	r.enc.SetEscapeHTML(false)
	w.open = true
	return r, nil
}

// Write adds a record.
func (r *Records) Write(v any) error {
	r.line.Reset()
	if err := r.enc.Encode(v); err != nil {
		return fmt.Errorf("export: %s: %w", r.member.Name, err)
	}
	return r.add(r.line.Bytes())
}

// WriteRaw adds a record that is spelled already: JSON without a line end.
func (r *Records) WriteRaw(line []byte) error {
	r.line.Reset()
	_, _ = r.line.Write(line) // into memory
	_ = r.line.WriteByte('\n')
	return r.add(r.line.Bytes())
}

func (r *Records) add(line []byte) error {
	if len(line) > MaxRecord {
		return fmt.Errorf("export: %s: a record of %d bytes", r.member.Name, len(line))
	}
	if _, err := r.zip.Write(line); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	r.member.Records++
	return nil
}

// Handle notes how many of the member's records one reader had dealt with.
func (r *Records) Handle(reader string, records uint64) {
	if r.member.Handled == nil {
		r.member.Handled = map[string]uint64{}
	}
	r.member.Handled[reader] = records
}

// Discard takes the member back, as if it had not been begun.
func (r *Records) Discard() error {
	r.w.open = false
	return errors.Join(r.file.Close(), os.Remove(r.file.Name()))
}

// Close makes the member part of the export.
func (r *Records) Close() (err error) {
	r.w.open = false
	defer func() { err = errors.Join(err, r.file.Close()) }()
	if err := errors.Join(r.zip.Close(), r.buf.Flush(), r.file.Sync()); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	info, err := r.file.Stat()
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	r.member.Size, r.member.SHA256 = info.Size(), hex.EncodeToString(r.sum.Sum(nil))
	r.w.all = append(r.w.all, r.member)
	if r.w.tw == nil {
		return nil
	}
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := r.w.pack(r.member.Name, info.Size(), r.file); err != nil {
		return err
	}
	return os.Remove(r.file.Name())
}

func (w *Writer) pack(name string, size int64, from io.Reader) error {
	err := w.tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(w.tw, from)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// Finish writes the manifest, of which Format, Members and Sum are filled in, and gives the
// export its name. It is on the disk when Finish returns.
func (w *Writer) Finish(m Manifest) (Manifest, error) {
	if w.open {
		return m, errors.New("export: a member is still open")
	}
	m.Format, m.Members = Format, w.all
	text, err := m.encode()
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	if w.tw != nil {
		err = w.pack(manifestName, int64(len(text)), bytes.NewReader(text))
		err = errors.Join(err, w.tw.Close(), w.tar.Sync(), w.tar.Close(), os.Remove(w.dir))
	} else {
		err = writeFile(filepath.Join(w.dir, manifestName), text)
		err = errors.Join(err, syncDir(w.dir))
	}
	if err == nil {
		err = os.Rename(w.path+partial, w.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(w.path))
	}
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	return decodeManifest(text)
}

// Abort removes what was written.
func (w *Writer) Abort() error {
	var errs []error
	if w.tar != nil {
		_ = w.tar.Close() // it goes anyway, and may be closed
		errs = append(errs, os.Remove(w.tar.Name()))
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

func writeFile(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a directory lasting, where the system knows of such a thing.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every file system can
	return d.Close()
}
