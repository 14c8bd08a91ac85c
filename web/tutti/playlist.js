import { Aggregate } from "./aggregate.js";

/** @typedef {import("./types.js").PlaylistState} PlaylistState */
/** @typedef {import("./types.js").PlaylistTrack} PlaylistTrack */
/** @typedef {import("./types.js").PlaylistYou} PlaylistYou */

/**
 * The tracks in their order: by order key, then by id, as subjects.Playlist.Ordered gives it.
 *
 * @param {Record<string, PlaylistTrack>} tracks
 * @returns {PlaylistTrack[]}
 */
export function inOrder(tracks) {
  return Object.values(tracks).sort((a, b) => a.order - b.order || (a.track.id < b.track.id ? -1 : a.track.id > b.track.id ? 1 : 0));
}

/**
 * A playlist as it is followed.
 *
 * @extends {Aggregate<PlaylistState, PlaylistYou>}
 */
export class Playlist extends Aggregate {
  /**
   * @param {string} id
   * @param {(frame: object) => boolean} send
   * @param {import("./aggregate.js").Submit} submit
   */
  constructor(id, send, submit) {
    super("playlist", id, send, submit);
  }

  /**
   * @param {string} verb
   * @returns {boolean} whether the playlist lets this user use the verb now
   */
  may(verb) {
    return this.you?.may.includes(verb) ?? false;
  }

  /** @returns {PlaylistTrack[]} in their order */
  tracks() {
    return this.state ? inOrder(this.state.tracks) : [];
  }

  /**
   * Gives a track another place. It is refused with conflict if the track does not stand at
   * from any more, when its turn comes.
   *
   * @param {string} track
   * @param {number} from the index where it was seen, from 0
   * @param {number} to the index where it shall stand
   */
  move(track, from, to) {
    return this.command("move", { track, from, to });
  }

  /**
   * Asks anew for a playlist that is gone; it stays gone until it is shown again. A further
   * refusal tells its status once more.
   */
  again() {
    if (this.status !== "gone" || this.asking) return;
    this.forget();
    this.ask();
  }

  /**
   * @override
   * @param {import("./types.js").ServerFrame} frame
   */
  receive(frame) {
    const before = this.reason;
    super.receive(frame);
    if (before && this.status === "gone" && this.reason !== before) this.emit("status", "gone");
  }

  /**
   * Opens a room with the playlist's tracks.
   *
   * @param {object} [options] those of a new room, see subjects.ExportPlaylist
   * @returns {Promise<string>} the room's id; the room is there a moment later
   */
  async export(options = {}) {
    return (await this.command("export", options)).room;
  }
}
