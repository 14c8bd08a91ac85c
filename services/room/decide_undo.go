package room

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// undo takes a change of the queue back: the one named, or the last that the sender may. All
// of it is taken back or nothing.
func (d *decision) undo(body *subjects.Undo) error {
	if err := d.visible(); err != nil {
		return err
	}
	who := d.call.Principal
	if !d.call.System() && !d.s.IsMember(who) {
		return d.enter(subjects.VerbUndo)
	}
	c := d.s.NewestChange(who)
	if body.Change != 0 {
		c = d.s.Change(body.Change)
	}
	switch {
	case c == nil && body.Change != 0:
		return subjects.Refuse(subjects.CodeConflict, "change %d cannot be taken back any more", body.Change)
	case c == nil:
		return subjects.Refuse(subjects.CodeNotFound, "there is nothing that you can take back")
	case !d.s.MayUndo(who, c):
		return subjects.Refuse(subjects.CodeForbidden, "the room does not let a %s take others' changes back", d.s.RoleOf(who))
	}
	if r := d.s.CanUndo(c); r != nil {
		return subjects.Refuse(subjects.CodeConflict, "change %d cannot be taken back: %s", c.N, r.Message)
	}
	d.emit(&subjects.ChangeUndone{Change: c.N, Verb: c.Verb, User: c.By})
	d.takeBack(c)
	return nil
}

func (d *decision) takeBack(c *subjects.QueueChange) {
	for _, a := range c.Added {
		d.emit(&subjects.TrackRemoved{Track: a.Track})
	}
	for _, v := range c.Voted {
		d.emit(&subjects.TrackUnvoted{User: c.By, Track: v.Track})
	}
	if c.Removed != nil {
		d.emit(&subjects.TrackRestored{Change: c.N, Entry: *c.Removed})
		d.endWaiting(c.Removed.Track.ID, c.Removed.Score)
	}
	if c.Before != nil {
		d.emit(&subjects.QueueShuffled{Seqs: d.unshuffled(c)})
	}
	if c.Was != nil {
		d.emit(&subjects.QueueSet{QueueOptions: *c.Was})
	}
}

// unshuffled gives the tracks that are left of a shuffle the order in which they stood before
// it. They share the seqs that they have now: one that has left the queue keeps its own, with
// which it may yet come back.
func (d *decision) unshuffled(c *subjects.QueueChange) map[string]int64 {
	var tracks []string
	var seqs []int64
	for track := range c.Before {
		if e, queued := d.s.Room.Queue[track]; queued {
			tracks, seqs = append(tracks, track), append(seqs, e.Seq)
		}
	}
	slices.SortFunc(tracks, func(a, b string) int { return cmp.Or(cmp.Compare(c.Before[a], c.Before[b]), strings.Compare(a, b)) })
	slices.Sort(seqs)
	back := make(map[string]int64, len(tracks))
	for i, track := range tracks {
		back[track] = seqs[i]
	}
	return back
}

// shuffle deals the seqs of the queued tracks anew. The chance is in the command's id, so the
// same command deals the same.
func (d *decision) shuffle() error {
	if err := d.enter(subjects.VerbShuffle); err != nil {
		return err
	}
	if len(d.s.Room.Queue) < 2 {
		return nil
	}
	tracks := make([]string, 0, len(d.s.Room.Queue))
	seqs := make([]int64, 0, len(d.s.Room.Queue))
	for id, e := range d.s.Room.Queue {
		tracks, seqs = append(tracks, id), append(seqs, e.Seq)
	}
	slices.Sort(tracks)
	slices.Sort(seqs)
	deal(seqs, d.call.Command)
	e := &subjects.QueueShuffled{Seqs: make(map[string]int64, len(tracks))}
	for i, id := range tracks {
		e.Seqs[id] = seqs[i]
	}
	d.emit(e)
	return nil
}

// deal shuffles (Fisher and Yates) by what follows from a seed.
func deal(seqs []int64, seed string) {
	for i := len(seqs) - 1; i > 0; i-- {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(seed), uint32(i)))
		j := binary.BigEndian.Uint64(sum[:]) % uint64(i+1)
		seqs[i], seqs[j] = seqs[j], seqs[i]
	}
}

// setQueue changes how the queue works. What it is already is nothing.
func (d *decision) setQueue(body *subjects.SetQueue) error {
	if err := d.enter(subjects.VerbSetQueue); err != nil {
		return err
	}
	was := d.s.Room.Queueing()
	if o := body.On(was); o != was {
		d.emit(&subjects.QueueSet{QueueOptions: o})
	}
	return nil
}
