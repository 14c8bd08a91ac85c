package tutti

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// renewPause is how long changes of what a channel is asked for are gathered.
const renewPause = 100 * time.Millisecond

// Names are the profiles of a set of users, live: a nickname that somebody changes shows at
// once. Get one with Client.Names, say with Set who is on the screen, and Close it. All of a
// client's follow subjects.MaxUsersFollowed users at most.
type Names struct {
	all *profiles

	// The lock of profiles guards these.
	users  map[string]struct{}
	err    error // why they are followed no more; until the next Set
	closed bool
}

// profiles are what all Names of a client follow, over one channel.
type profiles struct {
	client *Client
	// turn is held while it changes whom the channel is asked for. Order of locks: turn,
	// that of feeds, mu.
	turn sync.Mutex

	mu    sync.Mutex
	feed  *feed // nil while nobody is followed
	sets  map[*Names]struct{}
	users map[string]int              // how many sets hold a user
	known map[string]subjects.Profile // of those, the newest version that came
	news  chan struct{}               // closed and replaced at each change
}

func newProfiles(c *Client) *profiles {
	return &profiles{
		client: c, sets: map[*Names]struct{}{}, users: map[string]int{}, known: map[string]subjects.Profile{}, news: make(chan struct{}),
	}
}

// Names gives an empty set of names. Each is closed when it is not used any more.
func (c *Client) Names() *Names {
	n := &Names{all: c.profiles, users: map[string]struct{}{}}
	c.profiles.mu.Lock()
	defer c.profiles.mu.Unlock()
	c.profiles.sets[n] = struct{}{}
	return n
}

// Set says whose profiles are followed from now on, in place of those before; who is in both
// is kept. The error is ErrTooManyUsers past the bound, ErrTooManyChannels, or ErrClosed; or
// a *subjects.Refusal of CodeInvalid for what is no user's id. Nothing has changed then.
func (n *Names) Set(users ...string) error {
	next := make(map[string]struct{}, len(users))
	for _, id := range users {
		if subjects.CheckID(subjects.PrefixUser, id) != nil {
			return subjects.RefuseField("users", "%q is not a user's id", id)
		}
		next[id] = struct{}{}
	}
	p := n.all
	if p.client.ctx.Err() != nil {
		return ErrClosed
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	before, err := p.replace(n, next)
	if err != nil {
		return err
	}
	if err := p.ensure(); err != nil {
		_, _ = p.replace(n, before) // it fitted before
		return err
	}
	return nil
}

// Close gives the set back: nobody is followed for it any more, and Views ends.
func (n *Names) Close() {
	p := n.all
	p.turn.Lock()
	defer p.turn.Unlock()
	_, _ = p.replace(n, nil) // nobody always fits
	p.mu.Lock()
	n.closed = true
	delete(p.sets, n)
	p.mu.Unlock()
	_ = p.ensure() // what is left was followed before
}

// Profile gives what is known of a user of the set; false before it came, and for somebody
// who is not there.
func (n *Names) Profile(user string) (subjects.Profile, bool) {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	if _, ok := n.users[user]; !ok {
		return subjects.Profile{}, false
	}
	p, ok := n.all.known[user]
	return p, ok
}

// Views yields the profiles of the set by user id, as far as they are known, and again
// whenever one came or changed or the set did. It goes on over breaks of the connection; who
// is slow misses what was in between. It ends when ctx ends or the set is closed, and with an
// error when the users cannot be followed any more; Set tries again.
func (n *Names) Views(ctx context.Context) iter.Seq2[map[string]subjects.Profile, error] {
	return func(yield func(map[string]subjects.Profile, error) bool) {
		p := n.all
		var last map[string]subjects.Profile
		for {
			p.mu.Lock()
			now := make(map[string]subjects.Profile, len(n.users))
			for id := range n.users {
				if known, ok := p.known[id]; ok {
					now[id] = known
				}
			}
			err, closed, news := n.err, n.closed, p.news
			p.mu.Unlock()
			switch {
			case closed:
				return
			case err != nil:
				yield(nil, err)
				return
			case last == nil || !maps.Equal(now, last):
				last = maps.Clone(now)
				if !yield(now, nil) {
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			case <-p.client.ctx.Done():
				yield(nil, ErrClosed)
				return
			}
		}
	}
}

// replace makes next the users of a set, and gives those before.
func (p *profiles) replace(n *Names, next map[string]struct{}) (before map[string]struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	total := len(p.users)
	for id := range next {
		if p.users[id] == 0 {
			total++
		}
	}
	for id := range n.users {
		if _, stays := next[id]; !stays && p.users[id] == 1 {
			total--
		}
	}
	if total > subjects.MaxUsersFollowed {
		return nil, ErrTooManyUsers
	}
	for id := range next {
		p.users[id]++
	}
	for id := range n.users {
		if p.users[id]--; p.users[id] == 0 {
			delete(p.users, id)
			delete(p.known, id)
		}
	}
	before, n.users, n.err = n.users, next, nil
	p.changed()
	return before, nil
}

// ensure has the channel asked for the present users. The caller has the turn.
func (p *profiles) ensure() error {
	p.mu.Lock()
	f, none := p.feed, len(p.users) == 0
	if none {
		p.feed = nil
	}
	p.mu.Unlock()
	feeds := p.client.feeds
	switch {
	case none && f != nil:
		feeds.leave(f)
		return nil
	case none, f != nil && feeds.renew(f):
		return nil
	}
	f, err := feeds.follow(subjects.ChannelUsers, func() follower { return p })
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.feed = f
	return nil
}

// ask implements follower.
func (p *profiles) ask(_ string, f *subjects.ClientFrame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.IDs = slices.Sorted(maps.Keys(p.users))
}

// take implements follower. Frames may be of what was asked for before: what is not wanted
// any more is passed over, and of two versions the newer counts.
func (p *profiles) take(f *subjects.ServerFrame) (again bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Type {
	case subjects.FrameDocs:
		for id, raw := range f.Docs {
			if err := p.put(id, raw); err != nil {
				return false, err
			}
		}
	case subjects.FrameDoc:
		if err := p.put(f.DocID, f.Doc); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	p.changed()
	return false, nil
}

func (p *profiles) put(id string, raw json.RawMessage) error {
	switch {
	case p.users[id] == 0:
		return nil
	case len(raw) == 0 || string(raw) == "null":
		delete(p.known, id)
		return nil
	}
	var profile subjects.Profile
	if err := json.Unmarshal(raw, &profile); err != nil {
		return fmt.Errorf("%w: profile %q: %w", ErrProtocol, id, err)
	}
	if profile.Rev >= p.known[id].Rev {
		p.known[id] = profile
	}
	return nil
}

// fail implements follower. Sets that follow somebody end with the reason.
func (p *profiles) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.feed = nil
	for n := range p.sets {
		if len(n.users) > 0 {
			n.users, n.err = nil, err
		}
	}
	clear(p.users)
	clear(p.known)
	p.changed()
}

func (p *profiles) changed() {
	close(p.news)
	p.news = make(chan struct{})
}
