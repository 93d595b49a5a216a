/**
 * What every door promises, whatever its protocol: clients get what the hub says of their channels, once, in order, and
 * know what they do not have. A door's test starts a server, and says what a client of its protocol can do.
 */
import type { GapReason, Position } from "@fanfare/protocol";
import { afterEach, describe, expect, test } from "vitest";
import type { Fanfare } from "../fanfare.js";
import type { FanfareOptions } from "../options.js";

/** What can be said in a door's protocol. Tests of what cannot are left out. */
export interface DoorCapabilities {
  /** A subscription has a position, and can be asked for from a position on; gaps are announced. */
  readonly positions: boolean;
  /** A connection can take up and give up channels while it lives. */
  readonly unsubscribe: boolean;
  /** Clients can publish. */
  readonly publish: boolean;
}

export interface DeliveredMessage {
  readonly kind: "message";
  readonly channel: string;
  /** Where the protocol tells it. */
  readonly offset?: number;
  readonly data: unknown;
}

export interface DeliveredGap {
  readonly kind: "gap";
  readonly channel: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

export type Delivered = DeliveredMessage | DeliveredGap;

export interface Subscribed {
  /** Where the protocol tells it. */
  readonly position?: Position;
  readonly recovered?: boolean;
  readonly reason?: GapReason;
}

/** One client, in the words of the contract. Whatever waits has a deadline of its own. */
export interface DoorClient {
  /** Resolves when the subscription has begun. */
  subscribe(channel: string, since?: Position): Promise<Subscribed>;
  /** Resolves when nothing of the channel follows any more. Only with `unsubscribe`. */
  unsubscribe(channel: string): Promise<void>;
  /** Resolves when the message is in the log. Only with `publish`. */
  publish(channel: string, data: unknown): Promise<void>;
  /** The next message or gap. */
  next(): Promise<Delivered>;
  stopReading(): void;
  readAgain(): void;
  /** Says goodbye as the protocol has it, and resolves when it is over. */
  leave(): Promise<void>;
  /** Is gone without a word. */
  vanish(): void;
}

export interface DoorUnderTest {
  readonly fanfare: Fanfare;
  open(): Promise<DoorClient>;
  /** Stops the server and all clients. */
  stop(): Promise<void>;
}

/**
 * @param start a server with this door and these options; the options leave `path`, `engine` and `clock` to the door
 */
export function doorContract(
  name: string,
  can: DoorCapabilities,
  start: (options: FanfareOptions) => Promise<DoorUnderTest>,
): void {
  describe(`the door contract, kept by the ${name} door`, () => {
    let door: DoorUnderTest | null = null;

    async function opened(options: FanfareOptions = {}): Promise<DoorUnderTest> {
      door = await start({ access: "open", ...options });
      return door;
    }

    afterEach(async () => {
      await door?.stop();
      door = null;
    });

    test("messages arrive in the order in which they were published, with their data", async () => {
      const { fanfare, open } = await opened();
      const client = await open();
      await client.subscribe("news");
      const sent = Array.from({ length: 300 }, (_, index) => ({ index, text: "é😀\u2028" }));
      await Promise.all(sent.map((data) => fanfare.publish("news", data)));
      expect(await dataOf(client, 300)).toEqual(sent);
    });

    test("every client of a channel gets each message, and none of other channels", async () => {
      const { fanfare, open } = await opened();
      const [one, other, both] = await Promise.all([open(), open(), open()]);
      await one.subscribe("a");
      await other.subscribe("b");
      await both.subscribe("a");
      if (can.unsubscribe) await both.subscribe("b");
      for (let index = 0; index < 10; index++) {
        await fanfare.publish("a", `a${index}`);
        await fanfare.publish("b", `b${index}`);
      }
      await fanfare.publish("a", "end");
      await fanfare.publish("b", "end");
      const tens = (channel: string) => Array.from({ length: 10 }, (_, index) => `${channel}${index}`);
      expect(await dataOf(one, 11)).toEqual([...tens("a"), "end"]);
      expect(await dataOf(other, 11)).toEqual([...tens("b"), "end"]);
      if (!can.unsubscribe) return;
      const got = await dataOf(both, 22);
      expect(got.filter((data) => String(data).startsWith("a"))).toEqual(tens("a"));
      expect(got.filter((data) => String(data).startsWith("b"))).toEqual(tens("b"));
    });

    test("a client that left or vanished harms nobody, and is forgotten", async () => {
      const { fanfare, open } = await opened();
      const [stays, leaves, vanishes] = await Promise.all([open(), open(), open()]);
      for (const client of [stays, leaves, vanishes]) await client.subscribe("news");
      expect(fanfare.stats().connections).toBe(3);
      await fanfare.publish("news", 1);
      await leaves.leave();
      vanishes.vanish();
      await fanfare.publish("news", 2);
      expect(await dataOf(stays, 2)).toEqual([1, 2]);
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
    });

    test.runIf(can.publish)("whoever publishes hears its own message like everybody else, once", async () => {
      const { fanfare, open } = await opened();
      const [sender, other] = await Promise.all([open(), open()]);
      await sender.subscribe("chat");
      await other.subscribe("chat");
      await sender.publish("chat", "hello");
      await fanfare.publish("chat", "end");
      expect(await dataOf(sender, 2)).toEqual(["hello", "end"]);
      expect(await dataOf(other, 2)).toEqual(["hello", "end"]);
    });

    describe.runIf(can.unsubscribe)("unsubscribing", () => {
      test("after the answer nothing of the channel follows, and the others go on", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("a");
        await client.subscribe("b");
        await fanfare.publish("a", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
        await client.unsubscribe("a");
        await fanfare.publish("a", 2);
        await fanfare.publish("b", 3);
        expect(await dataOf(client, 1)).toEqual([3]);
      });

      test("one may subscribe again, and gets what comes from then on", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("a");
        await client.unsubscribe("a");
        await fanfare.publish("a", "between");
        await client.subscribe("a");
        await fanfare.publish("a", "after");
        expect(await dataOf(client, 1)).toEqual(["after"]);
      });
    });

    describe.runIf(can.positions)("positions", () => {
      test("a channel without messages has a position, and one can go on from it", async () => {
        const { fanfare, open } = await opened();
        const first = await open();
        const { position, recovered } = await first.subscribe("quiet");
        expect(position).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 0 });
        expect(recovered).toBe(false);
        await first.leave();
        await fanfare.publish("quiet", "missed");
        const again = await open();
        const answer = await again.subscribe("quiet", position);
        expect(answer).toEqual({ position, recovered: true });
        expect(await dataOf(again, 1)).toEqual(["missed"]);
      });

      test("what was missed is delivered first, then what comes", async () => {
        const { fanfare, open } = await opened();
        const position = await fanfare.position("news");
        for (let index = 1; index <= 20; index++) await fanfare.publish("news", index);
        const since = { epoch: position.epoch, offset: 5 };
        const client = await open();
        expect(await client.subscribe("news", since)).toEqual({ position: since, recovered: true });
        await fanfare.publish("news", 21);
        expect(await dataOf(client, 16)).toEqual(Array.from({ length: 16 }, (_, index) => index + 6));
      });

      test("nothing is missing at the head", async () => {
        const { fanfare, open } = await opened();
        await fanfare.publish("news", 1);
        const head = await fanfare.position("news");
        const client = await open();
        expect(await client.subscribe("news", head)).toEqual({ position: head, recovered: true });
        await fanfare.publish("news", 2);
        expect(await dataOf(client, 1)).toEqual([2]);
      });

      test("what the log no longer holds is said in the answer, and what it holds follows", async () => {
        const { fanfare, open } = await opened({ rules: [{ channels: "news", history: 5 }] });
        const { epoch } = await fanfare.position("news");
        for (let index = 1; index <= 20; index++) await fanfare.publish("news", index);
        const client = await open();
        expect(await client.subscribe("news", { epoch, offset: 3 })).toEqual({
          position: { epoch, offset: 15 },
          recovered: false,
          reason: "evicted",
        });
        expect(await dataOf(client, 5)).toEqual([16, 17, 18, 19, 20]);
      });

      test("a position of another log, or beyond the head, is not recovered from: delivery starts at the head", async () => {
        const { fanfare, open } = await opened();
        await fanfare.publish("news", "old");
        const head = await fanfare.position("news");
        const elsewhere = { epoch: "0123456789abcdef" as Position["epoch"], offset: 1 };
        for (const since of [elsewhere, { epoch: head.epoch, offset: 1000 }]) {
          const client = await open();
          const { position, recovered, reason } = await client.subscribe("news", since);
          expect({ position, recovered }).toEqual({ position: head, recovered: false });
          expect(["restarted", "epoch_changed", "forgotten"]).toContain(reason);
          await fanfare.publish("news", "new");
          expect(await dataOf(client, 1)).toEqual(["new"]);
          Object.assign(head, await fanfare.position("news"));
        }
      });

      test("what is published while a subscribe is under way is delivered exactly once", async () => {
        const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 1000 }] });
        for (let round = 0; round < 5; round++) {
          const channel = `busy:${round}`;
          const { epoch } = await fanfare.position(channel);
          const client = await open();
          const publishing = (async () => {
            for (let index = 1; index <= 200; index++) {
              await fanfare.publish(channel, index);
              if (index % (round + 1) === 0) await new Promise<void>((done) => setImmediate(done));
            }
          })();
          const { recovered } = await client.subscribe(channel, { epoch, offset: 0 });
          expect(recovered).toBe(true);
          await publishing;
          expect(await dataOf(client, 200)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
          await client.leave();
        }
      });

      test("a client that stopped reading gets a gap for what it cannot get any more; another one gets all", async () => {
        const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 10 }] });
        const [slow, quick] = await Promise.all([open(), open()]);
        await slow.subscribe("big");
        await quick.subscribe("big");
        await quick.subscribe("small");
        slow.stopReading();
        const count = 600;
        const text = "x".repeat(32 * 1024);
        for (let index = 1; index <= count; index++) {
          await fanfare.publish("big", { index, text });
          if (index % 10 === 0) await quickKeepsUp(index);
        }
        async function quickKeepsUp(last: number) {
          for (let index = last - 9; index <= last; index++) {
            expect(await quick.next()).toMatchObject({ kind: "message", offset: index, data: { index } });
          }
        }
        slow.readAgain();
        let reached = 0;
        const gaps: DeliveredGap[] = [];
        while (reached < count) {
          const delivered = await slow.next();
          if (delivered.kind === "gap") {
            expect(delivered).toMatchObject({ channel: "big", from: reached + 1, reason: "too_slow" });
            gaps.push(delivered);
            reached = delivered.to;
          } else {
            expect(delivered).toMatchObject({ offset: reached + 1, data: { index: reached + 1 } });
            reached++;
          }
        }
        expect(gaps).toHaveLength(1);
        // What the log holds follows the gap: nothing is called missing that is not.
        expect(reached).toBe(count);
        expect(gaps[0]?.to).toBe(count - 10);
        await fanfare.publish("big", "end");
        expect(await slow.next()).toMatchObject({ offset: count + 1, data: "end" });
        await fanfare.publish("small", "end");
        expect(await dataOf(quick, 2)).toEqual(["end", "end"]);
      });
    });
  });
}

/** The data of the next deliveries, which must be messages. */
async function dataOf(client: DoorClient, count: number): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.length < count) {
    const delivered = await client.next();
    if (delivered.kind === "gap") throw new Error(`a gap came: ${JSON.stringify(delivered)}`);
    data.push(delivered.data);
  }
  return data;
}
