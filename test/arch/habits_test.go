package arch

import (
	"strings"
	"testing"
	"testing/fstest"
)

// tree parses made-up files, given as pairs of a path and a text.
func tree(t *testing.T, pairs ...string) *Sources {
	t.Helper()
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	s, err := LoadSources(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const record = "# 0001. Keep a log\n\nStatus: accepted\n\n## Context\n\n## Decision\n\n## Consequences\n\n## Alternatives\n"

func TestHabitsFindFaults(t *testing.T) {
	for _, tc := range []struct {
		habit string
		check func(*Sources) []string
		good  []string
		bad   []string
		want  []string
	}{
		{
			"length", tooLong,
			[]string{"a/a.go", "package a\n" + strings.Repeat("\n", 449), "a/a_test.go", "package a\n" + strings.Repeat("\n", 900)},
			[]string{"a/a.go", "package a\n" + strings.Repeat("\n", 450)},
			[]string{"a/a.go has 451 lines"},
		},
		{
			"names", leftoverNames,
			[]string{"queue/q.go", "package queue"},
			[]string{"utils/u.go", "package text", "b/b.go", "package common"},
			[]string{"in utils", "package common in b"},
		},
		{
			"doc", undocumented,
			[]string{
				"a/doc.go", "// Package a is.\npackage a", "a/b.go", "package a",
				"cmd/x/main.go", "// Command x does.\npackage main",
				"e/e_test.go", "// Package e tries.\npackage e",
			},
			[]string{"a/a.go", "// Package a is.\npackage a", "cmd/x/main.go", "package main", "e/e_test.go", "package e"},
			[]string{"a has no package comment in a doc.go", "cmd/x has no package comment", "e has no package comment"},
		},
		{
			"subjects", spelledSubjects,
			[]string{
				"subjects/s.go", "package subjects\nconst Root = \"" + subjectRoot + "\"",
				"a/a.go", "package a\n// " + subjectRoot + ".cmd is built elsewhere.\nconst help = \"see " + subjectRoot + ".cmd\"",
			},
			[]string{
				"a/a.go", "package a\nconst all = \"" + subjectRoot + ".>\"",
				"b/b_test.go", "package b\nvar s = `" + subjectRoot + "` + \".evt\"",
			},
			[]string{"a/a.go:2", "b/b_test.go:2"},
		},
		{
			"pure", impure,
			[]string{
				"services/room/decide_vote.go", "package room\nimport \"time\"\nconst limit = time.Minute",
				"services/room/service.go", "package room\nimport \"context\"\nvar _ context.Context",
				"subjects/id.go", "package subjects\nimport _ \"crypto/rand\"",
			},
			[]string{
				"services/room/decide.go", "package room\nimport (\n\"context\"\n\"time\"\n)\nvar _ context.Context\nvar now = time.Now\nfunc f() {\ngo f()\n}",
				"subjects/room.go", "package subjects\nimport _ \"crypto/rand\"",
			},
			[]string{
				"subjects/room.go imports crypto/rand",
				"decide.go imports context", "decide.go:7: time.Now", "decide.go:9: starts a goroutine",
			},
		},
		{
			"pure, nothing to look at", impure,
			[]string{"services/room/decide.go", "package room", "subjects/fold.go", "package subjects"},
			[]string{"services/room/fold.go", "package room"},
			[]string{"no file matches services/*/decide*.go", "no file matches subjects/*.go"},
		},
		{
			"leaks", unwatched,
			[]string{
				"a/a.go", "package a\nfunc f() { go f() }", "a/a_test.go", "package a\nimport _ \"go.uber.org/goleak\"",
				"b/b.go", "package b\nfunc f() {}", "d/d.go", "package d\nimport _ \"testing\"\nfunc f() { go f() }", "c/c_test.go", "package c\nfunc f() { go f() }",
			},
			[]string{
				"a/a.go", "package a\nfunc f() { go f() }", "a/a_test.go", "package a",
				"b/b.go", "package b\nimport \"sync\"\nfunc f(g *sync.WaitGroup) { g.Go(func() {}) }",
			},
			[]string{"a/a.go:2 starts a goroutine", "b/b.go:3 starts a goroutine"},
		},
		{
			"requirements", badRequirements,
			[]string{
				"go.mod", "module x\n\ngo 1.26\n\nrequire a.dev/a v1.0.0\n\nrequire (\n\ta.dev/a/v2 v2.0.0\n\tb.dev v0.0.0-2 // indirect\n\tc.dev/t v1.0.0\n)\n",
				"p/p.go", "package p\nimport (\n_ \"a.dev/a/x\"\n_ \"a.dev/a/v2\"\n_ \"" + Module + "/q\"\n_ \"net/http\"\n)",
				"p/p_test.go", "package p\nimport _ \"c.dev/t\"",
				"tools.mod", "module x\n\ntool b.dev/lint\n\nrequire b.dev v1.0.0\n",
			},
			[]string{
				"go.mod", "module x\n\ntool b.dev/lint\n\nrequire (\n\ta.dev/a v1.0.0\n\tb.dev v1.0.0 // indirect\n)\n\nreplace a.dev/a => ../a\n",
				"p/p.go", "package p\nimport (\n_ \"b.dev/x\"\n_ \"d.dev\"\n)",
			},
			[]string{
				"go.mod:3: tool", "go.mod:10: replace", "a.dev/a is required and imported by nobody",
				"b.dev is imported and marked // indirect", "d.dev is imported and not required",
			},
		},
		{
			"requirements, no go.mod", badRequirements,
			[]string{"go.mod", "module x\n"},
			[]string{"p/p.go", "package p"},
			[]string{"go.mod is not there"},
		},
		{
			"words", strayWords,
			[]string{"a.go", "package a\n// All of it is done.", "testdata/x.md", "TO" + "DO"},
			[]string{
				"a.go", "package a\n// TO" + "DO later", "b.md", "Run it in /ho" + "me/ann/tutti.", "c.yml", "<<<<" + "<<< ours\n",
			},
			[]string{"a.go:2", "b.md:1", "c.yml:1"},
		},
		{
			"decisions", badDecisions,
			[]string{"docs/adr/README.md", "[1](0001-log.md)", "docs/adr/0001-log.md", record, "docs/adr/" + template, "# 0000. Title"},
			[]string{
				"docs/adr/README.md", "[2](0002-half.md)",
				"docs/adr/0002-half.md", "# 0002. Half\n\n## Context\n\n## Decision\n\n## Consequences\n",
				"docs/adr/0003-lost.md", strings.Replace(record, "0001", "0003", 1),
				"docs/adr/later.md", "# Later",
			},
			[]string{
				"0002-half.md: no line \"Status", "0002-half.md: no section \"## Alternatives\"",
				"0003-lost.md: the index has no link", "later.md: its name", "record 0002 where 0001 was due",
			},
		},
		{
			"decisions, none", badDecisions,
			[]string{"docs/adr/README.md", "[1](0001-log.md)", "docs/adr/0001-log.md", record},
			[]string{"README.md", "# Tutti"},
			[]string{"README.md is not there", "holds no records"},
		},
		{
			"links", deadLinks,
			[]string{
				"README.md", "[a](docs/a.md#top) [ci](.ci/run) [d](docs) [web](https://example.org/x.md) `[x](y.md)`\n```\n[x](y.md)\n```\n",
				"docs/a.md", "[up](../README.md) [here](#there)", ".ci/run", "",
			},
			[]string{"README.md", "[a](docs/b.md)", "docs/a.md", "[up](README.md)"},
			[]string{"README.md: link to docs/b.md", "docs/a.md: link to README.md"},
		},
	} {
		t.Run(tc.habit, func(t *testing.T) {
			expect(t, tc.check(tree(t, tc.good...)))
			expect(t, tc.check(tree(t, tc.bad...)), tc.want...)
		})
	}
}

func TestGeneratedFilesAreNotRead(t *testing.T) {
	s := tree(t, "a/a.go", "// Code generated by gen. DO NOT EDIT.\n\npackage a\n"+strings.Repeat("\n", 900))
	expect(t, tooLong(s))
}

func TestImportsOfOtherPlatforms(t *testing.T) {
	g := graph(t, sound...)
	tree(t,
		"services/room/room_plan9.go", "package room\nimport _ \"nats.io/client\"",
		"services/chat/chat_test.go", "package chat_test\nimport _ \""+Module+"/services/room\"",
	).AddImports(g)
	expect(t, house().Check(g),
		"home bus: services/room → nats.io/client",
		"layer services: services/chat → services/room")
}
