/*
 * SHA-256 (FIPS 180-4). The browser's own, crypto.subtle, is missing on plain http pages
 * of another machine, where the app works as well; and this one answers at once.
 */

const K = constants(64, 3);
const START = constants(8, 2);

/**
 * The first 32 bits of the fractional parts of the roots of the first primes, as the
 * standard defines its constants.
 *
 * @param {number} count
 * @param {2 | 3} root
 * @returns {Uint32Array}
 */
function constants(count, root) {
  const out = new Uint32Array(count);
  let found = 0;
  for (let n = 2n; found < count; n++) {
    let prime = true;
    for (let d = 2n; d * d <= n; d++) if (n % d === 0n) prime = false;
    if (prime) out[found++] = Number(integerRoot(n << BigInt(32 * root), BigInt(root)) & 0xffffffffn);
  }
  return out;
}

/**
 * @param {bigint} n
 * @param {bigint} root
 * @returns {bigint} the largest whole number whose power of root is at most n
 */
function integerRoot(n, root) {
  let low = 0n;
  let high = 1n << 40n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** root <= n) low = middle;
    else high = middle - 1n;
  }
  return low;
}

/**
 * @param {Uint8Array} data
 * @returns {string} the digest in lower-case hex
 */
export function sha256(data) {
  const blocks = new Uint8Array((((data.length + 8) >> 6) + 1) << 6);
  blocks.set(data);
  blocks[data.length] = 0x80;
  const view = new DataView(blocks.buffer);
  view.setUint32(blocks.length - 8, Math.floor(data.length / 0x20000000));
  view.setUint32(blocks.length - 4, (data.length << 3) >>> 0);

  const state = Uint32Array.from(START);
  const words = new Uint32Array(64);
  for (let at = 0; at < blocks.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const a = word(words, i - 15);
      const b = word(words, i - 2);
      const s0 = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3);
      const s1 = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
      words[i] = word(words, i - 16) + s0 + word(words, i - 7) + s1;
    }
    compress(state, words);
  }
  return Array.from(state, (n) => n.toString(16).padStart(8, "0")).join("");
}

/**
 * @param {Uint32Array} state
 * @param {Uint32Array} words
 */
function compress(state, words) {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + word(K, i) + word(words, i)) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0;
    d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((n, i) => { state[i] = word(state, i) + n; });
}

/**
 * @param {Uint32Array} words
 * @param {number} i
 */
function word(words, i) {
  return /** @type {number} */ (words[i]);
}

/**
 * @param {number} n
 * @param {number} bits
 */
function turn(n, bits) {
  return (n >>> bits) | (n << (32 - bits));
}
