package tutti

import (
	"fmt"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// RoomView is a room at a revision. It is shared by who asked for it: do not change it.
type RoomView struct {
	// Epoch and Rev name the last commit that is in it. Revisions of different epochs do not
	// compare. A commit without a public part does not move Rev.
	Epoch, Rev uint64
	// At is the time of that commit, in Unix milliseconds of the server's clock.
	At   int64
	Room subjects.Room
	// You is what the room says about the client's user; it may be a moment behind Rev. Nil
	// for a guest, and until the server has said it.
	You *subjects.You
	// Hash is that of the canonical JSON of the public document; the server's is the same at
	// the same revision.
	Hash func() (string, error)
}

// Counts says what a followed room has seen, for tests and for the curious.
type Counts struct {
	Commits   uint64 // applied
	Snapshots uint64 // taken
	Resumed   uint64 // times it went on without a snapshot after a new socket
	Repeats   uint64 // commits that were there already
	Gaps      uint64 // commits that did not follow on what was there
}

// roomFeed folds a room and hands on what happens in it.
type roomFeed struct {
	id string

	mu         sync.Mutex
	doc        document
	known      bool // there is a document
	syncing    bool // commits do not count until a snapshot, or the word that they follow
	gapped     bool // a gap was met, and no commit was applied since
	whole      bool // what is missing was not replayed: a snapshot is asked for
	epoch, rev uint64
	at         int64
	you        *subjects.You
	view       *RoomView // of now, if somebody asked since the last change
	counts     Counts
	news       chan struct{} // closed and replaced at each change
	err        error         // why it is over
	readers    map[*updates]struct{}
}

func newRoomFeed(id string) *roomFeed {
	return &roomFeed{id: id, syncing: true, news: make(chan struct{}), readers: map[*updates]struct{}{}}
}

// ask implements follower.
func (r *roomFeed) ask(f *subjects.ClientFrame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.syncing = true
	if r.known && !r.whole {
		f.Epoch, f.Since = r.epoch, r.rev
	}
}

// take implements follower.
func (r *roomFeed) take(f *subjects.ServerFrame) (again bool, err error) {
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
		if !r.syncing {
			r.hand(Update{Kind: SealedUpdate, Epoch: f.Epoch, Rev: f.Rev, At: f.At, Events: f.Events})
		}
		return false, nil
	}
	if err != nil || again {
		return again, err
	}
	if f.You != nil {
		r.you = f.You
	}
	if r.known {
		r.changed()
	}
	return false, nil
}

// forget throws the document away: the next subscription asks for a snapshot.
func (r *roomFeed) forget() {
	r.known, r.syncing, r.epoch, r.rev, r.view = false, true, 0, 0, nil
}

func (r *roomFeed) snapshot(f *subjects.ServerFrame) error {
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
	r.counts.Snapshots++
	r.view = nil
	if len(r.readers) > 0 {
		r.hand(Update{Kind: SnapshotUpdate, Reason: f.Reason, Epoch: f.Epoch, Rev: f.Rev, At: f.At, View: r.now()})
	}
	return nil
}

func (r *roomFeed) commit(f *subjects.ServerFrame) (again bool, err error) {
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
	r.hand(Update{Kind: CommitUpdate, Epoch: f.Epoch, Prev: prev, Rev: f.Rev, At: f.At, Events: f.Public.Events, Patch: f.Public.Patch})
	return false, nil
}

// changed tells who waits. The caller holds the lock.
func (r *roomFeed) changed() {
	r.view = nil
	close(r.news)
	r.news = make(chan struct{})
}

// now gives the view. The caller holds the lock, and there is a document.
func (r *roomFeed) now() *RoomView {
	if r.view == nil {
		doc := document{room: r.doc.copy(), raw: r.doc.raw}
		r.view = &RoomView{Epoch: r.epoch, Rev: r.rev, At: r.at, Room: doc.room, You: r.you, Hash: sync.OnceValues(doc.hash)}
	}
	return r.view
}

func (r *roomFeed) hand(u Update) {
	for reader := range r.readers {
		reader.push(u)
	}
}

// fail implements follower.
func (r *roomFeed) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
		r.changed()
		for reader := range r.readers {
			reader.wake()
		}
	}
}
