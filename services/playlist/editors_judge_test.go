package playlist

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// told is a log as the model tells it.
type told struct {
	last []string
	// after has for each revision the lists after each of its events.
	after map[uint64][][]string
	// by command
	moves          map[string]subjects.TrackMoved
	added, removed map[string][]string
	// just is the list after the last event of a command.
	just map[string][]string
	head uint64
}

// tell goes through the log with a list that knows insertion and deletion only.
func (e *editing) tell() *told {
	e.Helper()
	h := &told{
		after: map[uint64][][]string{}, moves: map[string]subjects.TrackMoved{},
		added: map[string][]string{}, removed: map[string][]string{}, just: map[string][]string{},
	}
	err := aggregate.Tail(e.Context(), e.bus, subjects.ServicePlaylist, e.id, false, func(_ uint64, c subjects.Commit) error {
		h.head = c.Rev
		for i := range c.Public.Events {
			ev := &c.Public.Events[i]
			var err error
			if h.last, err = listed(h.last, ev); err != nil {
				return fmt.Errorf("revision %d: %w", c.Rev, err)
			}
			if err := h.note(ev); err != nil {
				return fmt.Errorf("revision %d: %w", c.Rev, err)
			}
			h.just[ev.Cmd] = h.last
			h.after[c.Rev] = append(h.after[c.Rev], h.last)
		}
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
	return h
}

// note takes down what a command has done. A command does one thing, once.
func (h *told) note(ev *subjects.Event) error {
	_, moved := h.moves[ev.Cmd]
	if moved || h.added[ev.Cmd] != nil || h.removed[ev.Cmd] != nil {
		return fmt.Errorf("%s has two effects", ev.Cmd)
	}
	e, err := subjects.DecodePlaylistEvent(ev.Type, ev.Body)
	if err != nil {
		return err
	}
	switch e := e.(type) {
	case *subjects.TrackMoved:
		h.moves[ev.Cmd] = *e
	case *subjects.TracksAdded:
		for _, t := range e.Tracks {
			h.added[ev.Cmd] = append(h.added[ev.Cmd], t.Track.ID)
		}
	case *subjects.TracksRemoved:
		h.removed[ev.Cmd] = e.Tracks
	}
	return nil
}

// effect reports whether the log holds an effect of a command.
func (h *told) effect(cmd string) bool {
	_, moved := h.moves[cmd]
	return moved || h.added[cmd] != nil || h.removed[cmd] != nil
}

// refusedMove is what a move is answered that does not fit a list.
func refusedMove(list []string, m subjects.MoveTrack) string {
	at := slices.Index(list, m.Track)
	switch {
	case at < 0:
		return "the track is not in the playlist any more"
	case at != m.From:
		return fmt.Sprintf("the track stands at %d, not at %d any more", at, m.From)
	case m.To >= len(list):
		return fmt.Sprintf("the playlist has %d tracks: nothing can stand at %d", len(list), m.To)
	}
	return ""
}

// judge compares what everybody has, and each answer with the log.
func (e *editing) judge(followers []*pages) {
	e.Helper()
	h := e.tell()
	if once := slices.Compact(slices.Sorted(slices.Values(h.last))); len(once) != len(h.last) {
		e.Errorf("a track is there twice: %v", h.last)
	}
	for i, f := range followers {
		if got, err := f.sees(); err != nil || !slices.Equal(got, h.last) {
			e.Errorf("follower %d sees %v, %v; the log tells %v", i, got, err, h.last)
		}
	}
	folded, err := aggregate.LoadAsOf(e.Context(), aggregate.NewJournal(e.bus, subjects.ServicePlaylist), Fold{}, e.id, h.head)
	if err != nil || !slices.Equal(folded.State.Playlist.TrackIDs(), h.last) {
		e.Errorf("the log folds to %v, %v; it tells %v", folded.State.Playlist.TrackIDs(), err, h.last)
	}
	want, err := subjects.CanonicalOf(&folded.State.Playlist)
	if err != nil {
		e.Fatal(err)
	}
	for i, f := range followers {
		if !bytes.Equal(f.doc, want) {
			e.Errorf("follower %d has the document\n%s\nwant\n%s", i, f.doc, want)
		}
	}
	// The owner's own list: a move to where a track stands is taken if it stands there.
	for i, id := range h.last {
		e.must("ana", e.id, "move", moving(id, i, i))
	}
	if a, err := e.ask("ana", e.id, "move", moving(h.first(), len(h.last), 0)); err != nil || subjects.CodeOf(a.Err()) != subjects.CodeConflict {
		e.Errorf("a move from behind the end: %v, %v", a.Err(), err)
	}
	if got := e.stored(h.head); !slices.Equal(got.Tracks, h.last) || got.TrackCount != len(h.last) || got.TotalMs != int64(len(h.last))*trackLen {
		e.Errorf("the store has %+v, the log tells %v", got, h.last)
	}
	if len(e.tried) != e.want {
		e.Errorf("%d commands have answers of %d", len(e.tried), e.want)
	}
	for cmd, c := range e.tried {
		e.answered(h, cmd, c)
	}
	for cmd := range h.just {
		if _, ok := e.tried[cmd]; !ok && h.effect(cmd) && cmd != e.begun {
			e.Errorf("nobody has sent %s, and the log has %v", cmd, h.just[cmd])
		}
	}
}

// first is a track of the list, or one that was never there.
func (h *told) first() string {
	if len(h.last) == 0 {
		return "none"
	}
	return h.last[0]
}

// answered compares one answer with the log.
func (e *editing) answered(h *told, cmd string, c tried) {
	e.Helper()
	lists := h.after[c.answer.Rev]
	if len(lists) == 0 { // a commit without public events: the list is that of before
		rev := c.answer.Rev
		for ; len(h.after[rev]) == 0 && rev > 0; rev-- {
		}
		lists = h.after[rev][len(h.after[rev])-1:]
	}
	fits := func(list []string) bool {
		return c.move.From < len(list) && c.move.To < len(list) && list[c.move.From] == c.move.Track
	}
	there := func(list []string) bool {
		return !slices.ContainsFunc(c.tracks, func(id string) bool { return !slices.Contains(list, id) })
	}
	gone := func(list []string) bool {
		return !slices.ContainsFunc(c.tracks, func(id string) bool { return slices.Contains(list, id) })
	}
	moved, inLog := h.moves[cmd]
	code := subjects.CodeOf(c.answer.Err())
	switch {
	case code != "" && h.effect(cmd):
		e.Errorf("%+v was refused and has happened", c)
	case c.verb == "add" && code == "":
		// What it did not add was there: nothing is lost, and nothing there twice.
		if len(h.added[cmd]) == 0 || !there(h.just[cmd]) {
			e.Errorf("%+v was accepted, added %v and left %v", c, h.added[cmd], h.just[cmd])
		}
	case c.verb == "remove" && code == "":
		after := h.just[cmd]
		if len(h.removed[cmd]) == 0 { // there was nothing to take out
			i := slices.IndexFunc(lists, gone)
			if i < 0 {
				e.Errorf("%+v was taken for nothing, and all of %v have some of it", c, lists)
				return
			}
			after = lists[i]
		}
		if !gone(after) || slices.ContainsFunc(h.removed[cmd], func(id string) bool { return !slices.Contains(c.tracks, id) }) {
			e.Errorf("%+v was accepted, took out %v and left %v", c, h.removed[cmd], after)
		}
	case c.verb == "move" && code == "" && c.move.From != c.move.To:
		if !inLog || moved.Track != c.move.Track || moved.From != c.move.From || moved.To != c.move.To {
			e.Errorf("accepted %+v, and the log has %+v, %v", c, moved, inLog)
		}
	case c.verb == "move" && code == "":
		if inLog || !slices.ContainsFunc(lists, fits) {
			e.Errorf("%+v was taken for nothing; in the log: %v", c, inLog)
		}
	case c.verb == "move" && code == subjects.CodeConflict:
		why := c.answer.Refusal.Message
		if !slices.ContainsFunc(lists, func(l []string) bool { return refusedMove(l, c.move) == why }) {
			e.Errorf("%+v was refused since %q, which is true of none of %v", c, why, lists)
		}
	case c.verb == "add" && code == subjects.CodeNothingAccepted:
		if !slices.ContainsFunc(lists, there) {
			e.Errorf("%+v was refused, and none of %v has them all", c, lists)
		}
	case code != "":
		e.Errorf("%+v was refused with %s", c, code)
	}
}

// stored waits until the store has the revision and gives what it has.
func (e *editing) stored(rev uint64) (row subjects.PlaylistRow) {
	e.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		doc, err := e.store.Get(e.Context(), subjects.TablePlaylists, e.id)
		switch {
		case err == nil && doc.Version.Rev >= rev:
			if err := doc.Decode(&row); err != nil {
				e.Fatal(err)
			}
			return row
		case err != nil && !errors.Is(err, store.ErrNotFound):
			e.Fatal(err)
		case time.Now().After(end):
			e.Fatalf("revision %d does not come into the store: %+v, %v", rev, doc.Version, err)
		}
	}
}
