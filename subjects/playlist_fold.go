package subjects

import "fmt"

// Apply changes the document by one public event and marks what it touched; a nil m
// marks nothing. It never refuses: an event in the log has happened. It returns an error
// that wraps ErrUnknownEvent for a type it does not know.
//
// Sealed events must not be given to it; PlaylistState.Apply keeps them apart.
func (p *Playlist) Apply(meta Meta, ev PlaylistEvent, m *Marks) error {
	if p.Tracks == nil || p.Members == nil {
		p.Tracks, p.Members = map[string]PlaylistTrack{}, map[string]PlaylistMember{}
	}
	switch e := ev.(type) {
	case *PlaylistCreated:
		p.create(meta, e, m)
	case *PlaylistDeleted:
		p.Phase = PhaseDeleted
		m.Mark("phase")
		for id := range p.Tracks {
			p.drop(id, m)
		}
	case *PlaylistRenamed:
		p.Name = e.Name
		m.Mark("name")
	case *VisibilityChanged:
		p.Visibility, p.Options = e.Visibility, e.Options
		m.Mark("visibility")
		m.Mark("options")
	case *TracksAdded:
		for _, t := range e.Tracks {
			p.drop(t.Track.ID, m)
			p.put(PlaylistTrack{Track: t.Track, Order: t.Order, AddedBy: e.User, AddedAt: meta.At}, m)
		}
	case *TracksRemoved:
		for _, id := range e.Tracks {
			p.drop(id, m)
		}
	case *TrackMoved:
		p.setOrder(e.Track, e.Order, m)
	case *TracksRenumbered:
		for i, t := range p.Ordered() {
			p.setOrder(t.Track.ID, int64(i+1)*PlaylistOrderStep, m)
		}
	case *PlaylistJoined:
		p.Members[e.User] = PlaylistMember{JoinedAt: meta.At}
		m.Mark("members", e.User)
		p.countMembers(m)
	case *PlaylistLeft:
		delete(p.Members, e.User)
		m.Mark("members", e.User)
		p.countMembers(m)
	default:
		return fmt.Errorf("%w: %T is not a public event of a playlist", ErrUnknownEvent, ev)
	}
	return nil
}

// playlistKeys are the keys of the document.
var playlistKeys = [...]string{
	"id", "name", "creator", "createdAt", "phase", "visibility", "options",
	"tracks", "trackCount", "totalMs", "members", "memberCount",
}

func (p *Playlist) create(meta Meta, e *PlaylistCreated, m *Marks) {
	*p = Playlist{
		ID: p.ID, Name: e.Name, Creator: e.Creator, CreatedAt: meta.At, Phase: PhaseOpen,
		Visibility: e.Visibility, Options: e.Options,
		Tracks: map[string]PlaylistTrack{}, Members: map[string]PlaylistMember{},
	}
	for _, k := range playlistKeys {
		m.Mark(k)
	}
}

func (p *Playlist) put(t PlaylistTrack, m *Marks) {
	p.Tracks[t.Track.ID] = t
	p.TotalMs += t.Track.DurationMs
	p.marked(t.Track.ID, m)
}

func (p *Playlist) drop(id string, m *Marks) {
	t, ok := p.Tracks[id]
	if !ok {
		return
	}
	delete(p.Tracks, id)
	p.TotalMs -= t.Track.DurationMs
	p.marked(id, m)
}

func (p *Playlist) marked(id string, m *Marks) {
	p.TrackCount = len(p.Tracks)
	m.Mark("tracks", id)
	m.Mark("trackCount")
	m.Mark("totalMs")
}

func (p *Playlist) setOrder(id string, order int64, m *Marks) {
	if t, ok := p.Tracks[id]; ok {
		t.Order = order
		p.Tracks[id] = t
		m.Mark("tracks", id, "order")
	}
}

func (p *Playlist) countMembers(m *Marks) {
	if p.MemberCount != len(p.Members) {
		p.MemberCount = len(p.Members)
		m.Mark("memberCount")
	}
}

// PatchValue gives what stands in the document at a path that Apply marked; false if
// nothing does. It is the lookup for Marks.Patch.
func (p *Playlist) PatchValue(path []string) (any, bool) {
	if len(path) == 1 {
		return p.rootValue(path[0])
	}
	switch path[0] {
	case "tracks":
		t, ok := p.Tracks[path[1]]
		if ok && len(path) == 3 && path[2] == "order" {
			return t.Order, true
		}
		return t, ok && len(path) == 2
	case "members":
		member, ok := p.Members[path[1]]
		return member, ok && len(path) == 2
	}
	return nil, false
}

func (p *Playlist) rootValue(key string) (any, bool) {
	switch key {
	case "id":
		return p.ID, true
	case "name":
		return p.Name, true
	case "creator":
		return p.Creator, true
	case "createdAt":
		return p.CreatedAt, true
	case "phase":
		return p.Phase, true
	case "visibility":
		return p.Visibility, true
	case "options":
		return p.Options, true
	case "tracks":
		return p.Tracks, true
	case "trackCount":
		return p.TrackCount, true
	case "totalMs":
		return p.TotalMs, true
	case "members":
		return p.Members, true
	case "memberCount":
		return p.MemberCount, true
	default:
		return nil, false
	}
}
