package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func migrateCommand() *cobra.Command {
	var opt services.MigrateOptions
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Make or bring up to date streams, tables and documents",
		Long: `Make what a deployment lacks, and bring up to date what an older release has made: streams,
tables with their indexes, and documents. "tutti up" and "tutti serve" do the same when they
start, unless auto_migrate is false: then only who runs this command needs the rights for it.

It may run while the services do, more than once, and at once on several machines: one does
it, the others wait. A store that a newer release has migrated is refused.

Of a store in RethinkDB, indexes that only an older release asks for are kept, since its replicas
may run. When none does any more, run it with --drop-old-indexes: that enters what they wrote
last, and drops their indexes.`,
		Example: "  tutti migrate --dry-run\n  TUTTI_NATS__USER=admin TUTTI_NATS__PASSWORD_FILE=/run/secrets/admin tutti migrate --nats-url nats://10.0.0.1:4222 --store rethinkdb --store-addresses 10.0.0.1:28015",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			bar := newProgress(c.ErrOrStderr())
			r, err := services.Migrate(c.Context(), cfg, opt, bar.tell, log)
			bar.end()
			if err != nil {
				return err
			}
			return sayMigrated(c, r, opt)
		},
	}
	toolFlags(c)
	c.Flags().BoolVar(&opt.DryRun, "dry-run", false, "say what would be done, and do nothing")
	c.Flags().BoolVar(&opt.DropOldIndexes, "drop-old-indexes", false, "drop indexes in RethinkDB that this release does not ask for, once no older one runs")
	return c
}

func sayMigrated(c *cobra.Command, r services.MigrateReport, opt services.MigrateOptions) error {
	made, ran, upTo, old := "made", "ran", "is now at", "dropped"
	if opt.DryRun {
		made, ran, upTo, old = "would make", "would run", "would come to", "would drop"
	}
	if !opt.DropOldIndexes {
		old = "kept for older releases"
	}
	out := c.OutOrStdout()
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format, args...)
		}
	}
	for _, m := range r.Missing {
		say("%s  %s\n", made, m)
	}
	for _, s := range r.Steps {
		say("%s  migration %s\n", ran, s)
	}
	for _, x := range r.Old {
		say("%s  %s\n", old, x)
	}
	if dropped := opt.DropOldIndexes && len(r.Old) > 0; dropped && r.From == r.To && len(r.Missing) == 0 {
		return err
	}
	if r.From == r.To && len(r.Missing) == 0 {
		say("nothing to do: the schema has version %d\n", r.To)
	} else {
		say("the schema had version %d and %s %d\n", r.From, upTo, r.To)
	}
	return err
}

// toolFlags adds the flags of a command that works on the data of a deployment.
func toolFlags(c *cobra.Command) {
	d := services.Defaults()
	f := c.Flags()
	f.String("data", d.Data, "the `DIR` of the embedded NATS server and store")
	f.String("nats-url", "", "the NATS servers at this `URL` instead of the embedded one")
	f.String("store", d.Store.Kind, "the `KIND` of store: sqlite or rethinkdb")
	loginFlags(c)
	logFlags(c)
}
