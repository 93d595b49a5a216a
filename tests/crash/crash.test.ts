/**
 * A server that is killed at random moments, under load: nothing that was acknowledged is lost, doubled or out of order for
 * anybody, no number is given twice, and a lock has one holder at a time. `npm run test:slow -- crash` kills it 50 times; CRASH_KILLS and CRASH_SEED say otherwise.
 */
import { expect, onTestFinished, test } from "vitest";
import { seeded } from "../../packages/server/src/testing/seeded.js";
import { within } from "../library/within.js";
import { diskFolder } from "./disk-folder.js";
import { KEY, KillableServer } from "./server.js";
import { Counter, faultsOf, Locker } from "./shared.js";
import { type Acknowledged, Listener, Publisher, pause } from "./witnesses.js";

const KILLS = Number(process.env.CRASH_KILLS ?? 3);
const SEED = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 32));
const PUBLISHERS = 20;
const LISTENERS = 20;
const COUNTERS = 5;
const LOCKERS = 3;
const CHANNELS = ["order:1", "order:2", "ticker", "chat:room", "broadcast"];
/** Long enough that nothing is gone before it is checked. */
const RULES = JSON.stringify([{ channels: "**", history: 100_000, historySeconds: 86_400 }]);
/** The longest life of a server, in milliseconds from its start. */
const LONGEST_LIFE_MS = 700;
/** Between two messages of one publisher. */
const PAUSE_MS = 5;

test(
  `loses nothing that was acknowledged, though it is killed ${KILLS} times`,
  async () => {
    const server = await KillableServer.make(diskFolder(), { FANFARE_RULES: RULES });
    onTestFinished(() => server.kill());
    await server.start();

    const listeners = Array.from({ length: LISTENERS }, () => new Listener(server.url, CHANNELS));
    onTestFinished(() => {
      for (const listener of listeners) listener.close();
    });
    const isSubscribed = (listener: Listener) => () =>
      CHANNELS.every((channel) => (listener.epochs.get(channel)?.size ?? 0) > 0);
    await within(
      Promise.all(listeners.map((listener) => listener.until(isSubscribed(listener)))),
      "subscribing",
      20_000,
    );
    const publishers = Array.from(
      { length: PUBLISHERS },
      (_, index) => new Publisher(`p${index}`, server.url, CHANNELS, PAUSE_MS),
    );

    const counters = Array.from({ length: COUNTERS }, (_, index) =>
      new Counter(`c${index}`, server.url).start(),
    );
    const lockers = Array.from({ length: LOCKERS }, () => new Locker(server.url).start());

    const fraction = seeded(SEED);
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(fraction() * LONGEST_LIFE_MS);
      await server.kill();
      await server.start();
    }
    await pause(LONGEST_LIFE_MS);
    await Promise.all([...publishers, ...counters, ...lockers].map((witness) => witness.stop()));

    const acknowledged = publishers.flatMap((publisher) => publisher.acknowledged);
    const unanswered = publishers.reduce((sum, publisher) => sum + publisher.unanswered, 0);
    expect(acknowledged.length).toBeGreaterThan(0);
    for (const channel of CHANNELS) {
      const log = await logOf(server.url, channel);
      checkLog(
        channel,
        log,
        acknowledged.filter((each) => each.channel === channel),
      );
      for (const listener of listeners) {
        const heard = listener.heard.get(channel) ?? [];
        await within(
          listener.until(() => heard.length >= log.data.length),
          `the end of ${channel}`,
          30_000,
        );
        expect([...(listener.epochs.get(channel) ?? [])]).toEqual([log.epoch]);
        expect(heard.map(({ offset }) => offset)).toEqual(log.data.map((_, index) => index + 1));
        expect(heard.map(({ data }) => data)).toEqual(log.data);
      }
    }
    for (const { gaps, errors } of listeners) expect([gaps, errors]).toEqual([[], []]);

    const numbers = counters.flatMap((counter) => counter.numbers);
    expect(numbers.length).toBeGreaterThan(0);
    expect(new Set(numbers).size).toBe(numbers.length);
    const locked = lockers.reduce((sum, { held }) => sum + held.length, 0);
    expect(locked).toBeGreaterThan(0);
    expect(faultsOf(lockers)).toEqual([]);

    const slowest = Math.max(...server.startMs);
    console.log(
      `seed ${SEED}: ${KILLS} kills, ${acknowledged.length} messages acknowledged to ${PUBLISHERS} publishers, ` +
        `${unanswered} calls unanswered; each of ${LISTENERS} listeners heard all of them once and in order; ` +
        `${numbers.length} numbers up to ${Math.max(...numbers)}, none twice; ${locked} holders of one lock, one after the other; ` +
        `slowest start ${slowest.toFixed(0)} ms`,
    );
  },
  60_000 + KILLS * 10_000,
);

interface Log {
  readonly epoch: string;
  /** By offset, from 1 on. */
  readonly data: readonly string[];
}

/** Everything that the log holds, page by page. */
async function logOf(url: string, channel: string): Promise<Log> {
  const data: string[] = [];
  let after = "";
  for (;;) {
    const response = await fetch(`${url}/channels/${channel}/messages?limit=1000${after}`, {
      headers: { Authorization: `Bearer ${KEY}` },
    });
    const page = (await response.json()) as {
      epoch: string;
      first: number;
      head: number;
      messages: { offset: number; data: string }[];
    };
    expect(page.first).toBe(1);
    for (const message of page.messages) {
      expect(message.offset).toBe(data.length + 1);
      data.push(message.data);
    }
    if (data.length >= page.head) return { epoch: page.epoch, data };
    after = `&after=${page.epoch}:${data.length}`;
  }
}

/** What was acknowledged stands where it was said to stand, and nothing stands in the log twice. */
function checkLog(channel: string, log: Log, acknowledged: readonly Acknowledged[]): void {
  for (const { epoch, offset, data } of acknowledged) {
    expect([channel, offset, epoch, log.data[offset - 1]]).toEqual([channel, offset, log.epoch, data]);
  }
  expect(new Set(acknowledged.map(({ offset }) => offset)).size).toBe(acknowledged.length);
  expect(new Set(log.data).size).toBe(log.data.length);
}
