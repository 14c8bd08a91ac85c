/**
 * The shapes that travel, as the contract (Go package subjects) spells them. This file
 * holds no code: it is read by the type checker and by people.
 *
 * Times are Unix milliseconds of the server's clock, durations and positions are
 * milliseconds.
 *
 * @typedef {{id: string, provider: string, title: string, artist: string,
 *   durationMs: number, url: string, artworkUrl: string}} Track
 *
 * @typedef {{track: Track, score: number, suggestedBy: string, suggestedAt: number,
 *   seq: number}} QueueEntry
 *
 * @typedef {{playing: boolean, trackId: string, positionMs: number, anchorAt: number,
 *   rate: number, ended: boolean}} Playback
 *
 * @typedef {{role: string, joinedAt: number, control: boolean}} Member
 *
 * @typedef {{minimumScore: number, open: boolean, onlyInvitedVote: boolean, mode: string,
 *   skipShare: number}} RoomOptions
 *
 * @typedef {{place?: {lat: number, lng: number, radiusM: number}, start?: number,
 *   end?: number, window: string}} RoomConstraints
 *
 * @typedef {object} RoomState the public document of a room
 * @property {string} id
 * @property {string} kind
 * @property {string} name
 * @property {string} creator
 * @property {number} createdAt
 * @property {string} phase "open" or "closed"
 * @property {string} [closedReason]
 * @property {RoomOptions} options
 * @property {RoomConstraints} [constraints]
 * @property {Playback} playback
 * @property {Track} [current]
 * @property {Record<string, QueueEntry>} queue
 * @property {string} roster "inline" or "paged"
 * @property {Record<string, Member>} members
 * @property {number} memberCount
 * @property {Record<string, string[]>} grants
 * @property {{votes: number, needed: number}} skip
 * @property {QueueOptions} [queueOptions] absent until somebody sets them
 * @property {Record<string, number>} [turns] in a fair queue, when each suggester last had a turn
 * @property {Record<string, RoomPlay>} [played] the last plays, by their number
 * @property {Poll} [poll] the open one, or the last one's result
 * @property {ReadyCheck} [readyCheck] the one under way, or the last one's outcome
 *
 * @typedef {{order: string, loop: boolean, perUser: number, perTrack: number}} QueueOptions order
 *   is "votes" or "fair"; a limit of 0 is none
 *
 * @typedef {{n: number, track: Track, by: string, at: number, endedAt: number}} RoomPlay
 *
 * @typedef {{id: number, question: string, options: string[], counts: number[], by: string,
 *   at: number, endsAt: number, closedAt: number}} Poll endsAt is 0 if it does not close by itself,
 *   closedAt while it is open
 *
 * @typedef {{id: number, by: string, at: number, endsAt: number, endedAt: number, ready: number,
 *   of: number, users: string[]}} ReadyCheck endedAt is 0 while it is under way; users are the
 *   ready ones, none in a room whose roster is paged
 *
 * @typedef {object} You what a room says about who looks at it
 * @property {boolean} member
 * @property {string} role
 * @property {boolean} control
 * @property {boolean} invited
 * @property {boolean} banned
 * @property {string[]} may the verbs that may be used
 * @property {string[]} voted the queued tracks voted for
 * @property {boolean} votedToSkip
 * @property {string} fit "none", "unknown", "inside" or "outside"
 * @property {string} cannotVote the code a vote would be refused with now, or ""
 * @property {{change: number, verb: string, by: string, at: number}} [undo] the last change of the
 *   queue that this user can take back
 * @property {{poll: number, option: number}} [answer] to the document's poll
 * @property {boolean} [ready] by the document's ready-check
 *
 * @typedef {{id: string, kind: string, name: string, nameKey: string, creator: string,
 *   createdAt: number, phase: string, private: boolean, memberCount: number,
 *   queueLength: number, title: string, artist: string, playing: boolean}} RoomSummary
 *
 * @typedef {{user: string, room: string, name: string, nameKey: string}} RoomInvite
 *
 * @typedef {{id: string, nickname: string, bio: string, avatarUrl: string, createdAt: number,
 *   relations: string, heard: string, rev: number}} Profile relations and heard say who sees
 *   them: "public", "followers" or "private"
 *
 * @typedef {Profile & {followers?: number, following?: number, you?: {follows: boolean,
 *   followsYou: boolean}}} Person the counts are absent where the viewer may not see them, you for
 *   a guest and for oneself
 *
 * @typedef {{track: Track, at: number, endedAt: number, by?: string}} Play
 * @typedef {{plays: Play[], next?: string}} PlaysPage
 * @typedef {{plays: {track: Track, room: string, roomName?: string, at: number}[], next?: string}} HeardPage
 *
 * @typedef {{track: Track, order: number, addedBy: string, addedAt: number}} PlaylistTrack
 *
 * @typedef {object} PlaylistState the public document of a playlist
 * @property {string} id
 * @property {string} name
 * @property {string} creator
 * @property {number} createdAt
 * @property {string} phase "open" or "deleted"
 * @property {string} visibility "public", "followers" or "private"
 * @property {{onlyInvitedEdit: boolean}} options
 * @property {Record<string, PlaylistTrack>} tracks
 * @property {number} trackCount
 * @property {number} totalMs
 * @property {Record<string, {joinedAt: number}>} members
 * @property {number} memberCount
 *
 * @typedef {{creator: boolean, member: boolean, invited: boolean, may: string[],
 *   cannotEdit: string, invitedUsers: string[]}} PlaylistYou cannotEdit is the code an edit would be
 *   refused with, or ""; invitedUsers are the invited, sorted, for the creator and nobody else
 *
 * @typedef {{id: string, name: string, nameKey: string, creator: string, createdAt: number,
 *   visibility: string, onlyInvitedEdit: boolean, trackCount: number, totalMs: number,
 *   memberCount: number}} PlaylistSummary
 *
 * @typedef {{user: string, playlist: string, name: string, nameKey: string, creator: string,
 *   visibility: string, hidden: boolean, inside: boolean, invited: boolean}} PlaylistPerson
 *
 * @typedef {{author: string, text: string, at: number, edited: boolean, deleted: boolean,
 *   reactions: Record<string, number>}} ChatMessage
 * @typedef {ChatMessage & {id: string}} ChatEntry
 * @typedef {{messages: ChatEntry[], earlier: boolean, later: boolean, total: number}} ChatHistoryPage
 *
 * @typedef {{id: string, phase: string, slowMode: number, total: number,
 *   messages: Record<string, ChatMessage>}} ChatState the public document of a chat
 *
 * @typedef {object} ChatYou what a chat says about who looks at it
 * @property {boolean} member
 * @property {string} role
 * @property {boolean} banned
 * @property {boolean} muted
 * @property {boolean} maySend
 * @property {boolean} mayModerate
 * @property {number} sendAgainAt when the slow mode lets them send again, 0 for now
 * @property {Record<string, string[]>} reacted their reactions by message of the last page
 * @property {Record<string, ChatMessage>} messages what only they see, or see otherwise
 * @property {string[]} mutedUsers
 * @property {string[]} shadowedUsers
 *
 * @typedef {{id: string, email: string, nickname: string, created_at: number}} Account
 *
 * @typedef {{access_token: string, refresh_token: string, token_type: string,
 *   expires_in: number, refresh_expires_in: number, user: Account}} Grant
 *
 * @typedef {{code: string, message: string, field?: string}} RefusalBody
 *
 * @typedef {{type: string, by: string, at: number, cmd: string, body: any}} LogEvent
 * @typedef {LogEvent} RoomEvent
 *
 * @typedef {object} ServerFrame a frame from the server; which fields count follows from type
 * @property {string} type
 * @property {string} [id]
 * @property {string} [channel]
 * @property {number} [epoch]
 * @property {number} [prev]
 * @property {number} [rev]
 * @property {number} [at]
 * @property {{events: LogEvent[], patch: any}} [public]
 * @property {LogEvent[]} [events]
 * @property {string} [reason]
 * @property {any} [state]
 * @property {string} [hash]
 * @property {any} [you]
 * @property {Record<string, any>} [docs]
 * @property {string} [docId]
 * @property {any} [doc]
 * @property {string} [room]
 * @property {string} [playlist]
 * @property {string} [kind]
 * @property {RefusalBody} [refusal]
 * @property {boolean} [retry]
 * @property {number} [retryMs]
 * @property {any} [result]
 * @property {number} [sent]
 * @property {number} [serverTime]
 * @property {string} [connection]
 * @property {string} [user]
 * @property {number} [expiresAt]
 * @property {number} [silenceMs]
 */

export {};
