package edge

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// The reference names every path and every code, and no path that is not there.
func TestTheReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	s := w.edge(t, unlimited())
	known := map[string]bool{}
	for _, rt := range s.routes() {
		line := rt.method + " " + regexp.MustCompile(`:(\w+)`).ReplaceAllString(rt.path, "{$1}")
		known[line] = true
		if !strings.Contains(string(text), "### "+line+"\n") {
			t.Errorf("there is no section %q", "### "+line)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### ([A-Z]+ /.*)$`).FindAllStringSubmatch(string(text), -1) {
		if !known[m[1]] {
			t.Errorf("the section %q speaks of no path", m[1])
		}
	}
	for _, c := range subjects.Codes() {
		if !strings.Contains(string(text), "| `"+string(c)+"` |") {
			t.Errorf("the table of codes lacks %s", c)
		}
	}
	for _, k := range s.kinds.all() {
		for _, v := range k.verbs() {
			if !strings.Contains(string(text), "| `"+v+"` |") {
				t.Errorf("the table of a %s's verbs lacks %s", k.called(), v)
			}
		}
	}
	for _, c := range []class{classCommands, classReads, classAnonymous, classAccounts, classLogins} {
		if !strings.Contains(string(text), "| `"+string(c)+"` |") {
			t.Errorf("the table of limits lacks %s", c)
		}
	}
}
