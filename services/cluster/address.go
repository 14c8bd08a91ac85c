package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// addressesFree returns an error unless every edge could listen now on the address that it is
// told, one with a port other than 0: it wraps syscall.EADDRINUSE if another listens there, or
// another edge is to. Those are found out after everything else has started otherwise.
func (c Config) addressesFree(ctx context.Context) error {
	if c.WithoutServices {
		return nil
	}
	var errs []error
	var held []net.Listener // until all are tried
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for i, address := range c.HTTP {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "0" {
			continue // Validate tells of the first; the second is chosen later
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster: %s: %w", nth(ClassEdge, i), err))
			continue
		}
		held = append(held, l)
	}
	return errors.Join(errs...)
}
