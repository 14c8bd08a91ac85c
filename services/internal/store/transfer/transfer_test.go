package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store/transfer"
)

// content is what a test exports: records by member.
type content map[string][]string

func export(tb rapid.TB, path string, c content) transfer.Manifest {
	tb.Helper()
	w, err := transfer.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range sorted(c) {
		r, err := w.Begin(transfer.Member{Name: name, Kind: "test", Of: name[:1], Handled: map[string]uint64{"reader": 3}})
		if err != nil {
			tb.Fatal(err)
		}
		for _, line := range c[name] {
			if err := r.WriteRaw([]byte(line)); err != nil {
				tb.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	m, err := w.Finish(transfer.Manifest{ID: "export_1", Made: time.Unix(1, 0).UTC(), By: "test", Schema: 1, Logs: true})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func sorted(c content) []string {
	var names []string
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func read(path string) (content, transfer.Manifest, error) {
	r, err := transfer.Open(context.Background(), path, nil)
	if err != nil {
		return nil, transfer.Manifest{}, err
	}
	defer r.Close()
	c := content{}
	for _, m := range r.Manifest().Members {
		c[m.Name] = nil
		for line, err := range r.Records(m) {
			if err != nil {
				return nil, r.Manifest(), err
			}
			c[m.Name] = append(c[m.Name], string(line))
		}
	}
	return c, r.Manifest(), nil
}

func equal(a, b content) bool {
	return slices.Equal(sorted(a), sorted(b)) &&
		!slices.ContainsFunc(sorted(a), func(name string) bool { return !slices.Equal(a[name], b[name]) })
}

var paths = map[string]string{"directory": "out", "tar": "out.tar"}

func small() content {
	return content{
		"a.jsonl.gz": {`{"n":1}`, `{"text":"<é>\r"}`, `{"n": 2}`}, "b-2.jsonl.gz": nil, "log_c.jsonl.gz": {`{}`},
	}
}

func TestWhatIsExportedComesBack(t *testing.T) {
	t.Parallel()
	for what, path := range paths {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) {
				dir := t.TempDir()
				c := content{}
				for i := range rapid.IntRange(0, 4).Draw(r, "members") {
					var lines []string
					for range rapid.IntRange(0, 50).Draw(r, "records") {
						text, err := json.Marshal(rapid.String().Draw(r, "record"))
						if err != nil {
							r.Fatal(err)
						}
						lines = append(lines, string(text))
					}
					c[fmt.Sprintf("m%d.jsonl.gz", i)] = lines
				}
				at := filepath.Join(dir, path)
				want := export(r, at, c)
				got, m, err := read(at)
				if err != nil || !equal(got, c) {
					r.Fatalf("%v: %v, want %v", err, got, c)
				}
				if m.ID != "export_1" || !m.Made.Equal(want.Made) || m.Sum != want.Sum || m.Format != transfer.Format {
					r.Fatalf("manifest %+v, want %+v", m, want)
				}
				var n uint64
				for _, lines := range c {
					n += uint64(len(lines))
				}
				if m.Records() != n {
					r.Fatalf("%d records, want %d", m.Records(), n)
				}
			})
		})
	}
}

// What was written is for its owner alone, and nothing else is left behind.
func TestFilesOfAnExport(t *testing.T) {
	t.Parallel()
	for what, path := range paths {
		dir := t.TempDir()
		export(t, filepath.Join(dir, path), small())
		err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			if p != dir && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v", what, p, info.Mode())
			}
			if strings.Contains(p, ".partial") {
				t.Errorf("%s: %s is left", what, p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transfer.Create(filepath.Join(dir, path)); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: a second export over the first: %v", what, err)
		}
	}
}

// Whatever is done to any byte: it is refused, or it was of no meaning.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for what, path := range paths {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := filepath.Join(dir, path)
			export(t, at, small())
			files := []string{at}
			if what == "directory" {
				files, _ = filepath.Glob(filepath.Join(at, "*"))
			}
			refused := 0
			try := func(name string, damage func(whole []byte) []byte) {
				whole, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, damage(slices.Clone(whole)), 0o600); err != nil {
					t.Fatal(err)
				}
				got, _, err := read(at)
				switch {
				case err == nil && !equal(got, small()):
					t.Fatalf("damage to %s went unnoticed: %v", name, got)
				case err != nil && !errors.Is(err, transfer.ErrDamaged) && !errors.Is(err, transfer.ErrIncomplete) &&
					!errors.Is(err, transfer.ErrNewerFormat):
					t.Fatalf("damage to %s: %v", name, err)
				case err != nil:
					refused++
				}
				if err := os.WriteFile(name, whole, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tried := 0
			for _, name := range files {
				info, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				step := max(1, int(info.Size())/300)
				for i := 0; i < int(info.Size()); i += step {
					tried += 2
					try(name, func(whole []byte) []byte { whole[i] ^= 1 << (i % 8); return whole })
					try(name, func(whole []byte) []byte { return whole[:i] })
				}
			}
			// In a directory every byte counts; in a .tar not those between the files.
			if what == "directory" && refused != tried || refused < tried/2 {
				t.Errorf("%d of %d were refused", refused, tried)
			}
		})
	}
}

func TestWhatIsNoExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	extra := filepath.Join(dir, "extra")
	export(t, extra, small())
	if err := os.WriteFile(filepath.Join(extra, "more.jsonl.gz"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer")
	export(t, newer, small())
	if err := os.WriteFile(filepath.Join(newer, "manifest.json"), []byte(`{"format":2,"id":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "nothing"): os.ErrNotExist, empty: transfer.ErrIncomplete, extra: transfer.ErrDamaged, newer: transfer.ErrNewerFormat,
	} {
		if _, _, err := read(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

// A process that is killed leaves what no import takes; one that gives up leaves nothing.
func TestHalfAnExport(t *testing.T) {
	t.Parallel()
	for what, path := range paths {
		dir := t.TempDir()
		at := filepath.Join(dir, path)
		w, err := transfer.Create(at)
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Begin(transfer.Member{Name: "a.jsonl.gz"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteRaw([]byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Begin(transfer.Member{Name: "b.jsonl.gz"}); err == nil {
			t.Errorf("%s: two members at once", what)
		}
		if _, err := w.Finish(transfer.Manifest{ID: "x"}); err == nil {
			t.Errorf("%s: finished with an open member", what)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{at, at + ".partial"} {
			if _, _, err := read(p); !errors.Is(err, transfer.ErrIncomplete) && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: half an export: %v", what, err)
			}
		}
		if _, err := transfer.Create(at); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: another export over half of one: %v", what, err)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left after Abort: %v, %v", what, left, err)
		}
	}
}

// A member that is taken back leaves no trace, and its name is free.
func TestDiscard(t *testing.T) {
	t.Parallel()
	for what, path := range paths {
		at := filepath.Join(t.TempDir(), path)
		w, err := transfer.Create(at)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			r, err := w.Begin(transfer.Member{Name: "a.jsonl.gz"})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Write(map[string]int{"n": i}); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				err = r.Discard()
			} else {
				err = r.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Finish(transfer.Manifest{ID: "x"}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := read(at); err != nil || !equal(got, content{"a.jsonl.gz": {`{"n":1}`}}) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}
