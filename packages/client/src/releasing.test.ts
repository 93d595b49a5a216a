/** A lock that is let go of, or renewed, while the server does not hear of it. */
import { expect, test } from "vitest";
import type { Fetch } from "./client-options.js";
import { setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

const REFUSALS = [
  ["rate_limited", 2],
  ["unavailable", undefined],
  ["internal", undefined],
] as const;

async function held(options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp(options);
  const { server, client } = all;
  const answer = async (type: string, fields: object) => {
    const request = server.socket.sent.findLast((frame) => frame.type === type)?.request;
    server.socket.say(JSON.stringify({ request, ...fields }));
    await settled();
  };
  const granted = (time: number) =>
    answer("lock", { type: "ok", name: "a", token: 7, expires: time + 30_000, time, durable: false });
  const taking = client.lock("a");
  server.welcome();
  await settled();
  await granted(0);
  const lock = await taking;
  server.socket.news();
  const refuse = (type: string, code: string, retryAfterSeconds?: number) =>
    answer(type, { type: "error", code, message: "no", remedy: "", retryAfterSeconds });
  return { ...all, lock, answer, refuse, granted };
}

test.each(REFUSALS)(
  "a release that is refused with %s is told again until the server has it",
  async (code, seconds) => {
    const { lock, server, refuse, answer, clock, client } = await held();
    const released = lock.release();
    await settled();
    expect(server.socket.news()).toMatchObject([{ type: "unlock", name: "a", token: 7 }]);
    await refuse("unlock", code, seconds);
    await released;
    clock.advance((seconds ?? 1) * 1000 - 1);
    await settled();
    expect(server.socket.news()).toEqual([]);
    clock.advance(3000);
    await settled();
    expect(server.socket.news()).toMatchObject([{ type: "unlock", name: "a", token: 7 }]);
    await refuse("unlock", code, seconds);
    clock.advance(10_000);
    await settled();
    await answer("unlock", { type: "ok", name: "a" });
    server.socket.news();
    clock.advance(14_000);
    expect(server.socket.news().filter(({ type }) => type === "unlock")).toEqual([]);
    client.close();
    expect(clock.pending).toBe(0);
  },
);

test("a client that is closed lets the server free it, and leaves no timer", async () => {
  const { lock, refuse, clock, client } = await held();
  void lock.release();
  await settled();
  await refuse("unlock", "rate_limited", 2);
  client.close();
  expect(clock.pending).toBe(0);
});

test("a release that fails for good rejects", async () => {
  const { lock, refuse } = await held();
  const released = lock.release();
  await settled();
  await refuse("unlock", "something_else");
  await expect(released).rejects.toMatchObject({ code: "something_else" });
});

/** A client that had to go on by Server-Sent Events while it holds a lock. */
async function blocked() {
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  const fetch: Fetch = async () => {
    const body = new ReadableStream<Uint8Array>({
      start(made) {
        stream = made;
        made.enqueue(new TextEncoder().encode('event: fanfare.connected\ndata: {"connection":"c"}\n\n'));
      },
    });
    return new Response(body);
  };
  const all = await held({ sse: true, fetch });
  const { server, nextTry, client } = all;
  const streaming = new Promise<void>((done) => {
    client.on("connection", (now) => now.status === "connected" && now.transport === "sse" && done());
  });
  for (let miss = 0; miss < 3; miss++) {
    server.socket.lose();
    nextTry();
  }
  await streaming;
  const back = async () => {
    all.clock.advance(1000);
    const probe = server.socket;
    probe.open();
    probe.lose(4400);
    await settled();
    server.welcome({ resumed: true });
    await settled();
  };
  return { ...all, back, stream };
}

test("a lock outlasts a while without WebSockets, and is renewed when they are back", async () => {
  const { lock, back, server, granted, clock } = await blocked();
  expect(lock.signal.aborted).toBe(false);
  await back();
  expect(server.socket.sent).toContainEqual(expect.objectContaining({ type: "lock", name: "a", token: 7 }));
  await granted(10_000);
  clock.advance(9000);
  expect(lock.signal.aborted).toBe(false);
});

test("and ends with its lease where they are not", async () => {
  const { lock, clock } = await blocked();
  clock.advance(30_000);
  await settled();
  expect(lock.signal.reason).toMatchObject({ code: "lock_lost" });
});

test("one that is released meanwhile is let go of when they are back", async () => {
  const { lock, back, server } = await blocked();
  await lock.release();
  await back();
  expect(server.socket.sent).toContainEqual(expect.objectContaining({ type: "unlock", name: "a", token: 7 }));
});
