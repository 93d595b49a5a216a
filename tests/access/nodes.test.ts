/** What is revoked on one node is refused on all, though the engine delivers no signal: also on a node that starts later. */
import { describe, expect, test } from "vitest";
import { HostileEngine } from "../../packages/server/src/engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { type Grant, signToken } from "../../packages/server/src/index.js";
import { aFolder } from "../../packages/server/src/testing/a-folder.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { EventStream } from "../doors/event-stream.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const ADMIN = "0123456789-the-admin";
const ALL: readonly Grant[] = [{ channels: "**", actions: ["*"] }];
const bearer = (credential: string) => ({ Authorization: `Bearer ${credential}` });

/** Nodes on an engine that drops every signal and announcement; `fail` may make it fail. */
async function nodes() {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, dataDir: aFolder(), allowIsolated: true });
  const engine = new HostileEngine(memory, { clock, random: () => 0, drop: 1 });
  const start = async (of: HostileEngine = engine) => {
    const served = await serve({
      clock,
      engine: of,
      apiKeys: [ADMIN],
      tokens: { secrets: [SECRET] },
    });
    const status = async (token: string) =>
      (await fetch(`${served.http}/channels/a/messages`, { headers: bearer(token) })).status;
    const connect = async (token: string) => {
      const client = await Client.open(served.url);
      await client.connect({ token });
      return client;
    };
    return { ...served, status, connect };
  };
  const token = async (id: string) =>
    (await signToken({ secret: SECRET, user: "alice", grants: ALL, now: clock.now(), id })).token;
  /** What is due in half a second is done. */
  const halfASecond = async () => {
    await clock.forward(500);
  };
  return { clock, memory, engine, start, token, halfASecond, one: await start(), two: await start() };
}

describe("on an engine that drops every signal", () => {
  test("a ticket that was taken on one node opens streams on all, until its user is logged out on any", async () => {
    const { one, two, start, token, halfASecond, clock } = await nodes();
    const taken = await post(`${one.http}/tickets`, { channels: ["a"] }, bearer(await token("old")));
    const { ticket } = (await taken.json()) as { ticket: string };
    for (const { http } of [one, two, await start()]) {
      const stream = await EventStream.open(`${http}/sse?ticket=${ticket}`);
      expect(await stream.next("connected")).toMatchObject({ user: "alice" });
      stream.vanish();
    }
    clock.advance(2000);
    await two.fanfare.logOut("alice");
    await halfASecond();
    for (const { http } of [one, two])
      await expect(EventStream.open(`${http}/sse?ticket=${ticket}`)).rejects.toThrow(/not_logged_in/);
  });

  test("a user who was logged out on one node is refused on the other within half a second, and on one that starts later", async () => {
    const { one, two, start, token, halfASecond, clock } = await nodes();
    const old = await token("old");
    const client = await two.connect(old);
    expect([await one.status(old), await two.status(old)]).toEqual([200, 200]);
    clock.advance(2000);
    expect(await one.fanfare.logOut("alice")).toEqual({ pending: false });
    expect(await one.status(old)).toBe(401);
    await halfASecond();
    expect(await two.status(old)).toBe(401);
    expect(await client.closed).toMatchObject({ code: 4401 });
    const three = await start();
    expect(await three.status(old)).toBe(401);
    await expect(three.connect(old)).rejects.toThrow("4401");
    clock.advance(2000);
    const fresh = await token("fresh");
    for (const node of [one, two, three]) expect(await node.status(fresh)).toBe(200);
  });

  test("a token that was revoked on one node is refused on the others", async () => {
    const { one, two, start, token, halfASecond } = await nodes();
    const [old, other] = [await token("old"), await token("other")];
    expect(await two.status(old)).toBe(200);
    await fetch(`${one.http}/tokens/old`, { method: "DELETE", headers: bearer(ADMIN) });
    await halfASecond();
    const three = await start();
    for (const node of [one, two, three])
      expect([await node.status(old), await node.status(other)]).toEqual([401, 200]);
  });

  test("a key that was made on one node is good on the other within half a second, and refused once it was removed there", async () => {
    const { one, two, start, halfASecond } = await nodes();
    const made = await post(`${one.http}/keys`, { name: "shop", grants: ALL }, bearer(ADMIN));
    const { key, id } = (await made.json()) as { key: string; id: string };
    await halfASecond();
    expect([await one.status(key), await two.status(key)]).toEqual([200, 200]);
    const client = await one.connect(key);
    const revoked = await fetch(`${two.http}/keys/${id}`, { method: "DELETE", headers: bearer(ADMIN) });
    expect(revoked.status).toBe(204);
    expect(await two.status(key)).toBe(401);
    await halfASecond();
    expect(await one.status(key)).toBe(401);
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect(await (await start()).status(key)).toBe(401);
  });

  test("a key that another node has just made can be listed and removed at once", async () => {
    const { one, two } = await nodes();
    const made = await post(`${one.http}/keys`, { name: "shop", grants: ALL }, bearer(ADMIN));
    const { id } = (await made.json()) as { id: string };
    const listed = await fetch(`${two.http}/keys`, { headers: bearer(ADMIN) });
    expect(await listed.json()).toMatchObject({ keys: [{ id, name: "shop" }] });
    const three = await post(`${one.http}/keys`, { name: "other", grants: ALL }, bearer(ADMIN));
    const { id: other } = (await three.json()) as { id: string };
    const revoked = await fetch(`${two.http}/keys/${other}`, { method: "DELETE", headers: bearer(ADMIN) });
    expect(revoked.status).toBe(204);
  });
});

test("a node that cannot read what was revoked lets no user in, lets its configured keys in, and says so once", async () => {
  const { memory, start, token, clock } = await nodes();
  const cut = new HostileEngine(memory, { clock, random: () => 0, drop: 1 });
  cut.disconnect();
  const { status, log, http } = await start(cut);
  /** Time passes until there is an answer. */
  const answered = async <Answer>(asked: Promise<Answer>): Promise<Answer> => {
    let settled = false;
    const settling = asked.finally(() => {
      settled = true;
    });
    while (!settled) await clock.forward(100, 100);
    return await settling;
  };
  const old = await token("old");
  expect((await fetch(`${http}/channels/a/messages`)).status).toBe(401);
  expect(await answered(status(old))).toBe(503);
  const keys = await answered(fetch(`${http}/keys`, { headers: bearer(ADMIN) }));
  expect([keys.status, ((await keys.json()) as { code: string }).code]).toEqual([503, "unavailable"]);
  expect(log.about("keys and revocations cannot be read")).toHaveLength(1);
  cut.reconnect();
  await clock.forward(500);
  expect(await status(await token("new"))).toBe(200);
});
