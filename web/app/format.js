/**
 * @param {number} ms
 * @returns {string} as on a player: 3:07, 1:02:09
 */
export function duration(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, String(all % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/**
 * @param {number} ms
 * @returns {string} as one says how long something is: 42 min, 2 h 5 min
 */
export function longTime(ms) {
  const all = Math.max(0, Math.round(ms / 60_000));
  if (all < 1) return ms > 0 ? "under 1 min" : "0 min";
  const [hours, minutes] = [Math.floor(all / 60), all % 60];
  return [hours && `${hours} h`, (minutes || !hours) && `${minutes} min`].filter(Boolean).join(" ");
}

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 * @returns {string} "1 person", "3 people"
 */
export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} how long ago, as a person says it; from a week on, the day
 */
export function ago(at, now) {
  const minutes = Math.floor(Math.max(0, now - at) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  if (minutes < 7 * 24 * 60) return count(Math.floor(minutes / (24 * 60)), "day") + " ago";
  return new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/**
 * @param {string} id
 * @returns {number} a hue in degrees that stays the same for the same id
 */
export function hue(id) {
  let sum = 7;
  for (const c of id) sum = (sum * 31 + c.charCodeAt(0)) % 360_007;
  return sum % 360;
}

/**
 * @param {string} message
 * @returns {string} the message as a sentence
 */
export function sentence(message) {
  const out = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(out) ? out : `${out}.`;
}

/** What the server's codes mean to a person here; others are told in the server's words. */
const told = /** @type {Record<string, string>} */ ({
  already_voted: "You have voted for this already.",
  bad_credentials: "E-mail and password do not belong together.",
  email_taken: "There is an account with this e-mail address already. Sign in instead?",
  nickname_taken: "This name is taken. Choose another.",
  forbidden: "Your role in this room does not allow that.",
  not_member: "Join the room first.",
  not_invited: "In this room only the invited vote.",
  outside_place: "You need to be where the room is to vote.",
  outside_time: "The room takes votes at another time.",
  no_eligible_track: "No track has enough votes yet.",
  nothing_to_play: "There is nothing to play yet. Suggest a track.",
  closed: "This room is closed.",
  expired: "That took too long to send, so it was not done. Try again.",
  unauthenticated: "Sign in first.",
  rate_limited: "That was a lot at once. Wait a moment.",
});

/**
 * @param {unknown} err
 * @returns {string} what to show for it
 */
export function explain(err) {
  const { code = "", message = String(err) } = /** @type {{code?: string, message?: string}} */ (err ?? {});
  return told[code] ?? (notTaken(message) || sentence(message));
}

/**
 * Why none of the tracks was taken that somebody named.
 *
 * @param {string} message the server's, see subjects.RefuseTracks
 * @returns {string} "" if it is about something else
 */
function notTaken(message) {
  const [, n, alike, list] = /^(?:no track|none of (\d+) tracks) was accepted(, each for the same reason)?: (.*)$/s.exec(message) ?? [];
  if (!list) return "";
  if (alike) return sentence(`none of ${count(Number(n), "track")} was taken: ${list}`);
  const reasons = (n ? list.split("; ") : [list]).filter((one) => !/^and \d+ others?$/.test(one)).map((one) => sentence(withoutId(one)));
  return [...new Set(reasons)].join(" ");
}

/**
 * A reason that names its track by id or address, without that: people see titles.
 *
 * @param {string} reason
 */
function withoutId(reason) {
  return reason.replace(/^[a-z]+:\S+: /, "");
}

/**
 * Why some of several tracks were not taken.
 *
 * @param {{ref: string, reason: string}[]} tracks
 * @param {(id: string) => string | undefined} titleOf "" or undefined if it is not known
 * @returns {string}
 */
export function tracksNotTaken(tracks, titleOf) {
  const titles = tracks.map(({ ref }) => titleOf(ref)).filter(Boolean);
  const which = titles.length === tracks.length && titles.length <= 3 ? titles.join(", ") : count(tracks.length, "track");
  const reasons = [...new Set(tracks.map(({ reason }) => sentence(reason)))];
  return `${which} ${tracks.length === 1 ? "was" : "were"} not taken. ${reasons.slice(0, 2).join(" ")}`;
}

/**
 * @param {string} name
 * @returns {string} the name, so that it does not turn the direction of the text around it
 */
export function isolate(name) {
  return name && `\u2068${name}\u2069`;
}
