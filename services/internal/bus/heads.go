package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	// headsChunk is how many subjects one request asks for. The server refuses more than
	// 1,024 at once, and holds the stream's lock while it looks them up.
	headsChunk = 256
	// headsBytes is how many bytes of messages one request brings at most, but for the
	// last message of it; what is left is asked for again.
	headsBytes = 4 << 20
)

// errNoDirectGet means that nobody answers direct gets of a stream.
var errNoDirectGet = errors.New("bus: the stream allows no direct get")

// Heads reads the sequence of the last message of each subject; a subject without one is
// not in the answer. Any replica may answer, so a sequence may be a little old: ask Head
// where that matters. The subjects hold no wildcards. ErrUnavailable if it failed for now.
func (b *Bus) Heads(ctx context.Context, stream string, subjects []string) (map[string]uint64, error) {
	heads := make(map[string]uint64, len(subjects))
	_, err := b.LastEach(ctx, stream, subjects, 0, func(e Entry) { heads[e.Subject] = e.Seq })
	if err != nil {
		return nil, err
	}
	return heads, nil
}

// LastEach calls f with the last message of each of the subjects, in no order, where that
// message has a sequence above since. The server does not load the others, so that a call
// costs what has changed. upTo is a sequence up to which the whole of the stream was
// looked at: to learn what has changed since this call, name it as since in the next; 0 if
// the server did not tell. Any replica may answer, see Heads. It asks for so many subjects
// at once that the server accepts it, and asks the leader for one after the other if the
// stream allows no direct gets. f must not block.
func (b *Bus) LastEach(ctx context.Context, stream string, subjects []string, since uint64, f func(Entry)) (upTo uint64, err error) {
	for _, s := range subjects {
		if s == "" || strings.ContainsAny(s, "*> \t\r\n") {
			return 0, fmt.Errorf("bus: heads: %q is not one subject", s)
		}
	}
	for first := true; len(subjects) > 0; first = false {
		n := min(headsChunk, len(subjects))
		at, err := b.lastOf(ctx, stream, subjects[:n], since, f)
		if errors.Is(err, errNoDirectGet) {
			return 0, b.lastByLeader(ctx, stream, subjects, since, f)
		}
		if err != nil {
			return 0, fmt.Errorf("bus: heads: %w", err)
		}
		if first || at < upTo {
			upTo = at
		}
		subjects = subjects[n:]
	}
	return upTo, nil
}

// lastByLeader asks the leader for each subject.
func (b *Bus) lastByLeader(ctx context.Context, stream string, subjects []string, since uint64, f func(Entry)) error {
	for _, s := range subjects {
		e, err := b.Head(ctx, stream, s)
		switch {
		case errors.Is(err, ErrNoMessage):
		case err != nil:
			return err
		case e.Seq > since:
			f(e)
		}
	}
	return nil
}

// headsTries is how often a chunk is asked for that the server could not answer because a
// message went away between finding and loading it.
const headsTries = 3

// lastOf makes the requests for one chunk.
func (b *Bus) lastOf(ctx context.Context, stream string, subjects []string, since uint64, f func(Entry)) (upTo uint64, err error) {
	answers := make(chan *nats.Msg, len(subjects)+1)
	inbox := b.nc.NewInbox()
	sub, err := b.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return 0, classify(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	req := struct {
		MultiLast []string `json:"multi_last"`
		Seq       uint64   `json:"seq,omitempty"`
		UpToSeq   uint64   `json:"up_to_seq,omitempty"`
		Batch     int      `json:"batch"`
		MaxBytes  int      `json:"max_bytes"`
	}{MultiLast: subjects, Batch: len(subjects), MaxBytes: headsBytes}
	if since > 0 {
		req.Seq = since + 1
	}
	for tries := 1; ; {
		data, err := json.Marshal(req)
		if err != nil {
			return 0, err
		}
		if err := b.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, data); err != nil {
			return 0, classify(err)
		}
		end, err := lastAnswers(ctx, answers, f)
		switch {
		case errors.Is(err, errVanished) && tries < headsTries:
			tries++
			continue
		case err != nil:
			return 0, err
		case end.pending == 0:
			if upTo == 0 {
				upTo = end.upTo
			}
			return upTo, nil
		}
		// The rest, as of the same moment.
		if end.last < req.Seq || end.last == 0 {
			return 0, errors.Join(ErrUnavailable, errors.New("the server's answer does not get on"))
		}
		upTo = end.upTo
		req.Seq, req.UpToSeq = end.last+1, end.upTo
	}
}

// endOfHeads is what the server says at the end of a batch.
type endOfHeads struct{ pending, last, upTo uint64 }

// errVanished is a message that went away between being found and being loaded.
var errVanished = errors.New("message not found")

// lastAnswers takes one batch.
func lastAnswers(ctx context.Context, answers <-chan *nats.Msg, f func(Entry)) (end endOfHeads, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	for {
		var m *nats.Msg
		select {
		case <-ctx.Done():
			return end, classify(ctx.Err())
		case m = <-answers:
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204":
			for _, n := range []struct {
				to  *uint64
				key string
			}{{&end.pending, "Nats-Num-Pending"}, {&end.last, "Nats-Last-Sequence"}, {&end.upTo, "Nats-UpTo-Sequence"}} {
				if *n.to, err = strconv.ParseUint(m.Header.Get(n.key), 10, 64); err != nil {
					return end, fmt.Errorf("end of batch: %s: %w", n.key, err)
				}
			}
			return end, nil
		case "404":
			if m.Header.Get("Description") == "No Results" {
				return end, nil
			}
			return end, errors.Join(ErrUnavailable, errVanished)
		case "503":
			return end, errors.Join(ErrUnavailable, errNoDirectGet)
		default:
			return end, statusError(m)
		}
		e, err := directEntry(m)
		if err != nil {
			return end, err
		}
		f(e)
	}
}
