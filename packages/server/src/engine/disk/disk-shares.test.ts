import { ownChannel, parseChannelName } from "@fanfare/protocol";
import { expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { BUSY, draft, KEEP_ALL, OTHER, setState } from "../contract/harness.contract.js";
import { DEFAULT_SHARE, NO_HOLDINGS } from "../shares.js";
import { DiskEngine } from "./disk-engine.js";
import type { DiskEngineOptions } from "./disk-options.js";

const ALICE = "user alice@exämple";
const MiB = 2 ** 20;
const ENOUGH = 1024 * MiB;

async function open(share = DEFAULT_SHARE, more: Partial<DiskEngineOptions> = {}) {
  const clock = new FakeClock();
  const dataDir = aFolder();
  let engine = await DiskEngine.open({ dataDir, clock, share, ...more });
  onTestFinished(() => engine.close());
  return {
    engine,
    clock,
    async reopen() {
      await engine.close();
      engine = await DiskEngine.open({ dataDir, clock, share, ...more });
      return engine;
    },
  };
}

test("owners are remembered by a process that comes after", async () => {
  const { engine, clock, reopen } = await open({ ...DEFAULT_SHARE, channels: 1, states: 2 });
  await engine.logs.append(BUSY, draft(1, { owner: ALICE }), KEEP_ALL);
  await setState(engine, BUSY, { n: 1 }, KEEP_ALL, "address 192.0.2.1");
  await engine.logs.append(OTHER, draft(1), KEEP_ALL);
  const holdings = await engine.logs.owners("channels", 10);
  const listed = await engine.logs.list(null, 10);

  const next = await reopen();
  expect(await next.logs.owners("channels", 10)).toEqual(holdings);
  expect(await next.logs.owners("states", 10)).toEqual([
    { ...NO_HOLDINGS, owner: "address 192.0.2.1", states: 1, stateBytes: 7 },
  ]);
  expect(await next.logs.list(null, 10)).toEqual(listed);
  expect(next.stats().owned).toEqual({ ...NO_HOLDINGS, channels: 1, states: 1, stateBytes: 7 });
  await setState(next, BUSY, null);
  expect(await next.logs.owners("states", 10)).toEqual([]);
  clock.advance(DEFAULT_FORGET_MS);
  await next.sweep();
  await next.sweep();
  expect(await next.logs.owners("channels", 10)).toEqual([]);
});

test("what is removed while the sweep is at it is given back once, and begins in another epoch", async () => {
  const { engine, clock } = await open();
  const names = Array.from({ length: 60 }, (_, index) => parseChannelName(`c:${index}`));
  const made = await Promise.all(
    names.map((name) => engine.logs.append(name, draft(1, { owner: ALICE }), KEEP_ALL)),
  );
  clock.advance(DEFAULT_FORGET_MS);
  const removing = [];
  for (const name of names) {
    void engine.sweep();
    removing.push(engine.logs.remove(name));
    await turns();
  }
  const isRemoved = await Promise.all(removing);
  await engine.sweep();
  expect(engine.stats()).toMatchObject({ channels: 0, owned: NO_HOLDINGS });
  for (const [index, { epoch }] of (await engine.logs.heads(names)).entries()) {
    if (isRemoved[index]) expect(epoch).not.toBe(made[index]?.epoch);
  }
});

test("what a commit that failed would have made counts for nobody: channels, states and their bytes, locks and sequences", async () => {
  const disk = { free: ENOUGH };
  const share = { channels: 2, states: 2, stateBytes: 20, sequences: 1, locks: 1 };
  const { engine, reopen } = await open(share, { askFree: async () => disk.free, reserveBytes: 300 * MiB });
  await engine.logs.append(BUSY, draft(1, { owner: ALICE }), KEEP_ALL);
  await setState(engine, BUSY, { n: 1 }, KEEP_ALL, ALICE);
  const before = await engine.logs.holdings(ALICE);
  const own = [ownChannel("lock", OTHER), ownChannel("sequence", OTHER)];
  const makeAll = () =>
    Promise.allSettled([
      setState(engine, BUSY, { n: 123456 }, KEEP_ALL, ALICE),
      setState(engine, OTHER, {}, KEEP_ALL, ALICE),
      ...own.map((channel) => setState(engine, channel, {}, KEEP_ALL, ALICE)),
    ]);

  // Nobody has looked since, so the commit finds out.
  disk.free = MiB;
  const failed = await makeAll();
  expect(failed.map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
  expect(failed[0]).toMatchObject({ reason: { code: "insufficient_storage" } });
  expect(await engine.logs.holdings(ALICE)).toEqual(before);
  expect(engine.stats().owned).toEqual(before);

  disk.free = ENOUGH;
  await engine.sweep();
  const made = await makeAll();
  expect(made.map(({ status }) => status)).toEqual(Array(4).fill("fulfilled"));
  const after = { channels: 2, states: 2, stateBytes: 14, sequences: 1, locks: 1 };
  expect(await engine.logs.holdings(ALICE)).toEqual(after);
  const next = await reopen();
  expect(await next.logs.holdings(ALICE)).toEqual(after);
  expect(next.stats().owned).toEqual(after);
});

test("what was made, and is not on the disk yet, is owned already", async () => {
  const { engine, reopen } = await open();
  const appending = engine.logs.append(BUSY, draft(1, { owner: ALICE }), KEEP_ALL);
  expect(await engine.logs.remove(BUSY)).toBe(true);
  await appending;
  expect(await engine.logs.list(null, 10)).toEqual([]);
  expect(engine.stats()).toMatchObject({ channels: 0, owned: NO_HOLDINGS });
  const next = await reopen();
  expect(await next.logs.list(null, 10)).toEqual([]);
  expect(await next.logs.owners("channels", 10)).toEqual([]);
});

test("a channel that is removed while a message is on its way goes on in its new log when that message has arrived", async () => {
  const { engine } = await open();
  const old = engine.logs.append(BUSY, draft("old"), KEEP_ALL);
  // Its commit is under way.
  await turns();
  const removed = engine.logs.remove(BUSY);
  const first = engine.logs.append(BUSY, draft("first"), KEEP_ALL);
  await old;
  const second = engine.logs.append(BUSY, draft("second"), KEEP_ALL);
  expect(await removed).toBe(true);
  const { epoch } = await first;
  expect([(await first).offset, await second]).toMatchObject([1, { epoch, offset: 2 }]);
  expect((await old).epoch).not.toBe(epoch);
});

test("those who hold most are found among more owners than are read in one go", async () => {
  const { engine } = await open();
  const owners = Array.from({ length: 1100 }, (_, index) => `user ${String(index).padStart(4, "0")}`);
  const appending = owners.map((owner, index) =>
    engine.logs.append(parseChannelName(`c:${index}`), draft(1, { owner }), KEEP_ALL),
  );
  const [most = "", more = ""] = [owners[1099], owners[499]];
  for (const [name, owner] of [
    ["d:1", most],
    ["d:2", most],
    ["d:3", more],
  ] as const) {
    appending.push(engine.logs.append(parseChannelName(name), draft(1, { owner }), KEEP_ALL));
  }
  await Promise.all(appending);
  expect(await engine.logs.owners("channels", 2)).toMatchObject([
    { owner: most, channels: 3 },
    { owner: more, channels: 2 },
  ]);
  expect(await engine.logs.owners("channels", 2000)).toHaveLength(1100);
});

/** Messages are kept for a day; then the channel is empty, and an hour later forgotten. */
const DEFAULT_FORGET_MS = 26 * 3_600_000;

test("more channels than are read in one go are listed in order, each once, page by page", async () => {
  const { engine } = await open();
  const names = Array.from({ length: 450 }, (_, index) => parseChannelName(`c:${1000 + index}`));
  await Promise.all(names.map((name) => engine.logs.append(name, draft(1), KEEP_ALL)));
  const listed = async (after: number | null, limit: number) => {
    const found = await engine.logs.list(after === null ? null : (names[after] ?? null), limit);
    return found.map(({ channel }) => channel);
  };
  expect(await listed(null, 1000)).toEqual(names);
  expect(await listed(null, 400)).toEqual(names.slice(0, 400));
  expect(await listed(99, 201)).toEqual(names.slice(100, 301));
  expect(await listed(449, 10)).toEqual([]);
});

test("one owner's logs make room first, however small each of them is: the history of others stays", async () => {
  const { engine } = await open(DEFAULT_SHARE, { maxBytes: 200_000 });
  const append = (channel = BUSY, length = 500, owner?: string) =>
    engine.logs.append(channel, draft("x".repeat(length), { ...(owner && { owner }) }), KEEP_ALL);
  for (let count = 0; count < 20; count++) await append(BUSY, 1000);
  await append(OTHER, 1000, "user bob");
  const alices = Array.from({ length: 200 }, (_, index) => parseChannelName(`alice:${index}`));
  for (let round = 0; round < 4; round++) {
    await Promise.all(alices.map((channel) => append(channel, 500, ALICE)));
  }
  await append(OTHER, 1000, "user bob");
  expect(engine.stats().bytes).toBeLessThanOrEqual(200_000);
  const held = async (channel: typeof BUSY) => {
    const { messages } = await engine.logs.read(channel, null, { messages: 1000, bytes: MiB });
    return messages.length;
  };
  expect(await held(BUSY)).toBe(20);
  expect(await held(OTHER)).toBe(2);
});
