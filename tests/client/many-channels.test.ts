/** A view of 1,000 channels that is opened and closed again and again, within the rates that a server has by default. */
import { expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../packages/client/src/testing/fake-clock.js";
import { FakeClock as ServerClock } from "../../packages/server/src/testing/fake-clock.js";
import { clientOf, inState, serve } from "./world.js";

const CHANNELS = Array.from({ length: 1000 }, (_, index) => `order:${index}`);

test("three times in a row leaves all of them live", async () => {
  const serverClock = new ServerClock();
  const { url, fanfare, close } = await serve({ clock: serverClock });
  const clock = new FakeClock();
  const client = clientOf(url, { clock, sse: false });
  onTestFinished(async () => {
    client.close();
    await close();
  });
  const errors: string[] = [];
  client.on("error", ({ message }) => errors.push(message));
  const heard = new Map<string, number>();
  const begun = new Set<string>();
  const open = () =>
    CHANNELS.map((name) =>
      client.subscribe(name, ({ channel }) => heard.set(channel, (heard.get(channel) ?? 0) + 1), {
        onSubscribed: ({ channel }) => begun.add(channel),
      }),
    );
  const allBegun = async () => {
    for (let round = 0; begun.size < CHANNELS.length && round < 2000; round++) {
      await new Promise<void>((done) => setImmediate(done));
      // The wheel of the server's clock and the waits of the client go on together.
      if (round % 10 === 9) for (const each of [serverClock, clock]) each.advance(100);
    }
    expect(begun.size).toBe(CHANNELS.length);
  };

  for (let time = 0; time < 3; time++) {
    begun.clear();
    const view = open();
    if (time === 0) await inState(client, "connected");
    await allBegun();
    if (time < 2) for (const { unsubscribe } of view) unsubscribe();
  }
  for (const name of CHANNELS) await fanfare.publish(name, "news");
  for (let round = 0; heard.size < CHANNELS.length && round < 2000; round++) {
    serverClock.advance(1);
    await new Promise<void>((done) => setImmediate(done));
  }
  expect([heard.size, Math.max(...heard.values())]).toEqual([CHANNELS.length, 1]);
  expect(errors.length, "the rate is told of once").toBe(1);
});
