package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Sources is the text of a tree: every file a person wrote, by its slash-separated path.
type Sources struct {
	files []*source
	paths map[string]bool // every file and directory there is, read or not
	set   *token.FileSet
}

type source struct {
	path string
	text []byte
	code *ast.File // nil unless it is Go
}

func (s *source) dir() string  { return path.Dir(s.path) }
func (s *source) test() bool   { return strings.HasSuffix(s.path, "_test.go") }
func (s *source) lines() int   { return bytes.Count(s.text, []byte("\n")) }
func (s *source) base() string { return path.Base(s.path) }

// written names the kinds of file that people write and that habits speak of.
var written = []string{".go", ".md", ".yml", ".yaml", ".json", ".js", ".mjs", ".css", ".html", ".conf", ".sh", ".mod"}

// LoadSources reads the tree in fsys. Directories whose name begins with a dot or
// underscore, testdata, and directories of installed packages are not read, nor are
// files that a program generated and says so.
func LoadSources(fsys fs.FS) (*Sources, error) {
	s := &Sources{set: token.NewFileSet(), paths: map[string]bool{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(name):
			return fs.SkipDir
		}
		s.paths[name] = true
		if !d.Type().IsRegular() || unread(name) {
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return s.add(name, text)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sources) add(name string, text []byte) error {
	f := &source{path: name, text: text}
	if path.Ext(name) == ".go" {
		var err error
		f.code, err = parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parsing: %w", err)
		}
		if ast.IsGenerated(f.code) {
			return nil
		}
	}
	s.files = append(s.files, f)
	return nil
}

// skipped names directories that hold nothing of ours.
func skipped(dir string) bool {
	base := path.Base(dir)
	return base == ".git" || base == "vendor" || base == "node_modules"
}

// unread reports whether no person writes the file, or the go command would not look at it.
func unread(name string) bool {
	if !slices.Contains(written, path.Ext(name)) {
		return true
	}
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(dir string) bool {
		return dir == "testdata" || dir != "." && strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
	})
}

// AddImports adds to g what the Go files import, whatever their build constraints: the
// go command reports only the files of one platform.
func (s *Sources) AddImports(g *Graph) {
	for _, f := range s.files {
		if f.code == nil {
			continue
		}
		pkg := path.Join(Module, f.dir())
		for _, to := range imports(f.code) {
			if f.test() {
				g.TestImport(pkg, to)
			} else {
				g.Import(pkg, to)
			}
		}
	}
}

func imports(code *ast.File) []string {
	out := make([]string, 0, len(code.Imports))
	for _, i := range code.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// packages groups the Go files by directory, in order of their paths.
func (s *Sources) packages() [][]*source {
	var out [][]*source
	at := map[string]int{}
	for _, f := range s.files {
		if f.code == nil {
			continue
		}
		i, ok := at[f.dir()]
		if !ok {
			i = len(out)
			at[f.dir()] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	return out
}

// where prints a position as path:line.
func (s *Sources) where(p token.Pos) string {
	at := s.set.Position(p)
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}
