package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

// errSaid is returned by a command that has told its failure itself.
var errSaid = errors.New("")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tutti",
		Short: "Rooms in which many people hear, watch and decide together",
		Long: `Tutti runs rooms in which many people hear, watch and decide together, in real time.

"tutti up" starts everything on this machine, with nothing else installed.

Settings come from, each overriding the one before: the defaults, a YAML file (--config),
the environment (TUTTI_NATS__URL is nats.url: two underscores stand for the dot), and flags.
"tutti check --print" shows them all.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.PersistentFlags().String("config", "", "read settings from this YAML `FILE`")
	root.AddCommand(upCommand(), serveCommand(), checkCommand(), clusterCommand(), healthCommand(), natsServerCommand(), roomsCommand(), migrateCommand(), exportCommand(), importCommand(), rebuildCommand(), archiveCommand(), storeUserCommand(), storeShardsCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "tutti", version())
			return err
		},
	}
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, rev, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			rev = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	if rev != "" {
		v += " (" + rev + dirty + ")"
	}
	return v + " " + info.GoVersion
}

// explain turns an error into what the operator reads: each problem on a line of its own.
func explain(err error) string {
	var lines []string
	for _, l := range strings.Split(err.Error(), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) > 1 {
		lines = append([]string{"several things are wrong:"}, indent(lines)...)
	}
	if h := services.Hint(err); h != "" {
		lines = append(lines, h)
	}
	return strings.Join(lines, "\n")
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "  - " + l
	}
	return out
}
