package web_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/web"
)

// read gives every embedded file by its name.
func read(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(web.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(web.Files(), name)
		out[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	imports = regexp.MustCompile(`(?m)^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"`)
	links   = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
)

// What a page asks for is there, and what is there is asked for.
func TestEveryFileIsReached(t *testing.T) {
	files := read(t)
	reached := map[string]bool{}
	var visit func(name, from string)
	visit = func(name, from string) {
		content, ok := files[name]
		if !ok {
			t.Errorf("%s asks for %s, which is not embedded", from, name)
			return
		}
		if reached[name] {
			return
		}
		reached[name] = true
		switch path.Ext(name) {
		case ".html":
			for _, m := range links.FindAllStringSubmatch(content, -1) {
				visit(strings.TrimPrefix(m[1], "/"), name)
			}
		case ".js":
			for _, m := range imports.FindAllStringSubmatch(content, -1) {
				target := m[1] + m[2]
				if !strings.HasPrefix(target, "./") && !strings.HasPrefix(target, "../") {
					t.Errorf("%s imports %q: only files of ours", name, target)
					continue
				}
				visit(path.Join(path.Dir(name), target), name)
			}
		}
	}
	visit("index.html", "the browser")
	for name := range files {
		// types.js is for the type checker; it is reached by comments alone.
		if !reached[name] && name != "tutti/types.js" {
			t.Errorf("%s is embedded and nothing asks for it", name)
		}
	}
}

// The client stands on its own: a page that is not ours may use it.
func TestTheClientNeedsNothingOfTheApp(t *testing.T) {
	for name, content := range read(t) {
		if name != "tutti.js" && !strings.HasPrefix(name, "tutti/") {
			continue
		}
		for _, m := range imports.FindAllStringSubmatch(content, -1) {
			if target := path.Join(path.Dir(name), m[1]+m[2]); !strings.HasPrefix(target, "tutti/") {
				t.Errorf("%s imports %s", name, target)
			}
		}
	}
}

// The policy that the page is served with runs no inline code and applies no inline style:
// what is written that way does nothing, without a word.
func TestNothingIsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script>|<script [^>]*type="module">|\son[a-z]+="|\sstyle="|<style|="javascript:`)
	inCode := regexp.MustCompile(`\.innerHTML|\.outerHTML|insertAdjacentHTML|setAttribute\("style"|\beval\(|new Function`)
	for name, content := range read(t) {
		switch path.Ext(name) {
		case ".html":
			if m := inline.FindString(content); m != "" {
				t.Errorf("%s: %q", name, m)
			}
		case ".js":
			if m := inCode.FindString(content); m != "" {
				t.Errorf("%s: %q", name, m)
			}
		}
	}
}

// Nothing comes from elsewhere, and no file is too long to be read.
func TestFilesAreOursAndShort(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?:src|href)="https?:|url\(["']?https?:|@import|from "https?:`)
	for name, content := range read(t) {
		if m := elsewhere.FindString(content); m != "" {
			t.Errorf("%s loads from elsewhere: %q", name, m)
		}
		if lines := strings.Count(content, "\n"); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}
