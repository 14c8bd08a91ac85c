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
 *
 * @typedef {{id: string, kind: string, name: string, nameKey: string, creator: string,
 *   createdAt: number, phase: string, private: boolean, memberCount: number,
 *   queueLength: number, title: string, artist: string, playing: boolean}} RoomSummary
 *
 * @typedef {{user: string, room: string, name: string, nameKey: string}} RoomInvite
 *
 * @typedef {{id: string, nickname: string, bio: string, avatarUrl: string,
 *   createdAt: number, rev: number}} Profile
 *
 * @typedef {{id: string, email: string, nickname: string, created_at: number}} Account
 *
 * @typedef {{access_token: string, refresh_token: string, token_type: string,
 *   expires_in: number, refresh_expires_in: number, user: Account}} Grant
 *
 * @typedef {{code: string, message: string, field?: string}} RefusalBody
 *
 * @typedef {{type: string, by: string, at: number, cmd: string, body: any}} RoomEvent
 *
 * @typedef {object} ServerFrame a frame from the server; which fields count follows from type
 * @property {string} type
 * @property {string} [id]
 * @property {string} [channel]
 * @property {number} [epoch]
 * @property {number} [prev]
 * @property {number} [rev]
 * @property {number} [at]
 * @property {{events: RoomEvent[], patch: any}} [public]
 * @property {RoomEvent[]} [events]
 * @property {string} [reason]
 * @property {any} [state]
 * @property {string} [hash]
 * @property {You} [you]
 * @property {Record<string, any>} [docs]
 * @property {string} [docId]
 * @property {any} [doc]
 * @property {string} [room]
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
