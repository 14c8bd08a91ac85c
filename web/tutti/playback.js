/** @typedef {import("./types.js").Playback} Playback */
/** @typedef {import("./types.js").QueueEntry} QueueEntry */
/** @typedef {import("./types.js").RoomState} RoomState */

/**
 * The position in a track at a server time, in whole milliseconds within 0 and the track's
 * duration, as subjects.Playback.PositionAt gives it.
 *
 * @param {Playback} playback
 * @param {number} serverMs
 * @param {number} durationMs
 * @returns {number}
 */
export function positionAt(playback, serverMs, durationMs) {
  let position = playback.positionMs;
  if (playback.playing && serverMs > playback.anchorAt) {
    position += Math.trunc((serverMs - playback.anchorAt) * playback.rate);
  }
  return Math.max(0, Math.min(position, durationMs));
}

/**
 * The queue in the order in which it will be played, as subjects.Room.Ordered gives it: highest
 * score first, then lowest seq; or fair, in rounds in which every suggester's best track of those
 * left comes in turn.
 *
 * @param {Record<string, QueueEntry>} queue
 * @param {string} [order] "votes" or "fair"
 * @param {Record<string, number>} [turns] of a fair queue, when each suggester last had a turn:
 *   who had one longest ago comes first
 * @returns {QueueEntry[]}
 */
export function ordered(queue, order = "votes", turns = {}) {
  const byVotes = Object.values(queue).sort(
    (a, b) => b.score - a.score || a.seq - b.seq || (a.track.id < b.track.id ? -1 : a.track.id > b.track.id ? 1 : 0),
  );
  if (order !== "fair") return byVotes;
  /** @type {Map<string, QueueEntry[]>} by suggester, in the order of their best tracks */
  const lists = new Map();
  for (const entry of byVotes) {
    const list = lists.get(entry.suggestedBy);
    if (list) list.push(entry);
    else lists.set(entry.suggestedBy, [entry]);
  }
  const turn = (/** @type {string} */ user) => (Object.hasOwn(turns, user) ? turns[user] ?? 0 : 0);
  const inTurn = [...lists].sort(([a], [b]) => turn(a) - turn(b)).map(([, list]) => list);
  /** @type {QueueEntry[]} */
  const out = [];
  for (let round = 0; out.length < byVotes.length; round++) {
    for (const list of inTurn) if (list[round]) out.push(/** @type {QueueEntry} */ (list[round]));
  }
  return out;
}

/**
 * The room's queue in the order in which it will be played.
 *
 * @param {RoomState} state
 * @returns {QueueEntry[]}
 */
export function queueOf(state) {
  return ordered(state.queue, state.queueOptions?.order, state.turns);
}

/**
 * The queued track that would be played next: the first whose score suffices; undefined if none
 * has it.
 *
 * @param {RoomState} state
 * @returns {QueueEntry | undefined}
 */
export function nextEligible(state) {
  return queueOf(state).find((entry) => entry.score >= state.options.minimumScore);
}
