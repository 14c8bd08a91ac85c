/**
 * Tutti's client for browsers and other JavaScript: one class for everything, and the pure
 * functions it is made of. No dependencies, no build step.
 *
 *     import { Client } from "/tutti.js";
 */
export { Client } from "./tutti/client.js";
export { Refusal, comeBack, retryable } from "./tutti/errors.js";
export { Clock } from "./tutti/clock.js";
export { applyPatch } from "./tutti/patch.js";
export { canonical, hash } from "./tutti/canonical.js";
export { newId, idTime } from "./tutti/ids.js";
export { positionAt, ordered, nextEligible } from "./tutti/playback.js";
export { inOrder } from "./tutti/playlist.js";
export { OUTBOX } from "./tutti/outbox.js";
