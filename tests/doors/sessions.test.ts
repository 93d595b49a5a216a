import { describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../packages/server/src/base/clock.js";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { changedEngine } from "../../packages/server/src/testing/changed-engine.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { RawClient, textFrame } from "./raw-client.js";
import { type Serving, serve } from "./serving.js";
import { until } from "./waiting.js";

/** Opens a connection with an earlier session. */
async function resume({ url }: Serving, session: string) {
  const client = await Client.open(url);
  return { client, ...(await client.connect({ session })) };
}

/** The server has noticed that all have gone. */
async function allGone({ fanfare }: Serving): Promise<void> {
  await until(() => fanfare.stats().connections === 0, "the server has noticed that the client is gone");
}

describe("a session", () => {
  test("goes on after an end without a word, with a new secret each time", async () => {
    const serving = await serve();
    const secrets = new Set<string>();
    let { session, client, resumed, connection } = await resume(serving, "none");
    expect(resumed).toBe(false);
    for (let round = 0; round < 4; round++) {
      secrets.add(session);
      client.vanish();
      await allGone(serving);
      const before = connection;
      ({ session, client, resumed, connection } = await resume(serving, session));
      expect(resumed).toBe(true);
      expect(connection).not.toBe(before);
    }
    expect(secrets.size).toBe(4);
    expect(secrets).not.toContain(session);
  });

  test("subscribes to nothing by itself: the client says where it was", async () => {
    const serving = await serve();
    const { client, session } = await resume(serving, "none");
    const { epoch } = await client.subscribe("a");
    client.vanish();
    await serving.fanfare.publish("a", "missed");
    const again = await resume(serving, session);
    await again.client.subscribe("b");
    await serving.fanfare.publish("b", "b");
    expect(await again.client.deliveries.next()).toMatchObject({ channel: "b" });
    expect(await again.client.subscribe("a", { epoch, offset: 0 })).toMatchObject({ recovered: true });
    expect(await again.client.deliveries.next()).toMatchObject({ channel: "a", data: "missed" });
  });

  test("that is taken over while its connection is open closes that one with 4409", async () => {
    const serving = await serve();
    const { client, session } = await resume(serving, "none");
    const again = await resume(serving, session);
    expect(again.resumed).toBe(true);
    expect(await client.closed).toMatchObject({ code: 4409 });
    await again.client.alive();
    // The earlier connection's end takes nothing from the session, and gives nothing back to it.
    expect((await resume(serving, session)).resumed).toBe(false);
    expect((await resume(serving, again.session)).resumed).toBe(true);
  });

  test.each([1000, 1001, undefined])("is over when the client closes with %s", async (code) => {
    const serving = await serve();
    const { client, session } = await resume(serving, "none");
    if (code === 1001) client.ws.close(1001, "the page was left");
    else client.ws.close(code);
    await client.closed;
    await allGone(serving);
    expect((await resume(serving, session)).resumed).toBe(false);
  });

  test.each([3000, 4999])("goes on when the client closes with %s", async (code) => {
    const serving = await serve();
    const { client, session } = await resume(serving, "none");
    await client.leave(code);
    await allGone(serving);
    expect((await resume(serving, session)).resumed).toBe(true);
  });

  test("goes on after the server closed for an error of the client's", async () => {
    const serving = await serve();
    const { client, session } = await resume(serving, "none");
    client.say("garbage");
    await client.closed;
    expect((await resume(serving, session)).resumed).toBe(true);
  });

  test("can be resumed for 60 seconds and no longer", async () => {
    const clock = new FakeClock();
    const serving = await serve({ clock });
    const early = await resume(serving, "none");
    const late = await resume(serving, "none");
    early.client.vanish();
    late.client.vanish();
    await allGone(serving);
    clock.advance(59_000);
    expect((await resume(serving, early.session)).resumed).toBe(true);
    clock.advance(2000);
    expect((await resume(serving, late.session)).resumed).toBe(false);
  });

  test("of a connection that lives for hours is still there afterwards", async () => {
    const clock = new FakeClock();
    const serving = await serve({ clock });
    const { client, session } = await resume(serving, "none");
    for (let passed = 0; passed < 2 * 3600; passed += 10) {
      clock.advance(10_000);
      await client.alive();
    }
    client.vanish();
    await allGone(serving);
    expect((await resume(serving, session)).resumed).toBe(true);
  });

  test("is won by exactly one of many that resume it at once; the others begin anew", async () => {
    const serving = await serve();
    const { session } = await resume(serving, "none");
    const clients = await Promise.all(Array.from({ length: 10 }, () => Client.open(serving.url)));
    const answers = await Promise.all(clients.map((client) => client.connect({ session })));
    expect(answers.filter(({ resumed }) => resumed)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.session)).size).toBe(10);
    await Promise.all(clients.map((client) => client.alive()));
  });

  test.each(["", " ", "x", "../../etc/passwd", "\u0000", "é".repeat(100), '{"a":1}', "0".repeat(200)])(
    "is not found by the garbage %j, which costs the client nothing",
    async (garbage) => {
      const serving = await serve();
      const { resumed, client } = await resume(serving, garbage);
      expect(resumed).toBe(false);
      await client.alive();
    },
  );

  test("is resumed on another node of the same engine, and closed with 4409 on the first", async () => {
    const engine = new MemoryEngine({ clock: systemClock, random: systemRandom, allowIsolated: true });
    const [one, other] = await Promise.all([serve({ engine }), serve({ engine })]);
    const { client, session } = await resume(one, "none");
    const again = await resume(other, session);
    expect(again.resumed).toBe(true);
    expect(await client.closed).toMatchObject({ code: 4409 });
    await allGone(one);
    expect((await resume(one, session)).resumed).toBe(false);
    expect((await resume(one, again.session)).resumed).toBe(true);
  });

  test("survives a restart of the node, where the engine does", async () => {
    const engine = new MemoryEngine({ clock: systemClock, random: systemRandom, allowIsolated: true });
    const before = await serve({ engine });
    const { client, session } = await resume(before, "none");
    await before.fanfare.close();
    expect(await client.closed).toMatchObject({ code: 1012 });
    const after = await serve({ engine });
    expect((await resume(after, session)).resumed).toBe(true);
  });
});

describe("while a session is looked up", () => {
  /** An engine that answers `sessions.take` only when it is let. */
  function slowEngine() {
    const memory = new MemoryEngine({ allowIsolated: true });
    let [wasAsked, letGo] = [() => {}, () => {}];
    const asked = new Promise<void>((done) => {
      wasAsked = done;
    });
    const isLet = new Promise<void>((done) => {
      letGo = done;
    });
    const take = async (hash: string) => {
      wasAsked();
      await isLet;
      return memory.sessions.take(hash);
    };
    return { engine: changedEngine(memory, { sessions: { take } }), asked, letGo };
  }

  async function slowly() {
    const { engine, ...slow } = slowEngine();
    const serving = await serve({ engine, access: "open", rates: { publishesPerConnection: 0 } });
    const client = await Client.open(serving.url);
    return { ...slow, client, ...serving };
  }

  test("what the client says is kept, and done in order afterwards", async () => {
    const { asked, letGo, client } = await slowly();
    client.say({ type: "connect", session: "earlier" });
    await asked;
    client.say({ type: "subscribe", request: 1, channel: "a" });
    for (let request = 2; request < 100; request++)
      client.say({ type: "publish", request, channel: "a", data: request });
    letGo();
    const ids = (await client.answers.take(99)).map(({ request }) => request);
    // The subscribe was taken first, though its answer may come later.
    expect(ids.filter((request) => request !== 1)).toEqual(
      Array.from({ length: 98 }, (_, index) => index + 2),
    );
    expect(client.heard[0]).toMatchObject({ type: "connected", resumed: false });
    expect(await client.offsets(98)).toHaveLength(98);
  });

  test("nothing more is read than the socket had already given, however much the client sends", async () => {
    const { asked, letGo, client, sockets } = await slowly();
    client.say({ type: "connect", session: "earlier" });
    await asked;
    const data = "x".repeat(60_000);
    for (let request = 1; request <= 500; request++)
      client.say({ type: "publish", request, channel: "a", data });
    await until(() => client.ws.bufferedAmount > 0, "the client's socket is full");
    expect(sockets[0]?.isPaused()).toBe(true);
    expect(sockets[0]?.bytesRead).toBeLessThan(400_000);
    letGo();
    const answers = await client.answers.take(500);
    expect(answers.every(({ type }) => type === "ok")).toBe(true);
  });

  test("limits hold for what was kept, too", async () => {
    const { engine, asked, letGo } = slowEngine();
    const { port } = await serve({ engine, access: "open", limits: { messageBytes: 1000 } });
    const client = await RawClient.open(port);
    client.socket.write(
      Buffer.concat([
        textFrame({ type: "connect", session: "earlier" }),
        textFrame({ type: "publish", request: 1, channel: "a", data: "x".repeat(2000) }),
      ]),
    );
    await asked;
    letGo();
    expect(await client.json("error")).toMatchObject({ request: 1, code: "too_large" });
  });

  test("a client may be gone before the answer", async () => {
    const { asked, letGo, client, fanfare, log } = await slowly();
    client.say({ type: "connect", session: "earlier" });
    await asked;
    client.vanish();
    await client.closed;
    letGo();
    const other = await Client.connect(`${fanfare.path ? client.ws.url : ""}`);
    await other.alive();
    expect(fanfare.stats().connections).toBe(1);
    expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});
