package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Ctrl-C ends the program at once and cleanly, with requests on open connections; what
// was accepted is there again.
func TestStoppingAndStartingAgain(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob := p.register("ann"), p.register("bob")
	room := ann.open("Kept", body{"minimumScore": 3, "tracks": []string{"demo:aurora", "demo:night-tram"}})
	bob.do(room, "join", nil)
	vote := subjects.NewID(subjects.PrefixCommand, time.Now())
	first, err := bob.commandAs(vote, room, "vote", body{"track": "demo:aurora"})
	must(t, err)
	before := bob.see(room)

	for range 3 {
		took, err := p.interrupt()
		if err != nil {
			t.Fatalf("stopped with %v", err)
		}
		if took > 10*time.Second {
			t.Fatalf("stopping took %v", took)
		}
		p.up()
		after := bob.see(room) // with the token of before
		equal(t, "document", after.Hash, before.Hash)
		equal(t, "revision", after.Rev, before.Rev)
		equal(t, "epoch", after.Epoch, before.Epoch)
		same(t, "votes", after.You.Voted, before.You.Voted)
		again, err := bob.commandAs(vote, room, "vote", body{"track": "demo:aurora"})
		must(t, err)
		equal(t, "the answer to the same command", again, first)
	}
	bob.do(room, "vote", body{"track": "demo:night-tram"})
	must(t, ann.login())
	ann.profileArrives(t)
	eventually(t, func() string {
		if len(ann.find("Kept", 5)) == 0 {
			return "the room is not found"
		}
		return ""
	})
	equal(t, "left behind", leftovers(t, p.data), "")
}

// leftovers names what a stopped or running program should not leave in its directory.
func leftovers(t *testing.T, dir string) string {
	t.Helper()
	var odd []string
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".tmp") {
			odd = append(odd, e.Name())
		}
	}
	return strings.Join(odd, " ")
}

// complains runs a command that must fail, and looks for what its message must say.
func (p *program) complains(args []string, says ...string) {
	p.t.Helper()
	got := p.tutti(args...)
	if got.code == 0 {
		p.t.Errorf("tutti %s: went well", strings.Join(args, " "))
	}
	for _, want := range says {
		if !strings.Contains(got.err+got.out, want) {
			p.t.Errorf("tutti %s: %q does not say %q", strings.Join(args, " "), got.err+got.out, want)
		}
	}
	if strings.Contains(got.err, "goroutine ") {
		p.t.Errorf("tutti %s: %s", strings.Join(args, " "), got.err)
	}
}

// with is the program with more settings, sharing the data directory.
func (p *program) with(settings ...string) *program {
	return &program{t: p.t, data: p.data, http: p.http, nats: p.nats, logFile: p.logFile, client: p.client,
		env: append(append([]string{}, p.env...), func() (out []string) {
			for _, kv := range settings {
				out = append(out, "TUTTI_"+kv)
			}
			return out
		}()...)}
}

// Errors say what to do.
func TestErrorsThatSayWhatToDo(t *testing.T) {
	t.Parallel()
	p := start(t)
	up := []string{"up", "--data", p.data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"}
	p.complains(up, "in use", "--data")

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	taken := busy.Addr().String()
	p.complains([]string{"up", "--data", "", "--http", taken, "--nats", "127.0.0.1:0"}, taken, "in use", "--http")
	unmade := filepath.Join(t.TempDir(), "data")
	p.complains([]string{"up", "--data", unmade, "--http", taken, "--nats", "127.0.0.1:0"}, taken, "in use", "--http")
	if _, err := os.Stat(unmade); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what could not be served left data behind: %v", err)
	}
	p.complains([]string{"up", "--data", "", "--http", "127.0.0.1:0", "--nats", taken}, taken, "in use", "--nats")
	must(t, busy.Close())

	p.complains([]string{"serve", "--roles", "room", "--store", "sqlite"}, "embedded store belongs to one process", "auth,profile,room,playlist,chat,edge")
	p.complains([]string{"serve", "--roles", "room", "--store", "rethinkdb"}, "embedded NATS server belongs to one process", "nats.url")
	p.complains([]string{"serve", "--roles", "drummer"}, `"drummer"`, "auth, profile, room, playlist, chat, edge")
	p.complains([]string{"serve", "--roles", ""}, "roles")
	p.complains([]string{"up", "--wrong"}, "--wrong")
	p.complains([]string{"dance"}, `"tutti dance"`, "--help")
	p.complains([]string{"up", "now"}, `"now"`)
	p.with("EDGE__LISTNE=x").complains([]string{"check"}, "edge.listne", "check --print")
	p.with("EDGE__COMMAND_TIMEOUT=soon").complains([]string{"check"}, "edge.command_timeout", "invalid duration")
	p.with("EDGE__COMMAND_TIMEOUT=-3s", "AUTH__COST=99", "LOG__LEVEL=loud").complains([]string{"up"},
		"several things are wrong", "edge.command_timeout", "cost", "log.level")

	file := filepath.Join(t.TempDir(), "tutti.yaml")
	must(t, os.WriteFile(file, []byte("edge:\n  listen: 127.0.0.1:0\nrooms:\n  size: 4\n"), 0o600))
	p.complains([]string{"check", "--config", file}, "rooms.size", "check --print")
	must(t, os.WriteFile(file, []byte("edge: [\n"), 0o600))
	p.complains([]string{"check", "--config", file}, file)
	p.complains([]string{"check", "--config", file + ".missing"}, file+".missing")

	p.complains([]string{"rooms", "list", "--nats-url", "nats://" + taken}, "--nats-url")
	url := "nats://" + p.nats
	p.complains([]string{"rooms", "show", "room", "--nats-url", url}, "rooms list")
	missing := subjects.NewID(subjects.PrefixRoom, time.Now())
	p.complains([]string{"rooms", "show", missing, "--nats-url", url}, missing)
	p.complains([]string{"rooms", "tail", missing, "--nats-url", url}, missing)
	equal(t, "the running one", p.nobody().get("/healthz", nil), nil)
}

// The documents follow from the log: they can be made anew, also if there are none left.
func TestRebuild(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob := p.register("ann"), p.register("bob")
	ann.open("Club", body{"tracks": []string{"demo:aurora"}})
	secret := bob.open("Club of few", body{"open": false})
	bob.do(secret, "invite", body{"user": ann.id})
	want := []string{"Club of few", "Club"}
	found := func() string {
		if got := ann.find("club", 5); len(got) != len(want) {
			return strings.Join(got, ", ") + " is what is found"
		}
		return ""
	}
	eventually(t, found)
	want = ann.find("club", 5)
	p.complains([]string{"rebuild", "--data", p.data}, "in use")
	for _, args := range [][]string{{"rebuild", "--data", p.data}, {"rebuild", "--data", p.data, "--drop"}} {
		commits := p.commits()
		_, err := p.interrupt()
		must(t, err)
		got := p.tutti(args...)
		if got.code != 0 || !strings.HasPrefix(got.out, fmt.Sprint(commits, " commits read")) {
			t.Fatalf("tutti %s: %d %s%s", strings.Join(args, " "), got.code, got.out, got.err)
		}
		p.up()
		eventually(t, found)
		same(t, "found after "+strings.Join(args[3:], ""), ann.find("club", 5), want)
		must(t, bob.login()) // accounts do not follow from the log, and stay
	}
	missing := filepath.Join(t.TempDir(), "missing")
	p.complains([]string{"rebuild", "--data", missing}, missing)
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Fatalf("rebuild made something out of nothing: %v", err)
	}
}

// commits counts those of the logs from which documents follow, once the chats have heard of
// their rooms.
func (p *program) commits() (n uint64) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	eventually(p.t, func() string {
		before := n
		n = 0
		for _, service := range []string{subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat} {
			stream, err := p.jetstream().Stream(ctx, subjects.StreamEvents(service))
			must(p.t, err)
			n += stream.CachedInfo().State.Msgs
		}
		time.Sleep(200 * time.Millisecond)
		if n == 0 || n != before {
			return "the logs still grow"
		}
		return ""
	})
	return n
}

// What an operator looks with.
func TestCommandsOfTheOperator(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Shown", body{"tracks": []string{"demo:aurora", "demo:night-tram"}})
	hidden := ann.p.register("bob").open("Hidden", body{"open": false})
	url := "nats://" + p.nats
	well := func(args ...string) string {
		t.Helper()
		got := p.tutti(args...)
		if got.code != 0 || got.err != "" {
			t.Fatalf("tutti %s: %d %s", strings.Join(args, " "), got.code, got.err)
		}
		return got.out
	}
	contains := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Fatalf("%q is not in\n%s", part, text)
			}
		}
	}
	contains(well("version"), "tutti", "go1.")
	contains(well("--version"), "tutti")
	contains(well("--help"), "up", "serve", "check", "rooms", "rebuild", "version", "completion")
	for shell, part := range map[string]string{"bash": "complete -", "zsh": "#compdef tutti", "fish": "complete -c tutti", "powershell": "Register-ArgumentCompleter"} {
		contains(well("completion", shell), part)
	}
	contains(p.tutti("__complete", "rooms", "").out, "list", "show", "tail")

	// check finds a free place, and the one that is in use by the running program.
	dir := filepath.Join(t.TempDir(), "new")
	contains(well("check", "--data", dir, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"), "ok", "will be made")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("check made something: %v", err)
	}
	p.complains([]string{"check", "--data", p.data, "--http", p.http, "--nats", p.nats}, "BAD", "in use; is tutti running already?")
	var findings []struct {
		Part string `json:"part"`
		OK   bool   `json:"ok"`
	}
	must(t, json.Unmarshal([]byte(well("check", "--json", "--data", dir, "--http", "127.0.0.1:0", "--nats-url", url)), &findings))
	for _, f := range findings {
		equal(t, "finding on "+f.Part, f.OK, true)
	}
	// The settings that check prints are settings that it takes.
	file := filepath.Join(t.TempDir(), "tutti.yaml")
	must(t, os.WriteFile(file, []byte(well("check", "--print", "--http", "127.0.0.1:0")), 0o600))
	contains(well("check", "--config", file, "--data", dir, "--nats", "127.0.0.1:0"), "ok")

	eventually(t, func() string {
		if !strings.Contains(well("rooms", "list", "--nats-url", url), "Shown") {
			return "the room is not listed"
		}
		return ""
	})
	list := well("rooms", "list", "--nats-url", url)
	contains(list, room, "Aurora (paused)")
	equal(t, "private rooms listed", strings.Contains(list, "Hidden"), false)
	equal(t, "listed under another name", strings.Contains(well("rooms", "list", "x", "--nats-url", url), room), false)

	var shown struct {
		Epoch, Rev uint64
		Hash       string
		State      subjects.Room
	}
	ann.do(room, "play", nil)
	must(t, json.Unmarshal([]byte(well("rooms", "show", room, "--nats-url", url)), &shown))
	v := ann.see(room)
	equal(t, "hash", shown.Hash, v.Hash)
	equal(t, "revision", shown.Rev, v.Rev)
	must(t, json.Unmarshal([]byte(well("rooms", "show", room, "--rev", "1", "--nats-url", url)), &shown))
	equal(t, "playing in the past", shown.State.Playback.Playing, false)
	contains(well("rooms", "show", hidden, "--nats-url", url), "Hidden")
	tail := well("rooms", "tail", room, "--follow=false", "--nats-url", url)
	contains(tail, subjects.EventRoomCreated, subjects.EventPlaybackStarted, ann.id)
	equal(t, "from the second revision", strings.Contains(well("rooms", "tail", room, "--from", "2", "--follow=false", "--nats-url", url), subjects.EventRoomCreated), false)
}
