/**
 * Applies an RFC 7396 merge patch, as subjects.ApplyPatch does. The document is changed in
 * place where it can be; use what is returned. Members that the patch does not touch keep
 * their identity, so that a view can tell cheaply what changed.
 *
 * @param {any} doc a JSON value; undefined counts as {}
 * @param {any} patch
 * @returns {any}
 */
export function applyPatch(doc, patch) {
  return merge(doc === undefined ? {} : doc, patch);
}

/**
 * @param {any} target
 * @param {any} patch
 * @returns {any}
 */
function merge(target, patch) {
  if (!isObject(patch)) return patch;
  const out = isObject(target) ? target : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) {
      delete out[key];
      continue;
    }
    put(out, key, merge(Object.hasOwn(out, key) ? out[key] : undefined, value));
  }
  return out;
}

/**
 * Sets a member of its own, also one named __proto__: assigning that would change what the
 * object is made of instead.
 *
 * @param {any} object
 * @param {string} key
 * @param {any} value
 */
function put(object, key, value) {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[key] = value;
  }
}

/**
 * @param {any} value
 * @returns {boolean}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
