package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrUnavailable wraps what failed for now: no connection, no responder, no answer in
	// time. The same call may be made again; whether the first one took effect is not
	// known.
	ErrUnavailable = errors.New("bus: unavailable")
	// ErrRefused is returned by Start and Dial if the server does not take the login.
	ErrRefused = errors.New("bus: NATS refused the login")
	// ErrFenced is returned by Append when the aggregate's log is not where the caller
	// believed: somebody else has appended.
	ErrFenced = errors.New("bus: the log has moved on")
	// ErrFull is returned when a limit of a stream, an account or a server is reached: nothing
	// was stored.
	ErrFull = errors.New("bus: stream is full")
	// ErrTooLarge is returned when a message is larger than the server takes.
	ErrTooLarge = errors.New("bus: message is too large")
	// ErrStale is returned by PutState when the stream holds a version as new or newer.
	ErrStale = errors.New("bus: a newer document is there")
	// ErrNoMessage is returned where there is nothing under a subject.
	ErrNoMessage = errors.New("bus: no message")
	// ErrNoStream is returned where the server says that there is no such stream.
	ErrNoStream = errors.New("bus: no such stream")
	// ErrPartitions is returned by Start if the deployment was made with another number
	// of partitions.
	ErrPartitions = errors.New("bus: the deployment has another number of partitions")
	// ErrShards is returned by Start if the deployment was made with another number of
	// shards.
	ErrShards = errors.New("bus: the deployment has another number of shards")
	// ErrStreams is returned by Start with Config.Check if the streams are not as this
	// release keeps them.
	ErrStreams = errors.New("bus: the streams are not as this release keeps them")
	// ErrMapping is returned by Start if a remote server lacks the subject mapping.
	ErrMapping = errors.New("bus: the server does not route commands to partitions")
	// ErrConsumerLost is returned by Subscription.Next when the consumer was deleted on
	// the server: re-open it.
	ErrConsumerLost = errors.New("bus: consumer was deleted")
)

// JetStream's error codes that matter here.
const (
	codeWrongLastSequence         = 10071
	codeWrongLastSequenceConstant = 10164
	codeNoMessage                 = 10037
	codeStoreFailed               = 10077
	codeConsumerCreate            = 10012
	codeMaxBytes                  = 10047
	codeNoPeers                   = 10005 // a cluster whose servers have not all found each other
	codeNoStream                  = 10059
	codeAccountFull               = 10002
	codeServerFull                = 10023
)

// classify turns an error of the client library into one of this package's.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeWrongLastSequence, codeWrongLastSequenceConstant:
			return fmt.Errorf("%w: %w", ErrFenced, err)
		case codeNoMessage:
			return fmt.Errorf("%w: %w", ErrNoMessage, err)
		case codeNoStream:
			return fmt.Errorf("%w: %w", ErrNoStream, err)
		case codeStoreFailed, codeMaxBytes, codeAccountFull:
			return fmt.Errorf("%w: %w", ErrFull, err)
		case codeServerFull: // also of consumers and streams that cannot be made now
			return fmt.Errorf("%w: %w: %w", ErrFull, ErrUnavailable, err)
		}
		if api.Code == 503 || api.ErrorCode == codeNoPeers {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded),
		errors.Is(err, nats.ErrNoStreamResponse), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// refusedLogin tells whether the server was reached and does not let this process in.
func refusedLogin(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
}

// who names, for an operator, as whom the configuration logs in.
func (c Config) who() string {
	switch {
	case c.User != "":
		return fmt.Sprintf("user %q", c.User)
	case c.CredentialsFile != "":
		return "the credentials in " + c.CredentialsFile
	}
	return "somebody without a user"
}
