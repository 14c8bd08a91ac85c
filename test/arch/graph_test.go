package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of the given files, pairs of a path and a text.
func module(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	pairs = append(pairs, "go.mod", "module "+Module+"\n\ngo 1.26\n")
	for i := 0; i < len(pairs); i += 2 {
		name := filepath.Join(dir, filepath.FromSlash(pairs[i]))
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(pairs[i+1]), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := module(t,
		"subjects/s.go", "package subjects\n\nimport _ \"strings\"\n",
		"services/room/r.go", "package room\n\nimport _ \""+Module+"/services/chat\"\n",
		"services/chat/c.go", "package chat\n\nimport _ \""+Module+"/subjects\"\n",
		"services/chat/c_test.go", "package chat_test\n\nimport _ \"testing\"\n",
		"services/other/o_windows.go", "//go:build windows && !windows\n\npackage other\n",
	)
	g, err := Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	rules := Rules{
		Layers: []Layer{
			{Name: "contract", Of: "subjects/..."},
			{Name: "services", Of: "services/*/...", Allow: []string{"subjects"}},
		},
		Bans: []Ban{
			{Name: "no text", Of: "services/...", Never: []string{"strings"}},
			{Name: "no harness", Of: "services/...", Never: []string{"testing"}},
		},
	}
	expect(t, rules.Check(g),
		"layer services: services/room → services/chat",
		"ban no text: services/room → services/chat → subjects → strings",
		"ban no text: services/chat → subjects → strings")
}

func TestLoadReportsWhatDoesNotLoad(t *testing.T) {
	_, err := Load(t.Context(), module(t, "subjects/s.go", "package subjects\n\nimport _ \""+Module+"/gone\"\n"))
	if err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("Load gave %v, and not that package gone is missing", err)
	}
}
