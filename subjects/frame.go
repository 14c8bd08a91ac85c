package subjects

import (
	"encoding/json"
	"unicode/utf8"
)

// SocketPath is where a client connects. A socket carries frames: one JSON object a text
// message, each with a type.
//
// A connection is at first connected, and takes hello and ping alone. A hello with a token
// makes it a user's, one without a token a guest's: a guest follows open rooms and the
// lobby and sends no commands. A channel is then followed from sub to unsub or gone.
const SocketPath = "/v1/socket"

// Types of frames that a client sends.
const (
	FrameHello = "hello" // Token, or none for a guest; again with a fresh token before the old one expires
	FrameSub   = "sub"   // Channel; for a room, playlist or chat Epoch and Since; for rooms Prefix and Limit; for users IDs
	FrameUnsub = "unsub" // Channel
	FrameCmd   = "cmd"   // ID (a command id), Channel, Verb, Body
	FrameQuery = "qry"   // Query, Body
	FramePing  = "ping"  // Sent
	FrameLive  = "live"  // Channel (a chat that is followed), Kind; see the server's
)

// Types of frames that a server sends.
const (
	FrameWelcome = "welcome" // answers hello
	FrameSnap    = "snap"    // the whole document of a room, playlist or chat at Rev; what was known before counts no more
	FrameResumed = "resumed" // answers a sub whose Since could be continued: every commit above Rev follows
	FrameEvt     = "evt"     // the public part of the commit Rev, which follows on Prev
	FrameSealed  = "sealed"  // events of the commit Rev that are for this user alone
	FrameYou     = "you"     // what the room, playlist or chat at Rev says about this user (You, PlaylistYou or ChatYou)
	FrameDocs    = "docs"    // a live query's whole result; what was known before counts no more
	FrameDoc     = "doc"     // one document of a live query came, changed or (without Doc) went
	FrameOK      = "ok"      // the command or unsub ID was accepted
	FrameErr     = "err"     // what ID asked for was refused
	FrameResult  = "res"     // answers qry
	FramePong    = "pong"    // answers ping
	FrameGone    = "gone"    // the channel is not followed any more, for the reason of Refusal
	// FrameLive, from the server: User did something of Kind that is not logged and counts
	// for a few seconds. One's own are not sent back.
)

// Why a snap was sent.
const (
	SnapNew     = "new"     // the client had nothing
	SnapTooOld  = "too_old" // what lies between Since and now is not kept any more
	SnapEpoch   = "epoch"   // the log lost its tail: revisions of another epoch do not compare
	SnapSlow    = "slow"    // the client did not keep up: what it missed is in the snapshot
	SnapReplace = "replace" // the room was read anew
)

// Queries of qry frames. Each takes in Body what the HTTP path beside it takes as
// parameters, and answers with the same document.
const (
	QueryRooms   = "rooms"   // GET /v1/rooms: prefix, cursor, limit
	QueryMembers = "members" // GET /v1/rooms/{id}/members: room, cursor, limit
	QueryTracks  = "tracks"  // GET /v1/tracks: query, limit
	QueryUsers   = "users"   // GET /v1/users: ids

	QueryPlaylists = "playlists" // GET /v1/playlists: of, user, prefix, cursor, limit
	QueryHistory   = "history"   // GET /v1/chats/{id}/messages: chat, before, after, limit
	QueryPeople    = "people"    // GET /v1/people: prefix, cursor, limit
	QueryUser      = "user"      // GET /v1/users/{id}: user
	QueryFollowers = "followers" // GET /v1/users/{id}/followers: user, cursor, limit
	QueryFollowing = "following" // GET /v1/users/{id}/following: user, cursor, limit
	QueryPlays     = "plays"     // GET /v1/rooms/{id}/plays: room, cursor, limit
	QueryHeard     = "heard"     // GET /v1/users/{id}/heard: user, cursor, limit
)

// ClientFrame is a frame that a client sends; which fields count follows from Type.
type ClientFrame struct {
	Type string `json:"type"`
	// ID comes back in the answer (a sub that is accepted is answered by its channel
	// instead). For cmd it is the command's id, kept through every retry; for the others any
	// text up to MaxIDBytes, or none.
	ID      string  `json:"id,omitempty"`
	Channel Channel `json:"channel,omitempty"`
	// Token is an access token.
	Token string `json:"token,omitempty"`
	// Epoch and Since name the last revision of the room, playlist or chat that the client
	// has; 0 for none.
	Epoch uint64 `json:"epoch,omitempty"`
	Since uint64 `json:"since,omitempty"`
	// Prefix and Limit narrow the lobby: the beginning of names, and how many documents
	// (1 to MaxLobby, 0 means MaxLobby).
	Prefix string `json:"prefix,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	// IDs are the users that a sub of ChannelUsers is of, 1 to MaxUsersFollowed; another sub
	// names all of them anew.
	IDs []string `json:"ids,omitempty"`
	// Kind of a live frame: LiveTyping.
	Kind string `json:"kind,omitempty"`
	// Verb and Body are a command's, as over HTTP. On ChannelRooms the verb create opens a
	// room, on ChannelPlaylists it begins a playlist.
	Verb  string          `json:"verb,omitempty"`
	Query string          `json:"query,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	// Sent is the client's clock in milliseconds, of any origin; pong brings it back.
	Sent float64 `json:"sent,omitempty"`
}

// ServerFrame is a frame that a server sends; which fields count follows from Type.
type ServerFrame struct {
	Type    string  `json:"type"`
	ID      string  `json:"id,omitempty"`
	Channel Channel `json:"channel,omitempty"`
	// Epoch and Rev name a commit of the channel's room, playlist or chat. An evt with Prev <= have < Rev is
	// applied; one with Rev <= have was seen already; one with Prev > have shows a gap. The
	// commits between Prev and Rev that have no public part are left out.
	Epoch uint64 `json:"epoch,omitempty"`
	Prev  uint64 `json:"prev,omitempty"`
	Rev   uint64 `json:"rev,omitempty"`
	// At is the time of that commit.
	At int64 `json:"at,omitempty"`
	// Public is the public part of the commit as the log holds it.
	Public *Public `json:"public,omitempty"`
	// Events are the sealed ones for this user.
	Events []Event `json:"events,omitempty"`
	// Reason says why a snap was sent; State is the room's document and Hash that of its
	// canonical JSON.
	Reason string          `json:"reason,omitempty"`
	State  json.RawMessage `json:"state,omitempty"`
	Hash   string          `json:"hash,omitempty"`
	// You is a You, a PlaylistYou or a ChatYou.
	You json.RawMessage `json:"you,omitempty"`
	// Docs are a live query's documents by id; DocID and Doc are one that changed.
	Docs  map[string]json.RawMessage `json:"docs,omitempty"`
	DocID string                     `json:"docId,omitempty"`
	Doc   json.RawMessage            `json:"doc,omitempty"`
	// Room is the id of the room that a command on ChannelRooms opened, Playlist that of the
	// playlist that one on ChannelPlaylists began.
	Room     string   `json:"room,omitempty"`
	Playlist string   `json:"playlist,omitempty"`
	Refusal  *Refusal `json:"refusal,omitempty"`
	// Retry is set if the same frame may be sent again, after RetryMs.
	Retry   bool  `json:"retry,omitempty"`
	RetryMs int64 `json:"retryMs,omitempty"`
	// Result answers a query.
	Result json.RawMessage `json:"result,omitempty"`
	// Sent is that of the ping, ServerTime the server's clock in Unix milliseconds.
	Sent       float64 `json:"sent,omitempty"`
	ServerTime int64   `json:"serverTime,omitempty"`
	// Kind of a live frame; User is who did it.
	Kind string `json:"kind,omitempty"`
	// Of welcome: the connection's id, whose it is (User, empty for a guest), when its token
	// expires (0 for a guest), and after how long a silence the server gives a connection up.
	Connection string `json:"connection,omitempty"`
	User       string `json:"user,omitempty"`
	ExpiresAt  int64  `json:"expiresAt,omitempty"`
	SilenceMs  int64  `json:"silenceMs,omitempty"`
}

// DecodeClientFrame reads and checks a frame. Every error is a Refusal of CodeInvalid or
// CodeTooLarge; the frame then holds what could be read, its ID among it, unless that is
// not to be sent back.
func DecodeClientFrame(data []byte) (ClientFrame, error) {
	var f ClientFrame
	if len(data) > MaxFrameBytes {
		return f, Refuse(CodeTooLarge, "a frame is at most %d bytes", MaxFrameBytes)
	}
	if !utf8.Valid(data) {
		return f, Refuse(CodeInvalid, "a frame is a JSON object in UTF-8")
	}
	err := DecodeBody(data, &f)
	if len(f.ID) > MaxIDBytes {
		f.ID = ""
		return f, RefuseField("id", "at most %d bytes", MaxIDBytes)
	}
	if err != nil {
		return f, err
	}
	err = f.check()
	return f, err
}

func (f *ClientFrame) check() error {
	switch f.Type {
	case FrameHello:
		if len(f.Token) > MaxToken {
			return RefuseField("token", "not an access token")
		}
		return nil
	case FramePing:
		return nil
	case FrameSub:
		if err := f.Channel.Check(); err != nil {
			return err
		}
		if f.Limit < 0 || f.Limit > MaxLobby {
			return RefuseField("limit", "a limit is a number from 1 to %d", MaxLobby)
		}
		if utf8.RuneCountInString(f.Prefix) > MaxRoomName {
			return RefuseField("prefix", "at most %d characters", MaxRoomName)
		}
		return f.checkUsers()
	case FrameLive:
		if _, ok := f.Channel.Chat(); !ok {
			return RefuseField("channel", "only in a chat is something told live")
		}
		if f.Kind != LiveTyping {
			return RefuseField("kind", "there is nothing live of the kind %q", clip(f.Kind))
		}
		return nil
	case FrameUnsub:
		return f.Channel.Check()
	case FrameCmd:
		if err := CheckID(PrefixCommand, f.ID); err != nil {
			return RefuseField("id", "a command id is %q and 26 characters of Crockford base 32 that begin with the time", PrefixCommand+"_")
		}
		if f.Verb == "" {
			return RefuseField("verb", "name what to do")
		}
		return f.Channel.Check()
	case FrameQuery:
		switch f.Query {
		case QueryRooms, QueryMembers, QueryTracks, QueryUsers, QueryPlaylists, QueryHistory, QueryPeople,
			QueryUser, QueryFollowers, QueryFollowing, QueryPlays, QueryHeard:
			return nil
		}
		return RefuseField("query", "there is no query %q", clip(f.Query))
	case "":
		return RefuseField("type", "a frame has a type: hello, sub, unsub, cmd, qry, live or ping")
	}
	return RefuseField("type", "there is no frame %q: use hello, sub, unsub, cmd, qry, live or ping", clip(f.Type))
}

// checkUsers wants 1 to MaxUsersFollowed user ids for ChannelUsers.
func (f *ClientFrame) checkUsers() error {
	if f.Channel != ChannelUsers {
		return nil
	}
	if len(f.IDs) == 0 || len(f.IDs) > MaxUsersFollowed {
		return RefuseField("ids", "name 1 to %d users", MaxUsersFollowed)
	}
	for _, id := range f.IDs {
		if CheckID(PrefixUser, id) != nil {
			return RefuseField("ids", "%q is not a user id", clip(id))
		}
	}
	return nil
}

// EncodeServerFrame writes a frame.
func EncodeServerFrame(f *ServerFrame) ([]byte, error) { return json.Marshal(f) }
