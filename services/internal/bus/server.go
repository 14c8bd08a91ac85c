package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/subjects"
)

// embedded is the NATS server in this process, and the lock on its data.
type embedded struct {
	srv     *server.Server
	lock    *os.File
	scratch string
}

func startEmbedded(cfg Config) (*embedded, error) {
	e := &embedded{}
	dir := cfg.DataDir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "tutti-nats-")
		if err != nil {
			return nil, fmt.Errorf("bus: temporary directory: %w", err)
		}
		dir, e.scratch = tmp, tmp
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("bus: data directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, err
	}
	e.lock = lock

	opts := &server.Options{
		ServerName:            cfg.Name,
		JetStream:             true,
		StoreDir:              dir,
		NoSigs:                true,
		NoLog:                 true,
		MaxPayload:            MaxPayload,
		MaxPending:            64 << 20,
		JetStreamMaxStore:     cfg.MaxStore,
		SyncAlways:            cfg.SyncAlways,
		DontListen:            cfg.Listen == "",
		DisableShortFirstPing: true,
	}
	if cfg.Listen != "" {
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			e.release()
			return nil, fmt.Errorf("bus: listen address %q: %w", cfg.Listen, err)
		}
		opts.Host = host
		opts.Port, err = strconv.Atoi(port)
		if err != nil {
			e.release()
			return nil, fmt.Errorf("bus: port in %q: %w", cfg.Listen, err)
		}
		if opts.Port == 0 {
			opts.Port = server.RANDOM_PORT
		} else if err := probe(cfg.Listen); err != nil {
			e.release()
			return nil, err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		e.release()
		return nil, fmt.Errorf("bus: embedded NATS: %w", err)
	}
	for _, d := range []subjects.Door{subjects.DoorAsk, subjects.DoorQueue} {
		src, dst := subjects.Mapping(d, cfg.Partitions)
		if err := srv.GlobalAccount().AddMapping(src, dst); err != nil {
			e.release()
			return nil, fmt.Errorf("bus: subject mapping: %w", err)
		}
	}
	e.srv = srv
	srv.Start()
	if !srv.ReadyForConnections(connectWait) {
		e.stop()
		return nil, fmt.Errorf("bus: embedded NATS did not become ready in %v; is %q free?", connectWait, cfg.Listen)
	}
	if !srv.JetStreamEnabled() {
		e.stop()
		return nil, errors.New("bus: embedded NATS could not open its streams in " + dir)
	}
	return e, nil
}

// probe returns why an address cannot be listened on: the server itself would only not
// become ready.
func probe(address string) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("bus: embedded NATS: %w", err)
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("bus: embedded NATS: %w", err)
	}
	return nil
}

// url is where tools connect, empty if the server does not listen.
func (e *embedded) url(listen string) string {
	if listen == "" {
		return ""
	}
	return e.srv.ClientURL()
}

func (e *embedded) stop() {
	if e.srv != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
	}
	e.release()
}

func (e *embedded) release() {
	if e.lock != nil {
		_ = e.lock.Close()
		e.lock = nil
	}
	if e.scratch != "" {
		_ = os.RemoveAll(e.scratch)
	}
}
