package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Habit is something that holds for files rather than for imports.
type Habit struct {
	Name   string
	Reason string
	Faults func(*Sources) []string
}

// Habits lists what a reader of this code may rely on.
func Habits() []Habit {
	return []Habit{
		{"length", "a file that does not fit in a head is two files", tooLong},
		{"names", "a package is named for what it provides, not for being left over", leftoverNames},
		{"doc", "a package opens with a page that a newcomer can read", undocumented},
		{"subjects", "a subject is built by package subjects, so that it can change in one place", spelledSubjects},
		{"pure", "a decision is a function of state, command and the time it is told: it can be replayed", impure},
		{"leaks", "who starts goroutines shows that they end: goleak in TestMain", unwatched},
		{"requirements", "go.mod names what we import, and nothing that bends what others get", badRequirements},
		{"words", "what is left for later, or only true on one machine, does not belong in the tree", strayWords},
		{"decisions", "a decision that costs something to reverse has a complete page, and the index leads to it", badDecisions},
		{"links", "a link in the documentation leads somewhere", deadLinks},
	}
}

const maxLines = 450

func tooLong(s *Sources) []string {
	var faults []string
	for _, f := range s.files {
		if f.code != nil && !f.test() && f.lines() > maxLines {
			faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d", f.path, f.lines(), maxLines))
		}
	}
	return faults
}

var leftovers = []string{"util", "utils", "common", "helper", "helpers", "misc"}

func leftoverNames(s *Sources) []string {
	var faults []string
	for _, files := range s.packages() {
		f := files[0]
		if name := strings.TrimSuffix(f.code.Name.Name, "_test"); slices.Contains(leftovers, name) ||
			slices.Contains(leftovers, path.Base(f.dir())) {
			faults = append(faults, fmt.Sprintf("package %s in %s", name, f.dir()))
		}
	}
	return faults
}

func undocumented(s *Sources) []string {
	var faults []string
	for _, files := range s.packages() {
		dir := files[0].dir()
		onlyTests := !slices.ContainsFunc(files, func(f *source) bool { return !f.test() })
		program := files[0].code.Name.Name == "main"
		documented := slices.ContainsFunc(files, func(f *source) bool {
			return f.code.Doc != nil && (program || onlyTests || f.base() == "doc.go")
		})
		switch {
		case documented:
		case program || onlyTests:
			faults = append(faults, dir+" has no package comment")
		default:
			faults = append(faults, dir+" has no package comment in a doc.go")
		}
	}
	return faults
}

func spelledSubjects(s *Sources) []string {
	var faults []string
	for _, f := range s.files {
		if f.code == nil || f.dir() == "subjects" || strings.HasPrefix(f.path, "subjects/") {
			continue
		}
		ast.Inspect(f.code, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err == nil && (text == subjectRoot || strings.HasPrefix(text, subjectRoot+".")) {
				faults = append(faults, fmt.Sprintf("%s: %s", s.where(lit.Pos()), lit.Value))
			}
			return true
		})
	}
	return faults
}

const subjectRoot = "tutti" + ".v1"

// pureFiles are where services decide, and where the contract folds; each pattern must
// match. makesIDs is the one of them that needs randomness.
var pureFiles = []string{"services/*/decide*.go", "subjects/*.go"}

const makesIDs = "subjects/id.go"

var impureImports = []string{"context", "crypto/rand", "log", "math/rand", "math/rand/v2", "net", "net/http", "os"}

var impureCalls = map[string][]string{
	"time": {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"},
	"slog": {"Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "Default"},
}

func impure(s *Sources) []string {
	var faults []string
	for _, pattern := range pureFiles {
		found := false
		for _, f := range s.files {
			if ok, err := path.Match(pattern, f.path); !ok || err != nil || f.code == nil || f.test() {
				continue
			}
			found = true
			faults = append(faults, s.impurities(f)...)
		}
		if !found {
			faults = append(faults, "no file matches "+pattern)
		}
	}
	return faults
}

func (s *Sources) impurities(f *source) []string {
	var faults []string
	for _, to := range imports(f.code) {
		if slices.Contains(impureImports, to) && (to != "crypto/rand" || f.path != makesIDs) {
			faults = append(faults, fmt.Sprintf("%s imports %s", f.path, to))
		}
	}
	ast.Inspect(f.code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			faults = append(faults, s.where(n.Pos())+": starts a goroutine")
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && slices.Contains(impureCalls[pkg.Name], n.Sel.Name) {
				faults = append(faults, fmt.Sprintf("%s: %s.%s", s.where(n.Pos()), pkg.Name, n.Sel.Name))
			}
		}
		return true
	})
	return faults
}

// unwatched looks for go statements and for the Go method of wait groups and their like.
// A package that imports testing is test code in ordinary files: it runs in the tests of
// others, and they look.
func unwatched(s *Sources) []string {
	var faults []string
	for _, files := range s.packages() {
		var starts string
		watched := false
		for _, f := range files {
			if f.test() {
				watched = watched || slices.Contains(imports(f.code), "go.uber.org/goleak")
				continue
			}
			watched = watched || slices.Contains(imports(f.code), "testing")
			ast.Inspect(f.code, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					starts = s.where(n.Pos())
				case *ast.CallExpr:
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
						starts = s.where(n.Pos())
					}
				}
				return true
			})
		}
		if starts != "" && !watched {
			faults = append(faults, fmt.Sprintf("%s starts a goroutine, and no test in %s imports goleak", starts, files[0].dir()))
		}
	}
	return faults
}

// stray is spelled in pieces, so that this file does not match itself.
var stray = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b` +
	`|(?m:^(<` + `<<<<<<|>` + `>>>>>>) )` +
	`|[ "'(=](/ho` + `me|/Us` + `ers|/ro` + `ot)/\w`)

func strayWords(s *Sources) []string {
	var faults []string
	for _, f := range s.files {
		for i, line := range strings.Split(string(f.text), "\n") {
			if m := stray.FindString(line); m != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: %s", f.path, i+1, strings.TrimSpace(m)))
			}
		}
	}
	return faults
}
