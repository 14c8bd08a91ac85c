package room

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// heardVisits bounds the visits that are looked at for one page: a page may be short, and
	// the next goes on.
	heardVisits = 64
	// cachedRooms is how many folded rooms are kept to look up who is in them.
	cachedRooms = 256
)

// played answers what rooms have played and what users have heard. Access is the caller's
// to look at.
type played struct {
	store store.Store
	rooms *aggregate.Reader[*subjects.RoomState, subjects.RoomEvent]
}

// plays gives a page of what a room has played, the newest first.
func (h *played) plays(ctx context.Context, raw json.RawMessage) (*subjects.PlaysAnswer, error) {
	var req subjects.PlaysRequest
	if err := subjects.DecodeBody(raw, &req); err != nil {
		return nil, err
	}
	if subjects.CheckID(subjects.PrefixRoom, req.Room) != nil {
		return nil, subjects.RefuseField("room", "not the id of a room")
	}
	limit, err := playsLimit(req.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.store.Find(ctx, subjects.TableRoomPlays, store.Query{
		Index: IndexPlayedAt, Equal: []any{req.Room}, Descending: true, Cursor: req.Cursor, Limit: limit,
	})
	if err != nil {
		return nil, searchError(err)
	}
	out := &subjects.PlaysAnswer{Plays: make([]subjects.PlayedTrack, 0, len(page.Documents)), Next: page.Next}
	for _, d := range page.Documents {
		var row subjects.RoomPlay
		if err := d.Decode(&row); err != nil {
			return nil, err
		}
		out.Plays = append(out.Plays, row.PlayedTrack)
	}
	return out, nil
}

func playsLimit(limit int) (int, error) {
	if limit < 0 || limit > subjects.MaxPlaysPage {
		return 0, subjects.RefuseField("limit", "a page has 1 to %d plays", subjects.MaxPlaysPage)
	}
	return cmp.Or(limit, subjects.PlaysPage), nil
}

// visit is a RoomVisit on the way through a user's, the newest first.
type visit struct {
	subjects.RoomVisit
	id string
}

// heardCursor is where a page ended: in which visit, and before which play of it. Who makes
// one up sees no more than with an honest one.
type heardCursor struct {
	From   int64  `json:"from"`
	ID     string `json:"id"`
	Before int64  `json:"before"`
}

// after reports whether a visit comes after the one where the page ended.
func (c *heardCursor) after(v visit) bool {
	return c.ID == "" || cmp.Or(cmp.Compare(v.From, c.From), cmp.Compare(v.id, c.ID)) < 0
}

// heard gives a page of what a user has heard.
func (h *played) heard(ctx context.Context, raw json.RawMessage) (*subjects.HeardAnswer, error) {
	var req subjects.HeardRequest
	if err := subjects.DecodeBody(raw, &req); err != nil {
		return nil, err
	}
	if subjects.CheckID(subjects.PrefixUser, req.User) != nil {
		return nil, subjects.RefuseField("user", "not the id of a user")
	}
	limit, err := playsLimit(req.Limit)
	if err != nil {
		return nil, err
	}
	var at heardCursor
	if req.Cursor != "" {
		plain, err := base64.RawURLEncoding.DecodeString(req.Cursor)
		if err != nil || json.Unmarshal(plain, &at) != nil || at.ID == "" {
			return nil, subjects.RefuseField("cursor", "not a cursor of this list")
		}
	}
	p := heardPage{played: h, req: req, limit: limit, at: at, names: map[string]*subjects.RoomSummary{}}
	p.out.Plays = []subjects.HeardTrack{}
	if err := p.fill(ctx); err != nil {
		return nil, searchError(err)
	}
	return &p.out, nil
}

// heardPage is a page while it is put together.
type heardPage struct {
	*played
	req    subjects.HeardRequest
	limit  int
	at     heardCursor
	looked int // visits
	names  map[string]*subjects.RoomSummary
	out    subjects.HeardAnswer
}

// fill goes through the visits, the newest first: the one that is under way is in the log of
// its room, the others are rows.
func (p *heardPage) fill(ctx context.Context) error {
	now, err := p.present(ctx)
	if err != nil {
		return err
	}
	q := store.Query{Index: IndexVisitedFrom, Equal: []any{p.req.User}, Descending: true, Limit: heardVisits}
	if p.at.ID != "" {
		q.To = p.at.From + 1
	}
	for {
		page, err := p.store.Find(ctx, subjects.TableRoomVisits, q)
		if err != nil {
			return err
		}
		for _, d := range page.Documents {
			v := visit{id: d.ID}
			if err := d.Decode(&v.RoomVisit); err != nil {
				return err
			}
			if now != nil && (v.From < now.From || v.From == now.From && v.id <= now.id) {
				if full, err := p.visit(ctx, *now); full || err != nil {
					return err
				}
				if v.id == now.id {
					now = nil
					continue // it has ended since, and is a row now
				}
				now = nil
			}
			if full, err := p.visit(ctx, v); full || err != nil {
				return err
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if now != nil {
		_, err = p.visit(ctx, *now)
	}
	return err
}

// present gives the visit that is under way, nil if there is none.
func (p *heardPage) present(ctx context.Context) (*visit, error) {
	doc, err := p.store.Get(ctx, TableSeats, p.req.User)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s seat
	if err := doc.Decode(&s); err != nil {
		return nil, err
	}
	var now *visit
	err = p.rooms.View(ctx, s.Room, func(f *aggregate.Folded[*subjects.RoomState]) error {
		if m, ok := f.State.Member(p.req.User); ok && f.Unknown == nil && !f.State.Closed() {
			now = &visit{
				RoomVisit: subjects.RoomVisit{User: p.req.User, Room: s.Room, From: m.JoinedAt},
				id:        subjects.RoomVisitID(p.req.User, s.Room, m.JoinedAt),
			}
		}
		return nil
	})
	if errors.Is(err, aggregate.ErrUnavailable) {
		return nil, subjects.Refuse(subjects.CodeUnavailable, "the room cannot be read now")
	}
	return now, err
}

// visit adds what was played during a visit; full says that the page ends here.
func (p *heardPage) visit(ctx context.Context, v visit) (full bool, err error) {
	until := v.To // 0 for one that is under way
	switch {
	case v.id == p.at.ID:
		if until == 0 || p.at.Before < until {
			until = p.at.Before
		}
	case !p.at.after(v):
		return false, nil
	}
	if p.looked++; p.looked > heardVisits {
		return true, nil // the cursor is that of the visit before
	}
	room, shown, err := p.room(ctx, v.Room)
	if err != nil {
		return false, err
	}
	if shown {
		full, err = p.sounded(ctx, v, until, room)
	}
	if !full && err == nil && p.looked == heardVisits {
		p.next(v, 1) // nothing was played before time began
	}
	return full, err
}

// sounded adds the plays of a visit. They do not overlap, so the first that ended before the
// visit began is the last to look at.
func (p *heardPage) sounded(ctx context.Context, v visit, until int64, room *subjects.RoomSummary) (full bool, err error) {
	q := store.Query{Index: IndexPlayedAt, Equal: []any{v.Room}, Descending: true, Limit: p.limit - len(p.out.Plays) + 1}
	if until != 0 {
		q.To = until
	}
	page, err := p.store.Find(ctx, subjects.TableRoomPlays, q)
	if err != nil {
		return false, err
	}
	for _, d := range page.Documents {
		var row subjects.RoomPlay
		if err := d.Decode(&row); err != nil {
			return false, err
		}
		if row.EndedAt <= v.From {
			return false, nil
		}
		heard := subjects.HeardTrack{Track: row.Track, Room: v.Room, At: row.At}
		if room != nil {
			heard.RoomName = room.Name
		}
		p.out.Plays = append(p.out.Plays, heard)
		if len(p.out.Plays) == p.limit {
			p.next(v, row.At)
			return true, nil
		}
	}
	return false, nil
}

func (p *heardPage) next(v visit, before int64) {
	raw, err := json.Marshal(heardCursor{From: v.From, ID: v.id, Before: before})
	if err == nil {
		p.out.Next = base64.RawURLEncoding.EncodeToString(raw)
	}
}

// room gives a room's summary, nil if it is not there, and whether the viewer may be told of
// what was played in it: whoever was there may, others of an open room. A room that is open
// stays so.
func (p *heardPage) room(ctx context.Context, id string) (*subjects.RoomSummary, bool, error) {
	own := p.req.Viewer == p.req.User
	if known, ok := p.names[id]; ok {
		return known, own || known != nil && !known.Private, nil
	}
	doc, err := p.store.Get(ctx, subjects.TableRooms, id)
	if errors.Is(err, store.ErrNotFound) {
		p.names[id] = nil
		return nil, own, nil
	}
	if err != nil {
		return nil, false, err
	}
	s := &subjects.RoomSummary{}
	if err := doc.Decode(s); err != nil {
		return nil, false, err
	}
	p.names[id] = s
	return s, own || !s.Private, nil
}
