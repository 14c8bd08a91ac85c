package aggregate

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// commandKey names a command of a principal in 16 bytes: the first eight hold the time
// and some of the randomness of the command's id as they are, the last eight the rest of
// the randomness mixed with a hash of the principal.
type commandKey [16]byte

func keyOf(principal, command string) (commandKey, error) {
	raw, err := subjects.IDBytes(command)
	if err != nil {
		return commandKey{}, err
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(principal))
	low := binary.BigEndian.Uint64(raw[8:]) ^ h.Sum64()
	binary.BigEndian.PutUint64(raw[8:], low)
	return commandKey(raw), nil
}

// millis is the time in the command's id.
func (k commandKey) millis() int64 {
	return int64(binary.BigEndian.Uint64(k[:8]) >> 16)
}

// first is where a command took effect, and so what its repeats are answered.
type first struct {
	epoch, rev uint64
	at         int64
}

// due is when the command may be forgotten, less the horizon: it is counted from when it
// was accepted, since one that waited in the queue for long may come again as late as any
// other, and from the time in its id if that is later.
func (f first) due(k commandKey) int64 { return max(f.at, k.millis()) }

// memory remembers the commands that an aggregate accepted. It follows from the log
// alone, so every owner has the same. It forgets what was accepted more than
// CommandHorizon before the last commit, and the oldest when it holds more than
// CommandMemory; floor is the newest time in an id that it has forgotten: whether an id
// from up to there was applied is no longer known.
type memory struct {
	firsts map[commandKey]first
	byDue  dueHeap
	floor  int64
	limit  int
}

func newMemory() *memory {
	return &memory{firsts: map[commandKey]first{}, limit: subjects.CommandMemory}
}

func (m *memory) lookup(k commandKey) (first, bool) {
	f, ok := m.firsts[k]
	return f, ok
}

// forgotten reports whether the command may have been applied and forgotten. Call it
// after lookup.
func (m *memory) forgotten(k commandKey) bool { return k.millis() <= m.floor }

func (m *memory) add(k commandKey, f first) {
	if _, ok := m.firsts[k]; ok {
		return
	}
	m.firsts[k] = f
	heap.Push(&m.byDue, dueKey{f.due(k), k})
	horizon := f.at - subjects.CommandHorizon.Milliseconds()
	for len(m.byDue) > 0 && (m.byDue[0].due < horizon || len(m.byDue) > m.limit) {
		old := heap.Pop(&m.byDue).(dueKey).key
		delete(m.firsts, old)
		m.floor = max(m.floor, old.millis())
	}
}

// entryBytes is the size of one command in a snapshot: key, epoch, rev, at.
const entryBytes = 16 + 8 + 8 + 8

func (m *memory) encode() []byte {
	buf := make([]byte, 0, 8+len(m.byDue)*entryBytes)
	buf = binary.BigEndian.AppendUint64(buf, uint64(m.floor))
	for _, d := range m.byDue {
		f := m.firsts[d.key]
		buf = append(buf, d.key[:]...)
		buf = binary.BigEndian.AppendUint64(buf, f.epoch)
		buf = binary.BigEndian.AppendUint64(buf, f.rev)
		buf = binary.BigEndian.AppendUint64(buf, uint64(f.at))
	}
	return buf
}

var errBadMemory = errors.New("aggregate: snapshot's memory of commands is damaged")

func decodeMemory(buf []byte) (*memory, error) {
	if len(buf) < 8 || (len(buf)-8)%entryBytes != 0 {
		return nil, errBadMemory
	}
	m := newMemory()
	m.floor = int64(binary.BigEndian.Uint64(buf))
	n := (len(buf) - 8) / entryBytes
	m.byDue = make(dueHeap, 0, n)
	for buf = buf[8:]; len(buf) > 0; buf = buf[entryBytes:] {
		k := commandKey(buf[:16])
		f := first{
			epoch: binary.BigEndian.Uint64(buf[16:]),
			rev:   binary.BigEndian.Uint64(buf[24:]),
			at:    int64(binary.BigEndian.Uint64(buf[32:])),
		}
		m.firsts[k] = f
		m.byDue = append(m.byDue, dueKey{f.due(k), k})
	}
	if len(m.firsts) != n {
		return nil, errBadMemory
	}
	heap.Init(&m.byDue)
	return m, nil
}

type dueKey struct {
	due int64
	key commandKey
}

// dueHeap is a heap of commands, the first to be forgotten first. The order is total, so
// that what is forgotten does not depend on how the heap came about.
type dueHeap []dueKey

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && bytes.Compare(h[i].key[:], h[j].key[:]) < 0
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(dueKey)) }
func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

// recent remembers the last answers that left no trace in the log, refusals and commands
// that found nothing to do, so that a repeat to the same owner gets the same answer. It
// holds recentLimit of them and forgets the oldest; after that, or with another owner, a
// repeat is decided anew, which is safe since the first had no effect.
type recent struct {
	answers map[commandKey]subjects.Answer
	order   []commandKey
	next    int
}

const recentLimit = 256

func (r *recent) lookup(k commandKey) (subjects.Answer, bool) {
	a, ok := r.answers[k]
	return a, ok
}

func (r *recent) add(k commandKey, a subjects.Answer) {
	if r.answers == nil {
		r.answers = map[commandKey]subjects.Answer{}
	}
	if _, ok := r.answers[k]; ok {
		return
	}
	if len(r.order) < recentLimit {
		r.order = append(r.order, k)
	} else {
		delete(r.answers, r.order[r.next])
		r.order[r.next] = k
		r.next = (r.next + 1) % recentLimit
	}
	r.answers[k] = a
}

// checkAsked refuses the id of a command that somebody waits for, by the present.
func checkAsked(command string, now int64) error {
	return subjects.CheckCommandTime(command, time.UnixMilli(now))
}
