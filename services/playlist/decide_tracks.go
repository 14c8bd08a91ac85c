package playlist

import "github.com/tuttihq/tutti/subjects"

// add appends tracks that are new.
func (d *decision) add(body *subjects.AddTracks, cmd *Command) error {
	if err := d.edit(subjects.VerbAdd); err != nil {
		return err
	}
	return d.append(body.Tracks, cmd)
}

// allKnown refuses tracks that are all named by the ids of tracks in the list: no source
// has anything to say about them.
func (d *decision) allKnown(refs []subjects.TrackRef) error {
	r := report{}
	for _, ref := range refs {
		t, ok := d.s.Playlist.Tracks[string(ref)]
		if !ok {
			return nil
		}
		r.add(ref, t.Track.Title, duplicate())
	}
	return r.refusal()
}

func duplicate() *subjects.Refusal {
	return subjects.Refuse(subjects.CodeAlready, "it is in the playlist")
}

// append puts what is new at the end. If nothing is, the whole is refused; otherwise the
// sender alone is told what was not taken.
func (d *decision) append(refs []subjects.TrackRef, cmd *Command) error {
	who := d.call.Principal
	r := report{}
	var placed []subjects.PlacedTrack
	named := make(map[string]bool, len(refs))
	for i, ref := range refs {
		t, unknown := cmd.resolved(i)
		id := t.ID
		if unknown != nil {
			id = string(ref) // an id that the playlist knows needs no source
		}
		known, there := d.s.Playlist.Tracks[id]
		switch {
		case named[id]:
			// Named twice.
		case there:
			r.add(ref, known.Track.Title, duplicate())
		case unknown != nil:
			r.add(ref, "", unknown)
		case len(d.s.Playlist.Tracks)+len(placed) >= subjects.MaxPlaylistTracks:
			r.add(ref, t.Title, subjects.Refuse(subjects.CodeFull, "the playlist is full: it holds at most %d tracks", subjects.MaxPlaylistTracks))
		default:
			placed = append(placed, subjects.PlacedTrack{Track: t})
		}
		named[id] = true
	}
	if len(placed) == 0 {
		return r.refusal()
	}
	keys := d.keys()
	last := int64(0)
	if len(keys) > 0 {
		last = keys[len(keys)-1]
	}
	if last > subjects.MaxPlaylistOrder-int64(len(placed))*subjects.PlaylistOrderStep {
		d.renumber(keys)
		last = int64(len(keys)) * subjects.PlaylistOrderStep
	}
	for i := range placed {
		placed[i].Order = last + int64(i+1)*subjects.PlaylistOrderStep
	}
	d.emit(&subjects.TracksAdded{User: who, Tracks: placed})
	if len(r.refused) > 0 {
		d.seal(who, &subjects.TracksRefused{User: who, Tracks: r.refused})
	}
	return nil
}

// remove takes tracks out. What is gone is gone: nobody is told that it was before.
func (d *decision) remove(body *subjects.RemoveTracks) error {
	if err := d.edit(subjects.VerbRemove); err != nil {
		return err
	}
	e := &subjects.TracksRemoved{}
	named := make(map[string]bool, len(body.Tracks))
	for _, id := range body.Tracks {
		if _, there := d.s.Playlist.Tracks[id]; there && !named[id] {
			e.Tracks = append(e.Tracks, id)
		}
		named[id] = true
	}
	if len(e.Tracks) > 0 {
		d.emit(e)
	}
	return nil
}

// move gives a track another place, if it stands where it was seen and the place exists.
func (d *decision) move(body *subjects.MoveTrack) error {
	if err := d.edit(subjects.VerbMove); err != nil {
		return err
	}
	at, there := d.s.Playlist.IndexOf(body.Track)
	switch n := len(d.s.Playlist.Tracks); {
	case !there:
		return subjects.Refuse(subjects.CodeConflict, "the track is not in the playlist any more")
	case at != body.From:
		return subjects.Refuse(subjects.CodeConflict, "the track stands at %d, not at %d any more", at, body.From)
	case body.To >= n:
		return subjects.Refuse(subjects.CodeConflict, "the playlist has %s: nothing can stand at %d",
			subjects.Counted(n, "track", "tracks"), body.To)
	case body.To == at:
		return nil
	}
	keys := d.keys()
	key, ok := between(keys, body.From, body.To)
	if !ok {
		d.renumber(keys)
		key, _ = between(keys, body.From, body.To)
	}
	d.emit(&subjects.TrackMoved{Track: body.Track, From: body.From, To: body.To, Order: key})
	return nil
}

// keys gives the order keys, in order.
func (d *decision) keys() []int64 {
	ordered := d.s.Playlist.Ordered()
	keys := make([]int64, len(ordered))
	for i, t := range ordered {
		keys[i] = t.Order
	}
	return keys
}

// renumber numbers all tracks anew, and the keys with them.
func (d *decision) renumber(keys []int64) {
	d.emit(&subjects.TracksRenumbered{})
	for i := range keys {
		keys[i] = int64(i+1) * subjects.PlaylistOrderStep
	}
}

// between gives the key with which the track at from comes to stand at to, another index
// of the list; false if there is none. It is never false for keys that were just numbered
// anew.
func between(keys []int64, from, to int) (key int64, ok bool) {
	before, after := to-1, to // the new neighbours, in the list as it is
	if to > from {
		before, after = to, to+1
	}
	switch {
	case before < 0:
		key = keys[after] - subjects.PlaylistOrderStep
	case after == len(keys):
		key = keys[before] + subjects.PlaylistOrderStep
	default:
		key = keys[before] + (keys[after]-keys[before])/2
		return key, key > keys[before]
	}
	return key, key >= -subjects.MaxPlaylistOrder && key <= subjects.MaxPlaylistOrder
}

// report collects what was not taken of several tracks.
type report struct {
	refused []subjects.RefusedTrack
	titles  []string // of each; "" if it is not known
}

func (r *report) add(ref subjects.TrackRef, title string, why *subjects.Refusal) {
	r.titles = append(r.titles, title)
	r.refused = append(r.refused, subjects.RefusedTrack{Ref: string(ref), Code: why.Code, Reason: why.Message})
}

// refusal is the answer where nothing was taken: that of the sources, or full, where it
// was the same for all, nothing_accepted otherwise.
func (r *report) refusal() *subjects.Refusal {
	code := r.refused[0].Code
	for _, t := range r.refused {
		if t.Code != code || code == subjects.CodeAlready {
			code = subjects.CodeNothingAccepted
			break
		}
	}
	return subjects.RefuseTracks(code, r.refused, r.titles)
}
