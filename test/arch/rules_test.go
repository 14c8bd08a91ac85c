package arch

import (
	"slices"
	"strings"
	"testing"
)

// graph builds a graph from lines like "services/a -> subjects nats.io/x"; a line with
// "->>" speaks of tests. Names without a dot in their first element are ours, names
// that begin with "std:" the standard library's.
func graph(t *testing.T, lines ...string) *Graph {
	t.Helper()
	g := NewGraph()
	full := func(name string) string {
		if std, ok := strings.CutPrefix(name, "std:"); ok {
			return std
		}
		if host, _, _ := strings.Cut(name, "/"); strings.Contains(host, ".") {
			return name
		}
		return Module + "/" + name
	}
	for _, line := range lines {
		from, to, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("no arrow in %q", line)
		}
		to, tests := strings.CutPrefix(to, ">")
		record := g.Import
		if tests {
			record = g.TestImport
		}
		record(full(strings.TrimSpace(from)))
		for _, name := range strings.Fields(to) {
			record(full(strings.TrimSpace(from)), full(name))
		}
	}
	return g
}

// expect fails unless each fault contains one of the wanted texts, and each wanted text
// is found in a fault.
func expect(t *testing.T, faults []string, want ...string) {
	t.Helper()
	for _, f := range faults {
		if !slices.ContainsFunc(want, func(w string) bool { return strings.Contains(f, w) }) {
			t.Errorf("unexpected: %s", f)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, w) }) {
			t.Errorf("not reported: %s", w)
		}
	}
}

func house() Rules {
	return Rules{
		Layers: []Layer{
			{Name: "contract", Of: "subjects/..."},
			{Name: "kernel", Of: "services/internal/*/...", Allow: []string{"subjects", "services/internal/..."}, Reason: "the kernel knows no service"},
			{Name: "services", Of: "services/*/...", Except: []string{"services/internal/..."}, Allow: []string{"subjects", "services/internal/..."}},
			{Name: "assembly", Of: "services", Allow: []string{"services/...", "subjects"}},
			{Name: "programs", Of: "cmd/*/...", Behind: []string{"services"}, Free: true},
		},
		Homes: []Home{{Name: "bus", Vendor: []string{"nats.io/..."}, Homes: []string{"services/internal/bus"}}},
		Bans:  []Ban{{Name: "alone", Of: "subjects/...", Never: []string{ThirdParty}}},
	}
}

var sound = []string{
	"subjects -> std:encoding/json",
	"subjects ->> rapid.dev",
	"services/internal/bus -> subjects nats.io/client std:context",
	"services/internal/kernel -> services/internal/bus",
	"services/room -> subjects services/internal/kernel services/room/rules",
	"services/room/rules -> subjects",
	"services/chat -> services/internal/kernel",
	"services -> services/room services/chat",
	"cmd/tutti -> services cobra.dev",
	"nats.io/client -> nats.io/keys",
	"wrapper.dev -> nats.io/client",
}

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name string
		add  []string
		want []string
	}{
		{"sound", nil, nil},
		{
			"a service imports its sibling",
			[]string{"services/room -> services/chat"},
			[]string{"layer services: services/room → services/chat"},
		},
		{
			"a package of a service imports the sibling",
			[]string{"services/room/rules -> services/chat"},
			[]string{"services/room/rules → services/chat", "services/room → services/room/rules → services/chat"},
		},
		{
			"only a test does",
			[]string{"services/room ->> services/chat"},
			[]string{"layer services: services/room → services/chat"},
		},
		{
			"the kernel knows a service, so whoever uses the kernel does",
			[]string{"services/internal/kernel -> services/chat"},
			[]string{
				"layer kernel: services/internal/kernel → services/chat\n\tthe kernel knows no service",
				"layer services: services/room → services/internal/kernel → services/chat",
			},
		},
		{
			"the contract imports a server",
			[]string{"subjects -> services/internal/bus"},
			[]string{
				"layer contract: subjects → services/internal/bus",
				"ban alone: subjects → services/internal/bus → nats.io/client",
			},
		},
		{
			"the contract imports a third party",
			[]string{"subjects -> ulid.dev"},
			[]string{"ban alone: subjects → ulid.dev"},
		},
		{
			"a program reaches past the assembly",
			[]string{"cmd/tutti -> services/internal/bus"},
			[]string{"layer programs: cmd/tutti → services/internal/bus"},
		},
		{
			"a program's test may",
			[]string{"cmd/tutti ->> services/internal/bus"},
			nil,
		},
		{
			"a vendor is imported outside its home",
			[]string{"services/room -> nats.io/client"},
			[]string{"home bus: services/room → nats.io/client"},
		},
		{
			"a vendor is reached through a third party",
			[]string{"services/room -> wrapper.dev"},
			[]string{"home bus: services/room → wrapper.dev → nats.io/client"},
		},
		{
			"what lies below the home is the home",
			[]string{"services/internal/bus/stream -> nats.io/client"},
			nil,
		},
		{
			"nobody says where a package stands",
			[]string{"tools/gen -> std:fmt"},
			[]string{"package tools/gen: no layer covers it"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, house().Check(graph(t, append(slices.Clone(sound), tc.add...)...)), tc.want...)
		})
	}
}

func TestStaleRules(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*Rules)
		want []string
	}{
		{
			"a layer without packages",
			func(r *Rules) { r.Layers = append(r.Layers, Layer{Name: "old", Of: "gateway/..."}) },
			[]string{"layer old matches no package (gateway/...)"},
		},
		{
			"a layer that allows what is not there",
			func(r *Rules) { r.Layers[3].Allow = append(r.Layers[3].Allow, "shared") },
			[]string{"layer assembly names shared"},
		},
		{
			"two layers for one package",
			func(r *Rules) { r.Layers[2].Except = nil },
			[]string{"package services/internal/bus: covered by several", "package services/internal/kernel: covered by several"},
		},
		{
			"a home that moved",
			func(r *Rules) { r.Homes[0].Homes = []string{"services/internal/wire"} },
			[]string{"home bus matches nothing: services/internal/wire", "home bus: services/internal/bus → nats.io/client"},
		},
		{
			"a vendor that was dropped",
			func(r *Rules) {
				r.Homes = append(r.Homes, Home{Name: "kafka", Vendor: []string{"kafka.dev"}, Homes: []string{"services/internal/bus"}})
			},
			[]string{"home kafka matches nothing"},
		},
		{
			"a ban for nobody",
			func(r *Rules) {
				r.Bans = append(r.Bans, Ban{Name: "none", Of: "gateway", Never: []string{"nats.io/..."}})
			},
			[]string{"ban none matches no package"},
		},
		{
			"a ban on what nobody uses",
			func(r *Rules) {
				r.Bans = append(r.Bans, Ban{Name: "gone", Of: "subjects", Never: []string{"left.pad"}})
			},
			[]string{"ban gone: nobody imports left.pad"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules := house()
			tc.edit(&rules)
			expect(t, rules.Check(graph(t, sound...)), tc.want...)
		})
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b", "a", false},
		{"a/b/...", "a/b", true},
		{"a/b/...", "a/b/c/d", true},
		{"a/b/...", "a/bc", false},
		{"a/*", "a/x", true},
		{"a/*", "a", false},
		{"a/*", "a/x/y", false},
		{"a/*/...", "a/x/y", true},
		{"a/*/...", "a", false},
	} {
		if got := match(tc.pattern, tc.path); got != tc.want {
			t.Errorf("match(%q, %q) = %t", tc.pattern, tc.path, got)
		}
	}
}
