package deploy

import (
	"context"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/tuttihq/tutti/services"
)

// The compose files, and what their variables must be set to, beside defaults.
const (
	many   = "docker-compose.yml"
	one    = "deploy/compose/one-machine.yml"
	tls    = "deploy/compose/tls.yml"
	stores = "deploy/compose/rethinkdb.yml"
	traces = "deploy/compose/traces.yml"
)

// leads are the networks that lead out of the machine.
var leads = []string{"outside", "alerts", "traces"}

// stage copies what a deployment needs of the repository, as a clone would have it, and makes
// its secrets.
func stage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(filepath.Join(root, "deploy"))); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{many, "nats.conf", "Dockerfile"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(text(t, f)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets := filepath.Join(dir, "deploy", "compose", "secrets")
	err := filepath.WalkDir(secrets, func(path string, d fs.DirEntry, err error) error { // those of a deployment beside this clone
		if err == nil && d.Type().IsRegular() {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	makeSecrets(t, dir)
	return dir
}

func makeSecrets(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "deploy", "compose", "make-secrets"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make-secrets: %v\n%s", err, out)
	}
	return string(out)
}

// load parses compose files as the compose tool does: unknown keys are errors.
func load(t *testing.T, dir string, env map[string]string, files ...string) *types.Project {
	t.Helper()
	var paths, environ []string
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, f))
	}
	for k, v := range env {
		environ = append(environ, k+"="+v)
	}
	o, err := cli.NewProjectOptions(paths, cli.WithEnv(environ), cli.WithConsistency(true), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("%v: %v", files, err)
	}
	return p
}

// projects are the compose files in the ways in which the guide has them used.
func projects(t *testing.T) map[string]*types.Project {
	t.Helper()
	dir := stage(t)
	tracing := map[string]string{"TUTTI_TRACES": "https://traces.example"}
	return map[string]*types.Project{
		"many":             load(t, dir, nil, many),
		"one":              load(t, dir, nil, one),
		"many with TLS":    load(t, dir, map[string]string{"TUTTI_CERT_DIR": t.TempDir()}, many, tls),
		"many with stores": load(t, dir, nil, many, stores),
		"many with traces": load(t, dir, tracing, many, traces),
	}
}

var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*$`)

func TestContainersHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	for name, p := range projects(t) {
		for _, s := range p.Services {
			fault := func(format string, args ...any) { t.Helper(); t.Errorf(name+": "+s.Name+": "+format, args...) }
			if !pinned.MatchString(s.Image) && s.Image != "ghcr.io/tuttihq/tutti:local" {
				fault("image %s has no version", s.Image)
			}
			if !s.ReadOnly {
				fault("its root file system can be written to")
			}
			if !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged {
				fault("capabilities: drops %v, adds %v", s.CapDrop, s.CapAdd)
			}
			if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				fault("may gain privileges")
			}
			if s.NetworkMode != "" || len(s.Networks) == 0 || s.Pid != "" || s.Ipc != "" {
				fault("shares a namespace of the machine, or the default network")
			}
			if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes <= 0 {
				fault("has no limit of memory")
			} else if s.Deploy.Resources.Limits.NanoCPUs != 0 || s.CPUS != 0 {
				fault("is not started by a machine that has less processor than its limit")
			}
			if s.CPUShares <= 0 && name != "one" {
				fault("has no weight when processor is short")
			}
			if s.Logging == nil || s.Logging.Options["max-size"] == "" {
				fault("its log has no bound")
			}
			if s.Restart == "" {
				fault("stays down when it falls")
			}
			blind := s.Restart == "on-failure:10" || s.Name == "collector" // in whose image nothing can ask
			if (s.HealthCheck == nil || s.HealthCheck.Disable) != blind {
				fault("health check: there must be one, unless it runs once")
			}
			if s.StopGracePeriod == nil && s.Name != "grafana" {
				fault("does not say how long it may take to stop")
			}
			for _, port := range s.Ports {
				if s.Name != "balancer" && s.Name != "prometheus" && s.Name != "tutti" {
					fault("publishes %s", port.Published)
				} else if loopback := net.ParseIP(port.HostIP).IsLoopback(); !loopback && name != "many with TLS" || !loopback && port.Target != 8080 && port.Target != 8443 {
					fault("publishes %s:%s", port.HostIP, port.Published)
				}
			}
			for k, v := range s.Environment {
				if v != nil && *v != "" && strings.Contains(k, "PASSWORD") && !strings.Contains(k, "FILE") && !strings.HasPrefix(k, "TUTTI_NATS_PASSWORD_") {
					fault("%s: a password in the environment", k)
				}
			}
		}
	}
}

// The compose tool itself looks after names; here it is what it does not look after.
func TestWhatComposeFilesNameIsThere(t *testing.T) {
	for name, p := range projects(t) {
		volumes, secrets, networks := map[string]string{}, map[string]bool{}, map[string]bool{}
		for _, s := range p.Services {
			for _, v := range s.Volumes {
				switch v.Type {
				case types.VolumeTypeVolume:
					if who := volumes[v.Source]; who != "" {
						t.Errorf("%s: volume %s is of %s and of %s", name, v.Source, who, s.Name)
					}
					volumes[v.Source] = s.Name
				case types.VolumeTypeBind:
					if _, err := os.Stat(v.Source); err != nil {
						t.Errorf("%s: %s: %v", name, s.Name, err)
					}
					if !v.ReadOnly {
						t.Errorf("%s: %s can write to %s", name, s.Name, v.Source)
					}
				}
			}
			for _, ref := range s.Secrets {
				secrets[ref.Source] = true
				if info, err := os.Stat(p.Secrets[ref.Source].File); err != nil {
					t.Errorf("%s: %s: %v", name, s.Name, err)
				} else if info.Mode().Perm()&0o222 != 0 {
					t.Errorf("%s: secret %s can be written to", name, ref.Source)
				}
			}
			for n := range s.Networks {
				networks[n] = true
			}
			for k, v := range s.Environment {
				if v == nil {
					t.Errorf("%s: %s: %s has no value", name, s.Name, k)
					continue
				}
				path, isSecret := strings.CutPrefix(*v, "/run/secrets/")
				if isSecret && !slices.ContainsFunc(s.Secrets, func(r types.ServiceSecretConfig) bool { return targetOf(r) == path }) {
					t.Errorf("%s: %s: %s names the secret %s, which it is not given", name, s.Name, k, path)
				}
			}
		}
		for v := range p.Volumes {
			if volumes[v] == "" {
				t.Errorf("%s: nobody uses volume %s", name, v)
			}
		}
		for s := range p.Secrets {
			if !secrets[s] {
				t.Errorf("%s: nobody is given secret %s", name, s)
			}
		}
		for n := range p.Networks {
			if !networks[n] {
				t.Errorf("%s: nobody is on network %s", name, n)
			}
		}
	}
}

// targetOf is the name of a secret's file in /run/secrets.
func targetOf(r types.ServiceSecretConfig) string {
	if r.Target == "" {
		return r.Source
	}
	return strings.TrimPrefix(r.Target, "/run/secrets/")
}

var hostPort = regexp.MustCompile(`([a-z][a-z0-9-]*):\d{2,5}`)

// Whoever names another one's host shares a network with it, waits for it where it cannot do
// without it, and nobody is reached over the network that leads outside.
func TestServicesReachWhatTheyName(t *testing.T) {
	all := projects(t)
	delete(all, "one")
	for name, p := range all {
		servicesReachWhatTheyName(t, name, p)
	}
	// What is written into .env is what every later "up" has.
	env := map[string]string{}
	for _, role := range services.Roles() {
		env["TUTTI_"+strings.ToUpper(role)+"_REPLICAS"] = "7"
	}
	p, more := all["many"], load(t, stage(t), env, many)
	for role, replicas := range map[string]int{"auth": 1, "profile": 1, "room": 2, "playlist": 2, "chat": 2, "edge": 2} {
		s := p.Services[role]
		got := *s.Deploy.Replicas
		if got != replicas || !slices.Equal([]string(s.Command), []string{"serve", "--roles", role}) {
			t.Errorf("%s: %d replicas of %v", role, got, s.Command)
		}
		if c := s.DependsOn["migrate"].Condition; c != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s does not wait for migrate: %q", role, c)
		}
		if _, there := s.Networks["store"]; there == (role == "edge") {
			t.Errorf("%s: on the store's network: %v", role, there)
		}
		_, prometheus := s.Networks["observe"]
		if !prometheus {
			t.Errorf("%s cannot be observed", role)
		}
		if n := *more.Services[role].Deploy.Replicas; n != 7 {
			t.Errorf("%d replicas of %s, 7 are wanted", n, role)
		}
	}
	// The balancer finds each edge at one address: under a name of the network that it is trusted on.
	front := p.Networks["front"].Ipam.Config[0].Subnet
	if got := *p.Services["edge"].Environment["TUTTI_EDGE__TRUSTED_PROXIES"]; got != front {
		t.Errorf("edges trust %s, the balancer is in %s", got, front)
	}
	if a := p.Services["edge"].Networks["front"].Aliases; !slices.Equal(a, []string{"edges"}) || !strings.Contains(text(t, "deploy/proxy/haproxy.cfg"), " edges:8080") {
		t.Errorf("on front, edges are called %v", a)
	}
	for _, s := range p.Services {
		if _, there := s.Networks["front"]; there && s.Name != "edge" && s.Name != "balancer" {
			t.Errorf("%s is on the network whose X-Forwarded-For is believed", s.Name)
		}
	}
}

func servicesReachWhatTheyName(t *testing.T, project string, p *types.Project) {
	t.Helper()
	named := 0
	for _, s := range p.Services {
		for k, v := range s.Environment {
			for _, m := range hostPort.FindAllStringSubmatch(*v, -1) {
				to, err := p.GetService(m[1])
				if err != nil {
					if m[1] != "cluster" { // the user of the routes between NATS servers
						t.Errorf("%s: %s: %s names %s, which is nobody", project, s.Name, k, m[1])
					}
					continue
				}
				named++
				shared := slices.DeleteFunc(slices.Collect(maps.Keys(s.Networks)), func(n string) bool {
					_, both := to.Networks[n]
					return !both || slices.Contains(leads, n)
				})
				if len(shared) == 0 {
					t.Errorf("%s: %s: %s names %s, which is on no network of its own", project, s.Name, k, to.Name)
				}
			}
		}
	}
	if named < 30 {
		t.Errorf("%s: only %d hosts are named", project, named)
	}
	for network, n := range p.Networks {
		if n.Internal == slices.Contains(leads, network) {
			t.Errorf("%s: network %s: internal is %v", project, network, n.Internal)
		}
	}
}

// Whoever is added by a file is reached by those that are told of it.
func TestAddedFilesAddWhatTheySay(t *testing.T) {
	all := projects(t)
	many, stores, traced := all["many"], all["many with stores"], all["many with traces"]
	servers := []string{"rethinkdb", "rethinkdb-2", "rethinkdb-3"}
	for _, role := range []string{"migrate", "auth", "profile", "room", "playlist", "chat"} {
		if got := *stores.Services[role].Environment["TUTTI_STORE__ADDRESSES"]; got != strings.Join(servers, ":28015,")+":28015" {
			t.Errorf("%s asks %s", role, got)
		}
	}
	for _, role := range services.Roles() {
		if got := *traced.Services[role].Environment["TUTTI_TELEMETRY__OTLP"]; got != "http://collector:4318" {
			t.Errorf("%s sends traces to %s", role, got)
		}
	}
	first := many.Services["rethinkdb"]
	for _, name := range servers[1:] {
		s := stores.Services[name]
		command := strings.ReplaceAll(strings.Join(first.Command, " "), "--server-name rethinkdb", "--server-name "+strings.ReplaceAll(name, "-", "_"))
		if got := strings.Join(s.Command, " "); got != command+" --join rethinkdb:29015" {
			t.Errorf("%s runs %s", name, got)
		}
		if s.Image != first.Image || !slices.EqualFunc(s.Secrets, first.Secrets, func(a, b types.ServiceSecretConfig) bool { return a.Source == b.Source }) {
			t.Errorf("%s is of %s with %v", name, s.Image, s.Secrets)
		}
	}
	balancer := all["many with TLS"].Services["balancer"]
	path, file := filepath.Split(*balancer.Environment["TUTTI_CERT"])
	mounted := slices.ContainsFunc(balancer.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeBind && v.Target+"/" == path && !bool(v.Bind.CreateHostPath)
	})
	if !mounted || file != "tutti.pem" || len(balancer.Volumes) != len(many.Services["balancer"].Volumes)+1 {
		t.Errorf("the certificate is %s%s, mounted are %v", path, file, balancer.Volumes)
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	dir := stage(t)
	secrets := filepath.Join(dir, "deploy", "compose", "secrets")
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	read := func() map[string]string {
		out := map[string]string{}
		entries, err := os.ReadDir(secrets)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			raw, err := os.ReadFile(filepath.Join(secrets, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out[e.Name()] = string(raw)
		}
		return out
	}
	first := read()
	seen := map[string]string{}
	for name, value := range first {
		if strings.Contains(name, ".") {
			continue
		}
		if len(value) < 32 || value != strings.TrimSpace(value) || value[0] < 'a' || value[0] > 'z' {
			t.Errorf("%s is %q", name, value)
		}
		if seen[value] != "" {
			t.Errorf("%s and %s are the same", name, seen[value])
		}
		seen[value] = name
	}
	if said := makeSecrets(t, dir); said != "" || !maps.Equal(first, read()) {
		t.Errorf("the second time: %s", said)
	}
	if err := os.Remove(filepath.Join(secrets, "nats_bot")); err != nil {
		t.Fatal(err)
	}
	makeSecrets(t, dir)
	again := read()
	if again["nats_bot"] == first["nats_bot"] || !strings.Contains(again["nats.env"], "TUTTI_NATS_PASSWORD_BOT="+again["nats_bot"]+"\n") {
		t.Error("a password that was made anew is not the server's")
	}
	// Each user of the servers' configuration has one.
	for _, m := range regexp.MustCompile(`\$(TUTTI_NATS_PASSWORD_[A-Z]+)`).FindAllStringSubmatch(text(t, "nats.conf")+text(t, "deploy/nats/cluster.conf"), -1) {
		if !strings.Contains(again["nats.env"], m[1]+"=") {
			t.Errorf("nats.env lacks %s", m[1])
		}
	}
	if !strings.Contains(text(t, "deploy/compose/secrets/.gitignore"), "\n*\n") {
		t.Error("secrets may be committed")
	}
}
