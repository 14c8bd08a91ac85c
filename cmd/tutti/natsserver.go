package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func natsServerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "nats-server --config FILE",
		Short: "Run a NATS server from its configuration file",
		Long: `Run a NATS server as the nats-server program does, from a nats.conf. "tutti cluster up" starts
its servers so. An interrupt ends it at once; SIGTERM has it hand over what it leads first.`,
		Example: "  tutti nats-server --config nats-1.conf --election 1.5s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			file, err := c.Flags().GetString("config")
			if err != nil {
				return err
			}
			if file == "" {
				return errors.New("name the server's configuration with --config FILE")
			}
			election, err := c.Flags().GetDuration("election")
			if err != nil {
				return err
			}
			within, err := c.Flags().GetDuration("hand-over")
			if err != nil {
				return err
			}
			// The program's own context ends by either signal, and here they differ.
			ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
			defer cancel()
			signals := make(chan os.Signal, 2)
			signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
			defer signal.Stop(signals)
			handOver, done := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				select {
				case <-done:
					return
				case s := <-signals:
					if s == os.Interrupt {
						cancel()
						return
					}
					close(handOver)
				}
				select {
				case <-done:
				case <-signals:
					cancel()
				}
			})
			err = services.RunNATSServer(ctx, services.NATSServer{File: file, HandOver: handOver, Election: election, HandOverWithin: within})
			close(done)
			wg.Wait()
			return err
		},
	}
	c.Flags().Duration("election", 0, "hold an election when the leader of a stream was silent for this long, or up to twice as `LONG`; default the server's own 4 s")
	c.Flags().Duration("hand-over", 0, "take `LONG` to hand over and to part with clients after SIGTERM; default what the file says")
	return c
}
