package arch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	requirement = regexp.MustCompile(`^\s*(?:require\s+)?([^\s()]+\.[^\s()]+) v\S+(\s*// indirect)?$`)
	// bending names directives that hold for us alone: whoever builds our module as a
	// dependency, or installs a program of it, gets something else. Tools have a module
	// file of their own.
	bending = regexp.MustCompile(`^(replace|exclude|tool)\b`)
)

// badRequirements compares go.mod with the imports of all files, on every platform. What
// is required indirectly is left to the go command.
func badRequirements(s *Sources) []string {
	i := slices.IndexFunc(s.files, func(f *source) bool { return f.path == "go.mod" })
	if i < 0 {
		return []string{"go.mod is not there"}
	}
	var faults []string
	direct := map[string]bool{} // by module, whether go.mod says so
	for n, line := range strings.Split(string(s.files[i].text), "\n") {
		if bending.MatchString(line) {
			faults = append(faults, fmt.Sprintf("go.mod:%d: %s", n+1, line))
		} else if m := requirement.FindStringSubmatch(line); m != nil {
			direct[m[1]] = m[2] == ""
		}
	}
	used := map[string]bool{}
	for _, f := range s.files {
		if f.code == nil {
			continue
		}
		for _, to := range imports(f.code) {
			if !banned(ThirdParty, to) {
				continue
			}
			if module := provider(direct, to); module == "" {
				faults = append(faults, fmt.Sprintf("%s is imported and not required", to))
			} else {
				used[module] = true
			}
		}
	}
	for module, d := range direct {
		switch {
		case d && !used[module]:
			faults = append(faults, module+" is required and imported by nobody")
		case !d && used[module]:
			faults = append(faults, module+" is imported and marked // indirect")
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// provider is the longest of the modules that path lies in, "" if there is none.
func provider(modules map[string]bool, path string) string {
	best := ""
	for m := range modules {
		if len(m) > len(best) && match(m+"/...", path) {
			best = m
		}
	}
	return best
}
