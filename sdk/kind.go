package tutti

import (
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// kind is what the client knows of one kind of thing that is followed by its log: of rooms,
// of playlists, or of chats. D is the public document, Y what the thing says about the
// client's user, V what a program is shown of both.
type kind[D, Y, V any] struct {
	noun     string
	prefixes []string // of ids
	channel  func(id string) subjects.Channel
	fold     fold[D]
	// keep gives the document for others to keep: folding goes on in its own maps.
	keep func(D) D
	view func(Version, D, *Y) *V
	// seal gives what the thing says about the user after sealed events that are newer; nil
	// where only the server says it. It must not change what it is given.
	seal func(D, *Y, []subjects.Event) *Y
	// signals says that live frames are sent.
	signals bool
}

func (k *kind[D, Y, V]) is(id string) bool {
	return slices.ContainsFunc(k.prefixes, func(p string) bool { return subjects.CheckID(p, id) == nil })
}

// Version says which state of a room, a playlist or a chat a view shows.
type Version struct {
	// Epoch and Rev name the last commit that is in it. Revisions of different epochs do not
	// compare. A commit without a public part does not move Rev.
	Epoch, Rev uint64
	// At is the time of that commit, in Unix milliseconds of the server's clock.
	At int64
	// Hash is that of the canonical JSON of the public document; the server's is the same at
	// the same revision.
	Hash func() (string, error)
}

// Counts says what a feed has seen, for tests and for the curious.
type Counts struct {
	Commits   uint64 // applied
	Snapshots uint64 // taken
	Resumed   uint64 // times it went on without a snapshot after a new socket
	Repeats   uint64 // commits that were there already
	Gaps      uint64 // commits that did not follow on what was there
}
