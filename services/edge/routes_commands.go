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
	body, err := json.Marshal(&in)
	if err != nil {
		return "", a, err
	}
	made, err := subjects.IDTime(command)
	if err != nil {
		return "", a, err
	}
	room = subjects.DeriveID(subjects.PrefixRoom, made, "room", who, command)
	a, err = s.ask(ctx, order{who: who, room: room, verb: subjects.VerbCreate, id: command, body: body})
	return room, a, err
}

// roomCommand is the body of POST /v1/rooms/{id}/commands.
type roomCommand struct {
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
}

// command sends a command to a room.
func (s *Server) command(r *request) error {
	var in roomCommand
	if err := r.body(&in); err != nil {
		return err
	}
	if err := r.setCommand(in.ID); err != nil {
		return err
	}
	if string(in.Body) == "null" {
		in.Body = nil
	}
	a, err := s.tell(r.ctx, order{who: r.who.UserID, room: r.Params("id"), verb: in.Verb, id: r.command, body: in.Body})
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, accepted{ID: r.command, Epoch: a.Epoch, Rev: a.Rev, At: a.At})
}

// order is a command to a room, over HTTP or a socket.
type order struct {
	who, room, verb, id string
	body                json.RawMessage
}

// tell sends a command to a room. What is wrong with it whatever the room is refused here,
// before anybody looks at the room.
func (s *Server) tell(ctx context.Context, o order) (subjects.Answer, error) {
	switch o.verb {
	case "":
		return subjects.Answer{}, subjects.RefuseField("verb", "name what to do: %s", strings.Join(askedVerbs(), ", "))
	case subjects.VerbCreate:
		// Under an id of the sender's choice the answer would tell whether it is taken.
		return subjects.Answer{}, subjects.RefuseField("verb", "a room is opened by POST %s, or by create on the channel %s", pathRooms, subjects.ChannelRooms)
	case subjects.VerbWake:
		return subjects.Answer{}, subjects.Refuse(subjects.CodeUnknownVerb, "a room has no command %q for people", o.verb)
	}
	if _, err := subjects.DecodeRoomCommand(o.verb, o.body); err != nil {
		return subjects.Answer{}, err
	}
	if subjects.CheckID(subjects.PrefixRoom, o.room) != nil {
		return subjects.Answer{}, noRoom()
	}
	return s.ask(ctx, o)
}

// askedVerbs lists the verbs that people may use on a room.
func askedVerbs() []string {
	var out []string
	for _, v := range subjects.RoomVerbs() {
		if v != subjects.VerbCreate && v != subjects.VerbWake {
			out = append(out, v)
		}
	}
	return out
}

// ask sends a command in the sender's turn.
func (s *Server) ask(ctx context.Context, o order) (a subjects.Answer, err error) {
	ctx, told := s.watchCommand(ctx, o)
	defer func() { told(err) }()
	done, err := s.turns.take(ctx, sender{o.who, o.room})
	if err != nil {
		return subjects.Answer{}, err
	}
	defer done()
	to := subjects.Command{Service: subjects.ServiceRoom, ID: o.room, Verb: o.verb, Principal: o.who}
	a, err = s.deps.Commands.Ask(ctx, to, subjects.Envelope{ID: o.id, Body: o.body})
	if err != nil {
		return subjects.Answer{}, err
	}
	if a.Refusal == nil {
		return a, nil
	}
	if a.Refusal.Code == subjects.CodeNotFound && !s.sees(ctx, o.who, o.room) {
		return subjects.Answer{}, noRoom()
	}
	return subjects.Answer{}, &refused{Refusal: a.Refusal, epoch: a.Epoch, rev: a.Rev}
}

// sees reports whether somebody may know of the room. Where that cannot be told now, it is
// no.
func (s *Server) sees(ctx context.Context, who, room string) (ok bool) {
	err := s.deps.Rooms.View(ctx, room, func(v RoomView) error {
		ok = v.State != nil && v.State.CanSee(who)
		return nil
	})
	return ok && err == nil
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
