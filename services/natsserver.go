package services

import (
	"context"

	"github.com/tuttihq/tutti/services/internal/bus/natsserver"
)

// RunNATSServer runs the nats-server that a configuration file describes until ctx ends.
// When handOver is closed before that, the server hands what it leads to the others of its
// cluster first, and ends then.
func RunNATSServer(ctx context.Context, file string, handOver <-chan struct{}) error {
	return natsserver.Run(ctx, file, handOver)
}
