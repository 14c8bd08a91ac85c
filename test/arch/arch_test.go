package arch

import (
	"os"
	"path/filepath"
	"testing"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the module's root is not where this test expects it: %v", err)
	}
	return dir
}

func sources(t *testing.T) *Sources {
	t.Helper()
	s, err := LoadSources(os.DirFS(root(t)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestImports(t *testing.T) {
	g, err := Load(t.Context(), root(t))
	if err != nil {
		t.Fatal(err)
	}
	sources(t).AddImports(g)
	for _, fault := range Table().Check(g) {
		t.Error(fault)
	}
}

func TestHabits(t *testing.T) {
	s := sources(t)
	for _, h := range Habits() {
		t.Run(h.Name, func(t *testing.T) {
			for _, fault := range h.Faults(s) {
				t.Errorf("%s\n\t%s", fault, h.Reason)
			}
		})
	}
}
