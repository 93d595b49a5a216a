import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client } from "./client.js";
import { clientFrame, OPCODE, RawClient, textFrame, upgradeRequest } from "./raw-client.js";
import { type Serving, serve } from "./serving.js";
import { until } from "./waiting.js";

describe("beside a healthy client that loses nothing,", () => {
  let serving: Serving;
  let healthy: Client;
  let published = 0;

  beforeEach(async () => {
    serving = await serve({ access: "open" });
    healthy = await Client.connect(serving.url);
    await healthy.subscribe("news");
    published = 0;
    await news();
  });

  async function news(): Promise<void> {
    await serving.fanfare.publish("news", ++published);
  }

  afterEach(async () => {
    await news();
    expect(await healthy.offsets(published)).toEqual(
      Array.from({ length: published }, (_, index) => index + 1),
    );
    await until(() => serving.fanfare.stats().connections === 1, "the others are gone");
    expect(serving.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  /** Sends bytes as a connected client, and answers with the close code. */
  async function sent(...bytes: (Buffer | string)[]): Promise<number> {
    const client = await RawClient.connect(serving.port);
    for (const some of bytes) client.socket.write(some);
    const { code } = await client.close();
    await news();
    client.socket.end();
    await client.closed;
    expect(client.afterClose).toBe(0);
    return code;
  }

  test("invalid UTF-8 closes with 1007", async () => {
    expect(await sent(clientFrame(OPCODE.text, Buffer.from([0x22, 0xc3, 0x28, 0x22])))).toBe(1007);
  });

  test("a frame of 10 MB closes with 1009 before it is read", async () => {
    const client = await RawClient.connect(serving.port);
    client.socket.write(clientFrame(OPCODE.text, Buffer.alloc(10_000_000, "x")));
    expect(await client.close()).toMatchObject({ code: 1009 });
    client.socket.destroy();
  });

  test("a channel name of a million characters closes with 1009", async () => {
    expect(await sent(textFrame({ type: "subscribe", request: 1, channel: "x".repeat(1_000_000) }))).toBe(
      1009,
    );
  });

  test("a frame that is too large for what it is does nothing before it closes", async () => {
    const frame = { type: "lock", request: 1, name: "job", seconds: 60, padding: "x".repeat(100_000) };
    expect(await sent(textFrame(frame))).toBe(1009);
    expect(await healthy.ask({ type: "lock", name: "job", seconds: 60 })).toMatchObject({ type: "ok" });
  });

  test("a message in many fragments, too large together, closes with 1009", async () => {
    const part = Buffer.alloc(10_000, "x");
    const parts = [
      clientFrame(OPCODE.text, part, { fin: false }),
      ...Array.from({ length: 7 }, () => clientFrame(OPCODE.continuation, part, { fin: false })),
    ];
    expect(await sent(...parts)).toBe(1009);
  });

  test("a frame between the limit and what is read at all closes with 4413", async () => {
    expect(await sent(textFrame({ type: "subscribe", request: 1, channel: "x".repeat(66_000) }))).toBe(4413);
  });

  test("a channel name of 60,000 characters is refused, and the connection lives on", async () => {
    const client = await Client.connect(serving.url);
    const channel = "x".repeat(60_000);
    const answer = await client.ask({ type: "subscribe", channel });
    expect(answer).toMatchObject({ type: "error", code: "invalid_channel", channel });
    expect(answer.type === "error" && answer.message.length).toBeLessThan(300);
    await client.leave();
  });

  test("frames without a mask close with 1002", async () => {
    expect(await sent(clientFrame(OPCODE.text, '{"type":"ping"}', { mask: false }))).toBe(1002);
  });

  test.each([
    ["a reserved opcode", clientFrame(3, "x")],
    ["a reserved bit", Buffer.from([0xf1, 0x80, 0, 0, 0, 0])],
    ["a continuation of nothing", clientFrame(OPCODE.continuation, "x")],
    ["a ping in fragments", clientFrame(OPCODE.ping, "x", { fin: false })],
    ["a ping of 126 bytes", clientFrame(OPCODE.ping, "x".repeat(126))],
    ["a close frame of one byte", clientFrame(OPCODE.close, "x")],
    ["a close frame with the code 1006", clientFrame(OPCODE.close, Buffer.from([1006 >> 8, 1006 & 255]))],
    ["bytes at random", Buffer.concat([Buffer.from([0x83]), randomBytes(1000)])],
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ])("%s closes with 1002", async (_, bytes) => {
    expect(await sent(bytes)).toBe(1002);
  });

  test("nesting in a frame goes as deep as a frame is long, and closes with 4400 or is refused", async () => {
    expect(await sent(textFrame("[".repeat(60_000)))).toBe(4400);
    expect(await sent(textFrame("[".repeat(30_000) + "]".repeat(30_000)))).toBe(4400);
    expect(await sent(textFrame(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`))).toBe(4400);
    const client = await Client.connect(serving.url);
    client.say(
      `{"type":"publish","request":1,"channel":"a","data":${"[".repeat(30_000)}${"]".repeat(30_000)},"x":{"y":${'{"a":'.repeat(500)}1${"}".repeat(500)}}}`,
    );
    expect(await client.answers.next()).toMatchObject({ type: "error", request: 1, code: "invalid_value" });
    await client.leave();
  });

  test("60,000 members, and a key 60,000 characters long, are taken as data", async () => {
    const client = await Client.connect(serving.url);
    const wide = Array.from({ length: 30_000 }, () => 0);
    for (const data of [wide, { ["k".repeat(60_000)]: 1 }]) {
      expect(await client.ask({ type: "publish", channel: "a", data })).toMatchObject({ type: "ok" });
    }
    await client.leave();
  });

  test("__proto__ is a key like any other: it goes through publish, history and message unharmed", async () => {
    const client = await Client.connect(serving.url);
    await client.subscribe("proto");
    const data =
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"list":[{"__proto__":null}]}';
    client.say(
      `{"__proto__":{"type":"dance","request":7},"type":"publish","request":1,"channel":"proto","data":${data}}`,
    );
    expect(await client.answers.next()).toMatchObject({ type: "ok", request: 1 });
    const message = await client.deliveries.next();
    expect(JSON.stringify(message.type === "message" && message.data)).toBe(data);
    const { messages } = await serving.fanfare.history("proto");
    expect(JSON.stringify(messages[0]?.data)).toBe(data);
    const answer = await fetch(`${serving.http}/channels/proto/messages`);
    expect(await answer.text()).toContain(data);
    const late = await Client.connect(serving.url);
    const { epoch } = await serving.fanfare.position("proto");
    await late.subscribe("proto", { epoch, offset: 0 } as never);
    const replayed = await late.deliveries.next();
    expect(JSON.stringify(replayed.type === "message" && replayed.data)).toBe(data);
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
    await client.leave();
    await late.leave();
  });

  test("every frame may come byte by byte", async () => {
    const client = await RawClient.dial(serving.port);
    client.socket.setNoDelay(true);
    const bytes = Buffer.concat([
      Buffer.from(upgradeRequest(serving.port)),
      textFrame({ type: "connect" }),
      textFrame({ type: "subscribe", request: 1, channel: "news" }),
      clientFrame(OPCODE.ping, "are you there?"),
      textFrame({ type: "publish", request: 2, channel: "other", data: "é😀" }),
    ]);
    for (const byte of bytes) {
      client.socket.write(Buffer.of(byte));
      await new Promise<void>((done) => setImmediate(done));
    }
    expect(await client.json("connected")).toMatchObject({ resumed: false });
    expect(await client.json("subscribed")).toMatchObject({ request: 1 });
    expect((await client.frames.next()).payload.toString()).toBe("are you there?");
    expect(await client.json("ok")).toMatchObject({ request: 2 });
    client.socket.end();
    await client.closed;
  });

  test("a frame may come in a thousand fragments with pings in between", async () => {
    const client = await RawClient.connect(serving.port);
    const text = Buffer.from(
      JSON.stringify({ type: "publish", request: 1, channel: "a", data: "é".repeat(1000) }),
    );
    for (let index = 0; index < text.length; index++) {
      const opcode = index === 0 ? OPCODE.text : OPCODE.continuation;
      client.socket.write(
        clientFrame(opcode, text.subarray(index, index + 1), { fin: index === text.length - 1 }),
      );
      if (index % 500 === 0) client.socket.write(clientFrame(OPCODE.ping, String(index)));
    }
    expect(await client.json("ok")).toMatchObject({ request: 1 });
    client.socket.destroy();
  });

  test("connect and more may come in one TCP segment, even in that of the upgrade request", async () => {
    const client = await RawClient.dial(serving.port);
    client.socket.write(
      Buffer.concat([
        Buffer.from(upgradeRequest(serving.port)),
        textFrame({ type: "connect" }),
        textFrame({ type: "subscribe", request: 1, channel: "news" }),
        textFrame({ type: "publish", request: 2, channel: "a", data: 1 }),
        textFrame({ type: "ping" }),
      ]),
    );
    await client.json("connected");
    const types = (await client.frames.take(3)).map(({ payload }) => {
      const frame = JSON.parse(payload.toString()) as { type: string };
      return frame.type;
    });
    expect(types.sort()).toEqual(["ok", "pong", "subscribed"]);
    client.socket.destroy();
  });

  test("frames after an invalid one, and after a close frame, are not looked at", async () => {
    const publish = textFrame({ type: "publish", request: 1, channel: "late", data: 1 });
    const goodbye = clientFrame(OPCODE.close, Buffer.from([1000 >> 8, 1000 & 255]));
    for (const [first, code] of [
      [textFrame("garbage"), 4400],
      [textFrame({ type: "connect" }), 4400],
      [goodbye, 1000],
      [clientFrame(3, "x"), 1002],
    ] as const) {
      expect(await sent(Buffer.concat([first, publish, publish, goodbye, publish]))).toBe(code);
    }
    expect((await serving.fanfare.position("late")).offset).toBe(0);
  });

  test("a storm of pings is answered, or cut off, and costs the server no memory", async () => {
    const client = await RawClient.connect(serving.port);
    client.socket.pause();
    const storm = Buffer.concat(Array.from({ length: 50 }, () => clientFrame(OPCODE.ping, "x".repeat(125))));
    const [, socket] = serving.sockets;
    let most = 0;
    for (let round = 0; round < 2000 && !client.socket.destroyed; round++) {
      client.socket.write(storm);
      await new Promise<void>((done) => setImmediate(done));
      most = Math.max(most, socket?.writableLength ?? 0);
      if (round % 100 === 0) await news();
    }
    expect(most).toBeLessThan(64 * 1024);
    client.socket.destroy();
  });

  test("a storm of requests whose answers nobody reads stops being read, and holds no memory", async () => {
    const client = await RawClient.connect(serving.port);
    const [, socket] = serving.sockets;
    client.socket.pause();
    const request = textFrame({ type: "subscribe", request: 1, channel: "!".repeat(1000) });
    const storm = Buffer.concat(Array.from({ length: 50 }, () => request));
    let sent = 0;
    for (let round = 0; round < 1000 && !socket?.isPaused(); round++) {
      client.socket.write(storm);
      sent += 50;
      await new Promise<void>((done) => setImmediate(done));
      expect(socket?.writableLength ?? 0).toBeLessThan(192 * 1024);
    }
    expect(socket?.isPaused()).toBe(true);
    client.socket.resume();
    for (let count = 0; count < sent; count++) {
      expect(await client.json("error")).toMatchObject({ code: "invalid_channel" });
    }
    client.socket.destroy();
  });

  test("half-open handshakes stay alone: nothing said, half a header, and a FIN right after the upgrade", async () => {
    const nothing = await RawClient.dial(serving.port);
    const half = await RawClient.dial(serving.port);
    half.socket.write(upgradeRequest(serving.port).slice(0, 60));
    const fin = await RawClient.dial(serving.port);
    fin.socket.end(upgradeRequest(serving.port));
    await fin.closed;
    await news();
    const connectAndFin = await RawClient.dial(serving.port);
    connectAndFin.socket.end(
      Buffer.concat([Buffer.from(upgradeRequest(serving.port)), textFrame({ type: "connect" })]),
    );
    await connectAndFin.closed;
    nothing.socket.destroy();
    half.socket.destroy();
  });

  test.each([
    ["a POST", (request: string) => request.replace("GET", "POST"), 405],
    ["no key", (request: string) => request.replace(/Sec-WebSocket-Key.*\r\n/, ""), 400],
    ["a key that is none", (request: string) => request.replace(/(Sec-WebSocket-Key: ).*/, "$1x"), 400],
    ["another version", (request: string) => request.replace("Version: 13", "Version: 99"), 400],
    [
      "an unreadable sub-protocol",
      (request: string) => request.replace("Upgrade:", "Sec-WebSocket-Protocol: fanfare.v1,,\r\nUpgrade:"),
      400,
    ],
  ])("an upgrade with %s is refused", async (_, change, status) => {
    const client = await RawClient.dial(serving.port);
    client.socket.write(change(upgradeRequest(serving.port)));
    await client.closed;
    expect(client.head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test("a reset in the middle of a flush, and in the middle of a replay", async () => {
    const { epoch } = await serving.fanfare.position("big");
    for (let round = 0; round < 5; round++) {
      const client = await RawClient.connect(serving.port);
      const since = { epoch, offset: 0 };
      client.say({ type: "subscribe", request: 1, channel: "big", ...(round % 2 === 0 && { since }) });
      await client.json("subscribed");
      client.socket.pause();
      const flush = Array.from({ length: 100 }, (_, index) =>
        serving.fanfare.publish("big", `${index}${"x".repeat(50_000)}`),
      );
      await news();
      client.socket.resetAndDestroy();
      await Promise.all(flush);
      await news();
    }
  });

  test("a client that closes while a subscribe is under way leaves nothing behind", async () => {
    const { epoch } = await serving.fanfare.position("some");
    await serving.fanfare.publish("some", 1);
    for (let round = 0; round < 20; round++) {
      const client = await RawClient.connect(serving.port);
      const channels = Array.from({ length: 200 }, (_, index) => ({
        channel: `some:${round}:${index}`,
        since: { epoch, offset: 0 },
      }));
      const bytes = [textFrame({ type: "subscribe", request: 1, channels })];
      if (round % 2 === 0) bytes.push(clientFrame(OPCODE.close, Buffer.from([1001 >> 8, 1001 & 255])));
      client.socket.write(Buffer.concat(bytes));
      if (round % 2 === 1) client.socket.resetAndDestroy();
      await client.closed;
    }
  });
});
