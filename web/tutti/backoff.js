const FIRST_MS = 250;
const CAP_MS = 20_000;

/**
 * How long to pause before another attempt: anything up to a bound that doubles with each
 * attempt, so that those who lost the same server do not come back all at once.
 *
 * @param {number} attempt 0 for the first
 * @param {number} [cap] the largest bound in milliseconds
 * @param {() => number} [random]
 * @returns {number} milliseconds
 */
export function backoff(attempt, cap = CAP_MS, random = Math.random) {
  return random() * Math.min(cap, FIRST_MS * 2 ** Math.min(attempt, 30));
}
