package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// kind is what an edge knows of a service whose aggregates it shows: of rooms, of
// playlists, or of chats. The rest of the edge treats them alike.
type kind[S any] struct {
	service string
	// noun is what one is called to people.
	noun string
	// prefixes are those of ids.
	prefixes []string
	channel  func(id string) subjects.Channel
	views    Views[S]
	live     Live[S]

	// sees reports whether somebody may know of it; false for a nil state.
	sees func(s S, user string) bool
	// open reports whether everybody may.
	open     func(s S) bool
	document func(s S) any
	// you gives what the state says about a user at a time in Unix milliseconds; follower
	// says that the user sees it as a follower of its host.
	you func(s S, user string, at int64, follower bool) any
	// concerned tells whose you a commit may change; s is the state after it.
	concerned func(s S, c *subjects.Commit) (users map[string]struct{}, everybody bool)
	// erases reports whether a commit takes something back that clients must not be told of
	// again; nil if none does.
	erases func(c *subjects.Commit) bool
	// host gives the user whose followers may see it though sees says no, empty if there is
	// none; nil if there never is.
	host func(s S) string
	// within refuses who may not see what one belongs to, the room of a chat say, as that's
	// own log has it now. Such a one hears of what happens there a moment later, so its own
	// state alone shows it to who was put out, and not yet to who came. Nil for what belongs
	// to nothing.
	within func(ctx context.Context, id, user string) error
	// signals are the kinds of live frames that it takes, and who may send them.
	signals map[string]func(s S, user string) bool

	// asked are the verbs that people may use, sorted.
	asked  []string
	decode func(verb string, body []byte) error
	// exports is the verb by which one becomes something of another kind, and exported the id
	// of that, which follows from the command and the time of the answer; nil for none.
	exports  string
	exported func(id, user, command string, at int64) string
	// begun says how one is made, for who tries it by a command to one.
	begun string
}

// target is a kind as commands see it.
type target interface {
	name() string
	called() string
	verbs() []string
	checkBody(verb string, body []byte) error
	// is reports whether it is an id of the kind.
	is(id string) bool
	// missing is the answer about one that does not exist, and about one that the asker may
	// not see: the same in every byte but the request's id.
	missing() *subjects.Refusal
	// shown reports whether somebody may know of it. Where that cannot be told now, it is
	// no.
	shown(ctx context.Context, user, id string) bool
	// reached refuses who may not see what it belongs to.
	reached(ctx context.Context, user, id string) error
	// made is the id of what an accepted command makes elsewhere, empty for most.
	made(o order, at int64) string
}

func (k *kind[S]) name() string    { return k.service }
func (k *kind[S]) called() string  { return k.noun }
func (k *kind[S]) verbs() []string { return k.asked }
func (k *kind[S]) checkBody(verb string, body []byte) error {
	switch {
	case verb == "":
		return subjects.RefuseField("verb", "name what to do: %s", strings.Join(k.asked, ", "))
	case verb == subjects.VerbCreate && k.begun != "":
		// Under an id of the sender's choice the answer would tell whether it is taken.
		return subjects.RefuseField("verb", "%s", k.begun)
	case !slices.Contains(k.asked, verb) && k.decode(verb, nil) != nil && subjects.CodeOf(k.decode(verb, nil)) == subjects.CodeUnknownVerb:
		return k.decode(verb, nil)
	case !slices.Contains(k.asked, verb):
		return subjects.Refuse(subjects.CodeUnknownVerb, "a %s has no command %q for people", k.noun, clip(verb))
	}
	return k.decode(verb, body)
}

func (k *kind[S]) is(id string) bool {
	return slices.ContainsFunc(k.prefixes, func(prefix string) bool { return subjects.CheckID(prefix, id) == nil })
}

func (k *kind[S]) missing() *subjects.Refusal {
	return subjects.Refuse(subjects.CodeNotFound, "there is no such %s, or none that you may see", k.noun)
}

func (k *kind[S]) tooNew() *subjects.Refusal {
	return subjects.Refuse(subjects.CodeUpgrade, "the %s was changed by a newer release than this process; ask again, another may answer", k.noun)
}

// visible refuses what somebody may not see, or what cannot be shown.
func (k *kind[S]) visible(v View[S], user string) error {
	if !k.sees(v.State, user) {
		return k.missing()
	}
	if v.Unknown != nil {
		return k.tooNew()
	}
	return nil
}

func (k *kind[S]) shown(ctx context.Context, user, id string) (ok bool) {
	err := k.views.View(ctx, id, func(v View[S]) error {
		ok = k.sees(v.State, user)
		return nil
	})
	return ok && err == nil
}

func (k *kind[S]) reached(ctx context.Context, user, id string) error {
	if k.within == nil {
		return nil
	}
	err := k.within(ctx, id, user)
	if subjects.CodeOf(err) == subjects.CodeNotFound {
		return k.missing()
	}
	return err
}

func (k *kind[S]) made(o order, at int64) string {
	if k.exported == nil || o.verb != k.exports {
		return ""
	}
	return k.exported(o.id, o.who, o.command, at)
}

// look refuses somebody who may not see it as its log has it now.
func (k *kind[S]) look(ctx context.Context, id, user string) error {
	return k.views.View(ctx, id, func(v View[S]) error { return k.visible(v, user) })
}

// kinds are all that an edge shows.
type kinds struct {
	room     *kind[*subjects.RoomState]
	playlist *kind[*subjects.PlaylistState]
	chat     *kind[*subjects.ChatState]
}

func newKinds(d Deps) kinds {
	k := kinds{room: roomKind(d), playlist: playlistKind(d)}
	k.chat = chatKind(d, k.room, k.playlist)
	return k
}

func (k kinds) all() []target { return []target{k.room, k.playlist, k.chat} }

// of gives the kind and the id that a channel names; nil for any other channel.
func (k kinds) of(ch subjects.Channel) (target, string) {
	service, id, _ := ch.Aggregate()
	for _, t := range k.all() {
		if t.name() == service {
			return t, id
		}
	}
	return nil, ""
}

// making gives the room or the playlist that an accepted command makes, if it makes one.
func (k kinds) making(o order, at int64) (room, playlist string) {
	id := o.to.made(o, at)
	switch {
	case k.room.is(id):
		return id, ""
	case k.playlist.is(id):
		return "", id
	}
	return "", ""
}

// without gives the verbs that are left for people.
func without(verbs []string, taken ...string) []string {
	return slices.DeleteFunc(verbs, func(v string) bool { return slices.Contains(taken, v) })
}

// touched collects whose you the events of a commit may change: who did something, whom it
// was done to, and whom a sealed one is for. everybody tells which events concern all.
func touched(c *subjects.Commit, everybody func(*subjects.Event) bool) (users map[string]struct{}, all bool) {
	users = map[string]struct{}{}
	look := func(e *subjects.Event) {
		users[e.By] = struct{}{}
		if everybody(e) {
			all = true
			return
		}
		var body struct {
			User   string `json:"user"`
			Author string `json:"author"`
		}
		if json.Unmarshal(e.Body, &body) == nil {
			users[cmp.Or(body.User, body.Author, e.By)] = struct{}{}
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
	return users, all
}
