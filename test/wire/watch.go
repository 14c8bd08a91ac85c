package wire

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// maxFaults bounds the faults that are kept; the first are the telling ones.
const maxFaults = 20

// Watch looks at the frames of one client. It outlives the client's sockets.
type Watch struct {
	mu     sync.Mutex
	heads  map[subjects.Channel]*followed
	asked  map[string]int // commands under way on this socket, by id
	faults []string
	counts Counts
}

// Counts says what was seen.
type Counts struct {
	Sockets, Snaps, Resumed, Events, Answers int
	Reasons                                  map[string]int // of snaps
}

// followed is what a client was told of a room, a playlist or a chat.
type followed struct {
	known      bool
	epoch, rev uint64
	at         int64

	asked        bool   // a sub is under way on this socket
	subEpoch     uint64 // what it named
	subSince     uint64
	live, parted bool // commits follow; the client asked for no more of them
}

// NewWatch makes a watch of a client that has not connected yet.
func NewWatch() *Watch {
	return &Watch{heads: map[subjects.Channel]*followed{}, asked: map[string]int{}, counts: Counts{Reasons: map[string]int{}}}
}

// Faults lists what was against the contract.
func (w *Watch) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.faults...)
}

// Counts gives what was seen so far.
func (w *Watch) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counts
	c.Reasons = map[string]int{}
	for k, v := range w.counts.Reasons {
		c.Reasons[k] = v
	}
	return c
}

func (w *Watch) fault(format string, args ...any) {
	if len(w.faults) < maxFaults {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

func (w *Watch) head(ch subjects.Channel) *followed {
	if w.heads[ch] == nil {
		w.heads[ch] = &followed{}
	}
	return w.heads[ch]
}

// connected begins another socket.
func (w *Watch) connected() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Sockets++
	clear(w.asked)
	for _, r := range w.heads {
		r.asked, r.live, r.parted = false, false, false
	}
}

// wrote takes a frame of the client's.
func (w *Watch) wrote(data []byte) {
	f, err := subjects.DecodeClientFrame(data)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fault("the client sent %s: %v", data, err)
		return
	}
	switch _, _, follows := f.Channel.Aggregate(); {
	case f.Type == subjects.FrameCmd:
		w.asked[f.ID]++
	case !follows:
	case f.Type == subjects.FrameSub:
		r := w.head(f.Channel)
		r.parted = r.parted || r.live
		r.asked, r.live, r.subEpoch, r.subSince = true, false, f.Epoch, f.Since
	case f.Type == subjects.FrameUnsub:
		r := w.head(f.Channel)
		r.asked, r.live, r.parted = false, false, true
	}
}

// read takes a frame of the server's.
func (w *Watch) read(data []byte) {
	var f subjects.ServerFrame
	err := json.Unmarshal(data, &f)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fault("the server sent %.200s: %v", data, err)
		return
	}
	if _, _, follows := f.Channel.Aggregate(); follows {
		w.ofHead(&f)
	}
	if f.Type == subjects.FrameOK || f.Type == subjects.FrameErr {
		w.answer(&f)
	}
}

func (w *Watch) answer(f *subjects.ServerFrame) {
	if subjects.CheckID(subjects.PrefixCommand, f.ID) != nil {
		return
	}
	w.counts.Answers++
	if w.asked[f.ID]--; w.asked[f.ID] < 0 {
		w.fault("an answer too many: %s %s", f.Type, f.ID)
	}
}

func (w *Watch) ofHead(f *subjects.ServerFrame) {
	r := w.head(f.Channel)
	switch f.Type {
	case subjects.FrameSnap:
		w.snap(r, f)
	case subjects.FrameResumed:
		w.counts.Resumed++
		switch {
		case !r.asked:
			if !r.parted {
				w.fault("%s: resumed unasked", f.Channel)
			}
		case r.subSince == 0 || f.Epoch != r.subEpoch || f.Rev != r.subSince:
			w.fault("%s: asked for %d.%d and resumed at %d.%d", f.Channel, r.subEpoch, r.subSince, f.Epoch, f.Rev)
		default:
			r.asked, r.live, r.parted = false, true, false
		}
	case subjects.FrameEvt:
		w.event(r, f)
	case subjects.FrameGone:
		if !r.live && !r.parted {
			w.fault("%s: gone, and was not followed", f.Channel)
		}
		r.live, r.asked = false, false
	case subjects.FrameErr:
		if r.asked && subjects.CheckID(subjects.PrefixCommand, f.ID) != nil {
			r.asked = false
		}
	}
}

func (w *Watch) snap(r *followed, f *subjects.ServerFrame) {
	w.counts.Snaps++
	w.counts.Reasons[f.Reason]++
	if h, err := subjects.Hash(f.State); err != nil || h != f.Hash {
		w.fault("%s: a snapshot with hash %s that says %s: %v", f.Channel, h, f.Hash, err)
	}
	unasked := f.Reason == subjects.SnapSlow || f.Reason == subjects.SnapEpoch || f.Reason == subjects.SnapReplace
	switch {
	case !r.asked && !r.live:
		if !r.parted {
			w.fault("%s: a snapshot unasked", f.Channel)
		}
		return
	case !r.asked && !unasked:
		w.fault("%s: a snapshot unasked, and only because %s", f.Channel, f.Reason)
	case r.asked && r.subSince == 0 && f.Reason != subjects.SnapNew:
		w.fault("%s: the first snapshot because %s", f.Channel, f.Reason)
	case r.known && f.Epoch < r.epoch:
		w.fault("%s: from %d.%d back to a snapshot at %d.%d", f.Channel, r.epoch, r.rev, f.Epoch, f.Rev)
	case r.known && f.Epoch == r.epoch && f.Rev < r.rev && f.Reason != subjects.SnapReplace:
		w.fault("%s: from %d.%d back to a snapshot at %d.%d because %s", f.Channel, r.epoch, r.rev, f.Epoch, f.Rev, f.Reason)
	}
	r.known, r.asked, r.live, r.parted = true, false, true, false
	r.epoch, r.rev, r.at = f.Epoch, f.Rev, f.At
}

func (w *Watch) event(r *followed, f *subjects.ServerFrame) {
	w.counts.Events++
	if !r.live {
		if !r.parted {
			w.fault("%s: commit %d before the answer to sub", f.Channel, f.Rev)
		}
		return
	}
	switch {
	case f.Public == nil:
		w.fault("%s: commit %d without a public part", f.Channel, f.Rev)
	case f.Epoch != r.epoch:
		w.fault("%s: commit %d.%d after %d.%d", f.Channel, f.Epoch, f.Rev, r.epoch, r.rev)
	case f.Rev <= r.rev:
		w.fault("%s: commit %d-%d repeated after %d", f.Channel, f.Prev, f.Rev, r.rev)
	case f.Prev > r.rev:
		w.fault("%s: commit %d-%d leaves a gap after %d", f.Channel, f.Prev, f.Rev, r.rev)
	case f.At < r.at:
		w.fault("%s: commit %d of %d is before %d, the last one's time", f.Channel, f.Rev, f.At, r.at)
	}
	r.rev, r.at = f.Rev, f.At
}
