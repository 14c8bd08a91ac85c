package arch

import (
	"fmt"
	"slices"
	"strings"
)

// A pattern names packages. `*` stands for one path element, and a trailing `/...`
// for the package itself and everything below it. In rules, patterns of our own packages
// are written without the module's path.

// Layer says which of the module's packages a layer may know, directly or through
// others. A package always knows its own unit: the part of its path that the pattern
// spells out, and everything below.
type Layer struct {
	Name   string
	Of     string   // the layer's packages, a pattern below the module
	Except []string // packages that the pattern names and another layer covers
	Allow  []string // what it may reach; what lies behind is checked as well
	Behind []string // what it may import without being asked what lies behind
	Free   bool     // the layer's tests may import what they like
	Reason string
}

// Home gives a vendor one place to live. Nobody reaches the vendor, however far
// down the chain of imports, other than through a home.
type Home struct {
	Name   string
	Vendor []string // patterns of import paths; at least one must be imported by each home
	Homes  []string // packages of ours that must import it; what lies below them may
	Guests []string // packages of ours that may import it, tests that play a stranger
	Reason string
}

// Ban names what packages must not link, by whatever chain of imports.
type Ban struct {
	Name   string
	Of     string   // the packages, a pattern below the module
	Never  []string // patterns of import paths, or ThirdParty
	Reason string
}

// ThirdParty stands, in a ban, for whatever is neither ours nor the standard library's.
const ThirdParty = "third parties"

// Rules is everything that is demanded of a graph.
type Rules struct {
	Layers []Layer
	Homes  []Home
	Bans   []Ban
}

// Check returns what is wrong with g, one message a fault, sorted and without repeats:
// each names the rule, the chain of imports and the reason.
func (r Rules) Check(g *Graph) []string {
	var faults []string
	for _, l := range r.Layers {
		faults = append(faults, l.check(g)...)
	}
	for _, h := range r.Homes {
		faults = append(faults, h.check(g)...)
	}
	for _, b := range r.Bans {
		faults = append(faults, b.check(g)...)
	}
	faults = append(faults, r.uncovered(g)...)
	slices.Sort(faults)
	return slices.Compact(faults)
}

// uncovered reports packages of ours that no layer speaks of, or more than one.
func (r Rules) uncovered(g *Graph) []string {
	var faults []string
	for _, p := range g.own() {
		var in []string
		for _, l := range r.Layers {
			if l.covers(p) {
				in = append(in, l.Name)
			}
		}
		switch len(in) {
		case 1:
		case 0:
			faults = append(faults, fmt.Sprintf("package %s: no layer covers it; say in test/arch/table.go where it stands", short(p)))
		default:
			faults = append(faults, fmt.Sprintf("package %s: covered by several layers: %s", short(p), strings.Join(in, ", ")))
		}
	}
	return faults
}

func (l Layer) covers(path string) bool {
	return match(Module+"/"+l.Of, path) && !matchAny(ours(l.Except...), path)
}

func (l Layer) check(g *Graph) []string {
	var faults []string
	stale := true
	for _, p := range g.own() {
		if !l.covers(p) {
			continue
		}
		stale = false
		unit := unitOf(l.Of, p)
		g.walk(p, !l.Free, func(at string, chain []string) bool {
			switch {
			case !isOwn(at):
				return true
			case match(unit, at), matchAny(ours(l.Allow...), at):
				return true
			case matchAny(ours(l.Behind...), at):
				return false
			}
			faults = append(faults, fault("layer "+l.Name, chain, l.Reason))
			return false
		})
	}
	for _, p := range slices.Concat(l.Except, l.Allow, l.Behind) {
		if !slices.ContainsFunc(g.own(), func(path string) bool { return match(Module+"/"+p, path) }) {
			faults = append(faults, fmt.Sprintf("layer %s names %s, and there is no such package: rename or remove it", l.Name, p))
		}
	}
	if stale {
		faults = append(faults, fmt.Sprintf("layer %s matches no package (%s): rename or remove it", l.Name, l.Of))
	}
	return faults
}

func (h Home) check(g *Graph) []string {
	var faults []string
	for _, home := range h.Homes {
		if n := g.nodes[Module+"/"+home]; n == nil || !slices.ContainsFunc(n.imports, h.isVendor) {
			faults = append(faults, fmt.Sprintf("home %s matches nothing: %s is not there or does not import %s",
				h.Name, home, strings.Join(h.Vendor, ", ")))
		}
	}
	doors := ours(h.Guests...)
	for _, home := range h.Homes {
		doors = append(doors, Module+"/"+home+"/...")
	}
	for _, p := range g.own() {
		if matchAny(doors, p) {
			continue
		}
		g.walk(p, false, func(at string, chain []string) bool {
			switch {
			case h.isVendor(at):
				faults = append(faults, fault("home "+h.Name, chain, h.Reason))
				return false
			case isOwn(at):
				// A package of ours on the way is a home, or is found guilty itself.
				return false
			}
			return true
		})
	}
	return faults
}

func (h Home) isVendor(path string) bool { return matchAny(h.Vendor, path) }

func (b Ban) check(g *Graph) []string {
	var faults []string
	stale := true
	for _, p := range g.own() {
		if !match(Module+"/"+b.Of, p) {
			continue
		}
		stale = false
		g.walk(p, false, func(at string, chain []string) bool {
			if slices.ContainsFunc(b.Never, func(p string) bool { return banned(p, at) }) {
				faults = append(faults, fault("ban "+b.Name, chain, b.Reason))
				return false
			}
			return true
		})
	}
	for _, p := range b.Never {
		if !g.mentions(func(path string) bool { return banned(p, path) }) {
			faults = append(faults, fmt.Sprintf("ban %s: nobody imports %s, not even a test: rename or remove it", b.Name, p))
		}
	}
	if stale {
		faults = append(faults, fmt.Sprintf("ban %s matches no package (%s): rename or remove it", b.Name, b.Of))
	}
	return faults
}

func banned(pattern, path string) bool {
	if pattern == ThirdParty {
		host, _, _ := strings.Cut(path, "/")
		return strings.Contains(host, ".") && !isOwn(path)
	}
	return match(pattern, path)
}

func fault(rule string, chain []string, reason string) string {
	names := make([]string, len(chain))
	for i, p := range chain {
		names[i] = short(p)
	}
	return fmt.Sprintf("%s: %s\n\t%s", rule, strings.Join(names, " → "), reason)
}

// unitOf is the pattern of the unit that path belongs to under a layer's pattern:
// for `services/*/...` and …/services/room/queue it is …/services/room/...
func unitOf(layer, path string) string {
	stem, tree := strings.CutSuffix(layer, "/...")
	if !tree {
		return path
	}
	n := len(strings.Split(Module+"/"+stem, "/"))
	return strings.Join(strings.Split(path, "/")[:n], "/") + "/..."
}

func ours(patterns ...string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = Module + "/" + p
	}
	return out
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

func match(pattern, path string) bool {
	stem, tree := strings.CutSuffix(pattern, "/...")
	want, have := strings.Split(stem, "/"), strings.Split(path, "/")
	if len(have) < len(want) || (!tree && len(have) != len(want)) {
		return false
	}
	for i, w := range want {
		if w != "*" && w != have[i] {
			return false
		}
	}
	return true
}
