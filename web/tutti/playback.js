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
 * The queue in the order in which it will be played: highest score, then suggested first,
 * as subjects.Room.Ordered gives it.
 *
 * @param {Record<string, QueueEntry>} queue
 * @returns {QueueEntry[]}
 */
export function ordered(queue) {
  return Object.values(queue).sort(
    (a, b) => b.score - a.score || a.seq - b.seq || (a.track.id < b.track.id ? -1 : a.track.id > b.track.id ? 1 : 0),
  );
}

/**
 * The queued track that would be played next; undefined if none has the score.
 *
 * @param {RoomState} state
 * @returns {QueueEntry | undefined}
 */
export function nextEligible(state) {
  const first = ordered(state.queue)[0];
  return first && first.score >= state.options.minimumScore ? first : undefined;
}
