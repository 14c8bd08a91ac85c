package edge

import (
	"encoding/json"
	"hash/maphash"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

var youSeed = maphash.MakeSeed()

// tellSealed sends sealed events to those they are for.
func (t *topic) tellSealed(c *subjects.Commit) {
	if len(c.Sealed) == 0 {
		return
	}
	told := map[string]struct{}{}
	for i := range c.Sealed {
		for _, user := range c.Sealed[i].To {
			if _, done := told[user]; !done && len(t.byUser[user]) > 0 {
				told[user] = struct{}{}
				t.tellSealedTo(user, c)
			}
		}
	}
}

// tellSealedTo sends a user what a commit has for them.
func (t *topic) tellSealedTo(user string, c *subjects.Commit) {
	var events []subjects.Event
	for i := range c.Sealed {
		if slices.Contains(c.Sealed[i].To, user) {
			events = append(events, c.Sealed[i].Event)
		}
	}
	if len(events) == 0 {
		return
	}
	m, err := encode(&subjects.ServerFrame{Type: subjects.FrameSealed, Channel: t.channel, Epoch: c.Epoch, Rev: c.Rev, At: c.At, Events: events})
	if err != nil {
		t.fail(err)
		return
	}
	for l := range t.byUser[user] {
		l.sock.out.say(m) // a snapshot does not stand for it
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameSealed).Add(float64(len(t.byUser[user])))
}

// tellYou tells those about whom the room says something else now. Most commits concern
// who sent them alone; some concern everybody.
func (t *topic) tellYou(c *subjects.Commit) {
	touched, everybody := concerned(c)
	if everybody {
		for l := range t.listeners {
			t.tellOne(l)
		}
		return
	}
	for user := range touched {
		for l := range t.byUser[user] {
			t.tellOne(l)
		}
	}
}

func (t *topic) tellOne(l *listener) {
	if m := t.you(l); m != nil {
		l.sock.out.tell(l, m)
	}
}

// concerned tells whose You a commit may change.
func concerned(c *subjects.Commit) (users map[string]struct{}, everybody bool) {
	users = map[string]struct{}{}
	look := func(e *subjects.Event) {
		users[e.By] = struct{}{}
		switch e.Type {
		case subjects.EventRoomCreated, subjects.EventRoomClosed, subjects.EventGrantsChanged,
			subjects.EventTrackChosen, subjects.EventTrackRemoved, subjects.EventPlaybackEnded,
			subjects.EventWindowOpened, subjects.EventWindowClosed, subjects.EventRosterListed, subjects.EventRosterUnlisted:
			everybody = true
			return
		}
		var body struct {
			User string `json:"user"`
		}
		if json.Unmarshal(e.Body, &body) == nil && body.User != "" {
			users[body.User] = struct{}{}
		}
	}
	for i := range c.Public.Events {
		look(&c.Public.Events[i])
	}
	for i := range c.Sealed {
		look(&c.Sealed[i].Event)
		for _, user := range c.Sealed[i].To {
			users[user] = struct{}{}
		}
	}
	return users, everybody
}

// you gives the frame that tells what the room says about the listener's user; nil if it
// says what it said last, and for a guest.
func (t *topic) you(l *listener) message {
	if l.sock.user == "" {
		return nil
	}
	y := t.view.State.You(l.sock.user, max(t.hub.srv.deps.Clock.Now().UnixMilli(), t.view.At))
	body, err := json.Marshal(&y)
	if err != nil {
		t.fail(err)
		return nil
	}
	digest := maphash.Bytes(youSeed, body)
	if digest == l.you {
		return nil
	}
	l.you = digest
	m, err := encode(&subjects.ServerFrame{Type: subjects.FrameYou, Channel: t.channel, Epoch: t.view.Epoch, Rev: t.view.Rev, You: &y})
	if err != nil {
		t.fail(err)
		return nil
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameYou).Inc()
	return m
}
