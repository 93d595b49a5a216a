/** Shares: who owns what, that no owner gets more than one may have, and that it is given back; and how channels are removed. */
import { ownChannel, type Position, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Engine, Holdings } from "../engine.js";
import { DEFAULT_SHARE, NO_HOLDINGS } from "../shares.js";
import {
  appendAll,
  BUSY,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  type Open,
  OTHER,
  QUIET,
  setState,
  valuesOf,
} from "./harness.contract.js";

const HOUR_MS = 3_600_000;
const NOT_OURS = "the engine's time is not ours";
const ALICE = "user alice";
const BOB = "user bob";

const named = (number: number) => parseChannelName(`c:${number}`);
const publish = (engine: Engine, channel = BUSY, owner?: string) =>
  engine.logs.append(channel, draft(1, owner === undefined ? {} : { owner }), KEEP_ALL);
const set = (engine: Engine, channel = BUSY, value: object | null = {}, owner?: string) =>
  setState(engine, channel, value, KEEP_ALL, owner);

const held = (engine: Engine, owner: string) => engine.logs.holdings(owner);

const refused = (what: RegExp) => ({ code: "share_used_up", message: expect.stringMatching(what) });

export function sharesContract(open: Open): void {
  describe("what is remembered for a while", () => {
    const keyed = (engine: Engine, key: string, owner?: string) =>
      engine.logs.append(
        BUSY,
        draft(1, { idempotency: { key, principal: owner ?? "server" }, ...(owner && { owner }) }),
        KEEP_ALL,
      );

    test("of idempotency keys, one owner has a quarter at most, and loses their own oldest", async ({
      skip,
    }) => {
      const { engine, peer, passTime, ignores = [] } = await open({ maxIdempotencyKeys: 8 });
      skip(ignores.includes("maxIdempotencyKeys"), "the engine does not count keys");
      await keyed(engine, "of bob", BOB);
      await keyed(engine, "of nobody");
      for (const key of ["1", "2", "3", "4", "5", "6", "7", "8", "9"]) {
        await passTime?.(10);
        await keyed(engine, key, ALICE);
      }
      expect(await keyed(peer, "of bob", BOB)).toMatchObject({ repeated: true });
      expect(await keyed(peer, "of nobody")).toMatchObject({ repeated: true });
      expect(await keyed(peer, "9", ALICE)).toMatchObject({ repeated: true });
      expect(await keyed(peer, "8", ALICE)).toMatchObject({ repeated: true });
      expect(await keyed(peer, "7", ALICE)).toMatchObject({ repeated: false });
    });

    test("a key that expired no longer counts", async ({ skip }) => {
      const {
        engine,
        passTime = skip(NOT_OURS),
        ignores = [],
      } = await open({ maxIdempotencyKeys: 8, idempotencyTtlMs: 60_000 });
      skip(ignores.includes("maxIdempotencyKeys"), "the engine does not count keys");
      await keyed(engine, "old 1", ALICE);
      await keyed(engine, "old 2", ALICE);
      await passTime(70_000);
      await keyed(engine, "new 1", ALICE);
      await keyed(engine, "new 2", ALICE);
      expect(await keyed(engine, "new 1", ALICE)).toMatchObject({ repeated: true });
    });

    test("of sessions, one owner has a quarter at most, also of those that were renewed", async ({
      skip,
    }) => {
      const { engine, peer, passTime, ignores = [] } = await open({ maxSessions: 8 });
      skip(ignores.includes("maxSessions"), "the engine does not count sessions");
      await engine.sessions.put("of bob", "b", 60_000, BOB);
      await engine.sessions.put("of nobody", "n", 60_000);
      await engine.sessions.put("renewed", "r", 60_000, ALICE);
      for (const hash of ["1", "2", "3", "4", "5", "6", "7"]) {
        await engine.sessions.put(hash, hash, 60_000, ALICE);
        await passTime?.(10);
        await peer.sessions.renew("renewed", 60_000);
      }
      expect(await engine.sessions.take("renewed")).toBe("r");
      expect(await engine.sessions.take("7")).toBe("7");
      expect(await engine.sessions.take("6")).toBeNull();
      expect(await engine.sessions.take("of bob")).toBe("b");
      expect(await engine.sessions.take("of nobody")).toBe("n");
      // What was taken is given back.
      await engine.sessions.put("8", "8", 60_000, ALICE);
      await engine.sessions.put("9", "9", 60_000, ALICE);
      expect(await engine.sessions.take("8")).toBe("8");
    });

    test("of forgotten channels, one owner has a quarter at most", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 8 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const bobs = await engine.logs.append(named(100), draft(1, { owner: BOB }), { ...KEEP_ALL, ageMs: 1 });
      const others = await engine.logs.append(named(101), draft(1), { ...KEEP_ALL, ageMs: 1 });
      const alices = [];
      for (let number = 0; number < 9; number++) {
        await passTime(1000);
        alices.push(
          await engine.logs.append(named(number), draft(1, { owner: ALICE }), { ...KEEP_ALL, ageMs: 1 }),
        );
      }
      await passTime(HOUR_MS + 10_000);
      expect(await headOf(engine, named(100))).toEqual({ epoch: bobs.epoch, offset: 1 });
      expect(await headOf(engine, named(101))).toEqual({ epoch: others.epoch, offset: 1 });
      const heads = await engine.logs.heads(alices.map((_, number) => named(number)));
      expect(heads.map(({ offset }) => offset)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1]);
      // One that comes back, and is forgotten again, stays its owner's.
      await publish(engine, named(7), ALICE);
      await passTime(2 * HOUR_MS);
      const again = await engine.logs.heads([named(7), named(8), named(100)]);
      expect(again.map(({ offset }) => offset)).toEqual([2, 1, 1]);
      // So does one that was read, which is the last to go then.
      await engine.logs.read(named(8), null, NO_LIMIT);
      await engine.logs.append(named(50), draft(1, { owner: ALICE }), { ...KEEP_ALL, ageMs: 1 });
      await passTime(HOUR_MS + 10_000);
      const last = await engine.logs.heads([named(7), named(8), named(50)]);
      expect(last.map(({ offset }) => offset)).toEqual([0, 1, 1]);
    });

    test("what is left of channels that were removed counts, too", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 8 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const removed: Position[] = [];
      for (const number of [1, 2, 3]) {
        await passTime(1000);
        await publish(engine, named(number), ALICE);
        await engine.logs.remove(named(number));
        removed.push(await headOf(engine, named(number)));
      }
      await passTime(2000);
      const heads = await engine.logs.heads([named(1), named(2), named(3)]);
      expect(heads.map(({ epoch }, index) => epoch === removed[index]?.epoch)).toEqual([false, true, true]);
    });
  });

  describe("a share", () => {
    const sharing = (share: Partial<Holdings>) => open({ share: { ...DEFAULT_SHARE, ...share } });

    test("bounds the channels that one owner makes, and nobody else's", async () => {
      const { engine, peer } = await sharing({ channels: 2 });
      await publish(engine, named(1), ALICE);
      await publish(peer, named(2), ALICE);
      await expect(publish(engine, named(3), ALICE)).rejects.toMatchObject({
        ...refused(/user alice.* has 2 channels and wants 1 more; .* 2$/),
        remedy: expect.stringContaining("channelsPerOwner"),
      });
      await expect(set(peer, named(3), { n: 1 }, ALICE)).rejects.toMatchObject(refused(/channels/));
      expect(await engine.logs.list(named(2), 10)).toEqual([]);
      await publish(engine, named(1), ALICE);
      await publish(engine, named(3), BOB);
      await publish(engine, named(3), ALICE);
      for (let number = 4; number < 8; number++) await publish(engine, named(number));
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, channels: 2 });
      expect(await held(peer, BOB)).toEqual({ ...NO_HOLDINGS, channels: 1 });
    });

    test("is not exceeded by calls that are made at once", async () => {
      const { engine, peer } = await sharing({ channels: 3, states: 2 });
      const calls = Array.from({ length: 20 }, (_, number) =>
        publish(number % 2 ? engine : peer, named(number), ALICE).then(
          () => 1,
          () => 0,
        ),
      );
      expect((await Promise.all(calls)).reduce((sum, one) => sum + one, 0)).toBe(3);
      for (let number = 20; number < 30; number++) await publish(engine, named(number));
      const states = Array.from({ length: 10 }, (_, number) =>
        set(number % 2 ? engine : peer, named(20 + number), {}, ALICE).then(
          () => 1,
          () => 0,
        ),
      );
      expect((await Promise.all(states)).reduce((sum, one) => sum + one, 0)).toBe(2);
    });

    test("bounds states and their bytes, of whatever channel, until they are removed", async () => {
      const { engine } = await sharing({ states: 2, stateBytes: 30 });
      for (const number of [1, 2, 3]) await publish(engine, named(number));
      await set(engine, named(1), { n: 1 }, ALICE);
      await set(engine, named(2), { n: 1 }, ALICE);
      await expect(set(engine, named(3), { n: 1 }, ALICE)).rejects.toMatchObject(
        refused(/2 channels with a state/),
      );
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, states: 2, stateBytes: 14 });
      await expect(set(engine, named(2), { text: "€".repeat(6) }, ALICE)).rejects.toMatchObject(
        refused(/bytes of states/),
      );
      await set(engine, named(2), { text: "€".repeat(4) }, ALICE);
      expect((await held(engine, ALICE)).stateBytes).toBe(7 + 23);
      await set(engine, named(1), null, BOB);
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, states: 1, stateBytes: 23 });
      await set(engine, named(3), { n: 1 }, ALICE);
    });

    test("counts what others add to a state for its owner, and refuses it to nobody", async () => {
      const { engine } = await sharing({ states: 1, stateBytes: 10 });
      await set(engine, BUSY, { n: 1 }, ALICE);
      await set(engine, BUSY, { text: "0123456789" }, BOB);
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, channels: 1, states: 1, stateBytes: 21 });
      expect(await held(engine, BOB)).toEqual(NO_HOLDINGS);
      await set(engine, OTHER, { n: 1 }, BOB);
      await set(engine, BUSY, { text: "012345678" }, ALICE);
      await expect(set(engine, BUSY, { text: "0123456789" }, ALICE)).rejects.toMatchObject(refused(/bytes/));
    });

    test("counts locks and sequences by themselves, with the states that they are", async () => {
      const { engine } = await sharing({ channels: 0, states: 0, stateBytes: 0, locks: 1, sequences: 1 });
      const [lock, sequence] = [ownChannel("lock", BUSY), ownChannel("sequence", BUSY)];
      await set(engine, lock, { token: 1 }, ALICE);
      await set(engine, sequence, { last: 1 }, ALICE);
      await set(engine, sequence, { last: 2 }, ALICE);
      await expect(set(engine, ownChannel("lock", OTHER), {}, ALICE)).rejects.toMatchObject(refused(/locks/));
      await expect(set(engine, ownChannel("sequence", OTHER), {}, ALICE)).rejects.toMatchObject(
        refused(/sequences/),
      );
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, locks: 1, sequences: 1 });
    });

    test("is not used up by a call that is repeated, refused or lost to somebody faster", async () => {
      const { engine } = await sharing({ channels: 1, states: 1 });
      const idempotency = { key: "k", principal: ALICE };
      await engine.logs.append(BUSY, draft(1, { owner: ALICE, idempotency }), KEEP_ALL);
      expect(await engine.logs.append(BUSY, draft(1, { owner: ALICE, idempotency }), KEEP_ALL)).toMatchObject(
        {
          repeated: true,
        },
      );
      const base = await headOf(engine, BUSY);
      const stale = { change: "value", json: "{}", state: "{}", base, owner: ALICE } as const;
      await expect(engine.logs.append(BUSY, stale, KEEP_ALL)).rejects.toMatchObject({
        code: "version_mismatch",
      });
      await set(engine, BUSY, {}, ALICE);
    });

    test("is given back when a channel is forgotten, but not by listening to it", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS) } = await sharing({ channels: 1 });
      const heard = new Heard();
      await engine.logs.listen(BUSY, heard);
      await publish(engine, BUSY, ALICE);
      await passTime(HOUR_MS + 2000);
      await expect(publish(engine, OTHER, ALICE)).rejects.toMatchObject(refused(/channels/));
      engine.logs.unlisten(BUSY, heard);
      await passTime(HOUR_MS + 2000);
      expect(await held(engine, ALICE)).toEqual(NO_HOLDINGS);
      await publish(engine, OTHER, ALICE);
      // It was forgotten, and is known by its position only.
      await engine.logs.listen(BUSY, heard);
      await expect(publish(engine, BUSY, ALICE)).rejects.toMatchObject(refused(/channels/));
      await publish(engine, BUSY, BOB);
      expect(await held(engine, BOB)).toEqual({ ...NO_HOLDINGS, channels: 1 });
    });

    test("gets back a state that is thrown away with its log, and keeps the channel", async ({ skip }) => {
      const { engine, startOver = skip("logs cannot be started over") } = await open();
      await set(engine, BUSY, { n: 1 }, ALICE);
      await startOver(BUSY);
      expect(await held(engine, ALICE)).toEqual({ ...NO_HOLDINGS, channels: 1 });
      await set(engine, BUSY, { n: 1 }, BOB);
      expect(await held(engine, BOB)).toEqual({ ...NO_HOLDINGS, states: 1, stateBytes: 7 });
    });

    test("is told with the channels, and by owner, the one with most first", async () => {
      const { engine, peer } = await open();
      for (const number of [1, 2, 3]) await publish(engine, named(number), ALICE);
      for (const number of [4, 5]) await set(engine, named(number), { n: number }, BOB);
      await publish(engine, QUIET);
      const listed = await peer.logs.list(null, 10);
      expect(listed.map(({ channel, owner }) => [channel, owner])).toEqual([
        ["c:1", ALICE],
        ["c:2", ALICE],
        ["c:3", ALICE],
        ["c:4", BOB],
        ["c:5", BOB],
        [QUIET, undefined],
      ]);
      const alice = { ...NO_HOLDINGS, owner: ALICE, channels: 3 };
      const bob = { ...NO_HOLDINGS, owner: BOB, channels: 2, states: 2, stateBytes: 14 };
      expect(await peer.logs.owners("channels", 10)).toEqual([alice, bob]);
      expect(await peer.logs.owners("channels", 1)).toEqual([alice]);
      expect(await peer.logs.owners("stateBytes", 10)).toEqual([bob]);
      expect(await peer.logs.owners("locks", 10)).toEqual([]);
      const { owned, mostOwned } = (await engine.stats?.()) ?? {};
      if (owned) expect(owned).toEqual({ ...NO_HOLDINGS, channels: 5, states: 2, stateBytes: 14 });
      if (mostOwned) expect(mostOwned).toEqual({ ...NO_HOLDINGS, channels: 3, states: 2, stateBytes: 14 });
    });

    test("is what the channels that there are add up to, whatever happens", async ({ skip }) => {
      const probe = await open();
      if (!probe.passTime) skip(NOT_OURS);
      const step = fc.record({
        does: fc.constantFrom("publish", "set", "set", "unset", "remove", "listen", "unlisten", "forget"),
        channel: fc.nat(3),
        owner: fc.constantFrom(ALICE, BOB, undefined),
        size: fc.nat(20),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { engine, passTime, close } = await sharing({ channels: 2, states: 2, stateBytes: 60 });
          const states = new Map<string, { owner: string | undefined; bytes: number }>();
          const heard = new Heard();
          for (const { does, channel, owner, size } of steps) {
            const name = named(channel);
            const value = does === "unset" ? null : { t: "x".repeat(size) };
            if (does === "publish") await publish(engine, name, owner).catch(() => {});
            else if (does === "set" || does === "unset") {
              const was = states.get(name);
              await set(engine, name, value, owner).then(
                () => {
                  if (value) states.set(name, { owner: was ? was.owner : owner, bytes: size + 8 });
                  else states.delete(name);
                },
                () => {},
              );
            } else if (does === "remove") {
              if (await engine.logs.remove(name)) states.delete(name);
            } else if (does === "listen") await engine.logs.listen(name, heard);
            else if (does === "unlisten") engine.logs.unlisten(name, heard);
            else await passTime?.(HOUR_MS + 2000);
          }
          const listed = await engine.logs.list(null, 10);
          for (const owner of [ALICE, BOB]) {
            const own = [...states.values()].filter((each) => each.owner === owner);
            const expected = {
              ...NO_HOLDINGS,
              channels: listed.filter((each) => each.owner === owner).length,
              states: own.length,
              stateBytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
            };
            expect(await held(engine, owner)).toEqual(expected);
            expect(expected.channels).toBeLessThanOrEqual(2);
          }
          await close();
        }),
        { numRuns: 40 },
      );
    });
  });

  describe("removing a channel", () => {
    test("takes its log and state away, gives its place back, and says whether there was one", async () => {
      const { engine, peer } = await open({ share: { ...DEFAULT_SHARE, channels: 1 } });
      expect(await engine.logs.remove(BUSY)).toBe(false);
      await publish(engine, BUSY, ALICE);
      const old = await set(engine, BUSY, { n: 1 }, ALICE);
      expect(await peer.logs.remove(BUSY)).toBe(true);
      expect(await engine.logs.remove(BUSY)).toBe(false);
      expect(await engine.logs.list(null, 10)).toEqual([]);
      expect((await engine.logs.state(BUSY)).json).toBeNull();
      expect(await held(engine, ALICE)).toEqual(NO_HOLDINGS);
      expect(await engine.logs.read(BUSY, old, NO_LIMIT)).toMatchObject({
        head: 0,
        messages: [],
        lost: "epoch_changed",
      });
      await publish(engine, OTHER, ALICE);
      const anew = await appendAll(engine, BUSY, ["new"]);
      expect(anew.offset).toBe(1);
      expect(anew.epoch).not.toBe(old.epoch);
      expect(valuesOf((await peer.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual(["new"]);
    });

    test("tells those who listen, who hear what comes then", async () => {
      const { engine, peer } = await open();
      const heard = new Heard();
      await publish(engine, BUSY, ALICE);
      await engine.logs.listen(BUSY, heard);
      await peer.logs.remove(BUSY);
      await heard.until("the reset", () => heard.resets.length > 0);
      const { epoch } = await headOf(engine, BUSY);
      expect(heard.resets).toEqual([{ position: { epoch, offset: 0 }, reason: "epoch_changed" }]);
      expect((await engine.logs.list(null, 10))[0]?.owner).toBeUndefined();
      expect(await publish(engine, BUSY, BOB)).toMatchObject({ epoch, offset: 1 });
      await heard.untilOffset(1);
      expect((await engine.logs.list(null, 10))[0]?.owner).toBe(BOB);
    });

    test("loses nothing of what is appended at the same time after it", async () => {
      const { engine } = await open();
      await appendAll(engine, BUSY, [1, 2]);
      const before = engine.logs.append(BUSY, draft("before"), KEEP_ALL);
      const removed = engine.logs.remove(BUSY);
      const a = engine.logs.append(BUSY, draft("a"), KEEP_ALL);
      const b = engine.logs.append(BUSY, draft("b"), KEEP_ALL);
      const [{ epoch }] = await Promise.all([a, b, before, removed]);
      const page = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect([page.epoch, page.head, valuesOf(page.messages)]).toEqual([epoch, 2, ["a", "b"]]);
      expect(await engine.logs.append(BUSY, draft("c"), KEEP_ALL)).toMatchObject({ epoch, offset: 3 });
    });
  });
}
