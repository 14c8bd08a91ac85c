import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../tutti.js";
import { MemoryVault } from "../tutti/vault.js";
import { Http } from "../tutti/http.js";
import { MemoryStorage, grant } from "./fake.js";

/**
 * @param {(path: string, init: any) => Response} answer
 */
function server(answer) {
  /** @type {{path: string, method: string, auth?: string}[]} */ const asked = [];
  const http = new Http("http://tutti.test", {
    storage: new MemoryStorage(),
    vault: new MemoryVault(),
    fetch: /** @type {any} */ (async (/** @type {string} */ url, /** @type {any} */ init) => {
      const path = url.slice("http://tutti.test".length);
      asked.push({ path, method: init.method, auth: init.headers.Authorization });
      return answer(path, init);
    }),
  });
  return { http, asked };
}

/** @param {number} status @param {string} code @param {object} [more] */
const problem = (status, code, more) => new Response(JSON.stringify({ code, detail: "why", request_id: "req_1", ...more }), { status });

test("a problem document becomes a refusal", async () => {
  const { http } = server(() => problem(409, "email_taken", { field: "email" }));
  await assert.rejects(http.register({ email: "a@example.com", nickname: "a", password: "12345678" }), (/** @type {Refusal} */ err) =>
    err instanceof Refusal && err.code === "email_taken" && err.field === "email" && err.message === "why" && err.requestId === "req_1" && !err.retry);
});

test("an answer that is no problem document is a refusal as well", async () => {
  const { http } = server(() => new Response("<html>", { status: 502 }));
  await assert.rejects(http.tracks(), { code: "internal" });
});

test("reads are repeated, a sign-in without an answer is not", async () => {
  let n = 0;
  const reads = server(() => (++n < 3 ? problem(503, "unavailable", { retry: true }) : Response.json({ tracks: [1] })));
  assert.deepEqual(await reads.http.tracks(), [1]);
  assert.equal(reads.asked.length, 3);
  const writes = server(() => { throw new TypeError("no network"); });
  await assert.rejects(writes.http.login({ email: "a@example.com", password: "x" }), { code: "unavailable", retry: true });
  assert.equal(writes.asked.length, 1);
});

test("a refused token is replaced, and the read repeated once", async () => {
  const { http, asked } = server((path, init) => {
    if (path === "/v1/auth/refresh") return Response.json(grant("ada", 2));
    return init.headers.Authorization === "Bearer access-ada-2" ? Response.json({ id: "user_ada" }) : problem(401, "unauthenticated");
  });
  http.session.accept(grant("ada"));
  assert.equal((await http.me()).id, "user_ada");
  assert.deepEqual(asked.map((a) => a.path), ["/v1/me", "/v1/auth/refresh", "/v1/me"]);
});

test("signing out forgets at once, whatever the server says", async () => {
  const { http, asked } = server(() => problem(503, "unavailable"));
  http.session.accept(grant("ada"));
  await http.logout();
  assert.equal(http.session.user, null);
  assert.equal(asked[0]?.path, "/v1/auth/logout");
});
