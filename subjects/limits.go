package subjects

import "time"

// Limits of the contract. A value past one is refused with CodeInvalid or
// CodeTooLarge; nothing is cut off in silence.
const (
	// MaxCommandBytes bounds one command as published, envelope and body.
	MaxCommandBytes = 64 << 10
	// MaxIDBytes bounds an id or any other token of a subject.
	MaxIDBytes = 64
	// MaxVerbBytes bounds the verb of a command.
	MaxVerbBytes = 32
	// MaxTrackID bounds a track id, which is a key in documents.
	MaxTrackID = 128
	// MaxTrackRef bounds what a user may type to name a track (an id or an address).
	MaxTrackRef = 2048
	// MaxTracksPerCommand bounds how many tracks one command may name.
	MaxTracksPerCommand = 100
	// MaxRoomName bounds a room's name, in characters.
	MaxRoomName = 100
	// MaxQueue bounds the tracks waiting in a room.
	MaxQueue = 500
	// MaxMembers bounds who may be in one room at once.
	MaxMembers = 10_000
	// MaxInvitations bounds the open invitations of a room.
	MaxInvitations = 10_000
	// MaxBans bounds the bans of a room.
	MaxBans = 10_000
	// MaxPlaylistName bounds a playlist's name, in characters.
	MaxPlaylistName = 100
	// MaxPlaylistTracks bounds the tracks of a playlist: as many as a room can queue, so
	// that every playlist can be exported whole.
	MaxPlaylistTracks = MaxQueue
	// MaxPlaylistMembers bounds who may be in one playlist at once; its document lists
	// all of them. Who only looks need not be in it.
	MaxPlaylistMembers = 256
	// MaxPlaylistInvitations bounds the open invitations of a playlist.
	MaxPlaylistInvitations = 1000
	// MaxTrackMs bounds a track's duration: a day.
	MaxTrackMs = 24 * 60 * 60 * 1000
	// MaxRadiusM bounds the radius of a place, in metres: half way round the globe.
	MaxRadiusM = 20_000_000
	// RosterInline is the largest number of members that a room's document lists by
	// name. Above it the document holds a count and the roster is read by page.
	RosterInline = 64
	// MaxUsersFollowed bounds the users whose profiles one connection follows.
	MaxUsersFollowed = 500
	// MaxChatText bounds a chat message, in characters after trimming.
	MaxChatText = 1000
	// ChatPage is how many messages a chat's document holds: the last ones.
	ChatPage = 50
	// MaxChatHistory bounds a page of a chat's history.
	MaxChatHistory = 100
	// MaxChatMessages bounds the messages of one chat.
	MaxChatMessages = 1<<31 - 1
	// MaxChatReactions bounds the reactions to one message, of all kinds together.
	MaxChatReactions = 1000
	// MaxMutes bounds the muted of a chat, and the shadow-muted.
	MaxMutes = 1000
	// MaxSealedMessages bounds how many messages of the shadow-muted a chat remembers for
	// their senders, over all of them; the oldest is forgotten.
	MaxSealedMessages = 200
	// MaxSlowMode is the longest time between two messages of one sender, in seconds.
	MaxSlowMode = 6 * 60 * 60
	// MaxNickname bounds a nickname, in characters.
	MaxNickname = 32
	// MinPassword and MaxPassword bound a password in bytes; bcrypt reads no more
	// than 72.
	MinPassword = 8
	MaxPassword = 72
	// MaxFrameBytes bounds one message that a client sends over a socket: the largest
	// command and what names it.
	MaxFrameBytes = MaxCommandBytes + 1024
	// MaxChannels bounds the channels that one connection follows at once.
	MaxChannels = 64
	// MaxLobby bounds the documents of the lobby's live query.
	MaxLobby = 100
)

const (
	// CommandHorizon is how long a command's id is remembered. A command whose id is
	// older is refused with CodeExpired, because whether it was applied before can no
	// longer be told.
	CommandHorizon = 10 * time.Minute
	// CommandSkew is how far in the future the time in a command's id may lie.
	CommandSkew = time.Minute
	// CommandMemory is the largest number of command ids one aggregate remembers. A
	// busier aggregate forgets the oldest first and refuses ids up to there with
	// CodeExpired.
	CommandMemory = 32_768
	// PositionTTL is how long a reported position counts.
	PositionTTL = 24 * time.Hour
	// PositionRefresh is how old a recorded position must be before the same answer is
	// recorded again, so that a device that reports every second fills no log.
	PositionRefresh = time.Minute
	// MaxScheduleAhead is how far in the future a room's constraints may reach.
	MaxScheduleAhead = 366 * 24 * time.Hour
	// PlaybackLead is how far in the future play, pause, seek and next take effect,
	// so that every device hears of them before they do.
	PlaybackLead = 250 * time.Millisecond
)
