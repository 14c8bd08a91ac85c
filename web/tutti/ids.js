const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * Makes an id "<prefix>_<26 characters>": 48 bits of Unix milliseconds and 80 random bits in
 * Crockford's base 32 (the layout of a ULID), as subjects.NewID does.
 *
 * @param {string} prefix for example "cmd"
 * @param {number} at server time in milliseconds: the server judges a command's age by it
 * @param {(bytes: Uint8Array) => Uint8Array} [random]
 * @returns {string}
 */
export function newId(prefix, at, random = (bytes) => crypto.getRandomValues(bytes)) {
  let out = "";
  let time = Math.floor(at);
  for (let i = 0; i < 10; i++) {
    out = alphabet.charAt(time % 32) + out;
    time = Math.floor(time / 32);
  }
  for (const byte of random(new Uint8Array(16))) out += alphabet.charAt(byte & 31);
  return `${prefix}_${out}`;
}

/**
 * @param {string} id
 * @returns {number} the time in an id, in Unix milliseconds; NaN for what is no id
 */
export function idTime(id) {
  const body = id.slice(id.lastIndexOf("_") + 1);
  if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(body)) return NaN;
  let time = 0;
  for (const c of body.slice(0, 10)) time = time * 32 + alphabet.indexOf(c);
  return time;
}
