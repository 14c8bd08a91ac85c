package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// Every container of the program reads settings that it knows, all of them.
func TestSettingsOfTheComposeFilesAreKnown(t *testing.T) {
	all := projects(t)
	delete(all, "many with TLS") // has the program's settings from "many"
	delete(all, "many with stores")
	for name, p := range all {
		for _, s := range p.Services {
			if !strings.HasPrefix(s.Image, "ghcr.io/tuttihq/tutti:") {
				continue
			}
			var env []string
			for k, v := range s.Environment {
				env = append(env, k+"="+*v)
			}
			printed := checkSettings(t, name+": "+s.Name, env)
			if len(env) < 3 || !strings.Contains(printed, "nats:") {
				t.Errorf("%s: %s: %v", name, s.Name, env)
			}
			if v := s.Environment["TUTTI_NATS__USER"]; v != nil && s.Name != "migrate" && (*v != s.Name || !strings.Contains(printed, "user: "+s.Name)) {
				t.Errorf("%s: %s logs in to NATS as %s", name, s.Name, *v)
			}
		}
	}
}

// The one container of the small variant: it starts, is healthy, serves, what it has taken in
// is there when it starts again, and a backup by the guide's commands is restored by them.
func TestOneMachineRuns(t *testing.T) {
	p := load(t, stage(t), nil, one)
	h := newHost(t, p)
	addImage(t, p)
	h.up("tutti")
	c := h.running["tutti"][0]
	c.healthy()
	url := "http://" + h.addresses("tutti", 8080)[0]
	id := openRoom(t, url, url)
	c.down()
	c.start()
	c.healthy()
	hear(t, url, id)
	c.down()
	// A copy of the volume is what the backup is made from, while the container goes on.
	volume, work := h.volume("data"), t.TempDir()
	if err := os.CopyFS(filepath.Join(work, "copy"), os.DirFS(volume)); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.healthy()
	backup := filepath.Join(work, "backup.tar")
	h.tool("tutti", 1, "export", "--data", filepath.Join(work, "copy"), "--to", backup)
	c.down()
	if err := os.RemoveAll(volume); err != nil {
		t.Fatal(err)
	}
	h.tool("tutti", 1, "import", "--from", backup)
	c.start()
	c.healthy()
	hear(t, url, id)
}

// addImage gives the containers of the program the settings that come with its image.
func addImage(t *testing.T, p *types.Project) {
	t.Helper()
	for name, s := range p.Services {
		if !strings.HasPrefix(s.Image, "ghcr.io/tuttihq/tutti:") {
			continue
		}
		for _, in := range instructions(t) {
			if in.name != "ENV" {
				continue
			}
			for _, kv := range strings.Fields(in.rest) {
				k, v, _ := strings.Cut(kv, "=")
				if _, set := s.Environment[k]; !set {
					s.Environment[k] = &v
				}
			}
		}
		p.Services[name] = s
	}
}

// openRoom has somebody register and open a room at one edge and vote at another, and gives
// the room's id.
func openRoom(t *testing.T, url, other string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ada := dial(ctx, t, url)
	if _, err := ada.Account().Register(ctx, "ada@example.org", "ada", "correct horse"); err != nil {
		t.Fatal(err)
	}
	room, _, err := ada.CreateRoom(ctx, subjects.CreateRoom{Kind: "vote", Name: "Friday", MinimumScore: new(1), Open: true, Tracks: []subjects.TrackRef{"demo:aurora"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := room.Play(ctx); err != nil {
		t.Fatal(err)
	}
	bob := dial(ctx, t, other)
	if _, err := bob.Account().Register(ctx, "bob@example.org", "bob", "battery staple"); err != nil {
		t.Fatal(err)
	}
	if err := bob.Room(room.ID()).Join(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bob.Room(room.ID()).Suggest(ctx, "demo:night-tram"); err != nil {
		t.Fatal(err)
	}
	if err := room.Pause(ctx); err != nil { // so that it stays in the queue, however long this takes
		t.Fatal(err)
	}
	hear(t, url, room.ID())
	return room.ID()
}

// hear waits until what openRoom did is seen at an edge, and in the list of rooms, which
// comes from the store.
func hear(t *testing.T, url, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := dial(ctx, t, url)
	seen := false
	for view, err := range c.Room(id).Views(ctx) {
		if err != nil {
			t.Fatalf("at %s: %v", url, err)
		}
		if _, seen = view.Room.Queue["demo:night-tram"]; seen {
			break
		}
	}
	listed := false
	for rooms, err := range c.Lobby(ctx, tutti.LobbyQuery{}) {
		if err != nil {
			t.Fatalf("the lobby at %s: %v", url, err)
		}
		if listed = slices.ContainsFunc(rooms, func(r subjects.RoomSummary) bool { return r.ID == id }); listed {
			break
		}
	}
	if !seen || !listed {
		t.Errorf("at %s: the suggestion is seen: %v; the room is listed: %v", url, seen, listed)
	}
}

func dial(ctx context.Context, t *testing.T, url string) *tutti.Client {
	t.Helper()
	c, err := tutti.Dial(ctx, url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(c.Close)
	return c
}

// Three NATS servers of the compose file become one cluster, in which each user of the
// secrets can log in.
func TestNATSServersRun(t *testing.T) {
	h := newHost(t, load(t, stage(t), nil, many))
	h.up("nats-1", "nats-2", "nats-3")
	for _, name := range []string{"nats-1", "nats-2", "nats-3"} {
		h.running[name][0].healthy()
	}
}

// All of the compose file: what runs once ends well, everything else becomes healthy, people
// meet over two edges and over the balancer, an edge stops without anybody noticing,
// everything stops in its time, and a backup is restored into new volumes.
func TestManyProcessesRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sixteen processes")
	}
	if _, err := exec.LookPath("rethinkdb"); err != nil && os.Getenv("TUTTI_TEST_RETHINKDB") != "" {
		t.Fatalf("TUTTI_TEST_RETHINKDB is set, and there is no rethinkdb on the PATH: %v", err)
	} else if err != nil {
		t.Skip("SKIPPED: there is no rethinkdb on the PATH; install it to have this tested")
	}
	p := load(t, stage(t), nil, many)
	addImage(t, p)
	h := newHost(t, p)
	h.up(p.ServiceNames()...)
	for name, all := range h.running {
		for _, c := range all {
			if p.Services[name].HealthCheck != nil && !p.Services[name].HealthCheck.Disable {
				c.healthy()
			}
		}
		if want := replicas(p.Services[name]); len(all) != want && len(all) > 0 {
			t.Errorf("%d of %s, want %d", len(all), name, want)
		}
	}
	edges := h.addresses("edge", 8080)
	id := openRoom(t, "http://"+edges[0], "http://"+edges[1])
	backup := filepath.Join(t.TempDir(), "backup.tar")
	h.tool("migrate", 1, "export", "--to", backup)
	stopAnEdge(t, h, id)
	if t.Failed() {
		return
	}
	// The guide's way to restore: everything down, new volumes, and then in this order.
	h.stop()
	for _, name := range []string{"nats-1", "nats-2", "nats-3", "rethinkdb"} {
		for _, v := range p.Services[name].Volumes {
			if v.Type == types.VolumeTypeVolume {
				if err := os.RemoveAll(h.volume(v.Source)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	h.up("store-user", "nats-1", "nats-2", "nats-3")
	for _, name := range []string{"store-user", "nats-1", "nats-2", "nats-3"} {
		if c := h.running[name][0]; name == "store-user" {
			c.finished()
		} else {
			c.healthy()
		}
	}
	h.tool("migrate", 3, "import", "--from", backup)
	h.up("edge")
	for _, c := range h.running["edge"] {
		c.healthy()
		hear(t, "http://"+h.ips[c.name]+":8080", id)
	}
}

// stopAnEdge asks one edge to stop while people are about: the balancer takes it out before
// it closes its door, so that no request fails, and sockets come back elsewhere.
func stopAnEdge(t *testing.T, h *host, id string) {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		return // which was said
	}
	door := "http://" + h.addresses("balancer", 8080)[0]
	hear(t, door, id)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := dial(ctx, t, door)
	if _, err := c.Account().Login(ctx, "ada@example.org", "correct horse"); err != nil {
		t.Fatal(err)
	}
	var stopping sync.WaitGroup
	stopped := make(chan struct{})
	stopping.Go(func() { defer close(stopped); h.running["edge"][0].down() })
	defer stopping.Wait()
	pace := time.NewTicker(25 * time.Millisecond) // below the limit of requests of one address
	defer pace.Stop()
	asked := 0
	for serving := true; serving; asked++ {
		select {
		case <-stopped:
			serving = false
		case <-pace.C:
		}
		if err := get(ctx, door+"/v1/time"); err != nil {
			t.Errorf("while an edge stops, request %d: %v", asked, err)
		}
	}
	if asked < 10 {
		t.Errorf("only %d requests were made", asked)
	}
	if err := c.Room(id).Play(ctx); err != nil {
		t.Errorf("over the edge that is left: %v", err)
	}
	hear(t, door, id)
}
