import { describe, expect, test } from "vitest";
import type { Fanfare } from "../../packages/server/src/index.js";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { EventStream, listening, offsets } from "./event-stream.js";
import { type Serving, serve } from "./serving.js";
import { until } from "./waiting.js";

const open = { access: "open" } as const;

/** Publishes to `a` until a reader that stands still takes nothing more; answers with the last offset. */
async function fillUp(fanfare: Fanfare, data: string): Promise<number> {
  for (let last = 1; ; last++) {
    await fanfare.publish("a", data);
    await turns(3);
    if (fanfare.stats().waitingBytes > 0 && last > 500) return last;
  }
}

describe("a stream", () => {
  test("has the headers that keep proxies and caches from holding it back", async () => {
    const { http } = await serve(open);
    const { response } = await listening(http, "channel=a");
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      "referrer-policy": "no-referrer",
    });
    expect(response.headers["content-encoding"]).toBeUndefined();
  });

  test("begins with who the client is and when to come back", async () => {
    const { http } = await serve(open);
    const stream = await listening(http, "channel=a");
    expect(stream.heard[0]?.name).toBe("fanfare.connected");
    expect(JSON.parse(stream.heard[0]?.data ?? "")).toEqual({
      connection: expect.stringMatching(/^[\w-]{16}$/),
    });
    expect(stream.retry).toBeGreaterThanOrEqual(1000);
    expect(stream.retry).toBeLessThanOrEqual(3000);
  });

  test("tells who is present, where that is followed", async () => {
    const clock = new FakeClock(Date.now());
    const { http } = await serve({ ...open, clock, rules: [{ channels: "room", presence: true }] });
    const stream = await EventStream.open(`${http}/sse?channel=room`);
    const connected = await stream.next("connected");
    const id = `session:${connected.connection}`;
    const { presence } = await stream.next("subscribed");
    expect(presence).toEqual({ count: 1, members: [{ id, since: clock.now() }] });
    await EventStream.open(`${http}/sse?channel=room`).then((other) => other.next("subscribed"));
    clock.advance(1000);
    expect(await stream.next("presence")).toMatchObject({ channel: "room", count: 2, joined: [{ id }, {}] });
  });

  test("tells messages of several channels by their names, and its cursor after what it wrote", async () => {
    const { http, fanfare } = await serve(open);
    const stream = await listening(http, "channel=a&channel=b");
    await fanfare.publish("a", { n: 1 }, { event: "counted" });
    await fanfare.publish("b", 2);
    const [first, second] = await stream.deliveries.take(2);
    expect(first?.name).toBe("counted");
    expect(JSON.parse(first?.data ?? "")).toMatchObject({
      channel: "a",
      offset: 1,
      event: "counted",
      data: { n: 1 },
    });
    expect(second?.name).toBe("message");
    await until(() => stream.heard.at(-1)?.name === "fanfare.cursor", "the cursor follows");
    expect(stream.lastEventId).toMatch(/^[\w-]{6}\.[0-9a-f]{16}\.1,1$/);
  });

  test("goes on from its cursor, by header or in the address, in all channels", async () => {
    const { http, fanfare } = await serve(open);
    const stream = await listening(http, "channel=a&channel=b&channel=c");
    await fanfare.publish("a", 1);
    await offsets(stream, 1);
    await until(() => stream.heard.at(-1)?.name === "fanfare.cursor", "the cursor follows");
    stream.vanish();
    for (const channel of ["a", "b", "c"]) await fanfare.publish(channel, 1);
    const { lastEventId } = stream;
    const query = "channel=a&channel=b&channel=c";
    const again = await listening(http, query, { "Last-Event-ID": lastEventId });
    expect((await offsets(again, 3)).sort()).toEqual(["a2", "b1", "c1"]);
    const inAddress = await listening(http, `${query}&lastEventId=${lastEventId}`);
    expect((await offsets(inAddress, 3)).sort()).toEqual(["a2", "b1", "c1"]);
    // What the browser says when it comes back by itself is newer than its address.
    const newer = await listening(http, `${query}&lastEventId=${lastEventId}`, {
      "Last-Event-ID": again.lastEventId,
    });
    await fanfare.publish("b", "new");
    expect(await offsets(newer, 1)).toEqual(["b2"]);
  });

  test("goes on from positions, as of a page that was rendered on the server, and has the state then", async () => {
    const { http, fanfare } = await serve(open);
    const { epoch, offset } = await fanfare.position("a");
    await fanfare.publish("a", 1);
    await fanfare.states.patch("b", { n: 1 });
    const stream = await EventStream.open(`${http}/sse?channel=a&since=${epoch}:${offset}&channel=b&since=`);
    const answers = [await stream.next("subscribed"), await stream.next("subscribed")];
    expect(answers.find(({ channel }) => channel === "a")).toMatchObject({ recovered: true });
    expect(answers.find(({ channel }) => channel === "b")).toMatchObject({ state: { n: 1 }, stateOffset: 1 });
    expect(await offsets(stream, 1)).toEqual(["a1"]);
    await fanfare.states.patch("b", { n: 2 });
    const [{ name, data } = { name: "", data: "" }] = await stream.deliveries.take(1);
    expect(name).toBe("fanfare.state");
    expect(JSON.parse(data)).toEqual({ channel: "b", from: 1, offset: 2, patch: { n: 2 } });
  });

  test("says what the log no longer holds", async () => {
    const { http, fanfare } = await serve({ ...open, rules: [{ channels: "**", history: 2 }] });
    const stream = await listening(http, "channel=a");
    stream.vanish();
    for (let data = 1; data <= 5; data++) await fanfare.publish("a", data);
    const again = await EventStream.open(`${http}/sse?channel=a`, {
      headers: { "Last-Event-ID": stream.lastEventId },
    });
    expect(await again.next("subscribed")).toMatchObject({
      recovered: false,
      reason: "evicted",
      offset: 3,
      head: 5,
    });
    expect(await offsets(again, 2)).toEqual(["a4", "a5"]);
  });

  test("of a slow reader has a cursor that stands still", async () => {
    const { http, fanfare } = await serve({ ...open, rules: [{ channels: "**", history: 5000 }] });
    const stream = await listening(http, "channel=a");
    stream.response.pause();
    const last = await fillUp(fanfare, "x".repeat(32 * 1024));
    const heardBefore = stream.lastEventId;
    await fanfare.publish("a", "one more");
    await turns(20);
    expect(stream.lastEventId).toBe(heardBefore);
    stream.response.resume();
    const got = await offsets(stream, last + 1);
    expect(got).toEqual(Array.from({ length: last + 1 }, (_, index) => `a${index + 1}`));
    await until(
      () => stream.lastEventId.endsWith(`.${(last + 1).toString(36)}`),
      "the cursor reaches the end",
    );
  });

  test("is kept open by comments every 15 to 25 seconds", async () => {
    const clock = new FakeClock();
    const { http } = await serve({ ...open, clock });
    const streams: EventStream[] = [];
    for (let index = 0; index < 5; index++) streams.push(await listening(http, "channel=a"));
    await clock.forward(14_000, 1000);
    expect(streams.flatMap(({ comments }) => comments)).toEqual([]);
    await clock.forward(11_000, 1000);
    await until(() => streams.every(({ comments }) => comments.length === 1), "each has had one");
    await clock.forward(25_000, 1000);
    await until(() => streams.every(({ comments }) => comments.length >= 2), "each has had another");
  });

  test("that takes nothing for 5 minutes is cut off", async () => {
    const clock = new FakeClock();
    const { http, fanfare, log } = await serve({ ...open, clock });
    const stream = await listening(http, "channel=a");
    stream.response.pause();
    const text = "x".repeat(32 * 1024);
    await fillUp(fanfare, text);
    await clock.forward(290_000, 1000);
    expect(fanfare.stats().connections).toBe(1);
    await clock.forward(40_000, 1000);
    expect(fanfare.stats().connections).toBe(0);
    expect(log.about("client is dead")).toHaveLength(1);
  });

  test("stands in the list of connections with its door, in the figures, and can be ended there", async () => {
    const { http } = await serve(open);
    const stream = await listening(http, "channel=a");
    const { connections } = await (await fetch(`${http}/connections`)).json();
    expect(connections).toMatchObject([{ door: "sse", subscriptions: 1 }]);
    expect(await (await fetch(`${http}/metrics`)).text()).toContain('fanfare_door_connections{door="sse"} 1');
    await fetch(`${http}/connections/${connections[0].connection}`, { method: "DELETE" });
    expect(await stream.next("closed")).toMatchObject({ code: 4410 });
    await stream.ended;
  });

  test("ends when the server stops, with the time to come back", async () => {
    const { http, fanfare } = await serve(open);
    const stream = await listening(http, "channel=a");
    await fanfare.publish("a", 1);
    await fanfare.close();
    await stream.ended;
    expect(await offsets(stream, 1)).toEqual(["a1"]);
    const { code, retryAfterSeconds } = await stream.next("closed");
    expect(code).toBe(1012);
    expect(stream.retry).toBe(Number(retryAfterSeconds) * 1000);
    expect(stream.lastEventId).toMatch(/\.1$/);
  });
});

test("through the web-standard interface a stream is the same, and holds back when nobody reads", async () => {
  const { fanfare }: Pick<Serving, "fanfare"> = await serve({
    ...open,
    rules: [{ channels: "**", history: 10 }],
  });
  const answer = await fanfare.fetch(new Request("http://localhost/push/sse?channel=a"));
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const read = async (part: string) => {
    while (!text.includes(part)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended before ${part}: ${text.slice(-200)}`);
      text += Buffer.from(value).toString();
    }
  };
  await read("fanfare.cursor");
  await fanfare.publish("a", "hello");
  await read('"data":"hello"');
  for (let index = 0; index < 20; index++) {
    await fanfare.publish("a", "x".repeat(32 * 1024));
    await turns(2);
  }
  expect(fanfare.stats().fullConnections).toBe(1);
  expect(fanfare.stats().waitingBytes).toBeLessThan(256 * 1024);
  await read('"reason":"too_slow"');
  await fanfare.publish("a", "end");
  await read('"data":"end"');
  await reader.cancel();
  expect(fanfare.stats().connections).toBe(0);
});
