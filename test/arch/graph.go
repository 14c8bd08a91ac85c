package arch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// Module is the path of the module whose shape is checked.
const Module = "github.com/tuttihq/tutti"

// Graph is an import graph: packages by import path. Packages of the module have
// their imports in every build configuration; third parties have those of the platform
// the check runs on.
type Graph struct {
	nodes map[string]*node
}

type node struct {
	imports     []string // by the package itself
	testImports []string // by its tests, in the package or beside it
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{nodes: map[string]*node{}} }

// Import records that package from imports each of to.
func (g *Graph) Import(from string, to ...string) {
	n := g.node(from)
	n.imports = append(n.imports, to...)
}

// TestImport records that tests of package from import each of to.
func (g *Graph) TestImport(from string, to ...string) {
	n := g.node(from)
	n.testImports = append(n.testImports, to...)
}

func (g *Graph) node(path string) *node {
	n := g.nodes[path]
	if n == nil {
		n = &node{}
		g.nodes[path] = n
	}
	return n
}

// own lists the module's packages, sorted.
func (g *Graph) own() []string {
	var out []string
	for path := range g.nodes {
		if isOwn(path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// mentions reports whether any package, or any test of ours, is or imports a package
// that is answers true for.
func (g *Graph) mentions(is func(path string) bool) bool {
	for path, n := range g.nodes {
		if is(path) || slices.ContainsFunc(n.imports, is) || isOwn(path) && slices.ContainsFunc(n.testImports, is) {
			return true
		}
	}
	return false
}

func isOwn(path string) bool { return path == Module || strings.HasPrefix(path, Module+"/") }

// short is how a message names a package: ours without the module's path.
func short(path string) string { return strings.TrimPrefix(path, Module+"/") }

// walk visits what is reachable from package from, nearest first, and the chain of
// imports that leads there. With tests, the tests of from count as part of it. Where
// visit returns false, what lies behind that package is not visited.
func (g *Graph) walk(from string, tests bool, visit func(path string, chain []string) bool) {
	came := map[string]string{from: ""}
	queue := []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at != from && !visit(at, chain(came, at)) {
			continue
		}
		n := g.nodes[at]
		if n == nil {
			continue
		}
		next := n.imports
		if at == from && tests {
			next = slices.Concat(next, n.testImports)
		}
		for _, to := range next {
			if _, seen := came[to]; !seen {
				came[to] = at
				queue = append(queue, to)
			}
		}
	}
}

func chain(came map[string]string, at string) []string {
	var out []string
	for ; at != ""; at = came[at] {
		out = append(out, at)
	}
	slices.Reverse(out)
	return out
}

// listed is what `go list -json` says of a package, as far as it matters here.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// Load reads the graph of the module in directory root: every package in it and
// everything those import, by asking the go command.
func Load(ctx context.Context, root string) (*Graph, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps",
		"-json=ImportPath,Imports,TestImports,XTestImports,Error", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	g := NewGraph()
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list printed: %w", err)
		}
		if p.Error != nil && isOwn(p.ImportPath) && !constrainedAway(p.Error.Err) {
			return nil, fmt.Errorf("package %s does not load: %s", short(p.ImportPath), p.Error.Err)
		}
		g.Import(p.ImportPath, p.Imports...)
		g.TestImport(p.ImportPath, p.TestImports...)
		g.TestImport(p.ImportPath, p.XTestImports...)
	}
}

// constrainedAway reports whether a package failed to load only because none of its
// files is for this platform; its imports are then known from the files alone.
func constrainedAway(msg string) bool {
	return strings.Contains(msg, "build constraints exclude all Go files")
}
