package services

import (
	"context"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus/natsserver"
)

// NATSServer says which NATS server to run; see natsserver.Options for each.
type NATSServer struct {
	File           string
	HandOver       <-chan struct{}
	Election       time.Duration
	HandOverWithin time.Duration
}

// RunNATSServer runs the nats-server that a configuration file describes until ctx ends.
// When HandOver is closed before that, the server hands what it leads to the others of its
// cluster first, and ends then.
func RunNATSServer(ctx context.Context, s NATSServer) error {
	return natsserver.Run(ctx, natsserver.Options(s))
}
