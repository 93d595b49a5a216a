import { describe, expect, test } from "vitest";
import { turns } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { OPCODE, RawClient } from "./raw-client.js";
import { serve } from "./serving.js";
import { until } from "./waiting.js";

describe.each([
  ["in the clear", false],
  ["over TLS", true],
])("the bytes that the server writes, %s,", (_, tls) => {
  /** A client whose socket is full in the middle of a flush. */
  async function inMidFlush() {
    const serving = await serve({ tls, access: "open" });
    const client = await RawClient.connect(serving.port, { tls });
    client.say({ type: "subscribe", request: 1, channel: "big" });
    await client.json("subscribed");
    client.socket.pause();
    for (let round = 0; round < 60 && serving.fanfare.stats().fullConnections === 0; round++) {
      await Promise.all(
        Array.from({ length: 20 }, (_each, index) =>
          serving.fanfare.publish("big", `${index}${"é".repeat(12_000)}`),
        ),
      );
      await turns(2);
    }
    expect(serving.fanfare.stats().fullConnections).toBe(1);
    return { client, ...serving };
  }

  /** Reads to the end: whole frames only, the close frame last, and nothing after it. */
  async function readToTheEnd(client: RawClient): Promise<{ code: number; messages: number }> {
    client.socket.resume();
    let messages = 0;
    for (;;) {
      const { opcode, payload } = await client.frames.next();
      if (opcode === OPCODE.close) {
        client.socket.end();
        await client.closed;
        expect(client.rest).toHaveLength(0);
        expect(client.afterClose).toBe(0);
        return { code: payload.readUInt16BE(0), messages };
      }
      if (opcode !== OPCODE.text) continue;
      const frame = JSON.parse(payload.toString()) as { type: string; offset: number; data: string };
      if (frame.type === "goodbye") continue;
      expect(frame).toMatchObject({ type: "message", offset: ++messages });
      expect(frame.data).toHaveLength(frame.data.startsWith("1") && frame.data[1] !== "é" ? 12_002 : 12_001);
    }
  }

  test("are whole frames when the server stops in mid-flush", async () => {
    const { client, fanfare } = await inMidFlush();
    const closing = fanfare.close();
    await fanfare.publish("big", "too late").catch(() => {});
    const { code, messages } = await readToTheEnd(client);
    expect(code).toBe(1012);
    expect(messages).toBeGreaterThan(10);
    await closing;
  });

  test("are whole frames when the session is resumed elsewhere in mid-flush", async () => {
    const serving = await serve({ tls });
    const raw = await RawClient.open(serving.port, { tls });
    raw.say({ type: "connect" });
    const { session } = await raw.json("connected");
    raw.say({ type: "subscribe", request: 1, channel: "big" });
    await raw.json("subscribed");
    raw.socket.pause();
    for (let round = 0; round < 60 && serving.fanfare.stats().fullConnections === 0; round++) {
      for (let index = 0; index < 20; index++) await serving.fanfare.publish("big", `0${"é".repeat(12_000)}`);
    }
    const other = await Client.open(serving.url, { rejectUnauthorized: false });
    expect(await other.connect({ session })).toMatchObject({ resumed: true });
    await serving.fanfare.publish("big", "after");
    expect((await readToTheEnd(raw)).code).toBe(4409);
  });

  test("are whole frames when the client is closed for an error in mid-flush, pings and answers in between", async () => {
    const { client, fanfare } = await inMidFlush();
    for (let index = 0; index < 20; index++) client.say({ type: "subscribe", request: 5, channel: "big" });
    client.say("garbage");
    await until(() => fanfare.stats().connections === 0, "the garbage is seen");
    for (let index = 0; index < 20; index++) await fanfare.publish("big", "after");
    expect((await readToTheEnd(client)).code).toBe(4400);
  });

  test("bring everything to a client that talks to it as any other", async () => {
    const { url, fanfare } = await serve({ tls, access: "open" });
    const client = await Client.connect(url, { rejectUnauthorized: false });
    await client.subscribe("a");
    // Around the lengths at which a frame's header changes.
    const lengths = [
      0, 1, 20, 21, 22, 23, 24, 25, 26, 125, 126, 127, 30_000, 65_000, 65_433, 65_435, 65_437, 65_534,
    ];
    for (const length of lengths) await fanfare.publish("a", "x".repeat(length));
    for (const length of lengths) {
      const message = await client.deliveries.next();
      expect(message.type === "message" && String(message.data).length).toBe(length);
    }
    expect(await client.ask({ type: "publish", channel: "a", data: { text: "é" } })).toMatchObject({
      type: "ok",
    });
    await client.leave(1000);
  });
});
