package tutti

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/tuttihq/tutti/subjects"
)

// UpdateKind says what an update is.
type UpdateKind int

// Kinds of updates.
const (
	// SnapshotUpdate: what was known before counts no more; View is what there is. The first
	// update is one, and each after which the commits do not follow on those before.
	SnapshotUpdate UpdateKind = iota + 1
	// CommitUpdate: Events are the public events of the commit Rev, which follows on Prev.
	// What lies between the two had no public part.
	CommitUpdate
	// SealedUpdate: Events are those of the commit Rev that are for this user alone. They
	// are not kept: those of commits that happened while there was no socket, or that a
	// snapshot stands for, are not told.
	SealedUpdate
)

// ReasonLagged is the reason of a snapshot that stands for updates which a reader was too
// slow for; ReasonFirst that of the first. The other reasons are the server's (subjects.SnapNew
// and its like).
const (
	ReasonLagged = "lagged"
	ReasonFirst  = "first"
)

// UpdateOf is one thing that a followed room, playlist or chat told; V is its view.
type UpdateOf[V any] struct {
	Kind      UpdateKind
	Reason    string // of a snapshot
	Epoch     uint64
	Prev, Rev uint64 // Prev of a commit only
	At        int64
	Events    []subjects.Event
	Patch     json.RawMessage // of a commit: RFC 7396, from the document at Prev
	View      *V              // of a snapshot
}

// Update is one thing that a followed room told.
type Update = UpdateOf[RoomView]

// PlaylistUpdate is one thing that a followed playlist told.
type PlaylistUpdate = UpdateOf[PlaylistView]

// ChatUpdate is one thing that a followed chat told.
type ChatUpdate = UpdateOf[ChatView]

// updates is the queue of one reader. The lock of its feed guards it.
type updates[V any] struct {
	max     int
	waiting []UpdateOf[V]
	lagged  bool // a snapshot of now is to be read first
	first   bool
	ready   chan struct{} // signalled when there is something to read
}

func (u *updates[V]) push(up UpdateOf[V]) {
	switch {
	case up.Kind == SnapshotUpdate:
		u.waiting, u.lagged = append(u.waiting[:0], up), false
	case u.lagged:
		return // in the snapshot that comes
	case len(u.waiting) >= u.max:
		u.waiting, u.lagged = nil, true
	default:
		u.waiting = append(u.waiting, up)
	}
	u.wake()
}

func (u *updates[V]) wake() {
	select {
	case u.ready <- struct{}{}:
	default:
	}
}

// Updates yields what happens, in order and each once: first what there is now, then the
// commits. Where continuity is lost (SnapshotUpdate says why) it goes on from a snapshot. It
// ends when ctx ends, or with an error when there is nothing to follow any more: a
// *subjects.Refusal if the server says so, CodeNotFound after being put out of a private
// room for example.
func (a *aggregate[D, Y, V]) Updates(ctx context.Context) iter.Seq2[UpdateOf[V], error] {
	return func(yield func(UpdateOf[V], error) bool) {
		f, feed, err := a.follow()
		if err != nil {
			yield(UpdateOf[V]{}, err)
			return
		}
		defer a.client.feeds.leave(f)
		u := &updates[V]{max: a.client.opt.updates, ready: make(chan struct{}, 1)}
		feed.mu.Lock()
		feed.readers[u] = struct{}{}
		u.lagged, u.first = feed.known, true
		feed.mu.Unlock()
		defer func() {
			feed.mu.Lock()
			delete(feed.readers, u)
			feed.mu.Unlock()
		}()
		u.wake()
		for {
			select {
			case <-u.ready:
			case <-ctx.Done():
				return
			}
			ups, err := feed.read(u)
			for _, up := range ups {
				if ctx.Err() != nil || !yield(up, nil) {
					return
				}
			}
			if err != nil {
				yield(UpdateOf[V]{}, err)
				return
			}
		}
	}
}

// read takes what waits for a reader.
func (r *docFeed[D, Y, V]) read(u *updates[V]) ([]UpdateOf[V], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ups := u.waiting
	u.waiting = nil
	if u.lagged && r.known {
		reason := ReasonLagged
		if u.first {
			reason = ReasonFirst
		}
		ups = []UpdateOf[V]{{Kind: SnapshotUpdate, Reason: reason, Epoch: r.epoch, Rev: r.rev, At: r.at, View: r.now()}}
		u.lagged = false
	}
	if len(ups) > 0 {
		if u.first {
			ups[0].Reason = ReasonFirst
		}
		u.first = false
	}
	return ups, r.err
}
