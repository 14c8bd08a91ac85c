import { Emitter } from "../tutti/emitter.js";

/**
 * silent: this tab does not want to sound. asking: it is not known yet. ours: this tab sounds.
 * elsewhere: another tab of this browser does, for the same user.
 * @typedef {"silent" | "asking" | "ours" | "elsewhere"} VoiceState
 */

/**
 * Which of a user's tabs in this browser sounds: whoever holds a lock of the origin. The
 * others wait in line, and the next sounds when that one is closed or goes to the lobby.
 * Where a page has no locks (plain http from another machine) every tab sounds.
 *
 * @extends {Emitter<{state: VoiceState}>}
 */
export class Voice extends Emitter {
  /** @type {VoiceState} */
  #state = "silent";
  #locks;
  #name = "";
  /** @type {AbortController | null} of what waits in line */
  #line = null;
  /** @type {(() => void) | null} gives the lock back */
  #release = null;

  /** @param {LockManager | undefined} [locks] */
  constructor(locks = globalThis.navigator?.locks) {
    super();
    this.#locks = locks;
  }

  /** @returns {VoiceState} */
  get state() {
    return this.#state;
  }

  /**
   * Says whether this tab is to sound, and for whom.
   *
   * @param {string | null} user null: it is not; "" is a guest
   */
  want(user) {
    const name = user === null ? "" : `tutti.voice.${user || "guest"}`;
    if (name === this.#name) return;
    this.#leave();
    this.#name = name;
    if (!name) return this.#become("silent");
    if (!this.#locks) return this.#become("ours");
    this.#become("asking");
    this.#ask({ ifAvailable: true });
  }

  /** Sounds here from now on, and no longer in the other tab. */
  take() {
    if (this.#state !== "elsewhere") return;
    const name = this.#name;
    this.#leave();
    this.#name = name;
    this.#ask({ steal: true });
  }

  #leave() {
    this.#line?.abort();
    this.#line = null;
    this.#release?.();
    this.#release = null;
    this.#name = "";
  }

  /** @param {{ifAvailable?: boolean, steal?: boolean}} how */
  async #ask(how) {
    const line = new AbortController();
    this.#line = line;
    const waits = !how.ifAvailable && !how.steal;
    let held = false;
    try {
      await this.#locks?.request(this.#name, waits ? { signal: line.signal } : how, async (lock) => {
        if (line !== this.#line || !lock) return;
        held = true;
        this.#become("ours");
        await new Promise((resolve) => { this.#release = () => resolve(null); });
      });
    } catch (err) {
      // An AbortError: given up in line, or stolen by the tab that somebody wants to hear.
      if (line === this.#line && /** @type {Error} */ (err).name !== "AbortError") return this.#become("ours"); // no locks here after all
    }
    if (line !== this.#line) return;
    if (held) this.#release = null;
    this.#become("elsewhere");
    this.#ask({});
  }

  /** @param {VoiceState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
