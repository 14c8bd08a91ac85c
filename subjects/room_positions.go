package subjects

import "slices"

// positions remembers for each user whether their last position fitted, and when that
// was. It forgets what is older than PositionTTL whenever a new one comes in, and the
// oldest when it would hold more than MaxMembers. Users who left are remembered too: a
// position counts for its day.
type positions struct {
	byUser map[string]fit
	// order holds the users from the oldest position to the newest. A user who reported
	// again stands in it twice; the entry whose time is not theirs any more is void.
	order []seen
}

type fit struct {
	fits bool
	at   int64
}

type seen struct {
	user string
	at   int64
}

func newPositions() positions { return positions{byUser: map[string]fit{}} }

func (p *positions) put(user string, fits bool, at int64) {
	if old, ok := p.byUser[user]; ok && old.at == at {
		p.byUser[user] = fit{fits, at}
		return
	}
	p.byUser[user] = fit{fits, at}
	p.order = append(p.order, seen{user, at})
	drop := 0
	for _, o := range p.order {
		void := p.byUser[o.user].at != o.at
		if !void && at-o.at < PositionTTL.Milliseconds() && len(p.byUser) <= MaxMembers {
			break
		}
		if !void {
			delete(p.byUser, o.user)
		}
		drop++
	}
	p.order = p.order[drop:]
	if len(p.order) > 2*len(p.byUser)+64 {
		p.order = p.live()
	}
}

// live gives the entries of order that are not void.
func (p *positions) live() []seen {
	out := make([]seen, 0, len(p.byUser))
	for _, o := range p.order {
		if f, ok := p.byUser[o.user]; ok && f.at == o.at {
			out = append(out, o)
		}
	}
	return out
}

// positionJSON is a position in a snapshot, from the oldest to the newest.
type positionJSON struct {
	User string `json:"user"`
	Fits bool   `json:"fits"`
	At   int64  `json:"at"`
}

func (p *positions) encode() []positionJSON {
	out := make([]positionJSON, 0, len(p.byUser))
	for _, o := range p.live() {
		out = append(out, positionJSON{User: o.user, Fits: p.byUser[o.user].fits, At: o.at})
	}
	return out
}

func decodePositions(in []positionJSON) positions {
	p := newPositions()
	p.order = slices.Grow(p.order, len(in))
	for _, e := range in {
		p.byUser[e.User] = fit{e.Fits, e.At}
		p.order = append(p.order, seen{e.User, e.At})
	}
	return p
}
