package edge

import (
	"encoding/json"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// liveEvery is how often one listener's live frames are passed on; more are dropped.
const liveEvery = time.Second

// listen begins to hear what others do here that is not logged.
func (t *topic[S]) listen() error {
	var stops []func()
	t.deaf = func() {
		for _, stop := range stops {
			stop()
		}
	}
	for name := range t.kind.signals {
		stop, err := t.hub.srv.deps.Signals.OnSignal(subjects.Live(t.kind.service, t.id, name), func(data []byte) { t.signalled(name, data) })
		if err != nil {
			t.deaf()
			return err
		}
		stops = append(stops, stop)
	}
	return nil
}

// signalled tells the others of it. Who may not do it is not believed, whoever says so.
func (t *topic[S]) signalled(name string, data []byte) {
	var who subjects.ChatTyping
	if json.Unmarshal(data, &who) != nil || subjects.CheckID(subjects.PrefixUser, who.User) != nil {
		return
	}
	m, err := encode(&subjects.ServerFrame{Type: subjects.FrameLive, Channel: t.channel, Kind: name, User: who.User})
	if err != nil {
		t.hub.srv.deps.Log.Error("live frame not encoded", "err", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.view.Unknown != nil || t.view.Rev == 0 || !t.kind.signals[name](t.view.State, who.User) {
		return
	}
	for l := range t.listeners {
		if l.sock.user != who.User {
			l.sock.out.mention(l, m)
		}
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameLive).Add(float64(len(t.listeners)))
}

// signal implements signaller: it says something of its user's to who is here now. Who may
// not is not told so: it is worthless a moment later.
func (t *topic[S]) signal(l *listener, name string) error {
	t.mu.Lock()
	may := t.kind.signals[name]
	ok := may != nil && !t.closed && t.view.Unknown == nil && t.view.Rev > 0 && may(t.view.State, l.sock.user)
	t.mu.Unlock()
	if !ok {
		return nil
	}
	data, err := json.Marshal(subjects.ChatTyping{User: l.sock.user})
	if err != nil {
		return err
	}
	return t.hub.srv.deps.Signals.Signal(subjects.Live(t.kind.service, t.id, name), data)
}

// signaller is a source in which live frames can be sent.
type signaller interface {
	signal(l *listener, name string) error
}

// live passes on a live frame.
func (k *socket) live(f subjects.ClientFrame) {
	if k.user == "" {
		k.refuse(f, subjects.Refuse(subjects.CodeUnauthenticated, "a guest only looks: say hello with an access token"), 0)
		return
	}
	l := k.listener(f.Channel)
	if l == nil {
		k.refuse(f, subjects.RefuseField("channel", "follow the channel first"), 0)
		return
	}
	now := time.Now()
	if now.Sub(l.signalled) < liveEvery {
		return
	}
	l.signalled = now
	if src, ok := l.from.(signaller); ok {
		if err := src.signal(l, f.Kind); err != nil {
			k.refuse(f, err, 0)
		}
	}
}
