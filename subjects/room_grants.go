package subjects

import (
	"maps"
	"slices"
)

// Role is what somebody is in a room. Who is not in it counts as a guest.
type Role string

// The roles.
const (
	RoleCreator   Role = "creator"   // made the room; may do everything and cannot be removed
	RoleModerator Role = "moderator" // keeps order
	RoleSpeaker   Role = "speaker"   // is heard
	RoleMember    Role = "member"    // what one is on joining
	RoleGuest     Role = "guest"     // sees the room and is not in it, or is in it and only watches
)

// Roles lists every role, highest first.
func Roles() []Role {
	return []Role{RoleCreator, RoleModerator, RoleSpeaker, RoleMember, RoleGuest}
}

// Valid reports whether r is a role.
func (r Role) Valid() bool { return r.Rank() > 0 }

// Rank orders roles: who acts on a person (kick, ban, a new role) needs the higher one.
// 0 for what is no role.
func (r Role) Rank() int {
	switch r {
	case RoleCreator:
		return 4
	case RoleModerator:
		return 3
	case RoleSpeaker, RoleMember:
		return 2
	case RoleGuest:
		return 1
	default:
		return 0
	}
}

// Grants is the one table that says which role may use which verbs. leave, position,
// create and wake are not in it: whoever is in a room may leave it and say where they
// are. Everybody takes their own changes of the queue back; undo lets a role take others'
// back. closePoll is not in it: it goes with poll, and to who asked.
type Grants map[Role][]string

// Allows reports whether the table lets a role use a verb.
func (g Grants) Allows(role Role, verb string) bool { return slices.Contains(g[role], verb) }

// Verbs of the table that commands to the room's chat are judged by; the room itself has no
// such commands.
const (
	// VerbChat lets a role send messages, edit its own and react.
	VerbChat = "chat"
	// VerbModerateChat lets it delete others' messages, mute and set the slow mode.
	VerbModerateChat = "moderateChat"
)

// GrantTable is the edition of the grant table that rooms are created with. Edition 0 was
// before chat: it has neither VerbChat nor VerbModerateChat. Edition 1 was before undo,
// shuffle, queue options, polls, ready-checks and exports of the history.
const GrantTable = 2

// grantable are the verbs of the table, in the order in which a row lists them.
var grantable = []string{
	VerbJoin, VerbSuggest, VerbVote, VerbSkip,
	VerbPlay, VerbPause, VerbSeek, VerbNext,
	VerbInvite, VerbRemove, VerbKick, VerbBan, VerbUnban,
	VerbGrantControl, VerbRevokeControl, VerbSetRole, VerbSetGrants, VerbClose,
	VerbChat, VerbModerateChat,
	VerbUndo, VerbShuffle, VerbSetQueue, VerbPoll, VerbAnswer, VerbReadyCheck, VerbReady, VerbExportHistory,
}

// Grantable lists the verbs that the grant table speaks of.
func Grantable() []string { return slices.Clone(grantable) }

// CreatorOnly reports whether a verb stays with the creator whatever the table of a room
// is changed to: who hands out power is never handed out.
func CreatorOnly(verb string) bool {
	switch verb {
	case VerbGrantControl, VerbRevokeControl, VerbSetRole, VerbSetGrants:
		return true
	}
	return false
}

// IsControl reports whether the control permission lets a member use the verb.
func IsControl(verb string) bool {
	switch verb {
	case VerbPlay, VerbPause, VerbSeek, VerbNext:
		return true
	}
	return false
}

// DefaultGrants is the table that a vote room starts with.
func DefaultGrants() Grants {
	return Grants{
		RoleCreator: slices.Clone(grantable),
		RoleModerator: {
			VerbSuggest, VerbVote, VerbSkip, VerbRemove, VerbKick, VerbBan, VerbUnban, VerbChat, VerbModerateChat,
			VerbUndo, VerbShuffle, VerbSetQueue, VerbPoll, VerbAnswer, VerbReadyCheck, VerbReady, VerbExportHistory,
		},
		RoleSpeaker: {VerbSuggest, VerbVote, VerbSkip, VerbChat, VerbAnswer, VerbReady, VerbExportHistory},
		RoleMember:  {VerbSuggest, VerbVote, VerbSkip, VerbChat, VerbAnswer, VerbReady, VerbExportHistory},
		RoleGuest:   {VerbJoin},
	}
}

// grantsOf gives the table that a room of an edition starts with. What an old log folds to
// must not change: its patches are what clients have applied.
func grantsOf(edition int) Grants {
	table := DefaultGrants()
	for role, row := range table {
		table[role] = slices.DeleteFunc(row, func(verb string) bool { return editionOf(verb) > edition })
	}
	return table
}

// editionOf gives the first edition of the table that has a verb.
func editionOf(verb string) int {
	switch verb {
	case VerbUndo, VerbShuffle, VerbSetQueue, VerbPoll, VerbAnswer, VerbReadyCheck, VerbReady, VerbExportHistory:
		return 2
	case VerbChat, VerbModerateChat:
		return 1
	}
	return 0
}

// clone copies the table; rows are never changed in place, so they are shared.
func (g Grants) clone() Grants { return maps.Clone(g) }
