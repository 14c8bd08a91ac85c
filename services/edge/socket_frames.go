package edge

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// take carries out one frame, on the reader's goroutine.
func (k *socket) take(data []byte) {
	if k.frames != nil && !k.frames.Allow() {
		k.flooded++
		if k.flooded >= floods {
			k.end(subjects.CloseFlooding, "far too many frames", false)
			return
		}
		k.refuse(subjects.ClientFrame{ID: idOf(data)}, &refused{Refusal: subjects.Refuse(subjects.CodeRateLimited, "too many frames; slow down")}, time.Second)
		return
	}
	f, err := subjects.DecodeClientFrame(data)
	k.srv.metrics.framesIn.Of(f.Type).Inc()
	if err != nil {
		k.refuseMalformed(f.ID, err)
		return
	}
	if f.Type == subjects.FramePing {
		k.send(&subjects.ServerFrame{Type: subjects.FramePong, ID: f.ID, Sent: f.Sent, ServerTime: k.srv.deps.Clock.Now().UnixMilli()})
		return
	}
	if f.Type == subjects.FrameHello {
		k.greet(f)
		return
	}
	if !k.hello.Load() {
		k.refuse(f, subjects.Refuse(subjects.CodeUnauthenticated, "say hello first"), 0)
		return
	}
	switch f.Type {
	case subjects.FrameSub:
		k.subscribe(f)
	case subjects.FrameUnsub:
		if l := k.listener(f.Channel); l != nil {
			k.unfollow(l)
		}
		k.send(&subjects.ServerFrame{Type: subjects.FrameOK, ID: f.ID, Channel: f.Channel})
	case subjects.FrameCmd:
		k.command(f)
	case subjects.FrameQuery:
		k.query(f)
	case subjects.FrameLive:
		k.live(f)
	}
}

// idOf reads the id of a frame that is not looked at any further.
func idOf(data []byte) string {
	var f struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(data, &f) != nil || len(f.ID) > subjects.MaxIDBytes {
		return ""
	}
	return f.ID
}

// greet settles who the client is, or takes a fresh token of the same user.
func (k *socket) greet(f subjects.ClientFrame) {
	again := k.hello.Load()
	if again && (f.Token == "") != (k.user == "") {
		k.end(subjects.CloseOtherUser, "connect again to be somebody else", false)
		return
	}
	who, expires := "", int64(0)
	if f.Token != "" {
		ctx, cancel := context.WithTimeout(k.ctx, k.srv.cfg.QueryTimeout)
		p, err := k.srv.deps.Tokens.Verify(ctx, f.Token)
		cancel()
		if err == nil && subjects.CheckID(subjects.PrefixUser, p.UserID) != nil {
			err = subjects.Refuse(subjects.CodeUnauthenticated, "the access token names no user")
		}
		if err != nil {
			k.refuse(f, err, 0)
			if again {
				return // the old token counts until it expires
			}
			if subjects.CodeOf(err) == subjects.CodeUnauthenticated {
				k.end(subjects.CloseUnauthenticated, "the access token is not valid", false)
			} else {
				k.end(subjects.CloseUnavailable, "tokens cannot be verified now", false)
			}
			return
		}
		who = p.UserID
		if !p.ExpiresAt.IsZero() {
			expires = p.ExpiresAt.UnixMilli()
		}
	}
	if again && who != k.user {
		k.end(subjects.CloseOtherUser, "connect again to be somebody else", false)
		return
	}
	if !again {
		k.user = who
		if !k.srv.sockets.count(k) {
			k.end(subjects.CloseFull, "too many connections", false)
			return
		}
		k.srv.metrics.connections.Of(k.kind()).Inc()
		k.hello.Store(true)
	}
	k.expires.Store(expires)
	k.send(&subjects.ServerFrame{
		Type: subjects.FrameWelcome, ID: f.ID, Connection: k.id, User: who, ExpiresAt: expires,
		ServerTime: k.srv.deps.Clock.Now().UnixMilli(), SilenceMs: k.srv.cfg.Socket.Silence.Milliseconds(),
	})
}

// subscribe begins to follow a channel, or follows it anew. It is done before the next
// frame is looked at.
func (k *socket) subscribe(f subjects.ClientFrame) {
	if wait, err := k.limit(classReads); err != nil {
		k.refuse(f, err, wait)
		return
	}
	if old := k.listener(f.Channel); old != nil {
		k.unfollow(old)
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.srv.cfg.QueryTimeout)
	defer cancel()
	if err := k.join(ctx, &listener{sock: k, channel: f.Channel}, f); err != nil {
		k.refuse(f, err, 0)
	}
}

// join makes a listener one of its channel.
func (k *socket) join(ctx context.Context, l *listener, f subjects.ClientFrame) error {
	if id, ok := f.Channel.Room(); ok {
		return k.srv.hubs.rooms.join(ctx, l, id, f.Epoch, f.Since)
	}
	if id, ok := f.Channel.Playlist(); ok {
		return k.srv.hubs.playlists.join(ctx, l, id, f.Epoch, f.Since)
	}
	if id, ok := f.Channel.Chat(); ok {
		return k.srv.hubs.chats.join(ctx, l, id, f.Epoch, f.Since)
	}
	if f.Channel == subjects.ChannelRooms {
		return k.srv.lobby.join(ctx, l, f.Prefix, f.Limit)
	}
	if f.Channel == subjects.ChannelUsers {
		return k.srv.users.join(ctx, l, f.IDs)
	}
	if k.user == "" {
		return subjects.Refuse(subjects.CodeUnauthenticated, "a guest has no channel of their own: say hello with an access token")
	}
	if f.Channel == subjects.ChannelPlaylists {
		return k.srv.lists.join(ctx, l)
	}
	return k.srv.own.join(ctx, l)
}

// command carries out a command in its channel's lane.
func (k *socket) command(f subjects.ClientFrame) {
	if k.user == "" {
		k.refuse(f, subjects.Refuse(subjects.CodeUnauthenticated, "a guest only looks: say hello with an access token"), 0)
		return
	}
	if wait, err := k.limit(classCommands); err != nil {
		k.refuse(f, err, wait)
		return
	}
	if string(f.Body) == "null" {
		f.Body = nil
	}
	var task func(context.Context) (*subjects.ServerFrame, error)
	switch to, id := k.srv.kinds.of(f.Channel); {
	case to != nil:
		task = func(ctx context.Context) (*subjects.ServerFrame, error) {
			o := order{to: to, who: k.user, id: id, verb: f.Verb, command: f.ID, body: f.Body}
			a, err := k.srv.tell(ctx, o)
			room, playlist := k.srv.kinds.making(o, a.At)
			return &subjects.ServerFrame{Epoch: a.Epoch, Rev: a.Rev, At: a.At, Room: room, Playlist: playlist}, err
		}
	case f.Channel == subjects.ChannelRooms && f.Verb == subjects.VerbCreate:
		task = func(ctx context.Context) (*subjects.ServerFrame, error) {
			var in subjects.CreateRoom
			if err := decode(f.Body, &in); err != nil {
				return nil, err
			}
			room, a, err := k.srv.openRoom(ctx, k.user, f.ID, in)
			return &subjects.ServerFrame{Room: room, Epoch: a.Epoch, Rev: a.Rev, At: a.At}, err
		}
	case f.Channel == subjects.ChannelPlaylists && f.Verb == subjects.VerbCreate:
		task = func(ctx context.Context) (*subjects.ServerFrame, error) {
			var in subjects.CreatePlaylist
			if err := decode(f.Body, &in); err != nil {
				return nil, err
			}
			id, a, err := k.srv.beginPlaylist(ctx, k.user, f.ID, in)
			return &subjects.ServerFrame{Playlist: id, Epoch: a.Epoch, Rev: a.Rev, At: a.At}, err
		}
	default:
		k.refuse(f, subjects.Refuse(subjects.CodeUnknownVerb, "the channel %s has no command %q", f.Channel, clip(f.Verb)), 0)
		return
	}
	k.lane(f, k.srv.cfg.CommandTimeout, subjects.FrameOK, task)
}

// lane runs a task in the frame's lane and answers the frame with what it gives.
func (k *socket) lane(f subjects.ClientFrame, limit time.Duration, answer string, task func(context.Context) (*subjects.ServerFrame, error)) {
	ok := k.later(f.Channel, func() {
		ctx, cancel := context.WithTimeout(k.ctx, limit)
		defer cancel()
		out, err := task(ctx)
		if err != nil {
			k.refuse(f, err, 0)
			return
		}
		out.Type, out.ID, out.Channel = answer, f.ID, f.Channel
		k.send(out)
	})
	if !ok {
		k.refuse(f, subjects.Refuse(subjects.CodeBusy, "too much of what you sent waits for an answer; send this again when it has come"), 0)
	}
}

// limit counts a frame against what its sender may ask for, over HTTP and sockets
// together.
func (k *socket) limit(c class) (wait time.Duration, err error) {
	if k.srv.limits.isExempt(k.from) {
		return 0, nil
	}
	who := k.user
	if who == "" {
		c, who = classAnonymous, addressKey(k.from)
	}
	s := k.srv.limits.take(client{c, who}, time.Now())
	if !s.limited || s.ok {
		return 0, nil
	}
	k.srv.metrics.limited.Of(string(c)).Inc()
	return s.wait, subjects.Refuse(subjects.CodeRateLimited, "too much at once; slow down")
}

func (k *socket) send(f *subjects.ServerFrame) {
	m, err := encode(f)
	if err != nil {
		k.srv.deps.Log.Error("frame not encoded", "connection", k.id, "err", err)
		k.end(subjects.CloseInternal, "something went wrong here", true)
		return
	}
	k.srv.metrics.framesOut.Of(f.Type).Inc()
	k.out.say(m)
}

// refuseMalformed answers what is no frame; who sends too much of that is sent away.
func (k *socket) refuseMalformed(id string, err error) {
	if !k.malformed.Allow() {
		k.end(subjects.CloseMalformed, "too many frames that are none", false)
		return
	}
	k.refuse(subjects.ClientFrame{ID: id}, err, 0)
}

// refuse answers a frame with what was wrong.
func (k *socket) refuse(f subjects.ClientFrame, err error, wait time.Duration) {
	r, internal := refusalOf(err)
	if internal {
		k.srv.deps.Log.Error("frame failed", "connection", k.id, "type", f.Type, "channel", string(f.Channel), "command", f.ID, "err", err)
	}
	k.srv.metrics.refused.Of(string(r.Code)).Inc()
	clean := *r.Refusal
	clean.Message = strings.ToValidUTF8(clean.Message, "�")
	out := &subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Channel: f.Channel, Refusal: &clean, Retry: !r.Code.Final(), Epoch: r.epoch, Rev: r.rev}
	if out.Retry {
		out.RetryMs = max(wait, 200*time.Millisecond).Milliseconds()
	}
	k.send(out)
}
