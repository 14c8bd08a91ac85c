package natsserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrConfig is returned for a configuration that the server does not take.
var ErrConfig = errors.New("natsserver: configuration")

// Options say which server to run, and how.
type Options struct {
	// File is the server's configuration.
	File string
	// HandOver, when closed, has the server give the streams that it leads to others, send
	// its clients to them, and end. Nil never does.
	HandOver <-chan struct{}
	// Election is how long the servers of a cluster wait for a silent leader of a stream,
	// at least; at most twice as long. Give all of them the same. Zero leaves it to the
	// server, which waits 4 to 9 s. Below a second a slow disk looks like a death.
	Election time.Duration
	// HandOverWithin is how long handing over may take, the clients parted with one after
	// the other in that time. Zero leaves it to the file (lame_duck_duration), which takes no
	// less than 30 s.
	HandOverWithin time.Duration
}

// Run runs the server that a configuration file describes, logging where the file says,
// by default to standard error. It ends at once when ctx ends, and when HandOver is closed
// after it has handed over. Either way Run returns when it has ended, with nil.
func Run(ctx context.Context, opt Options) error {
	opts, err := server.ProcessConfigFile(opt.File)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrConfig, opt.File, err)
	}
	if opt.Election > 0 {
		setElection(opt.Election)
	}
	opts.NoSigs = true // signals are the program's business
	if w := opt.HandOverWithin; w > 0 {
		opts.LameDuckDuration, opts.LameDuckGracePeriod = w, w/3
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrConfig, opt.File, err)
	}
	srv.ConfigureLogger()
	srv.Start()

	ended := make(chan struct{})
	go func() { defer close(ended); srv.WaitForShutdown() }()
	handed := make(chan struct{})
	select {
	case <-ended:
		// An address that is in use, a directory that cannot be written: the log says which.
		return fmt.Errorf("natsserver: the server of %s ended by itself", opt.File)
	case <-ctx.Done():
		close(handed)
	case <-opt.HandOver:
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
