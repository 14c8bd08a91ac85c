package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
)

var people = []store.Table{{Name: "people", Durability: store.Hard, Indexes: []store.Index{{Name: "by_town", Fields: []string{"town"}}}}}

func put(t *testing.T, s store.Store, id string, rev uint64, body string) {
	t.Helper()
	if err := s.Put(t.Context(), "people", store.Document{ID: id, Version: store.Version{Rev: rev}, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, s store.Store, q store.Query) string {
	t.Helper()
	var ids []string
	for d, err := range store.All(t.Context(), s, "people", q) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, " ")
}

func TestReopenKeepsEverything(t *testing.T) {
	// A path that would mean something else in a URI.
	path := filepath.Join(t.TempDir(), "new", "a b%20?#", "documents.db")
	s := open(t, path, people)
	put(t, s, "a", 3, `{"town":"Riga"}`)
	put(t, s, "b", 1, `{"town":"Riga"}`)
	if err := s.Delete(t.Context(), "people", "b", store.Version{Rev: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, people)
	if got := find(t, s, store.Query{Index: "by_town", Equal: []any{"Riga"}}); got != "a" {
		t.Fatalf("found %q", got)
	}
	err := s.Put(t.Context(), "people", store.Document{ID: "b", Version: store.Version{Rev: 2}, Body: []byte(`{}`)})
	if !errors.Is(err, store.ErrStale) {
		t.Fatalf("the tombstone is forgotten: %v", err)
	}
	feed, err := s.Changes(t.Context(), "people")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Close() }()
	seen := make(map[string]uint64)
	for {
		change, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if change.Kind == store.Ready {
			break
		}
		seen[change.New.ID] = change.New.Version.Rev
	}
	if len(seen) != 2 || seen["a"] != 3 || seen["b"] != 2 {
		t.Fatalf("the feed began with %v", seen)
	}
	if runtime.GOOS != "windows" {
		for _, name := range []string{path, path + "-wal", path + ".lock"} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
}

func TestIndexesFollowTheSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "documents.db")
	s := open(t, path, people)
	for i := range 10 {
		put(t, s, fmt.Sprint("p", i), 1, fmt.Sprintf(`{"town":"t%d","age":%d}`, i%2, 50-i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The index changes its meaning, and another one is new.
	changed := []store.Table{{Name: "people", Indexes: []store.Index{
		{Name: "by_town", Fields: []string{"town", "age"}}, {Name: "by_age", Fields: []string{"age"}},
	}}}
	s = open(t, path, changed)
	if got := find(t, s, store.Query{Index: "by_town", Equal: []any{"t0"}}); got != "p8 p6 p4 p2 p0" {
		t.Errorf("by town and age: %s", got)
	}
	if got := find(t, s, store.Query{Index: "by_age", To: 43}); got != "p9 p8" {
		t.Errorf("by age: %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A table that is not asked for is kept, and so is what no index needs.
	s = open(t, path, []store.Table{{Name: "others"}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, []store.Table{{Name: "people"}})
	if got := find(t, s, store.Query{Limit: 3}); got != "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9" {
		t.Errorf("by id: %s", got)
	}
	put(t, s, "p0", 2, `{"town":"moved"}`) // while the indexes are away
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, people)
	if got := find(t, s, store.Query{Index: "by_town", Equal: []any{"t0"}}); got != "p2 p4 p6 p8" {
		t.Errorf("after the index came back: %s", got)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "documents.db")
	s := open(t, path, people)
	put(t, s, "a", 1, `{}`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	setFormat := func(format int) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if _, err := db.ExecContext(t.Context(), `UPDATE meta SET value = ? WHERE key = 'format'`, format); err != nil {
			t.Fatal(err)
		}
	}
	setFormat(99)
	_, err := sqlite.Open(t.Context(), path, people)
	if !errors.Is(err, sqlite.ErrNewer) || !strings.Contains(err.Error(), "format 99") {
		t.Fatalf("got %v, want ErrNewer", err)
	}
	setFormat(1)
	if got := find(t, open(t, path, people), store.Query{}); got != "a" {
		t.Fatalf("found %q", got)
	}
}

func TestBadSchemaAndPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "documents.db")
	if _, err := sqlite.Open(t.Context(), path, []store.Table{{Name: "no good"}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Open(t.Context(), path, people); err == nil {
		t.Errorf("opened what is no database: %v", s.Close())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Open(ended, filepath.Join(t.TempDir(), "x.db"), people); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestSecondStoreInThisProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "documents.db")
	s := open(t, path, people)
	_, err := sqlite.Open(t.Context(), path, people)
	wantLocked(t, err, os.Getpid())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, people)
}

func wantLocked(t *testing.T, err error, pid int) {
	t.Helper()
	var locked *sqlite.LockedError
	if !errors.Is(err, sqlite.ErrLocked) || !errors.As(err, &locked) || locked.PID != fmt.Sprint(pid) {
		t.Fatalf("got %v, want ErrLocked by process %d", err, pid)
	}
}

// holdEnv makes the test binary a process that writes documents until it is killed.
const holdEnv = "TUTTI_TEST_HOLD_DATABASE"

func TestHolder(t *testing.T) {
	path := os.Getenv(holdEnv)
	if path == "" {
		t.Skip("is started by TestKilledProcess")
	}
	s, err := sqlite.Open(t.Context(), path, people)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); ; i++ {
		put(t, s, "counter", i, fmt.Sprintf(`{"town":"t%d"}`, i))
		_, _ = fmt.Fprintf(os.Stdout, "wrote %d\n", i)
	}
}

// A process that is killed while it writes releases the database, and has lost
// nothing of what it said it wrote.
func TestKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "documents.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said uint64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "wrote %d", &said); err != nil || said != 50 {
			continue
		}
		_, err := sqlite.Open(t.Context(), path, people)
		wantLocked(t, err, cmd.Process.Pid)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // it was killed
	if said < 50 {
		t.Fatalf("the process wrote only %d", said)
	}
	s := open(t, path, people)
	got, err := s.Get(t.Context(), "people", "counter")
	if err != nil || got.Version.Rev < said || got.Version.Rev > said+1 {
		t.Fatalf("it said it wrote %d; there is %s, %v", said, got.Version, err)
	}
	if found := find(t, s, store.Query{Index: "by_town", Equal: []any{fmt.Sprint("t", got.Version.Rev)}}); found != "counter" {
		t.Fatalf("the index has %q", found)
	}
}
