package tutti

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// docFeed folds a room, a playlist or a chat and hands on what happens in it.
type docFeed[D, Y, V any] struct {
	kind *kind[D, Y, V]

	mu         sync.Mutex
	doc        document[D]
	known      bool // there is a document
	syncing    bool // commits do not count until a snapshot, or the word that they follow
	gapped     bool // a gap was met, and no commit was applied since
	whole      bool // what is missing was not replayed: a snapshot is asked for
	epoch, rev uint64
	at         int64
	user       string // about whom the server was asked last, "" for a guest
	you        *Y
	youRev     uint64 // the revision that it was said at
	view       *V     // of now, if somebody asked since the last change
	counts     Counts
	news       chan struct{} // closed and replaced at each change
	err        error         // why it is over
	readers    map[*updates[V]]struct{}
	typing     typing
}

func newDocFeed[D, Y, V any](k *kind[D, Y, V]) *docFeed[D, Y, V] {
	return &docFeed[D, Y, V]{
		kind: k, doc: document[D]{fold: k.fold}, syncing: true, news: make(chan struct{}),
		readers: map[*updates[V]]struct{}{}, typing: newTyping(),
	}
}

// ask implements follower.
func (r *docFeed[D, Y, V]) ask(user string, f *subjects.ClientFrame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.syncing = true
	if user != r.user {
		r.user, r.you, r.youRev, r.view = user, nil, 0, nil // it was said about somebody else
	}
	if r.known && !r.whole {
		f.Epoch, f.Since = r.epoch, r.rev
	}
}

// take implements follower.
func (r *docFeed[D, Y, V]) take(f *subjects.ServerFrame) (again bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f.Type {
	case subjects.FrameSnap:
		err = r.snapshot(f)
	case subjects.FrameResumed:
		if !r.known || f.Epoch != r.epoch || f.Rev > r.rev {
			// It goes on from a revision that was never here.
			r.counts.Gaps++
			r.forget()
			return true, nil
		}
		r.syncing = false
		r.counts.Resumed++
	case subjects.FrameEvt:
		again, err = r.commit(f)
	case subjects.FrameSealed:
		r.sealed(f)
		return false, nil
	case subjects.FrameLive:
		if r.kind.signals && f.Kind == subjects.LiveTyping {
			r.typing.heard(f.User, time.Now())
		}
		return false, nil
	}
	if err != nil || again {
		return again, err
	}
	if len(f.You) > 0 {
		you := new(Y)
		if err := json.Unmarshal(f.You, you); err != nil {
			return false, fmt.Errorf("%w: what is said about the user: %w", ErrProtocol, err)
		}
		r.you, r.youRev = you, f.Rev
	}
	if r.known {
		r.changed()
	}
	return false, nil
}

// forget throws the document away: the next subscription asks for a snapshot.
func (r *docFeed[D, Y, V]) forget() {
	r.known, r.syncing, r.epoch, r.rev, r.view = false, true, 0, 0, nil
}

func (r *docFeed[D, Y, V]) snapshot(f *subjects.ServerFrame) error {
	if r.known && f.Epoch == r.epoch && f.Rev < r.rev && f.Reason != subjects.SnapReplace {
		// From an edge that is behind. What is here is newer and of the same log; the
		// commits that follow will be repeats until they are not.
		r.counts.Repeats++
		r.syncing = false
		return nil
	}
	if r.known && f.Epoch < r.epoch {
		return fmt.Errorf("%w: a snapshot of epoch %d after epoch %d", ErrProtocol, f.Epoch, r.epoch)
	}
	if err := r.doc.reset(f.State, f.Hash); err != nil {
		return err
	}
	r.known, r.syncing, r.gapped, r.whole = true, false, false, false
	r.epoch, r.rev, r.at = f.Epoch, f.Rev, f.At
	r.youRev = min(r.youRev, r.rev)
	r.counts.Snapshots++
	r.view = nil
	if len(r.readers) > 0 {
		r.hand(UpdateOf[V]{Kind: SnapshotUpdate, Reason: f.Reason, Epoch: f.Epoch, Rev: f.Rev, At: f.At, View: r.now()})
	}
	return nil
}

func (r *docFeed[D, Y, V]) commit(f *subjects.ServerFrame) (again bool, err error) {
	switch {
	case r.syncing:
		return false, nil // of a subscription that is over
	case f.Public == nil || f.Rev == 0 || f.Prev >= f.Rev:
		return false, fmt.Errorf("%w: commit %d on %d without a public part or an order", ErrProtocol, f.Rev, f.Prev)
	case f.Epoch == r.epoch && f.Rev <= r.rev, f.Epoch < r.epoch:
		r.counts.Repeats++
		return false, nil
	case f.Epoch != r.epoch || f.Prev > r.rev:
		r.counts.Gaps++
		r.syncing, r.whole, r.gapped = true, r.gapped, true
		return true, nil
	}
	if err := r.doc.apply(f.Public); err != nil {
		r.forget() // it may be folded in part
		return false, err
	}
	prev := r.rev
	r.rev, r.at, r.gapped = f.Rev, f.At, false
	r.counts.Commits++
	if r.kind.signals {
		r.typing.spoke(f.Public.Events)
	}
	r.hand(UpdateOf[V]{Kind: CommitUpdate, Epoch: f.Epoch, Prev: prev, Rev: f.Rev, At: f.At, Events: f.Public.Events, Patch: f.Public.Patch})
	return false, nil
}

// sealed takes events for the user alone.
func (r *docFeed[D, Y, V]) sealed(f *subjects.ServerFrame) {
	if r.syncing {
		return
	}
	if r.kind.seal != nil && r.you != nil && f.Epoch == r.epoch && f.Rev > r.youRev {
		r.you = r.kind.seal(r.doc.doc, r.you, f.Events)
		r.changed()
	}
	r.hand(UpdateOf[V]{Kind: SealedUpdate, Epoch: f.Epoch, Rev: f.Rev, At: f.At, Events: f.Events})
}

// changed tells who waits. The caller holds the lock.
func (r *docFeed[D, Y, V]) changed() {
	r.view = nil
	close(r.news)
	r.news = make(chan struct{})
}

// now gives the view. The caller holds the lock, and there is a document.
func (r *docFeed[D, Y, V]) now() *V {
	if r.view == nil {
		doc := document[D]{doc: r.kind.keep(r.doc.doc), raw: r.doc.raw}
		r.view = r.kind.view(Version{Epoch: r.epoch, Rev: r.rev, At: r.at, Hash: sync.OnceValues(doc.hash)}, doc.doc, r.you)
	}
	return r.view
}

// complete reports whether all is there that a view shows. What is said about a user follows on
// the document at once.
func (r *docFeed[D, Y, V]) complete() bool { return r.known && (r.you != nil || r.user == "") }

func (r *docFeed[D, Y, V]) hand(u UpdateOf[V]) {
	for reader := range r.readers {
		reader.push(u)
	}
}

// fail implements follower.
func (r *docFeed[D, Y, V]) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
		r.changed()
		r.typing.changed()
		for reader := range r.readers {
			reader.wake()
		}
	}
}
