package subjects

import (
	"slices"
	"time"
)

// What a ChatFact says of a room or a playlist.
const (
	FactCreated    = "created"    // creator, open and table are set
	FactClosed     = "closed"     // for good
	FactVisibility = "visibility" // open is set
	FactMember     = "member"     // user is in the room with role
	FactGone       = "gone"       // user is not
	FactInvited    = "invited"    // user is invited
	FactUninvited  = "uninvited"  // user is not
	FactBanned     = "banned"     // user is banned
	FactUnbanned   = "unbanned"   // user is not
	FactGrants     = "grants"     // role may use verbs, and no others
)

// ChatFact tells a chat what happened in what it belongs to. Each says how things are, not
// how they changed, and where in the room's log that stands: of two about the same thing
// the one from further on counts, in whatever order they arrive.
type ChatFact struct {
	// Epoch and Rev name the commit of the room.
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	// Fact is one of FactCreated and the others.
	Fact string `json:"fact"`
	User string `json:"user,omitempty"`
	Role Role   `json:"role,omitempty"`
	// Verbs is the row of Role in the grant table.
	Verbs   []string `json:"verbs,omitempty"`
	Creator string   `json:"creator,omitempty"`
	Open    bool     `json:"open,omitempty"`
	Table   int      `json:"table,omitempty"`
}

// Verb is VerbFollow.
func (*ChatFact) Verb() string { return VerbFollow }

// Check wants what the fact speaks of.
func (f *ChatFact) Check() error {
	if f.Rev == 0 {
		return RefuseField("rev", "name the commit that tells")
	}
	switch f.Fact {
	case FactClosed, FactVisibility:
		return nil
	case FactCreated:
		if CheckID(PrefixUser, f.Creator) != nil {
			return RefuseField("creator", "not a user id")
		}
		return nil
	case FactGrants:
		if !f.Role.Valid() {
			return RefuseField("role", "not a role")
		}
		return nil
	case FactMember:
		if !f.Role.Valid() {
			return RefuseField("role", "not a role")
		}
	case FactGone, FactInvited, FactUninvited, FactBanned, FactUnbanned:
	default:
		return RefuseField("fact", "there is no fact %q", clip(f.Fact))
	}
	return checkUser(f.User)
}

// about names what the fact speaks of: of two facts about the same the later one counts.
func (f *ChatFact) about() string {
	switch f.Fact {
	case FactMember, FactGone:
		return "m" + f.User
	case FactInvited, FactUninvited:
		return "i" + f.User
	case FactBanned, FactUnbanned:
		return "b" + f.User
	case FactGrants:
		return "g" + string(f.Role)
	}
	return f.Fact
}

const (
	// factMemory is how long a chat remembers where a fact stood, to tell a later one about
	// the same from an earlier one that was held up. It exceeds by far how long the commits
	// of a process that died are held back.
	factMemory = 10 * time.Minute
	// factsMost bounds how many it remembers; the oldest is forgotten. A fact that is held up
	// while more than these arrive may undo a later one.
	factsMost = 16_384
)

// chatAccess is what a chat knows of its room. Members, invitations and bans are bounded
// as the room's are.
type chatAccess struct {
	Creator string            `json:"creator"`
	Open    bool              `json:"open"`
	Closed  bool              `json:"closed"`
	Table   int               `json:"table"`
	Grants  Grants            `json:"grants"`
	Members map[string]Role   `json:"members"`
	Invited map[string]bool   `json:"invited"`
	Banned  map[string]bool   `json:"banned"`
	Facts   []rememberedFact  `json:"facts"` // from the oldest to the newest; an older one of the same is void
	last    map[string]factAt // by what it is about
}

type rememberedFact struct {
	About string `json:"about"`
	factAt
}

type factAt struct {
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	At    int64  `json:"at"`
}

func newChatAccess() chatAccess {
	return chatAccess{
		Grants: Grants{}, Members: map[string]Role{}, Invited: map[string]bool{}, Banned: map[string]bool{},
		Facts: []rememberedFact{}, last: map[string]factAt{},
	}
}

// known reports whether something at least as new is known about the same. Of one commit
// the facts come in order, so the later ones count.
func (a *chatAccess) known(f *ChatFact) bool {
	was, ok := a.last[f.about()]
	return ok && (f.Epoch < was.Epoch || f.Epoch == was.Epoch && f.Rev < was.Rev)
}

// apply folds a fact.
func (a *chatAccess) apply(f *ChatFact, at int64) {
	if a.known(f) {
		return
	}
	a.remember(f, at)
	switch f.Fact {
	case FactCreated:
		a.Creator, a.Table = f.Creator, f.Table
		if _, since := a.last[FactVisibility]; !since {
			a.Open = f.Open
		}
		for role, row := range grantsOf(f.Table) {
			if _, changed := a.Grants[role]; !changed {
				a.Grants[role] = row
			}
		}
	case FactClosed:
		a.Closed = true
	case FactVisibility:
		a.Open = f.Open
	case FactMember:
		a.Members[f.User] = f.Role
	case FactGone:
		delete(a.Members, f.User)
	case FactInvited:
		a.Invited[f.User] = true
	case FactUninvited:
		delete(a.Invited, f.User)
	case FactBanned:
		a.Banned[f.User] = true
	case FactUnbanned:
		delete(a.Banned, f.User)
	case FactGrants:
		a.Grants[f.Role] = slices.Clone(f.Verbs)
	}
}

func (a *chatAccess) remember(f *ChatFact, at int64) {
	here := factAt{f.Epoch, f.Rev, at}
	a.last[f.about()] = here
	a.Facts = append(a.Facts, rememberedFact{f.about(), here})
	drop := 0
	for _, old := range a.Facts {
		if at-old.At < factMemory.Milliseconds() && len(a.Facts)-drop <= factsMost {
			break
		}
		if a.last[old.About] == old.factAt {
			delete(a.last, old.About)
		}
		drop++
	}
	a.Facts = a.Facts[drop:]
}

// allows reports whether a role may use VerbChat or VerbModerateChat. A room that is older
// than its chat has a table that does not speak of them: there the default table counts.
func (a *chatAccess) allows(role Role, verb string) bool {
	return a.Grants.Allows(role, verb) || a.Table == 0 && DefaultGrants().Allows(role, verb)
}

// roleOf gives somebody's role in the room; who is not in it is a guest. A playlist knows no
// roles: who made it is its creator, everybody else in it a member.
func (a *chatAccess) roleOf(user string) Role {
	role, inside := a.Members[user]
	switch {
	case !inside:
		return RoleGuest
	case user == a.Creator:
		return RoleCreator
	}
	return role
}

func (a *chatAccess) canSee(principal string) bool {
	switch {
	case a.Creator == "":
		return false
	case a.Open, principal == System, principal == a.Creator:
		return true
	case a.Banned[principal]:
		return false
	}
	_, inside := a.Members[principal]
	return inside || a.Invited[principal]
}

// restore makes what follows from Facts, after decoding.
func (a *chatAccess) restore() {
	fresh := newChatAccess()
	if a.Grants == nil {
		a.Grants = fresh.Grants
	}
	if a.Members == nil {
		a.Members = fresh.Members
	}
	if a.Invited == nil {
		a.Invited = fresh.Invited
	}
	if a.Banned == nil {
		a.Banned = fresh.Banned
	}
	if a.Facts == nil {
		a.Facts = fresh.Facts
	}
	a.last = fresh.last
	for _, f := range a.Facts {
		a.last[f.About] = f.factAt
	}
}
