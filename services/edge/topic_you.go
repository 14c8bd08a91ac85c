package edge

import (
	"encoding/json"
	"hash/maphash"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

var youSeed = maphash.MakeSeed()

// tellSealed sends sealed events to those they are for.
func (t *topic[S]) tellSealed(c *subjects.Commit) {
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
func (t *topic[S]) tellSealedTo(user string, c *subjects.Commit) {
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
func (t *topic[S]) tellYou(c *subjects.Commit) {
	touched, everybody := t.kind.concerned(t.view.State, c)
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

func (t *topic[S]) tellOne(l *listener) {
	if m := t.you(l); m != nil {
		l.sock.out.tell(l, m)
	}
}

// you gives the frame that tells what the state says about the listener's user; nil if it
// says what it said last, and for a guest.
func (t *topic[S]) you(l *listener) message {
	if l.sock.user == "" {
		return nil
	}
	body, err := json.Marshal(t.kind.you(t.view.State, l.sock.user, max(t.hub.srv.deps.Clock.Now().UnixMilli(), t.view.At), l.pass != ""))
	if err != nil {
		t.fail(err)
		return nil
	}
	digest := maphash.Bytes(youSeed, body)
	if digest == l.you {
		return nil
	}
	l.you = digest
	m, err := encode(&subjects.ServerFrame{Type: subjects.FrameYou, Channel: t.channel, Epoch: t.view.Epoch, Rev: t.view.Rev, You: body})
	if err != nil {
		t.fail(err)
		return nil
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameYou).Inc()
	return m
}
