package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
)

// mapping reads a YAML file.
func mapping(t *testing.T, path string) map[string]any {
	t.Helper()
	m, err := yaml.Parser().Unmarshal([]byte(text(t, path)))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return m
}

// at follows keys into what YAML made.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// versioned is an action of a major version at least.
var versioned = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+@(v\d+(\.\d+)*|[0-9a-f]{40})$`)

// actors are whose actions are used: they run with the rights of the job.
var actors = []string{"actions", "docker"}

func TestWorkflowsAskForNoMoreThanTheyNeed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	sections := regexp.MustCompile(`(?m)^all=\(([^)]*)\)$`).FindStringSubmatch(text(t, ".ci/run"))
	if sections == nil {
		t.Fatal(".ci/run lists no sections")
	}
	run := map[string]bool{}
	for _, path := range files {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		w := mapping(t, name)
		if p, _ := w["permissions"].(map[string]any); len(p) != 1 || p["contents"] != "read" {
			t.Errorf("%s: permissions %v: reading the contents is enough for a start", name, w["permissions"])
		}
		if strings.Contains(text(t, name), "pull_request_target") {
			t.Errorf("%s: runs what strangers send with our rights", name)
		}
		jobs, _ := w["jobs"].(map[string]any)
		for id, job := range jobs {
			where := name + ": " + id
			if at(job, "timeout-minutes") == nil {
				t.Errorf("%s may run for ever", where)
			}
			if on := fmt.Sprint(at(job, "runs-on")); !regexp.MustCompile(`^ubuntu-\d\d\.\d\d$`).MatchString(on) {
				t.Errorf("%s runs on %s", where, on)
			}
			if p, _ := at(job, "permissions").(map[string]any); p["contents"] == "write" || at(job, "permissions") == "write-all" {
				t.Errorf("%s may write to the repository", where)
			}
			steps, _ := at(job, "steps").([]any)
			if len(steps) == 0 {
				t.Errorf("%s has no steps", where)
			}
			for _, step := range steps {
				uses, _ := at(step, "uses").(string)
				if owner, _, _ := strings.Cut(uses, "/"); uses != "" && (!versioned.MatchString(uses) || !slices.Contains(actors, owner)) {
					t.Errorf("%s uses %s", where, uses)
				}
				if strings.HasPrefix(uses, "actions/checkout@") && at(step, "with", "persist-credentials") != false {
					t.Errorf("%s leaves its token in the clone", where)
				}
				command, _ := at(step, "run").(string)
				if strings.Contains(command, "${{ github.event.") || strings.Contains(command, "${{ github.head_ref") {
					t.Errorf("%s: a stranger's text becomes a command: %s", where, command)
				}
				if f := strings.Fields(command); len(f) > 0 && strings.HasPrefix(f[0], ".") {
					if info, err := os.Stat(filepath.Join(root, f[0])); err != nil || info.Mode()&0o100 == 0 {
						t.Errorf("%s runs %s, which is no program: %v", where, f[0], err)
					}
				}
				if strings.HasPrefix(command, ".ci/run") {
					for _, s := range strings.Fields(sections[1]) {
						whole := strings.TrimSpace(command) == ".ci/run"
						run[name+s] = run[name+s] || whole || slices.ContainsFunc(parts(job), func(p string) bool { return p == s })
					}
				}
			}
		}
		for _, s := range strings.Fields(sections[1]) {
			if !run[name+s] {
				t.Errorf("%s leaves out the section %q of .ci/run", name, s)
			}
		}
	}
	ci := text(t, ".github/workflows/ci.yml")
	for _, want := range []string{`TUTTI_TEST_RETHINKDB: "1"`, `TUTTI_TEST_BROWSER: "1"`, "TUTTI_TEST_FAULT: full"} {
		if !strings.Contains(ci, want) {
			t.Errorf("nothing sets %s", want)
		}
	}
}

// What test/deploy needs to try a configuration is there wherever all of .ci/run, or its tests,
// run: without it they are skipped.
func TestWorkflowsInstallWhatTestsLookFor(t *testing.T) {
	for name, id := range map[string]string{"ci.yml": "run", "release.yml": "check"} {
		var commands []string
		steps, _ := at(mapping(t, ".github/workflows/"+name), "jobs", id, "steps").([]any)
		for _, step := range steps {
			command, _ := at(step, "run").(string)
			commands = append(commands, command)
		}
		all := strings.Join(commands, "\n")
		for _, want := range []string{"rethinkdb.sh", "haproxy", "prometheus", "chromium"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %s does not install %s", name, id, want)
			}
		}
	}
}

// The guide's way to back up and restore the one container is what an engine tries in ci.yml.
func TestTheBackupOfOneMachineIsTried(t *testing.T) {
	_, section, _ := strings.Cut(text(t, "docs/guide/operations.md"), "\n### A backup of one machine\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var tried []string
	steps, _ := at(mapping(t, ".github/workflows/ci.yml"), "jobs", "image", "steps").([]any)
	for _, step := range steps {
		command, _ := at(step, "run").(string)
		tried = append(tried, strings.Split(command, "\n")...)
	}
	told := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			told++
			if !slices.Contains(tried, line) {
				t.Errorf("nobody tries: %s", line)
			}
		}
	}
	if told < 12 {
		t.Errorf("the guide tells %d commands", told)
	}
}

// parts lists the sections that a job's matrix gives to .ci/run.
func parts(job any) (out []string) {
	include, _ := at(job, "strategy", "matrix", "include").([]any)
	for _, i := range include {
		s, _ := at(i, "sections").(string)
		out = append(out, strings.Fields(s)...)
	}
	return out
}
