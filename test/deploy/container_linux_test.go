package deploy

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// container is one of a service's, run as a plain process.
type container struct {
	t       *testing.T
	name    string // "room-2"
	service types.ServiceConfig
	args    []string // the program first
	env     []string
	say     *strings.Replacer // turns what stands in the compose file into what holds here
	log     string
	cmd     *exec.Cmd
	done    chan struct{} // closed once it has ended
	err     error         // how; read after done
}

// host is the machine on which a project's containers run, each on a loopback address.
type host struct {
	t       *testing.T
	project *types.Project
	dir     string // holds volumes and logs
	net     string // "127.83.12."
	ips     map[string]string
	ports   [2]int // of RethinkDB, which listens on 127.0.0.1 alone
	running map[string][]*container
	order   []string
}

// newHost gives every container of the project an address.
func newHost(t *testing.T, p *types.Project) *host {
	t.Helper()
	pid := os.Getpid()
	h := &host{
		t: t, project: p, dir: t.TempDir(), running: map[string][]*container{}, ips: map[string]string{},
		net: fmt.Sprintf("127.%d.%d.", 16+pid%200, pid/200%250+1),
	}
	last := 0
	for _, name := range p.ServiceNames() {
		for i := range replicas(p.Services[name]) {
			last++
			h.ips[fmt.Sprintf("%s-%d", name, i+1)] = h.net + strconv.Itoa(last)
		}
	}
	var busy []net.Listener
	for i := range h.ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		busy = append(busy, l)
		h.ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	for _, l := range busy {
		_ = l.Close()
	}
	t.Cleanup(h.stop)
	return h
}

func replicas(s types.ServiceConfig) int {
	if s.Deploy == nil || s.Deploy.Replicas == nil {
		return 1
	}
	return *s.Deploy.Replicas
}

// addresses lists "IP:port" of each container of a service.
func (h *host) addresses(service string, port int) (out []string) {
	for i := range replicas(h.project.Services[service]) {
		out = append(out, net.JoinHostPort(h.ips[fmt.Sprintf("%s-%d", service, i+1)], strconv.Itoa(port)))
	}
	return out
}

// volume is the directory of a named volume.
func (h *host) volume(name string) string { return filepath.Join(h.dir, "volume-"+name) }

// tool runs the program in place of what a service runs, and waits until it has ended well:
// "docker compose run --rm --no-deps SERVICE args…". What the guide says can be run again is,
// up to so many times in all.
func (h *host) tool(service string, times int, args ...string) {
	h.t.Helper()
	s := h.project.Services[service]
	s.Command = args
	c := h.container(service, 1, s)
	for ; times > 0; times-- {
		c.start()
		<-c.done
		if c.err == nil {
			return
		}
		h.t.Logf("%v: %v\n%s", args, c.err, c.said())
	}
	h.t.Fatalf("%v does not succeed", args)
}

// here says what the words of a compose file mean on this host, for one container.
func (h *host) here(c *container) *strings.Replacer {
	var pairs []string
	pair := func(from, to string) { pairs = append(pairs, from, to) }
	for _, s := range c.service.Secrets {
		pair("/run/secrets/"+targetOf(s), h.project.Secrets[s.Source].File)
	}
	volumes := slices.Clone(c.service.Volumes)
	slices.SortFunc(volumes, func(a, b types.ServiceVolumeConfig) int { return len(b.Target) - len(a.Target) })
	for _, v := range volumes {
		source := v.Source
		if v.Type == types.VolumeTypeVolume {
			source = h.volume(v.Source)
			if err := os.MkdirAll(source, 0o700); err != nil {
				h.t.Fatal(err)
			}
		}
		pair(v.Target, source)
	}
	rethink := "127.0.0.1:" + strconv.Itoa(h.ports[0])
	pair("rethinkdb:28015", rethink)
	pair("/dev/tcp/127.0.0.1/28015", "/dev/tcp/127.0.0.1/"+strconv.Itoa(h.ports[0]))
	own := h.ips[c.name]
	pair("0.0.0.0:", own+":")
	pair("127.0.0.1:", own+":")
	for _, name := range h.project.ServiceNames() {
		pair("//"+name+":", "//"+h.ips[name+"-1"]+":")
		pair("@"+name+":", "@"+h.ips[name+"-1"]+":")
	}
	return strings.NewReplacer(pairs...)
}

// run starts every container of a service.
func (h *host) run(service string) {
	h.t.Helper()
	s := h.project.Services[service]
	for i := range replicas(s) {
		if c := h.container(service, i+1, s); c.args != nil {
			c.start()
			h.running[service] = append(h.running[service], c)
		}
	}
	h.order = append(h.order, service)
}

// container prepares one of a service's.
func (h *host) container(service string, n int, s types.ServiceConfig) *container {
	h.t.Helper()
	c := &container{t: h.t, name: fmt.Sprintf("%s-%d", service, n), service: s}
	c.say, c.log = h.here(c), filepath.Join(h.dir, c.name+".log")
	c.args = h.command(c)
	c.env = []string{"PATH=" + os.Getenv("PATH")}
	for k, v := range s.Environment {
		c.env = append(c.env, k+"="+c.say.Replace(*v))
	}
	return c
}

// command is what a container runs: its own command line with the program of its image, nil
// if that program is not here.
func (h *host) command(c *container) []string {
	h.t.Helper()
	args := make([]string, 0, len(c.service.Command)+4)
	for _, a := range c.service.Command {
		args = append(args, c.say.Replace(a))
	}
	image, _, _ := strings.Cut(c.service.Image, ":")
	switch image {
	case "ghcr.io/tuttihq/tutti":
		return append([]string{program(h.t)}, args...)
	case "nats": // the same server, in our own program
		if len(args) != 2 || args[0] != "-c" {
			h.t.Fatalf("%s: %v", c.name, args)
		}
		return []string{program(h.t), "nats-server", "--config", args[1]}
	case "rethinkdb":
		// It only knows addresses that interfaces have.
		args = slices.DeleteFunc(args, func(a string) bool { return a == "--bind" || a == "all" })
		return append(args, "--bind", "127.0.0.1", "--driver-port", strconv.Itoa(h.ports[0]), "--cluster-port", strconv.Itoa(h.ports[1]))
	case "haproxy":
		return h.balancer(c)
	case "prom/prometheus", "grafana/grafana":
		return nil
	}
	h.t.Fatalf("%s: what does the image %s run?", c.name, c.service.Image)
	return nil
}

var (
	binds     = regexp.MustCompile(`(?m)^(\s+bind )(:\d+)`)
	templates = regexp.MustCompile(`(?m)^\s+server-template edge 16 edges(:\d+)$`)
	resolving = regexp.MustCompile(` init-addr none resolvers docker resolve-prefer ipv4`)
	grafana   = regexp.MustCompile(`(?m)^\s+server grafana .*$`)
)

// balancer runs HAProxy on its configuration, in which names that Docker would resolve are
// addresses.
func (h *host) balancer(c *container) []string {
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		h.t.Log("haproxy is not on the PATH: the balancer is left out")
		return nil
	}
	cfg := text(h.t, "deploy/proxy/haproxy.cfg")
	cfg = binds.ReplaceAllString(cfg, "${1}"+h.ips[c.name]+"$2")
	if cfg = grafana.ReplaceAllString(cfg, ""); !templates.MatchString(cfg) || !resolving.MatchString(cfg) {
		h.t.Fatal("the balancer's configuration does not look for edges")
	}
	cfg = strings.Replace(cfg, "maxconn 100000", "maxconn 1000", 1) // as many files as a process here may open
	var servers strings.Builder
	for i, a := range h.addresses("edge", 8080) {
		fmt.Fprintf(&servers, "\tserver edge%d %s\n", i+1, a)
	}
	cfg = resolving.ReplaceAllString(templates.ReplaceAllString(cfg, strings.TrimSuffix(servers.String(), "\n")), "")
	path := filepath.Join(h.dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(cfg), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return []string{haproxy, "-f", path}
}

func (c *container) start() {
	c.t.Helper()
	log, err := os.Create(c.log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c.cmd = exec.Command(c.args[0], c.args[1:]...)
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr, c.cmd.Dir = c.env, log, log, filepath.Dir(c.log)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.done = make(chan struct{})
	if err := c.cmd.Start(); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
}

// said is the end of what the container wrote.
func (c *container) said() string {
	raw, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-3000):])
}

// patience bounds every wait for something that must come.
const patience = 60 * time.Second

// healthy waits until the container's own health check succeeds.
func (c *container) healthy() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	var last error
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if last = c.check(ctx); last == nil {
			return
		}
		select {
		case <-c.done:
			c.t.Fatalf("%s ended: %v\n%s", c.name, c.err, c.said())
		case <-ctx.Done():
			c.t.Fatalf("%s is not healthy: %v\n%s", c.name, last, c.said())
		case <-tick.C:
		}
	}
}

// check runs the health check of the compose file once.
func (c *container) check(ctx context.Context) error {
	test := c.service.HealthCheck.Test
	if len(test) < 2 || test[0] != "CMD" {
		return fmt.Errorf("%v is no command", test)
	}
	args := make([]string, 0, len(test))
	for _, a := range test[1:] {
		args = append(args, c.say.Replace(a))
	}
	switch args[0] {
	case "/tutti":
		args[0] = program(c.t)
	case "wget": // which may not be here
		return get(ctx, args[len(args)-1])
	case "bash":
	default:
		return fmt.Errorf("what is %s?", args[0])
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func get(ctx context.Context, url string) error {
	_, err := read(ctx, url)
	return err
}

// finished waits until the container has ended well, as one that runs once does.
func (c *container) finished() {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("%s does not end\n%s", c.name, c.said())
	}
	if c.err != nil {
		c.t.Fatalf("%s failed: %v\n%s", c.name, c.err, c.said())
	}
}

// up starts services in the order that depends_on gives, each when its conditions hold.
func (h *host) up(services ...string) {
	h.t.Helper()
	for _, name := range services {
		if slices.Contains(h.order, name) {
			continue
		}
		deps := h.project.Services[name].DependsOn
		for _, d := range h.project.Services[name].GetDependencies() {
			h.up(d)
			for _, c := range h.running[d] {
				switch deps[d].Condition {
				case types.ServiceConditionHealthy:
					c.healthy()
				case types.ServiceConditionCompletedSuccessfully:
					c.finished()
				default:
					h.t.Fatalf("%s waits for %s until %q", name, d, deps[d].Condition)
				}
			}
		}
		h.run(name)
	}
}

// down asks a container to stop as the container engine would, and waits for it as long.
func (c *container) down() {
	c.t.Helper()
	select {
	case <-c.done:
		return
	default:
	}
	signal := syscall.SIGTERM
	if c.service.StopSignal == "SIGUSR1" {
		signal = syscall.SIGUSR1
	}
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}
	grace := 10 * time.Second
	if c.service.StopGracePeriod != nil {
		grace = time.Duration(*c.service.StopGracePeriod)
	}
	select {
	case <-c.done:
		if c.err != nil {
			c.t.Errorf("%s did not end well: %v\n%s", c.name, c.err, c.said())
		}
	case <-time.After(grace):
		c.t.Errorf("%s does not stop within %v\n%s", c.name, grace, c.said())
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// stop ends what still runs, whoever was started last first.
func (h *host) stop() {
	for _, name := range slices.Backward(h.order) {
		var stopping sync.WaitGroup
		for _, c := range h.running[name] {
			stopping.Go(c.down)
		}
		stopping.Wait()
		for _, c := range h.running[name] {
			if h.t.Failed() {
				h.t.Logf("%s said:\n%s", c.name, c.said())
			}
		}
	}
	h.order, h.running = nil, map[string][]*container{}
}
