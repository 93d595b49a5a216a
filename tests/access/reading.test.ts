/** Who may change something, and may not read it, reads nothing of it in any answer. */
import { describe, expect, test } from "vitest";
import { type Grant, MemoryEngine } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { ask, connect } from "../doors/socketio-client.js";

const ADMIN = "0123456789-the-admin";
const WRITER = "0123456789-the-writer";
const MAY: readonly Grant[] = [{ channels: "**", actions: ["patch", "publish", "lock", "sequence"] }];
const SECRET = "the-secret-in-it";
const OTHER = { epoch: "0123456789abcdef", offset: 7 };

async function serving() {
  const served = await serve({
    engine: new MemoryEngine(),
    access: "granted",
    apiKeys: [ADMIN, { key: WRITER, grants: MAY }],
    socketio: { services: ["todos"] },
  });
  const { fanfare } = served;
  await fanfare.states.set("job", { note: SECRET });
  await fanfare.locks.acquire("job", { info: { note: SECRET } });
  await fanfare.states.set("todos:1", { id: "1", note: SECRET });
  const version = (await fanfare.states.get("job"))?.offset;
  return { ...served, site: new URL(served.http).origin, version };
}

const as = (key: string, headers: Record<string, string> = {}) => ({
  Authorization: `Bearer ${key}`,
  ...headers,
});

describe("over HTTP", () => {
  const CALLS = [
    ["PATCH", "/channels/job/state", { "If-None-Match": "*" }, { n: 1 }],
    ["PATCH", "/channels/job/state", { "If-Match": `"${OTHER.epoch}:${OTHER.offset}"` }, { n: 1 }],
    ["PUT", "/channels/job/state", { "If-None-Match": "*" }, { n: 1 }],
    ["DELETE", "/channels/job/state", { "If-Match": `"${OTHER.epoch}:${OTHER.offset}"` }, undefined],
  ] as const;

  test.each(CALLS)(
    "%s %s with %j says that it did not match, and no more",
    async (method, path, headers, body) => {
      const { http } = await serving();
      const call = (key: string) =>
        fetch(`${http}${path}`, {
          method,
          headers: as(key, headers),
          ...(body && { body: JSON.stringify(body) }),
        });
      const answer = await call(WRITER);
      const text = await answer.text();
      expect(answer.status).toBe(412);
      expect(answer.headers.get("etag")).toBeNull();
      expect(JSON.parse(text)).toMatchObject({
        code: "version_mismatch",
        remedy: expect.stringContaining("history"),
      });
      expect(JSON.parse(text)).not.toHaveProperty("state");
      expect(text).not.toContain(SECRET);
      expect(text).not.toMatch(/[0-9a-f]{16}:\d/);
      // Who may read it is told.
      const known = await call(ADMIN);
      expect(known.headers.get("etag")).not.toBeNull();
      expect(await known.json()).toMatchObject({ state: { note: SECRET } });
    },
  );

  test.each([
    ["PUT", "/locks/job", {}],
    ["PUT", "/locks/job", { token: 1 }],
    ["DELETE", "/locks/job?token=1", undefined],
  ])("%s %s says that somebody holds the lock, and not who and why", async (method, path, body) => {
    const { http } = await serving();
    const call = (key: string) =>
      fetch(`${http}${path}`, { method, headers: as(key), ...(body && { body: JSON.stringify(body) }) });
    const answer = await call(WRITER);
    const problem = (await answer.json()) as { lock: object };
    expect(answer.status).toBe(409);
    expect(problem.lock).toMatchObject({ expires: expect.any(Number) });
    expect(problem.lock).not.toHaveProperty("holder");
    expect(JSON.stringify(problem)).not.toContain(SECRET);
    expect(await (await call(ADMIN)).json()).toMatchObject({ lock: { holder: {}, info: { note: SECRET } } });
  });
});

test("over WebSocket a state that is another, and a lock that somebody holds", async () => {
  const { url } = await serving();
  const client = await Client.open(url);
  await client.connect({ token: WRITER });
  const none = await client.ask({ type: "patch", channel: "job", patch: { n: 1 }, ifVersion: null });
  const other = await client.ask({ type: "patch", channel: "job", patch: { n: 1 }, ifVersion: OTHER });
  const locked = await client.ask({ type: "lock", name: "job" });
  for (const answer of [none, other]) {
    expect(answer).toMatchObject({
      code: "version_mismatch",
      message: expect.not.stringMatching(/[0-9a-f]{16}/),
    });
  }
  expect(locked).toMatchObject({ code: "locked", lock: { expires: expect.any(Number) } });
  expect(JSON.stringify([none, other, locked])).not.toContain(SECRET);
});

test("over Socket.IO, and of the records of services", async () => {
  const { site, fanfare } = await serving();
  const client = await connect(site, { auth: { token: WRITER } });
  const state = await ask(client, "patch", { channel: "job", patch: { n: 1 }, ifVersion: null });
  expect(state).toMatchObject({ error: { data: { code: "version_mismatch" } } });
  const answers = [state];
  const call = (...args: unknown[]) =>
    new Promise((done) =>
      client.socket.emit(args[0] as string, ...args.slice(1), (...all: unknown[]) => done(all)),
    );
  answers.push(await call("patch", "todos", "1", {}, {}));
  answers.push(await call("update", "todos", "1", { text: "new" }, {}));
  answers.push(await call("create", "todos", { id: "1" }, {}));
  for (const [method, body] of [
    ["PATCH", {}],
    ["DELETE", undefined],
  ] as const) {
    await fanfare.states.set("todos:1", { id: "1", note: SECRET });
    const answer = await fetch(`${site}/todos/1`, {
      method,
      headers: as(WRITER),
      ...(body && { body: JSON.stringify(body) }),
    });
    answers.push(await answer.text());
  }
  expect(JSON.stringify(answers)).not.toContain(SECRET);
});
