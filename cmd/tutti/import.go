package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func importCommand() *cobra.Command {
	var opt services.ImportOptions
	c := &cobra.Command{
		Use:   "import --from DIR|FILE.tar",
		Short: "Bring an export into an empty deployment",
		Long: `Bring what "tutti export" wrote into a deployment that is empty. The number of partitions and
shards and the kind of store may be others than those of the system that it is from: so what
began on a laptop goes on in a cluster.

The whole export is checked before anything is written. An import that was interrupted goes on
when it is run again, with nothing there twice; until it is finished the services refuse to
start. A deployment with other data is refused, and one whose services run.

Lists, searches and histories are folded anew from the logs. Rooms go on where their clocks
are: a track that was to end meanwhile has ended.`,
		Example: "  tutti import --from backup.tar --data new\n  tutti import --from backup.tar --nats-url nats://10.0.0.1:4222 --store rethinkdb --store-addresses 10.0.0.1:28015",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			bar, begin := newProgress(c.ErrOrStderr()), time.Now()
			opt.Progress = shown(bar)
			r, err := services.Import(c.Context(), cfg, opt, log)
			bar.end()
			if err != nil && !errors.Is(err, services.ErrRebuildIncomplete) {
				return err
			}
			out := c.OutOrStdout()
			if r.Finished {
				_, perr := fmt.Fprintf(out, "%s is there already\n", r.Export)
				return errors.Join(err, perr)
			}
			_, perr := fmt.Fprintf(out, "%s: %d commits and %d documents, %d of them there already, %d commands that wait, %d documents from the logs, %d clocks, in %v\n",
				r.Export, r.Commits, r.Documents, r.There, r.Commands, r.Rebuilt.Written, r.Woken, time.Since(begin).Round(time.Millisecond))
			return errors.Join(err, perr)
		},
	}
	toolFlags(c)
	c.Flags().StringVar(&opt.From, "from", "", "the `PATH` of the export")
	c.Flags().BoolVar(&opt.DocumentsOnly, "documents-only", false, "leave out the logs of the export: for a deployment that has lost its store and not its logs")
	_ = c.MarkFlagRequired("from") // the flag is there
	return c
}
