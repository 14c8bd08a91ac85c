/**
 * A list that is read page by page, after its beginning was read again. What was shown beyond
 * that stays, as it was read before.
 *
 * @template {{id: string}} One
 * @param {{all: One[], next: string}} shown what is shown, and the cursor of what comes after it
 * @param {{all: One[], next: string}} read the beginning as it is now; next is "" if that is everything
 * @returns {{all: One[], next: string}}
 */
export function reread(shown, read) {
  const last = read.all.at(-1);
  if (!read.next || !last) return read;
  const at = shown.all.findIndex((one) => one.id === last.id);
  const rest = at < 0 ? [] : shown.all.slice(at + 1).filter((one) => !read.all.some((other) => other.id === one.id));
  return rest.length ? { all: [...read.all, ...rest], next: shown.next } : read;
}
