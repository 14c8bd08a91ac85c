package deploy

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/subjects"
)

// labels are those that the series of a metric have.
type labels map[string]bool

// foreign are the metrics that others than the program tell; HAProxy 2.6 and 3.2 have them, and
// node_exporter since 0.16.
var foreign = map[string]labels{
	"haproxy_backend_active_servers":  {"proxy": true},
	"haproxy_server_current_sessions": {"proxy": true, "server": true},
	"node_filesystem_avail_bytes":     {"mountpoint": true, "fstype": true, "device": true},
	"node_filesystem_size_bytes":      {"mountpoint": true, "fstype": true, "device": true},
	"up":                              {},
	"ALERTS":                          {"alertname": true, "alertstate": true},
}

// added are the labels that Prometheus puts on what it scrapes; "role" by our relabelling.
var added = []string{"job", "instance", "role"}

var (
	sample = regexp.MustCompile(`(?m)^([a-zA-Z_]+)(?:\{(.*)\})? \S+$`)
	pair   = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// measured runs a system, has people do a little of everything, and reads its metrics.
func measured(t *testing.T) map[string]labels {
	t.Helper()
	cfg := services.Defaults()
	cfg.Data, cfg.Edge.Listen, cfg.NATS.Listen, cfg.Metrics.Listen = t.TempDir(), "127.0.0.1:0", "", "127.0.0.1:0"
	cfg.Auth.Cost = 4
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	c, err := tutti.Dial(t.Context(), s.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Account().Register(t.Context(), "ada@example.org", "ada", "correct horse"); err != nil {
		t.Fatal(err)
	}
	room, _, err := c.CreateRoom(t.Context(), subjects.CreateRoom{Kind: "vote", Name: "Friday", MinimumScore: new(1), Open: true, Tracks: []subjects.TrackRef{"demo:aurora"}})
	if err != nil {
		t.Fatal(err)
	}
	for view, err := range room.Views(t.Context()) {
		if err != nil || view.Rev == 0 {
			t.Fatalf("%v, %v", view, err)
		}
		break
	}
	if err := room.Play(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := room.Play(t.Context()); err == nil {
		t.Fatal("what plays was made to play")
	}
	scrape, err := read(t.Context(), s.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	out := maps.Clone(foreign)
	for _, m := range sample.FindAllStringSubmatch(string(scrape), -1) {
		if out[m[1]] == nil {
			out[m[1]] = labels{}
		}
		for _, l := range pair.FindAllStringSubmatch(m[2], -1) {
			out[m[1]][l[1]] = true
		}
	}
	// Nobody was closed, slow or refused in that walk, and what failed at the store is rare.
	for name, more := range map[string][]string{"tutti_socket_closed_total": {"code"}, "tutti_edge_rate_limited_total": {"class"}} {
		if out[name] == nil && strings.Contains(text(t, "docs/guide/observability.md"), "`"+name+"`") {
			out[name] = labels{}
			for _, l := range more {
				out[name][l] = true
			}
		}
	}
	return out
}

var (
	metricName = regexp.MustCompile(`\b((?:tutti|haproxy|node|process|go)_[a-z0-9_]+|up|ALERTS)\b(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// checkQuery reports what an expression names that nobody measures.
func checkQuery(known map[string]labels, expr string) (faults []string) {
	some := labels{"le": true} // what some metric of the expression has
	found := 0
	for _, m := range metricName.FindAllStringSubmatch(expr, -1) {
		found++
		have, ok := known[m[1]]
		if !ok {
			faults = append(faults, "no metric "+m[1])
			continue
		}
		for l := range have {
			some[l] = true
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !have[l[1]] && !slices.Contains(added, l[1]) {
				faults = append(faults, fmt.Sprintf("%s has no label %s", m[1], l[1]))
			}
		}
	}
	if found == 0 {
		faults = append(faults, "no metric at all")
	}
	for _, g := range grouping.FindAllStringSubmatch(quoted.ReplaceAllString(expr, ""), -1) {
		for _, l := range strings.Split(g[1], ",") {
			if l = strings.TrimSpace(l); !some[l] && !slices.Contains(added, l) {
				faults = append(faults, "nothing has the label "+l)
			}
		}
	}
	return faults
}

type panel struct {
	Title, Type, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ Expr, LegendFormat string }
}

func TestDashboardAndAlertsAskForWhatIsMeasured(t *testing.T) {
	known := measured(t)
	if faults := checkQuery(known, `sum by (vreb) (rate(tutti_comands_total{service="room"}[5m])) / tutti_bus_connected{verb="x"}`); len(faults) != 3 {
		t.Fatalf("of three faults these are seen: %v", faults)
	}
	var board struct {
		Title, UID string
		Panels     []panel
	}
	if err := json.Unmarshal([]byte(text(t, "deploy/grafana/dashboards/tutti.json")), &board); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, p := range board.Panels {
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 {
			t.Errorf("%s does not fit: %+v", p.Title, p.GridPos)
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("%s does not say what it shows, or shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			queries++
			for _, f := range checkQuery(known, q.Expr) {
				t.Errorf("%s: %s: %s", p.Title, q.Expr, f)
			}
		}
	}
	if queries < 40 {
		t.Errorf("the dashboard asks %d questions", queries)
	}
	guide := text(t, "docs/guide/operations.md")
	alerts := 0
	groups, _ := mapping(t, "deploy/prometheus/alerts.yml")["groups"].([]any)
	for _, g := range groups {
		rules, _ := at(g, "rules").([]any)
		for _, r := range rules {
			alerts++
			name, _ := at(r, "alert").(string)
			expr, _ := at(r, "expr").(string)
			for _, f := range checkQuery(known, expr) {
				t.Errorf("alert %s: %s", name, f)
			}
			if s := at(r, "labels", "severity"); s != "page" && s != "ticket" {
				t.Errorf("alert %s: severity %v", name, s)
			}
			if at(r, "annotations", "summary") == nil {
				t.Errorf("alert %s says nothing", name)
			}
			if !strings.Contains(guide, "`"+name+"`") {
				t.Errorf("the guide does not say what to do about %s", name)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("%d alerts", alerts)
	}
}

func TestPrometheusIsTold(t *testing.T) {
	jobs, _ := mapping(t, "deploy/prometheus/prometheus.yml")["scrape_configs"].([]any)
	var names []string
	for _, j := range jobs {
		for _, d := range list(at(j, "dns_sd_configs")) {
			for _, n := range list(at(d, "names")) {
				names = append(names, fmt.Sprint(n))
			}
			if at(d, "port") != 9464 {
				t.Errorf("port %v", at(d, "port"))
			}
		}
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(services.Roles())); !slices.Equal(names, want) {
		t.Errorf("scraped are %v, there are %v", names, want)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on the PATH: that Prometheus takes its configuration was not tried")
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Join(root, "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

func list(v any) []any { l, _ := v.([]any); return l }
