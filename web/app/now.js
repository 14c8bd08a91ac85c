import { bars, h, icon, set, text } from "./dom.js";
import { count, duration } from "./format.js";
import { nextEligible } from "../tutti/playback.js";

const VOLUME_KEY = "tutti.volume";

/**
 * What plays: the picture, where it is, and what may be done about it.
 *
 * @param {import("./room.js").Stage} stage
 */
export function nowPlaying({ app, room, act, draw: drawAll }) {
  const { player, client, voice } = app;
  let listensIn = false;

  const glow = h("img", { class: "now-glow", alt: "", hidden: true });
  const picture = h("img", { class: "now-art", alt: "", "data-test": "artwork" });
  const blank = h("div", { class: "now-art blank", "aria-hidden": "true" }, icon("list"));
  const title = h("h2", { class: "now-title", "data-test": "now-title" });
  const artist = h("p", { class: "now-artist", "data-test": "now-artist" });
  const moving = bars(false);
  const word = h("span", { "data-test": "now-label" });
  const label = h("p", { class: "now-label" }, moving, word);

  const elapsed = h("span", { class: "num", "data-test": "elapsed" });
  const length = h("span", { class: "num" });
  const fill = h("div", { class: "progress-fill" });
  const seek = h("input", {
    type: "range", class: "seek", min: 0, step: 1000, "aria-label": "Position in the track", "data-test": "seek",
    oninput: () => { dragging = true; text(elapsed, duration(Number(seek.value))); place(Number(seek.value)); },
    onchange: async () => { const positionMs = Number(seek.value); await act("seek", { positionMs }); dragging = false; },
    onblur: () => { dragging = false; },
  });
  let dragging = false;
  const progress = h("div", { class: "progress", "data-test": "progress" }, h("div", { class: "progress-track" }, fill), seek);

  const toggle = h("button", { type: "button", class: "button primary round big", "data-test": "play", onclick: () => act(room.state?.playback.playing ? "pause" : "play") });
  const next = h("button", { type: "button", class: "button round", "aria-label": "Play the next track", title: "Next track", "data-test": "next", onclick: () => act("next") }, icon("next"));
  const skip = h("button", { type: "button", class: "button slim", "data-test": "skip", onclick: () => { if (!room.you?.votedToSkip) act("skip"); } });
  const listen = h("button", { type: "button", class: "button slim", "data-test": "listen-in", onclick: () => { listensIn = !listensIn; drawAll(); } });
  const tap = h("button", { type: "button", class: "button primary tap", "data-test": "tap-to-listen", onclick: () => player.unlock() }, icon("volume"), "Tap to listen");
  const other = h("div", { class: "other-tab", hidden: true, "data-test": "other-tab" }, h("p", { class: "small quiet" }, "Playing in another tab."),
    h("button", { type: "button", class: "button slim", "data-test": "sound-here", onclick: () => voice.take() }, icon("volume"), "Play here"));
  const trouble = h("p", { class: "small quiet", "data-test": "sound-trouble" });
  const sound = h("p", { class: "small quiet sound-note" });

  const kept = Number(localStorage.getItem(VOLUME_KEY) ?? 1);
  const volume = h("input", {
    type: "range", class: "volume", min: 0, max: 1, step: 0.05, value: kept, "aria-label": "Volume", "data-test": "volume",
    oninput: () => { localStorage.setItem(VOLUME_KEY, volume.value); applyVolume(); },
  });
  const mute = h("button", {
    type: "button", class: "button plain round", "data-test": "mute",
    onclick: () => {
      const level = Number(volume.value);
      if (level > 0) loud = level;
      volume.value = level > 0 ? "0" : String(loud);
      localStorage.setItem(VOLUME_KEY, volume.value);
      applyVolume();
    },
  });
  let loud = kept > 0 ? kept : 1; // what unmuting goes back to
  function applyVolume() {
    const level = Number(volume.value);
    player.volume = level;
    mute.replaceChildren(icon(level > 0 ? "volume" : "mute"));
    set(mute, "aria-label", level > 0 ? "Mute" : "Sound on");
    volume.style.setProperty("--level", `${level * 100}%`);
  }
  applyVolume();

  const volumeBox = h("div", { class: "volume-box" }, mute, volume);
  const element = h("section", { class: "now", "aria-label": "Now playing", "data-test": "now" },
    glow,
    h("div", { class: "now-pictures" }, picture, blank),
    h("div", { class: "now-text" },
      h("div", { class: "now-top" }, label, volumeBox), title, artist,
      progress,
      h("div", { class: "times small" }, elapsed, length),
      h("div", { class: "controls" }, toggle, next, skip, listen),
      tap, other, trouble, sound));

  /** @param {number} position */
  function place(position) {
    const whole = room.state?.current?.durationMs ?? 0;
    fill.style.setProperty("--done", String(whole ? Math.min(1, position / whole) : 0));
    progress.style.setProperty("--done", String(whole ? Math.min(1, position / whole) : 0));
  }

  let frame = 0;
  let shown = -1;
  function tick() {
    frame = 0;
    if (!dragging) {
      const position = room.position();
      place(position);
      if (Math.floor(position / 1000) !== shown) {
        shown = Math.floor(position / 1000);
        text(elapsed, duration(position));
        seek.value = String(position);
        set(seek, "aria-valuetext", `${duration(position)} of ${duration(room.state?.current?.durationMs ?? 0)}`);
      }
    }
    if (room.state?.playback.playing && element.isConnected) frame = requestAnimationFrame(tick);
  }

  /** Whether this device is to sound. */
  function sounds() {
    const { state, you } = room;
    if (!state || state.phase !== "open") return false;
    // In direct mode one device sounds for all: that of the delegation's owner. The document
    // does not name it yet, so it is the creator's, who is the owner at first.
    if (state.options.mode === "direct") return state.creator === client.user?.id;
    return (you?.member ?? false) || listensIn;
  }

  return {
    element,
    draw() {
      const { state, you } = room;
      if (!state) return;
      const { current, playback } = state;
      const member = you?.member ?? false;
      const closed = state.phase !== "open";
      const wants = sounds();
      voice.want(wants ? client.user?.id ?? "" : null);
      player.play(state, wants && voice.state === "ours");
      player.expect(nextEligible(state)?.track);

      set(element, "data-playing", String(playback.playing));
      set(moving, "data-playing", String(playback.playing));
      set(element, "data-track", current?.id ?? "");
      const art = current?.artworkUrl ?? "";
      picture.hidden = glow.hidden = !art;
      blank.hidden = Boolean(art);
      if (art) { set(picture, "src", art); set(glow, "src", art); }
      text(word, closed ? "The room is closed" : !current ? "Waiting for music" : playback.ended ? "At its end, waiting for the next" : playback.playing ? "Now playing" : playback.positionMs === 0 ? "Ready to play" : "Paused");
      text(title, current?.title ?? (closed ? "Nothing played at the end" : "Nothing plays yet"));
      text(artist, current ? current.artist || "Unknown artist" : closed ? "" : emptyHint(state.options.minimumScore, room.may("play")));
      text(length, current ? duration(current.durationMs) : "");
      progress.hidden = elapsed.hidden = length.hidden = !current || closed;
      volumeBox.hidden = closed;
      set(seek, "max", current?.durationMs ?? 0);
      seek.hidden = !current || playback.ended || !room.may("seek");
      shown = -1;
      if (!frame) tick();

      const canToggle = room.may(playback.playing ? "pause" : "play");
      toggle.hidden = !canToggle || !current || playback.ended;
      toggle.replaceChildren(icon(playback.playing ? "pause" : "play"));
      set(toggle, "aria-label", playback.playing ? "Pause" : "Play");
      next.hidden = !room.may("next");
      next.disabled = !nextEligible(state);
      skip.hidden = !member || !current || !room.may("skip") || playback.ended;
      set(skip, "aria-disabled", you?.votedToSkip ? "true" : null);
      const votes = state.skip.needed > 0 ? ` ${state.skip.votes} of ${state.skip.needed}` : "";
      skip.replaceChildren(icon("skip"), h("span", {}, you?.votedToSkip ? "Voted to skip" : "Vote to skip", h("b", { class: "num", "data-test": "skip-count" }, votes)));

      listen.hidden = member || state.options.mode === "direct" || state.phase !== "open" || !current;
      listen.replaceChildren(icon(listensIn ? "mute" : "volume"), listensIn ? "Stop listening" : "Listen in");
      set(listen, "aria-pressed", listensIn);
      other.hidden = voice.state !== "elsewhere";
      tap.hidden = player.state !== "blocked";
      trouble.hidden = player.state !== "broken";
      text(trouble, current ? whyBroken(current) : "");
      text(sound, state.options.mode === "direct" && member && !sounds() ? "The sound comes from the creator's device." : "");
      sound.hidden = sound.textContent === "";
      set(element, "data-sound", player.state);
    },
    end: () => cancelAnimationFrame(frame),
  };
}

/**
 * A new room stands still: its first track is put on, and somebody has to start it. A room
 * that waits at the end of a track goes on by itself.
 *
 * @param {number} minimumScore
 * @param {boolean} controls whether this user may start it
 */
function emptyHint(minimumScore, controls) {
  const first = minimumScore > 1 ? `The first track with ${count(minimumScore, "vote")} is put on.` : "The first track suggested is put on.";
  return `${first} ${controls ? "Then press play." : "Who controls the music starts it."}`;
}

/** @param {import("../tutti/types.js").Track} track one that does not play */
function whyBroken({ provider, url }) {
  if (provider === "yt") return "This track plays on its own site, not here. The room goes on.";
  const { protocol, origin } = new URL(url, location.href);
  if (protocol === "http:" && location.protocol === "https:") return "This track comes over plain http, which a page over https may not play. The room goes on.";
  if (origin !== location.origin) return "This track could not be played here: its site may be away or refuse it, or this browser does not know the format. The room goes on.";
  return "This track could not be played here: this browser may not know its format. The room goes on.";
}
