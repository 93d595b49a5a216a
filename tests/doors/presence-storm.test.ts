/** The short form of `bench/presence-storm.mjs`: many users come to one channel at once, over real WebSockets. */
import type { PresenceFrame } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { serve } from "./serving.js";

const WATCHERS = 30;
const USERS = 600;
const WAVES = 6;

test("a storm of joins loses nobody, costs each watcher a bounded number of frames, and holds up no messages", async () => {
  const clock = new FakeClock(Date.now());
  const { url, fanfare } = await serve({
    clock,
    rules: [{ channels: "room", presence: true }],
    authorize: ({ token = "" }) => ({
      user: token,
      grants: [{ channels: "**", actions: ["subscribe", "presence"] }],
    }),
  });
  const come = async (token: string, ...channels: string[]) => {
    const client = await Client.open(url);
    await client.connect({ token });
    for (const channel of channels) await client.subscribe(channel);
    return client;
  };
  const presenceOf = ({ heard }: Client) =>
    heard.filter((frame): frame is PresenceFrame => frame.type === "presence");

  const watchers: Client[] = [];
  for (let count = 0; count < WATCHERS; count++)
    watchers.push(await come(`watcher${count}`, "room", "stream"));
  clock.advance(1000);
  for (let wave = 0; wave < WAVES; wave++) {
    const names = Array.from(
      { length: USERS / WAVES },
      (_, index) => `user${wave}-${"x".repeat(150)}${index}`,
    );
    await Promise.all(names.map((name) => come(name, "room").then((client) => client.leave())));
    await fanfare.publish("stream", wave);
    clock.advance(1000);
  }
  for (const watcher of watchers) {
    expect(await watcher.offsets(WAVES)).toEqual(Array.from({ length: WAVES }, (_, index) => index + 1));
    await watcher.alive();
    const frames = presenceOf(watcher);
    expect(frames.length).toBeLessThanOrEqual(1 + WAVES);
    expect(frames.at(-1)).toEqual({ type: "presence", channel: "room", count: WATCHERS + USERS });
    for (const frame of frames) expect(JSON.stringify(frame).length).toBeLessThan(20 * 1024);
  }
  expect((await fanfare.presence.list("room")).count).toBe(WATCHERS + USERS);

  // It is calm again: everybody is given the list, in pages.
  clock.advance(1000);
  const [first] = watchers;
  await expect.poll(() => first && presenceOf(first).at(-1)?.more, { interval: 1 }).toBe(false);
  const listed = watchers.map((watcher) => presenceOf(watcher).flatMap(({ members = [] }) => members));
  expect(new Set(listed[0]?.map(({ id }) => id)).size).toBe(WATCHERS + USERS);
  expect(fanfare.stats().connections).toBe(WATCHERS);
});
