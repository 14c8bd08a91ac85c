/**
 * A typed "no": from the server, or from this client (codes busy, unavailable, closed). Code
 * is for programs, message for people.
 */
export class Refusal extends Error {
  /**
   * @param {string} code see the table of codes in docs/guide/http-api.md
   * @param {string} message
   * @param {{field?: string, retry?: boolean, retryMs?: number, requestId?: string}} [more]
   */
  constructor(code, message, more = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    /** The part of the request that was wrong; "" if none is named. */
    this.field = more.field ?? "";
    /** True if the same request, with the same command id, should be sent again. */
    this.retry = more.retry ?? false;
    this.retryMs = more.retryMs ?? 0;
    this.requestId = more.requestId ?? "";
  }

  /**
   * @param {import("./types.js").ServerFrame} frame an err or gone
   * @returns {Refusal}
   */
  static fromFrame(frame) {
    const { code = "internal", message = "refused without a reason", field } = frame.refusal ?? {};
    return new Refusal(code, message, { field, retry: frame.retry || retryable.has(code), retryMs: frame.retryMs });
  }
}

/** Codes that are no final answer (subjects.Code.Final). */
export const retryable = new Set(["rate_limited", "busy", "unavailable", "upgrade_required"]);

/**
 * Reports whether to connect again after a socket was closed with a code, as
 * subjects.CloseCode.ComeBack does. A connection that just broke has code 1006.
 *
 * @param {number} code
 * @returns {boolean}
 */
export function comeBack(code) {
  if (code === 1000 || code === 1009 || code === 1002 || code === 1003 || code === 1007 || code === 1008) return false;
  return code < 4500;
}

/** Close codes that this client tells apart. */
export const close = { expired: 4003, restart: 1012, unauthenticated: 4501, otherUser: 4502 };
