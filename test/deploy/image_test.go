package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one of a Dockerfile's, its continued lines joined.
type instruction struct{ name, rest string }

func instructions(t *testing.T) []instruction {
	t.Helper()
	var out []instruction
	joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text(t, "Dockerfile"), " ")
	for _, line := range strings.Split(joined, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		out = append(out, instruction{strings.ToUpper(name), strings.TrimSpace(rest)})
	}
	return out
}

func TestTheImageIsSmallAndWithoutRights(t *testing.T) {
	all := instructions(t)
	last := 0
	for i, in := range all {
		if in.name == "FROM" {
			last = i
		}
	}
	build, final := all[:last], all[last:]
	of := func(in []instruction, name string) (out []string) {
		for _, i := range in {
			if i.name == name {
				out = append(out, i.rest)
			}
		}
		return out
	}
	if from := of(final, "FROM"); !slices.Equal(from, []string{"scratch"}) {
		t.Errorf("the image begins with %v", from)
	}
	if runs := of(final, "RUN"); len(runs) > 0 {
		t.Errorf("the image is not only copied together: %v", runs)
	}
	for _, from := range of(build, "FROM") {
		m := regexp.MustCompile(`^--platform=\$BUILDPLATFORM golang:(\d+\.\d+)\.\d+ AS build$`).FindStringSubmatch(from)
		if m == nil {
			t.Errorf("built with %q: a version of three numbers is wanted", from)
		} else if !strings.Contains(text(t, "go.mod"), "\ngo "+m[1]) {
			t.Errorf("built with Go %s, and go.mod says otherwise", m[1])
		}
	}
	users := of(final, "USER")
	if len(users) != 1 || !regexp.MustCompile(`^[1-9]\d{3,}:[1-9]\d{3,}$`).MatchString(users[0]) {
		t.Errorf("it runs as %v: numbers above 999 are wanted", users)
	}
	if entry := of(final, "ENTRYPOINT"); !slices.Equal(entry, []string{`["/tutti"]`}) {
		t.Errorf("entry point %v", entry)
	}
	if check := of(final, "HEALTHCHECK"); len(check) != 1 || !strings.HasSuffix(check[0], `CMD ["/tutti", "health"]`) {
		t.Errorf("health check %v", check)
	}
	if len(of(all, "ADD")) > 0 {
		t.Error("ADD unpacks and downloads: COPY says what it does")
	}
	copies := strings.Join(of(final, "COPY"), "\n")
	for _, want := range []string{"ca-certificates.crt", "LICENSE", "--chown=" + users[0] + " /out/data /data", "/out/tutti /tutti"} {
		if !strings.Contains(copies, want) {
			t.Errorf("the image lacks %s", want)
		}
	}
	builds := strings.Join(of(build, "RUN"), "\n")
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "GOARCH=$TARGETARCH", "GOOS=$TARGETOS"} {
		if !strings.Contains(builds, want) {
			t.Errorf("the build lacks %s", want)
		}
	}
	labels := strings.Join(of(final, "LABEL"), "\n")
	for _, want := range []string{"version", "revision", "source", "licenses"} {
		if !strings.Contains(labels, "org.opencontainers.image."+want+"=") {
			t.Errorf("the image does not say its %s", want)
		}
	}
	// Settings that the image comes with are settings of the program.
	for _, env := range of(final, "ENV") {
		checkSettings(t, "the image", strings.Fields(env))
	}
}

// checkSettings has the program read settings, and report those that it does not know.
func checkSettings(t *testing.T, who string, env []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), "check", "--print")
	cmd.Dir = t.TempDir()
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: its settings %v: %v\n%s", who, env, err, out)
	}
	return string(out)
}

// A file that is committed and left out of the build would make each image say that it was
// built from a changed tree.
func TestWhatIsCommittedGoesIntoTheBuild(t *testing.T) {
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	git.Dir = root
	listed, err := git.Output()
	if err != nil {
		t.Skipf("this is not a clone: %v", err)
	}
	var left []string
	for _, line := range strings.Split(text(t, ".dockerignore"), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			left = append(left, line)
		}
	}
	if len(left) < 5 {
		t.Fatalf("only %v is left out", left)
	}
	ignored := func(file string) bool {
		out := false
		for _, p := range left {
			p, not := strings.CutPrefix(strings.TrimSuffix(p, "/"), "!")
			p, deep := strings.CutPrefix(p, "**/")
			for at := file; at != "."; at = filepath.Dir(at) {
				tail := at
				if deep && strings.Count(at, "/") > strings.Count(p, "/") {
					parts := strings.Split(at, "/")
					tail = strings.Join(parts[len(parts)-strings.Count(p, "/")-1:], "/")
				}
				if hit, err := filepath.Match(p, tail); err != nil {
					t.Fatalf("%s: %v", p, err)
				} else if hit {
					out = !not
				}
			}
		}
		return out
	}
	for _, f := range strings.Split(strings.Trim(string(listed), "\x00"), "\x00") {
		if ignored(f) {
			t.Errorf("%s is committed, and .dockerignore leaves it out", f)
		}
	}
	for _, f := range []string{"data/nats/x", "tutti", "web/node_modules/a/b", "deploy/compose/secrets/nats_admin", "services/room/room.test"} {
		if !ignored(f) {
			t.Errorf("%s goes into the build", f)
		}
	}
	if ignored("deploy/compose/secrets/.gitignore") || ignored("cmd/tutti/main.go") {
		t.Error("a file that is wanted is left out")
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); err == nil && ignored(".git/HEAD") {
		t.Error("without .git a build does not know its version")
	}
}
