package arch

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	recordsDir = "docs/adr"
	template   = "0000-template.md"
)

var (
	recordName = regexp.MustCompile(`^(\d{4})-[a-z0-9-]+\.md$`)
	status     = regexp.MustCompile(`(?m)^Status: (proposed|accepted|superseded by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\))`)
	sections   = []string{"## Context", "## Decision", "## Consequences", "## Alternatives"}
)

// badDecisions reports records whose name, number, status or sections are amiss, numbers
// left out or used twice, and records that the index does not lead to.
func badDecisions(s *Sources) []string {
	var faults []string
	var index string
	var numbers []string
	for _, f := range s.files {
		if f.path == recordsDir+"/README.md" {
			index = string(f.text)
		}
	}
	if index == "" {
		faults = append(faults, recordsDir+"/README.md is not there")
	}
	for _, f := range s.files {
		if f.dir() != recordsDir || f.base() == "README.md" || f.base() == template {
			continue
		}
		m := recordName.FindStringSubmatch(f.base())
		if m == nil {
			faults = append(faults, f.path+": its name is not like 0001-a-few-words.md")
			continue
		}
		numbers = append(numbers, m[1])
		text := string(f.text)
		if !strings.HasPrefix(text, "# "+m[1]+". ") {
			faults = append(faults, fmt.Sprintf("%s: does not open with \"# %s. \" and a title", f.path, m[1]))
		}
		if !status.MatchString(text) {
			faults = append(faults, f.path+": no line \"Status: proposed\", \"accepted\" or \"superseded by [0000](…)\"")
		}
		for _, h := range sections {
			if !strings.Contains(text, "\n"+h+"\n") {
				faults = append(faults, fmt.Sprintf("%s: no section %q", f.path, h))
			}
		}
		if !strings.Contains(index, "("+f.base()+")") {
			faults = append(faults, f.path+": the index has no link to it")
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if want := fmt.Sprintf("%04d", i+1); n != want {
			faults = append(faults, fmt.Sprintf("%s: record %s where %s was due: a number is missing or taken twice", recordsDir, n, want))
			break
		}
	}
	if len(numbers) == 0 {
		faults = append(faults, recordsDir+" holds no records")
	}
	return faults
}

var (
	fenced = regexp.MustCompile("(?s)```.*?```")
	inline = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^)\s#]+)(#[^)\s]*)?\)`)
)

// deadLinks follows the relative links of Markdown files; the template's are examples.
func deadLinks(s *Sources) []string {
	var faults []string
	for _, f := range s.files {
		if path.Ext(f.path) != ".md" || f.base() == template {
			continue
		}
		text := inline.ReplaceAllString(fenced.ReplaceAllString(string(f.text), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to := m[1]
			if strings.Contains(to, ":") {
				continue // another site
			}
			if !s.paths[path.Join(f.dir(), to)] {
				faults = append(faults, fmt.Sprintf("%s: link to %s", f.path, to))
			}
		}
	}
	return faults
}
