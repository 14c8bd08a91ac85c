package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services"
)

const (
	// asProgram is the environment variable that makes the test's own executable the program.
	asProgram = "TUTTI_TEST_AS_PROGRAM"
	// haltAt names the part of an export or an import at which that program says standsStill
	// and stands still.
	haltAt      = "TUTTI_TEST_HALT_AT"
	standsStill = "stands still"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if at := os.Getenv(haltAt); at != "" {
			halfway = func(part string) {
				if part == at {
					fmt.Println(standsStill)
					select {}
				}
			}
		}
		os.Exit(run())
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps these two for the life of a process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// tutti gives a command of the program, in a process of its own.
func tutti(t *testing.T, args ...string) (c *exec.Cmd, out, errs *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	c = exec.CommandContext(ctx, self, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TUTTI_") {
			c.Env = append(c.Env, kv)
		}
	}
	c.Env = append(c.Env, asProgram+"=1")
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	c.Stdout, c.Stderr = out, errs
	return c, out, errs
}

// said runs a command to its end, which must be a good one.
func said(t *testing.T, args ...string) string {
	t.Helper()
	c, out, errs := tutti(t, args...)
	if err := c.Run(); err != nil {
		t.Fatalf("tutti %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out.String()
}

// refused runs a command that must fail, and gives what it says.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	c, _, errs := tutti(t, args...)
	if err := c.Run(); err == nil {
		t.Fatalf("tutti %s went well", strings.Join(args, " "))
	}
	return errs.String()
}

// full makes a data directory with an account, rooms and a long chat.
func full(t *testing.T, rooms, messages int) string {
	t.Helper()
	cfg := services.Defaults()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Edge.Listen, cfg.NATS.Listen, cfg.Auth.Cost = "127.0.0.1:0", "", 4
	cfg.Edge.Limits.Exempt = []string{"127.0.0.1"}
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, token, body string) (map[string]any, int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer, resp.StatusCode
	}
	grant, _ := post("/v1/auth/register", "", `{"email":"ada@example.org","nickname":"ada","password":"correct horse"}`)
	token, _ := grant["access_token"].(string)
	list, _ := post("/v1/playlists", token, `{"name":"Long"}`)
	id, _ := list["id"].(string)
	for range rooms {
		if _, code := post("/v1/playlists", token, `{"name":"One of many"}`); code != http.StatusCreated {
			t.Fatalf("a playlist is refused: %d", code)
		}
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, code := post("/v1/chats/"+id+"/commands", token, `{"verb":"send","body":{"text":"first"}}`); code == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the chat is not there")
		}
	}
	for i := range messages {
		post("/v1/chats/"+id+"/commands", token, fmt.Sprintf(`{"verb":"send","body":{"text":"%d"}}`, i))
	}
	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	return cfg.Data
}

// fingerprint is what an export of a data directory holds, but for its id and time.
func fingerprint(t *testing.T, data string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	said(t, "export", "--data", data, "--to", out)
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Members []struct {
			Name    string `json:"name"`
			Of      string `json:"of"`
			Kind    string `json:"kind"`
			Records int    `json:"records"`
		} `json:"members"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, member := range m.Members {
		if member.Of != "signing_keys" {
			fmt.Fprintf(&b, "%s %s %s: %d\n", member.Name, member.Kind, member.Of, member.Records)
		}
	}
	return b.String()
}

// An import is killed again and again, wherever it may be, and in the end all is there once.
func TestAnImportSurvivesKills(t *testing.T) {
	data := full(t, 60, 250)
	want := fingerprint(t, data)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "all.tar"), filepath.Join(dir, "to")
	said(t, "export", "--data", data, "--to", from)
	args := []string{"import", "--from", from, "--data", to}
	kills := 0
	for after := 30 * time.Millisecond; ; after += max(45*time.Millisecond, after/3) { // slow machines too come to an end
		c, out, errs := tutti(t, args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		killer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
		err := c.Wait()
		if !killer.Stop() && err != nil {
			kills++
			continue
		}
		if err != nil {
			t.Fatalf("after %d kills: %v\n%s", kills, err, errs)
		}
		t.Logf("after %d kills: %s", kills, out)
		break
	}
	if kills == 0 {
		t.Error("no import was killed")
	}
	if got := fingerprint(t, to); got != want {
		t.Errorf("after %d kills there is\n%s, want\n%s", kills, got, want)
	}
	if out := said(t, args...); !strings.Contains(out, "there already") {
		t.Errorf("once more: %s", out)
	}
	if out := said(t, "rebuild", "--data", to); !strings.Contains(out, " 0 documents written") {
		t.Errorf("a rebuild finds something to do: %s", out)
	}
}

// killedAt runs a command that is killed when it has come to a part of its work.
func killedAt(t *testing.T, part string, args ...string) {
	t.Helper()
	c, _, errs := tutti(t, args...)
	c.Env = append(c.Env, haltAt+"="+part)
	c.Stdout = nil
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(said) != standsStill {
		t.Errorf("tutti %s did not come to %q: it said %q, %v\n%s", strings.Join(args, " "), part, said, err, errs)
	}
	_ = c.Process.Kill() // it may be gone, which Wait tells
	if err := c.Wait(); err == nil {
		t.Errorf("tutti %s was not killed", strings.Join(args, " "))
	}
}

// An export that is killed is no export.
func TestHalfAnExportIsRefused(t *testing.T) {
	data := full(t, 2, 20)
	dir := t.TempDir()
	for _, part := range []string{"log of rooms", "log of chats", "accounts", "seats"} {
		for _, name := range []string{"out", "out.tar"} {
			out := filepath.Join(dir, strings.ReplaceAll(part, " ", "-"), name)
			killedAt(t, part, "export", "--data", data, "--to", out)
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Errorf("killed at %q, it has left an export: %v", part, err)
			}
			left, err := filepath.Glob(out + "*")
			if err != nil || len(left) == 0 {
				t.Fatalf("killed at %q, it has left %v, %v", part, left, err)
			}
			for _, p := range left {
				says := refused(t, "import", "--from", p, "--data", filepath.Join(dir, "to"))
				if !strings.Contains(says, "not complete") {
					t.Errorf("import of %s: %s", p, says)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "to")); !os.IsNotExist(err) {
		t.Errorf("something was imported: %v", err)
	}
}

// A process that is killed in the middle of an import leaves a deployment that nothing else
// starts on, and that the same import brings to its end.
func TestAHalfImportedDeploymentDoesNotStart(t *testing.T) {
	data := full(t, 30, 100)
	want := fingerprint(t, data)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "all.tar"), filepath.Join(dir, "to")
	said(t, "export", "--data", data, "--to", from)
	for _, part := range []string{"log of playlists", "log of chats", "profiles", "accounts", "folding the logs"} {
		killedAt(t, part, "import", "--from", from, "--data", to)
		if says := refused(t, "rebuild", "--data", to); !strings.Contains(says, "not finished") {
			t.Errorf("killed at %q: %s", part, says)
		}
	}
	said(t, "import", "--from", from, "--data", to)
	said(t, "rebuild", "--data", to)
	if got := fingerprint(t, to); got != want {
		t.Errorf("there is\n%s, want\n%s", got, want)
	}
}

func TestMigrateSaysWhatItDoes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--dry-run"}, "would come to"},
		{nil, "is now at"},
		{nil, "nothing to do"},
		{[]string{"--dry-run"}, "nothing to do"},
	} {
		if out := said(t, append([]string{"migrate", "--data", data}, step.args...)...); !strings.Contains(out, step.want) {
			t.Errorf("migrate %v: %s, want %q", step.args, out, step.want)
		}
	}
	says := refused(t, "export", "--data", filepath.Join(data, "not"), "--to", filepath.Join(t.TempDir(), "x"))
	if !strings.Contains(says, "--data") {
		t.Errorf("export of nothing: %s", says)
	}
	if says := refused(t, "export"); !strings.Contains(says, "to") {
		t.Errorf("export to nowhere: %s", says)
	}
	if says := refused(t, "import", "--from", data, "--data", filepath.Join(t.TempDir(), "d")); !strings.Contains(says, "not complete") {
		t.Errorf("import of what is no export: %s", says)
	}
}
