/**
 * What every door promises, whatever its protocol: clients get what the hub says of their channels, once, in order, and
 * know what they do not have. A door's test starts a server, and says what a client of its protocol can do.
 */
import type { GapReason, Position } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Fanfare } from "../fanfare.js";
import type { FanfareOptions } from "../options.js";
import type { DoorCapabilities } from "./door.js";

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

/** How a server took leave of a client. */
export interface Ended {
  /** Seconds after which it may come back, where the server said so. */
  readonly retryAfter?: number;
}

/** One client, in the words of the contract. Whatever waits has a deadline of its own. */
export interface DoorClient {
  /**
   * Resolves when the subscription has begun. `since` is given only with `positions`.
   *
   * @throws when it is refused, an error whose message holds the error's code
   */
  subscribe(channel: string, since?: Position): Promise<Subscribed>;
  /** Resolves when nothing of the channel follows any more. Only with `unsubscribes`. */
  unsubscribe(channel: string): Promise<void>;
  /** Resolves when the message is in the log. Only with `publishes`. */
  publish(channel: string, data: unknown): Promise<void>;
  /** The next message or gap. */
  next(): Promise<Delivered>;
  /** How many messages and gaps are there to be taken. */
  readonly waiting: number;
  stopReading(): void;
  readAgain(): void;
  /** Says goodbye as the protocol has it, and resolves when it is over. */
  leave(): Promise<void>;
  /** Is gone without a word. */
  vanish(): void;
  /**
   * After `vanish`: comes back as clients of this protocol do, with all that it was subscribed to, and resolves when its subscriptions
   * have begun again. False says that it was told that something may be missing.
   */
  comeBack(): Promise<boolean>;
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<Ended>;
}

export interface DoorUnderTest {
  readonly fanfare: Fanfare;
  /**
   * @param token says who the client is
   * @throws when it is refused, an error whose message holds the error's code; or `subscribe` does so
   */
  open(token?: string): Promise<DoorClient>;
}

const SECRET = "the-secret-of-the-door-contract-0123";

/**
 * @param can what the door says of itself
 * @param start a server with this door and these options; the options leave `path`, `engine` and `clock` to the door. It
 * ends with the test
 */
export function doorContract(
  name: string,
  can: DoorCapabilities,
  start: (options: FanfareOptions) => Promise<DoorUnderTest>,
): void {
  describe(`the door contract, kept by the ${name} door`, () => {
    const opened = (options: FanfareOptions = {}) => start({ access: "open", ...options });

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
      if (can.unsubscribes) await both.subscribe("b");
      for (let index = 0; index < 10; index++) {
        await fanfare.publish("a", `a${index}`);
        await fanfare.publish("b", `b${index}`);
      }
      await fanfare.publish("a", "end");
      await fanfare.publish("b", "end");
      const tens = (channel: string) => Array.from({ length: 10 }, (_, index) => `${channel}${index}`);
      expect(await dataOf(one, 11)).toEqual([...tens("a"), "end"]);
      expect(await dataOf(other, 11)).toEqual([...tens("b"), "end"]);
      if (!can.unsubscribes) return;
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

    test.runIf(can.publishes)(
      "whoever publishes hears its own message like everybody else, once",
      async () => {
        const { fanfare, open } = await opened();
        const [sender, other] = await Promise.all([open(), open()]);
        await sender.subscribe("chat");
        await other.subscribe("chat");
        await sender.publish("chat", "hello");
        await fanfare.publish("chat", "end");
        expect(await dataOf(sender, 2)).toEqual(["hello", "end"]);
        expect(await dataOf(other, 2)).toEqual(["hello", "end"]);
      },
    );

    describe.runIf(can.unsubscribes)("unsubscribing", () => {
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

    describe("coming back", () => {
      test.runIf(can.recovery !== "none")(
        "brings what was published meanwhile, in order, then what follows",
        async () => {
          const { fanfare, open } = await opened();
          const client = await open();
          await client.subscribe("news");
          await fanfare.publish("news", 1);
          expect(await dataOf(client, 1)).toEqual([1]);
          client.vanish();
          for (let data = 2; data <= 50; data++) await fanfare.publish("news", data);
          expect(await client.comeBack()).toBe(true);
          await fanfare.publish("news", 51);
          const got = await dataUntil(client, 51);
          // A cursor may be a little behind what was read.
          if (can.recovery === "cursor" && got[0] === 1) got.shift();
          expect(got).toEqual(Array.from({ length: 50 }, (_, index) => index + 2));
        },
      );

      test.runIf(can.recovery !== "none")(
        "to a channel that had nothing brings its first message",
        async () => {
          const { fanfare, open } = await opened();
          const client = await open();
          await client.subscribe("quiet");
          client.vanish();
          await fanfare.publish("quiet", "first");
          expect(await client.comeBack()).toBe(true);
          expect(await dataOf(client, 1)).toEqual(["first"]);
        },
      );

      test("to a log that has lost what was missed is told so", async () => {
        const { fanfare, open } = await opened({ rules: [{ channels: "news", history: 3 }] });
        const client = await open();
        await client.subscribe("news");
        await fanfare.publish("news", 0);
        expect(await dataOf(client, 1)).toEqual([0]);
        client.vanish();
        for (let data = 1; data <= 20; data++) await fanfare.publish("news", data);
        expect(await client.comeBack()).toBe(false);
        await fanfare.publish("news", 21);
        const got = await dataUntil(client, 21);
        expect(got).toEqual(can.recovery === "none" ? [21] : [18, 19, 20, 21]);
      });
    });

    test("a client that stops reading costs a bounded amount, and holds up nobody", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 10 }] });
      const [slow, quick] = [await open(), await open()];
      await slow.subscribe("big");
      await quick.subscribe("big");
      slow.stopReading();
      const text = "x".repeat(32 * 1024);
      let most = 0;
      for (let index = 1; index <= 600; index++) {
        await fanfare.publish("big", { index, text });
        expect(await quick.next()).toMatchObject({ kind: "message", data: { index } });
        most = Math.max(most, fanfare.stats().waitingBytes);
      }
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(256 * 1024);
      expect(fanfare.stats().fullConnections).toBe(1);
    });

    describe("access", () => {
      const tokens = { secrets: [SECRET] };
      const tokenOf = async (fanfare: Fanfare) => {
        const grants = [{ channels: "mine:*", actions: ["subscribe"] }] as const;
        return (await fanfare.token({ user: "alice", grants })).token;
      };

      test("who may not hear a channel is refused it, and who may is not", async () => {
        const { fanfare, open } = await opened({ access: "none", tokens });
        const token = await tokenOf(fanfare);
        await expect(subscribed(open(token), "theirs:1")).rejects.toThrow(/forbidden/);
        await expect(subscribed(open(), "mine:1")).rejects.toThrow(/forbidden|not_logged_in/);
        const client = await subscribed(open(token), "mine:1");
        await fanfare.publish("mine:1", "for alice");
        expect(await dataOf(client, 1)).toEqual(["for alice"]);
      });

      test("a token that is wrong is never taken for none", async () => {
        const { open } = await opened({ access: "listen", tokens });
        await expect(subscribed(open("not.a.token"), "a")).rejects.toThrow(/not_logged_in/);
      });

      test("who is logged out is sent away at once", async () => {
        const { fanfare, open } = await opened({ access: "none", tokens });
        const client = await subscribed(open(await tokenOf(fanfare)), "mine:1");
        await fanfare.logOut("alice");
        await client.ended;
        await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(0);
      });

      test("what is not granted any more is not heard any more", async () => {
        const { fanfare, open } = await opened({
          access: [{ channels: "*", actions: ["subscribe", "history"] }],
        });
        const client = await subscribed(open(), "a");
        await fanfare.publish("a", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
        fanfare.reload({ access: [{ channels: "b", actions: ["subscribe"] }] });
        await fanfare.publish("a", 2);
        const other = await subscribed(open(), "b");
        await fanfare.publish("b", 3);
        expect(await dataOf(other, 1)).toEqual([3]);
        expect(client.waiting).toBe(0);
      });
    });

    describe("limits", () => {
      test("beyond the most connections nobody is let in, and those there are stay", async () => {
        const { fanfare, open } = await opened({ limits: { connections: 2 } });
        const clients = [await subscribed(open(), "a"), await subscribed(open(), "a")];
        await expect(subscribed(open(), "a")).rejects.toThrow(/too_many_connections|503/);
        await fanfare.publish("a", 1);
        for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
      });
    });

    describe("a server that stops", () => {
      test("sends everybody away, with what was published before, and another time to come back for each", async () => {
        const { fanfare, open } = await opened({ rules: [{ channels: "slow", maxRate: 0.1 }] });
        const clients = [];
        for (let index = 0; index < 20; index++) clients.push(await subscribed(open(), "slow"));
        await fanfare.publish("slow", 1);
        for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
        await fanfare.publish("slow", 2);
        await fanfare.close({ withinMs: 2000 });
        for (const client of clients) expect(await dataOf(client, 1)).toEqual([2]);
        const waits = await Promise.all(clients.map(async ({ ended }) => (await ended).retryAfter));
        expect(fanfare.stats().connections).toBe(0);
        for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(0.2);
        expect(new Set(waits).size).toBeGreaterThan(5);
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
        const [slow, quick, other] = await Promise.all([open(), open(), open()]);
        await slow.subscribe("big");
        await quick.subscribe("big");
        await other.subscribe("small");
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
        expect(await dataOf(quick, 1)).toEqual(["end"]);
        expect(await dataOf(other, 1)).toEqual(["end"]);
      });
    });
  });
}

async function subscribed(opening: Promise<DoorClient>, channel: string): Promise<DoorClient> {
  const client = await opening;
  await client.subscribe(channel);
  return client;
}

/** The data of the deliveries up to one, gaps left out. */
async function dataUntil(client: DoorClient, last: unknown): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.at(-1) !== last) {
    const delivered = await client.next();
    if (delivered.kind === "message") data.push(delivered.data);
  }
  return data;
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
