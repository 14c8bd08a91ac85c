package edge

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// newRoom is the body of POST /v1/rooms.
type newRoom struct {
	// ID is the command's id, not the room's.
	ID string `json:"id"`
	subjects.CreateRoom
}

// created is the answer to it.
type created struct {
	ID      string `json:"id"`
	Epoch   uint64 `json:"epoch"`
	Rev     uint64 `json:"rev"`
	At      int64  `json:"at"`
	Command string `json:"command"`
}

func (s *Server) createRoom(r *request) error {
	var in newRoom
	if err := r.body(&in); err != nil {
		return err
	}
	if err := r.setCommand(in.ID); err != nil {
		return err
	}
	room, a, err := r.srv.openRoom(r.ctx, r.who.UserID, r.command, in.CreateRoom)
	if err != nil {
		return err
	}
	r.Set(fiber.HeaderLocation, pathRooms+"/"+room)
	return r.json(http.StatusCreated, created{ID: room, Epoch: a.Epoch, Rev: a.Rev, At: a.At, Command: r.command})
}

// openRoom opens a room. The room's id follows from who asks and from the command's id,
// so a request that is repeated under the same id meets the same room, which remembers
// the command and gives the first answer.
func (s *Server) openRoom(ctx context.Context, who, command string, in subjects.CreateRoom) (room string, a subjects.Answer, err error) {
	if err := in.Check(); err != nil {
		return "", a, err
	}
	return s.begin(ctx, s.kinds.room, subjects.PrefixRoom, who, command, &in)
}

// begin sends the command that makes something.
func (s *Server) begin(ctx context.Context, to target, prefix, who, command string, in any) (id string, a subjects.Answer, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return "", a, err
	}
	made, err := subjects.IDTime(command)
	if err != nil {
		return "", a, err
	}
	id = subjects.DeriveID(prefix, made, to.name(), who, command)
	a, err = s.ask(ctx, order{to: to, who: who, id: id, verb: subjects.VerbCreate, command: command, body: body})
	return id, a, err
}

// orderBody is the body of POST /v1/rooms/{id}/commands, and of the same for playlists and
// chats.
type orderBody struct {
	ID   string          `json:"id"`
	Verb string          `json:"verb"`
	Body json.RawMessage `json:"body"`
}

// accepted is the answer to it.
type accepted struct {
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	At    int64  `json:"at"`
	// Room or Playlist is what an export makes; it is there a moment later.
	Room     string `json:"room,omitempty"`
	Playlist string `json:"playlist,omitempty"`
}

// command takes commands to one kind.
func (s *Server) command(to target) func(*request) error {
	return func(r *request) error {
		var in orderBody
		if err := r.body(&in); err != nil {
			return err
		}
		if err := r.setCommand(in.ID); err != nil {
			return err
		}
		if string(in.Body) == "null" {
			in.Body = nil
		}
		o := order{to: to, who: r.who.UserID, id: r.Params("id"), verb: in.Verb, command: r.command, body: in.Body}
		a, err := s.tell(r.ctx, o)
		if err != nil {
			return err
		}
		room, playlist := s.kinds.making(o, a.At)
		return r.json(http.StatusOK, accepted{ID: r.command, Epoch: a.Epoch, Rev: a.Rev, At: a.At, Room: room, Playlist: playlist})
	}
}

// order is a command, over HTTP or a socket: by whom, to which of a kind, and under which
// command id.
type order struct {
	to                     target
	who, id, verb, command string
	body                   json.RawMessage
}

// tell sends a command. What is wrong with it whatever it is sent to is refused here,
// before anybody looks at that.
func (s *Server) tell(ctx context.Context, o order) (subjects.Answer, error) {
	if err := o.to.checkBody(o.verb, o.body); err != nil {
		return subjects.Answer{}, err
	}
	if !o.to.is(o.id) {
		return subjects.Answer{}, o.to.missing()
	}
	if err := o.to.reached(ctx, o.who, o.id); err != nil {
		return subjects.Answer{}, err
	}
	return s.ask(ctx, o)
}

// ask sends a command in the sender's turn.
func (s *Server) ask(ctx context.Context, o order) (a subjects.Answer, err error) {
	ctx, told := s.watchCommand(ctx, o)
	defer func() { told(err) }()
	done, err := s.turns.take(ctx, sender{o.who, o.to.name(), o.id})
	if err != nil {
		return subjects.Answer{}, err
	}
	defer done()
	to := subjects.Command{Service: o.to.name(), ID: o.id, Verb: o.verb, Principal: o.who}
	a, err = s.deps.Commands.Ask(ctx, to, subjects.Envelope{ID: o.command, Body: o.body})
	if err != nil {
		return subjects.Answer{}, err
	}
	if a.Refusal == nil {
		return a, nil
	}
	if a.Refusal.Code == subjects.CodeNotFound && !o.to.shown(ctx, o.who, o.id) {
		return subjects.Answer{}, o.to.missing()
	}
	return subjects.Answer{}, &refused{Refusal: a.Refusal, epoch: a.Epoch, rev: a.Rev}
}

// setCommand settles the command's id: the one in the body, or one that follows from the
// Idempotency-Key header, or a new one.
func (r *request) setCommand(inBody string) error {
	key := r.Get(headerKey)
	fromKey := ""
	if key != "" {
		var ok bool
		if fromKey, ok = commandFromKey(r.who.UserID, key); !ok {
			return subjects.RefuseField(headerKey, "the key must hold the time it was made: use a command id, a ULID or a UUID of version 7")
		}
	}
	switch {
	case inBody == "" && key == "":
		r.command = subjects.NewID(subjects.PrefixCommand, r.now())
	case inBody == "":
		r.command = fromKey
	case subjects.CheckID(subjects.PrefixCommand, inBody) != nil:
		return subjects.RefuseField("id", "a command id is cmd_ and 26 characters of Crockford base 32 that begin with the time; leave it out to get one")
	case key != "" && fromKey != inBody:
		return subjects.RefuseField(headerKey, "the header and the body's id name two commands: send one of them")
	default:
		r.command = inBody
	}
	return nil
}

// commandFromKey gives the command id that follows from a key. A command id says when it
// was made, because ids are remembered for a limited time (subjects.CommandHorizon). A
// key that says no time cannot give one that is the same at every attempt, so keys that
// do are the only ones taken.
func commandFromKey(principal, key string) (id string, ok bool) {
	if subjects.CheckID(subjects.PrefixCommand, key) == nil {
		return key, true
	}
	made, ok := keyTime(key)
	if !ok {
		return "", false
	}
	return subjects.DeriveID(subjects.PrefixCommand, made, "key", principal, key), true
}

// keyTime reads the time in a ULID or a UUID of version 7.
func keyTime(key string) (time.Time, bool) {
	switch len(key) {
	case 26:
		t, err := subjects.IDTime(subjects.PrefixCommand + "_" + strings.ToUpper(key))
		return t, err == nil
	case 36:
		if key[8] != '-' || key[13] != '-' || key[18] != '-' || key[23] != '-' || key[14] != '7' {
			return time.Time{}, false
		}
		b, err := hex.DecodeString(strings.ReplaceAll(key, "-", ""))
		if err != nil || len(b) != 16 {
			return time.Time{}, false
		}
		var ms int64
		for _, x := range b[:6] {
			ms = ms<<8 | int64(x)
		}
		return time.UnixMilli(ms), true
	default:
		return time.Time{}, false
	}
}
