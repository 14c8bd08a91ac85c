package natsserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// lameDuck is how long a server that hands over takes to part with its clients, and
	// grace how long they may go on after they were told, unless the file says otherwise.
	lameDuck = 3 * time.Second
	grace    = time.Second
)

// ErrConfig is returned for a configuration that the server does not take.
var ErrConfig = errors.New("natsserver: configuration")

// Run runs the server that a configuration file describes, logging where the file says,
// by default to standard error. When handOver is closed the server gives the streams that
// it leads to others, sends its clients to them, and ends; when ctx ends, it ends at once.
// Either way Run returns when it has ended, with nil.
func Run(ctx context.Context, file string, handOver <-chan struct{}) error {
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrConfig, file, err)
	}
	opts.NoSigs = true // signals are the program's business
	if opts.LameDuckDuration == 0 {
		opts.LameDuckDuration, opts.LameDuckGracePeriod = lameDuck, grace
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrConfig, file, err)
	}
	srv.ConfigureLogger()
	srv.Start()

	ended := make(chan struct{})
	go func() { defer close(ended); srv.WaitForShutdown() }()
	handed := make(chan struct{})
	select {
	case <-ended:
		// An address that is in use, a directory that cannot be written: the log says which.
		return fmt.Errorf("natsserver: the server of %s ended by itself", file)
	case <-ctx.Done():
		close(handed)
	case <-handOver:
		go func() { defer close(handed); srv.LameDuckShutdown() }()
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	srv.Shutdown()
	<-ended
	<-handed
	return nil
}
