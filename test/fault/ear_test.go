package fault

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/subjects"
)

// ear hears what the servers republish from the logs, at each of them: what one of them
// loses when it dies is heard at no other either.
type ear struct {
	conns []*nats.Conn

	mu    sync.Mutex
	heard map[string]map[uint64]bool // sequences, by the stream's subject
}

// newEar listens at every server of a list.
func newEar(urls, user, password string, services ...string) (*ear, error) {
	e := &ear{heard: map[string]map[uint64]bool{}}
	for url := range strings.SplitSeq(urls, ",") {
		nc, err := connect(url, user, password, nats.IgnoreDiscoveredServers())
		if err != nil {
			e.close()
			return nil, err
		}
		e.conns = append(e.conns, nc)
		for _, service := range services {
			if _, err = nc.Subscribe(subjects.Feed(service, "*"), e.hear); err != nil {
				e.close()
				return nil, err
			}
		}
		if err := nc.Flush(); err != nil {
			e.close()
			return nil, err
		}
	}
	return e, nil
}

func (e *ear) close() {
	for _, nc := range e.conns {
		nc.Close()
	}
}

func (e *ear) hear(m *nats.Msg) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	of := m.Subject
	if e.heard[of] == nil {
		e.heard[of] = map[uint64]bool{}
	}
	e.heard[of][seq] = true
}

// forget begins anew.
func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.heard)
}

// missed counts what is in the logs and was not republished.
func (e *ear) missed(in logs) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for of, log := range in {
		for _, m := range log {
			if !e.heard[subjects.Feed(of.service, of.id)][m.seq] {
				n++
			}
		}
	}
	return n
}
