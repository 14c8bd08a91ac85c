package bus

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// Signal publishes what is worthless a moment later to who hears the subject now. It does
// not wait, and nobody answers: what nobody hears is gone.
func (b *Bus) Signal(subject string, data []byte) error {
	if err := b.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("bus: signal: %w", classify(err))
	}
	return nil
}

// OnSignal calls f, from one goroutine, with what is published on a subject, until stop is
// called; f may run once more while stop does. f must not block: what comes faster than it
// takes is dropped past the client's bound.
func (b *Bus) OnSignal(subject string, f func(data []byte)) (stop func(), err error) {
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) { f(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("bus: signal: %w", classify(err))
	}
	return func() { _ = sub.Unsubscribe() }, nil
}
