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
	group(root)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().String("config", "", "read settings from this YAML `FILE`")
	root.AddCommand(upCommand(), serveCommand(), checkCommand(), clusterCommand(), healthCommand(), natsServerCommand(), roomsCommand(), migrateCommand(), exportCommand(), importCommand(), rebuildCommand(), archiveCommand(), storeUserCommand(), storeShardsCommand(), versionCommand())
	return root
}

// group has a command that only holds others refuse what is none of them. Alone it prints its
// help.
func group(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

func unknownCommand(c *cobra.Command, name string) error {
	meant := "; "
	c.SuggestionsMinimumDistance = 2
	for i, s := range c.SuggestionsFor(name) {
		if i == 0 {
			meant = "; did you mean "
		} else {
			meant += " or "
		}
		meant += fmt.Sprintf("%q", c.CommandPath()+" "+s)
	}
	if meant != "; " {
		meant += "? "
	}
	return fmt.Errorf("there is no command %q%s\"%s --help\" lists them", c.CommandPath()+" "+name, meant, c.CommandPath())
}

// flagError says where to read on. Behind an unknown command every flag is unknown: then it
// is the command that is wrong.
func flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	return fmt.Errorf("%w; \"%s --help\" lists the flags", err, c.CommandPath())
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
