package services

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// Chats read rooms and playlists by the folds of those, or they would read whole logs.
func TestChatsReadByTheFoldsThatThereAre(t *testing.T) {
	for service, version := range chat.FoldsRead() {
		want := map[string]uint64{subjects.ServiceRoom: room.Fold{}.FoldVersion(), subjects.ServicePlaylist: playlist.Fold{}.FoldVersion()}[service]
		if version != want {
			t.Errorf("chats read snapshots of %s of fold %d, and the service writes %d", service, version, want)
		}
	}
}

// crowd is the people of one room or playlist, its creator first.
type crowd struct {
	*shore
	service, id string
	people      []string
}

func (c *crowd) try(who, verb string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		c.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	_, err = c.home.bus.Ask(ctx, subjects.Command{Service: c.service, ID: c.id, Verb: verb, Principal: who},
		subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, c.home.bus.Clock().Now()), Body: raw})
	if err != nil { // a refusal will do
		c.Errorf("%s %s: %v", who, verb, err)
	}
}

// move lets something happen that a chat hears of.
func (c *crowd) move(rng *rand.Rand) {
	one := c.people[1+rng.IntN(len(c.people)-1)]
	switch n := rng.IntN(10); {
	case n < 4:
		c.try(one, "join", struct{}{})
	case n < 6:
		c.try(one, "leave", struct{}{})
	case n < 8:
		c.try(c.people[0], "invite", subjects.InviteUser{User: one})
	case c.service == subjects.ServicePlaylist && n == 8:
		c.try(c.people[0], "withdraw", subjects.WithdrawInvitation{User: one})
	case c.service == subjects.ServicePlaylist:
		v := []subjects.Visibility{subjects.VisibilityPublic, subjects.VisibilityPrivate, subjects.VisibilityFollowers}[rng.IntN(3)]
		c.try(c.people[0], "setVisibility", subjects.SetVisibility{Visibility: v})
	case n == 8:
		c.try(c.people[0], "ban", subjects.BanUser{User: one})
	default:
		c.try(c.people[0], "unban", subjects.UnbanUser{User: one})
	}
}

// differs says how the chat differs from what it belongs to, empty if it does not.
func (c *crowd) differs() string {
	c.Helper()
	journal := func(service string) aggregate.Journal { return aggregate.NewJournal(c.home.bus, service) }
	s, err := aggregate.Load(c.Context(), journal(subjects.ServiceChat), chat.Fold{}, c.id)
	if err != nil {
		c.Fatal(err)
	}
	var sees, inside func(string) bool
	var over bool
	if c.service == subjects.ServicePlaylist {
		f, err := aggregate.Load(c.Context(), journal(c.service), playlist.Fold{}, c.id)
		if err != nil {
			c.Fatal(err)
		}
		sees, inside, over = f.State.CanSee, f.State.IsMember, f.State.Deleted()
	} else {
		f, err := aggregate.Load(c.Context(), journal(c.service), room.Fold{}, c.id)
		if err != nil {
			c.Fatal(err)
		}
		sees, inside, over = f.State.CanSee, f.State.IsMember, f.State.Closed()
	}
	if s.State.Closed() != over {
		return fmt.Sprintf("over: %v, and the chat is closed: %v", over, s.State.Closed())
	}
	for i, who := range c.people {
		if sees(who) != s.State.CanSee(who) || inside(who) != s.State.IsMember(who) {
			return fmt.Sprintf("person %d sees %v and is inside %v; the chat has %v and %v",
				i, sees(who), inside(who), s.State.CanSee(who), s.State.IsMember(who))
		}
		if inside(who) && (s.State.RoleOf(who) == subjects.RoleCreator) != (i == 0) {
			return fmt.Sprintf("person %d is %s in the chat", i, s.State.RoleOf(who))
		}
	}
	return ""
}

// People come and go in rooms and playlists while the process that runs them and their chats
// is killed, and the one after it is stopped. In the end every chat knows what its room or
// playlist knows.
func TestChatsFollowThroughAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what a killed process held")
	}
	t.Parallel()
	s := newShore(t)
	process := func() *System {
		p := s.process()
		if err := p.startChat(t.Context(), s.cfg, s.store); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := process()
	var crowds []*crowd
	for i := range 8 {
		c := &crowd{shore: s, service: subjects.ServiceRoom}
		for range 7 {
			c.people = append(c.people, subjects.NewID(subjects.PrefixUser, time.Now()))
		}
		if i%2 == 0 {
			c.service, c.id = subjects.ServicePlaylist, subjects.NewID(subjects.PrefixPlaylist, s.home.bus.Clock().Now())
			c.try(c.people[0], "create", subjects.CreatePlaylist{Name: "Road trip", Visibility: subjects.VisibilityPublic})
		} else {
			c.id = subjects.NewID(subjects.PrefixRoom, s.home.bus.Clock().Now())
			c.try(c.people[0], "create", map[string]any{"kind": "vote", "name": fmt.Sprint("Friday ", i), "open": i%4 == 1})
		}
		crowds = append(crowds, c)
	}
	for n, dies := range []func(*System){kill, func(p *System) { end(t, p, 20*time.Second) }} {
		var wg sync.WaitGroup
		for i, c := range crowds {
			rng := rand.New(rand.NewPCG(uint64(n), uint64(i)))
			for range 2 {
				seed := rng.Uint64()
				wg.Go(func() {
					own := rand.New(rand.NewPCG(seed, 1))
					for range 25 {
						c.move(own)
					}
				})
			}
		}
		time.Sleep(time.Duration(20+10*n) * time.Millisecond)
		dies(p)
		p = process()
		wg.Wait()
	}
	defer func() { end(t, p, 20*time.Second) }()
	for i, c := range crowds[:2] {
		c.try(c.people[0], []string{"delete", "close"}[i], struct{}{})
	}
	until := time.Now().Add(40 * time.Second)
	for i, c := range crowds {
		why := c.differs()
		for ; why != "" && time.Now().Before(until); why = c.differs() {
			time.Sleep(50 * time.Millisecond)
		}
		if why != "" {
			t.Errorf("the chat of %s %d: %s", c.service, i, why)
		}
	}
}
