import { Emitter } from "../tutti/emitter.js";
import { Lag, Steady, correct, follow } from "./sync.js";

/** @typedef {import("../tutti/types.js").RoomState} RoomState */
/** @typedef {import("../tutti/types.js").Track} Track */
/**
 * silent: nothing to play, or paused. ready: will start at the anchor. playing. blocked: the
 * browser wants a touch first. broken: the track does not play here.
 * @typedef {"silent" | "ready" | "playing" | "blocked" | "broken"} PlayerState
 */

/**
 * Plays what the room plays, where the room is: one audio element that is started at the
 * anchor, kept in step by bending its speed, and jumps when it is far off.
 *
 * @extends {Emitter<{state: PlayerState}>}
 */
export class Player extends Emitter {
  #audio;
  #clock;
  /** @type {RoomState | null} */
  #room = null;
  #sounds = false;
  /** @type {PlayerState} */
  #state = "silent";
  #anchor = 0;
  #url = "";
  #broken = "";
  #blocked = false;
  #starting = false;
  #bending = false;
  #calmUntil = 0;
  #judge = false;
  #drift = NaN;
  #jumps = 0;
  /* A jump, going on, and the start of another track take their own times. */
  #seekLag = new Lag();
  #resumeLag = new Lag();
  #freshLag = new Lag();
  #startLag = this.#freshLag;
  #lag = this.#startLag;
  /** Loads what plays next, so that it is there when its time comes. */
  #ahead = new Audio();
  #steady = new Steady();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #start;

  /**
   * @param {HTMLAudioElement} audio
   * @param {import("../tutti/clock.js").Clock} clock
   */
  constructor(audio, clock) {
    super();
    this.#audio = audio;
    this.#clock = clock;
    audio.preservesPitch = true;
    audio.addEventListener("error", () => {
      if (!this.#url || !audio.error) return;
      this.#broken = this.#url;
      this.look();
    });
    this.#ahead.preload = "auto";
    this.#ahead.muted = true;
    this.#tick();
  }

  /** @returns {PlayerState} */
  get state() {
    return this.#state;
  }

  /** @returns {number} where the sound is, in milliseconds of the track */
  position() {
    return this.#audio.currentTime * 1000;
  }

  /** @returns {number} where it should be now, with fractions; NaN without a track */
  target() {
    const { current, playback } = this.#room ?? {};
    if (!current || !playback) return NaN;
    const elapsed = playback.playing ? Math.max(0, this.#clock.now() - playback.anchorAt) : 0;
    return Math.max(0, Math.min(playback.positionMs + elapsed * playback.rate, current.durationMs));
  }

  /** @returns {number} the drift as it was measured last, in milliseconds; NaN while silent */
  get drift() {
    return this.#drift;
  }

  /** How often the sound was moved at once since the page was opened. */
  get jumps() {
    return this.#jumps;
  }

  /** @param {number} volume 0 to 1 */
  set volume(volume) {
    this.#audio.volume = volume;
    this.#audio.muted = volume === 0;
  }

  /**
   * Follows a room's document; null for none.
   *
   * @param {RoomState | null} room
   * @param {boolean} sounds whether this device is to sound
   */
  play(room, sounds) {
    this.#room = room;
    this.#sounds = sounds;
    const anchor = room?.playback.anchorAt ?? 0;
    if (anchor !== this.#anchor) this.#steady.reset(); // earlier readings were of another course
    this.#anchor = anchor;
    this.look();
  }

  /** What a touch is for, where the browser wants one before it plays. */
  unlock() {
    this.#blocked = false;
    this.look();
  }

  /**
   * Names the track that will probably be next.
   *
   * @param {Track | undefined} track
   */
  expect(track) {
    const url = this.#sounds && track && track.provider !== "yt" ? new URL(track.url, location.href).href : "";
    if (url === this.#ahead.src) return;
    if (url) this.#ahead.src = url;
    else this.#ahead.removeAttribute("src");
    this.#ahead.load();
  }

  #tick() {
    this.look();
    setTimeout(() => this.#tick(), this.#state === "playing" && (this.#judge || !this.#steady.ready) ? follow.soon : follow.every);
  }

  /** Looks where the sound is, and does what is needed. */
  look() {
    const { current, playback } = this.#room ?? {};
    clearTimeout(this.#start);
    if (!current || !playback || !this.#sounds || current.provider === "yt") {
      this.#silence();
      this.#load("");
      this.#become(current && this.#sounds ? "broken" : "silent");
      return;
    }
    this.#load(new URL(current.url, location.href).href);
    if (this.#broken === this.#url) {
      this.#silence();
      this.#become("broken");
      return;
    }
    if (!playback.playing || playback.positionMs >= current.durationMs) {
      this.#silence();
      this.#place(playback.positionMs);
      this.#become("silent");
      return;
    }
    if (this.#blocked) {
      this.#become("blocked");
      return;
    }
    const wait = playback.anchorAt - this.#clock.now() - this.#startLag.ms;
    if (wait > 0 && wait < 5_000) {
      this.#silence();
      this.#place(playback.positionMs);
      this.#become("ready");
      this.#start = setTimeout(() => this.#run(playback.positionMs, true), wait);
      return;
    }
    if (this.#audio.paused) this.#run(this.target(), false);
    else this.#keepUp(playback.rate);
  }

  /**
   * Starts the sound.
   *
   * @param {number} from milliseconds
   * @param {boolean} placed whether the sound stands there already
   */
  async #run(from, placed) {
    if (this.#starting || this.target() >= (this.#room?.current?.durationMs ?? 0)) return;
    // A file may be shorter than its track is said to be; started at its end it would begin anew.
    if (from >= this.#audio.duration * 1000 - follow.every) return;
    this.#starting = true;
    this.#lag = this.#startLag;
    if (!placed) this.#audio.currentTime = (from + this.#startLag.ms) / 1000;
    this.#rate(this.#room?.playback.rate ?? 1);
    try {
      await this.#audio.play();
      this.#settleAfterMove();
      this.#startLag = this.#resumeLag;
      this.#become("playing");
    } catch (err) {
      if (/** @type {Error} */ (err).name === "NotAllowedError") {
        this.#blocked = true;
        this.#become("blocked");
      } // else a pause or another track came first, or the error event tells
    } finally {
      this.#starting = false;
    }
  }

  /** @param {number} speed the room's */
  #keepUp(speed) {
    const audio = this.#audio;
    if (this.#starting || audio.seeking || audio.readyState < 3 || audio.ended) return;
    this.#become("playing");
    const reading = this.position() - this.target();
    const middle = this.#steady.add(reading);
    this.#drift = this.#steady.ready ? middle : reading;
    if (performance.now() < this.#calmUntil || !this.#steady.ready) return;
    if (this.#judge) {
      this.#judge = false;
      this.#lag.learn(middle);
    }
    const what = correct(middle, this.#bending);
    this.#bending = what.do === "bend";
    if (what.do === "jump") {
      this.#lag = this.#seekLag;
      audio.currentTime = (this.target() + this.#seekLag.ms) / 1000;
      this.#jumps++;
      this.#rate(speed);
      this.#settleAfterMove();
    } else {
      this.#rate(speed * (what.do === "bend" ? what.rate : 1));
    }
  }

  #settleAfterMove() {
    this.#calmUntil = performance.now() + follow.calm;
    this.#judge = true;
    this.#bending = false;
    this.#steady.reset();
  }

  #silence() {
    if (!this.#audio.paused) this.#audio.pause();
    this.#drift = NaN;
    this.#bending = false;
    this.#steady.reset();
  }

  /** @param {number} position milliseconds at which a silent sound is to stand */
  #place(position) {
    if (Math.abs(this.position() - position) > 5 && this.#audio.readyState > 0 && !this.#audio.seeking) this.#audio.currentTime = position / 1000;
  }

  /** @param {number} rate */
  #rate(rate) {
    if (this.#audio.playbackRate !== rate) this.#audio.playbackRate = rate;
  }

  /** @param {string} url "" for none */
  #load(url) {
    if (url === this.#url) return;
    this.#url = url;
    this.#broken = "";
    this.#startLag = this.#freshLag;
    this.#silence();
    if (url) this.#audio.src = url;
    else this.#audio.removeAttribute("src");
    this.#audio.load();
  }

  /** @param {PlayerState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
