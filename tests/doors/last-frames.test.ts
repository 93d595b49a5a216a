/** What a client sends together with its close frame is done, and answered before the close. */

import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/index.js";
import { changedEngine } from "../../packages/server/src/testing/changed-engine.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { clientFrame, OPCODE, RawClient, textFrame } from "./raw-client.js";
import { serve } from "./serving.js";
import { soon, until } from "./waiting.js";

const close = (code = 1000) => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return clientFrame(OPCODE.close, payload);
};

/** The types of the text frames that came, with the codes of errors, then the code of the close frame. */
async function answersOf(client: RawClient): Promise<(string | number)[]> {
  const answers: (string | number)[] = [];
  for (;;) {
    const { opcode, payload } = await client.frames.next();
    if (opcode === OPCODE.close) {
      answers.push(payload.length === 0 ? 1005 : payload.readUInt16BE(0));
      break;
    }
    const { type, code } = JSON.parse(payload.toString()) as { type: string; code?: string };
    if (type !== "message" && type !== "state") answers.push(code ?? type);
  }
  await soon(client.closed, "the end of the connection");
  return answers;
}

const FRAMES: [object, string][] = [
  [{ type: "publish", request: 1, channel: "a", data: 1 }, "ok"],
  [{ type: "patch", request: 1, channel: "a", patch: { a: 1 } }, "ok"],
  [{ type: "lock", request: 1, name: "a" }, "ok"],
  [{ type: "next", request: 1, name: "a" }, "ok"],
  [{ type: "subscribe", request: 1, channel: "a" }, "subscribed"],
  [{ type: "subscribe", request: 1, channel: "a b" }, "invalid_channel"],
  [{ type: "unsubscribe", request: 1, channel: "a" }, "not_subscribed"],
  [{ type: "ping" }, "pong"],
];

describe("a frame that comes in one piece with the close frame is answered before the close", () => {
  test.each(FRAMES)("%j", async (frame, answer) => {
    const { port, fanfare } = await serve({ access: "open" });
    for (const code of [1000, 1001, 4000]) {
      const client = await RawClient.connect(port);
      client.socket.write(Buffer.concat([textFrame(frame), close(code)]));
      expect(await answersOf(client)).toEqual([answer, code]);
    }
    await until(() => fanfare.stats().connections === 0, "the last is gone");
  });

  test("all of them together, and those that came with connect, while it is found out who it is", async () => {
    let known = () => {};
    const asked = new Promise<void>((done) => {
      known = done;
    });
    const { port } = await serve({
      authorize: async () => {
        await asked;
        return { user: "alice", grants: [{ channels: "**", actions: ["*"] }] };
      },
    });
    const client = await RawClient.open(port);
    const together = FRAMES.filter(([, answer]) => answer !== "not_subscribed");
    const frames = together.map(([frame]) => textFrame(frame));
    client.socket.write(Buffer.concat([textFrame({ type: "connect", token: "t" }), ...frames, close()]));
    known();
    const answers = await answersOf(client);
    expect([answers[0], answers.at(-1)]).toEqual(["connected", 1000]);
    expect(answers.slice(1, -1).sort()).toEqual(together.map(([, answer]) => answer).sort());
  });

  test("although the client has ended its side of the connection", async () => {
    const { port } = await serve({ access: "open" });
    const client = await RawClient.connect(port);
    client.socket.end(Buffer.concat([textFrame(FRAMES[0]?.[0] ?? {}), close()]));
    expect(await answersOf(client)).toEqual(["ok", 1000]);
  });
});

test("a close frame is answered within 2 seconds, though an engine has not answered by then", async () => {
  const clock = new FakeClock();
  const append = () => new Promise<never>(() => {});
  const engine = changedEngine(new MemoryEngine({ allowIsolated: true }), { logs: { append } });
  const { port } = await serve({ access: "open", engine, clock });
  const client = await RawClient.connect(port);
  client.socket.write(Buffer.concat([textFrame(FRAMES[0]?.[0] ?? {}), close()]));
  // The answer to another client shows that these have been read.
  const other = await RawClient.connect(port);
  expect(client.frames.size).toBe(0);
  clock.advance(3000);
  expect(await answersOf(client)).toEqual([1000]);
  other.socket.destroy();
});

test("a client that has said that it leaves is not waited for when the server closes, too", async () => {
  const clock = new FakeClock();
  let append = () => {};
  const appending = new Promise<void>((done) => {
    append = done;
  });
  class Slow extends MemoryEngine {
    constructor() {
      super({ allowIsolated: true });
      Object.assign(this.logs, {
        append: () => {
          append();
          return new Promise(() => {});
        },
      });
    }
  }
  const { port, fanfare } = await serve({ access: "open", engine: new Slow(), clock });
  const client = await RawClient.connect(port);
  client.socket.write(Buffer.concat([textFrame(FRAMES[0]?.[0] ?? {}), close()]));
  await appending;
  const closed = fanfare.close();
  // The clock stands still: nothing ends because it took too long.
  expect((await answersOf(client)).at(-1)).toBe(1012);
  clock.advance(60_000);
  await closed;
});

test("frames after the close frame are not read", async () => {
  const { port, fanfare } = await serve({ access: "open" });
  const client = await RawClient.connect(port);
  client.socket.write(Buffer.concat([close(), textFrame(FRAMES[0]?.[0] ?? {})]));
  expect(await answersOf(client)).toEqual([1000]);
  expect(await fanfare.position("a")).toMatchObject({ offset: 0 });
});
