package playlist

import (
	"bytes"
	"encoding/json"
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
	// moves by command
	moves map[string]subjects.TrackMoved
	head  uint64
}

// tell goes through the log with a list that knows insertion and deletion only.
func (e *editing) tell() *told {
	e.Helper()
	h := &told{after: map[uint64][][]string{}, moves: map[string]subjects.TrackMoved{}}
	err := aggregate.Tail(e.Context(), e.bus, subjects.ServicePlaylist, e.id, false, func(_ uint64, c subjects.Commit) error {
		h.head = c.Rev
		for i := range c.Public.Events {
			ev := &c.Public.Events[i]
			var err error
			if h.last, err = listed(h.last, ev); err != nil {
				return fmt.Errorf("revision %d: %w", c.Rev, err)
			}
			if ev.Type == subjects.EventTrackMoved {
				var m subjects.TrackMoved
				if err := json.Unmarshal(ev.Body, &m); err != nil {
					return err
				}
				if _, twice := h.moves[ev.Cmd]; twice {
					return fmt.Errorf("%s moved twice", ev.Cmd)
				}
				h.moves[ev.Cmd] = m
			}
			h.after[c.Rev] = append(h.after[c.Rev], h.last)
		}
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
	return h
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
	for cmd, c := range e.tried {
		e.answered(h, cmd, c)
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
	moved, inLog := h.moves[cmd]
	code := subjects.CodeOf(c.answer.Err())
	switch {
	case c.verb == "move" && code == "" && c.move.From != c.move.To:
		if !inLog || moved.Track != c.move.Track || moved.From != c.move.From || moved.To != c.move.To {
			e.Errorf("accepted %+v, and the log has %+v, %v", c, moved, inLog)
		}
	case c.verb == "move" && code == "":
		if inLog || !slices.ContainsFunc(lists, fits) {
			e.Errorf("%+v was taken for nothing; in the log: %v", c, inLog)
		}
	case c.verb == "move" && code == subjects.CodeConflict:
		if inLog || !slices.ContainsFunc(lists, func(l []string) bool { return !fits(l) }) {
			e.Errorf("%+v was refused, and it fits all of %v; in the log: %v", c, lists, inLog)
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
