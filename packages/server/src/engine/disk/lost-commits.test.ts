/** What a commit that fails leaves behind: the engine stands where the disk does, and nothing of the commit is told, counted or kept. */
import { join } from "node:path";
import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { damage } from "../../testing/damage.js";
import { FakeClock } from "../../testing/fake-clock.js";
import {
  appendAll,
  BUSY,
  baseOf,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
} from "../contract/harness.contract.js";
import { DiskEngine } from "./disk-engine.js";

const MiB = 2 ** 20;
const HOUR_MS = 3_600_000;
const CHANNELS = ["a", "b", "c"].map(parseChannelName);

const anOp = fc.record({
  kind: fc.constantFrom(
    "append",
    "append",
    "state",
    "key",
    "listen",
    "unlisten",
    "startOver",
    "remove",
    "session",
  ),
  channel: fc.constantFrom(...CHANNELS),
  owner: fc.constantFrom(undefined, "user alice", "user bob"),
});
type Op = typeof anOp extends fc.Arbitrary<infer Value> ? Value : never;

const one = (kind: Op["kind"]): Op => ({ kind, channel: CHANNELS[0] ?? BUSY, owner: undefined });

async function aScene() {
  const disk = { free: 1000 * MiB };
  const clock = new FakeClock();
  const options = {
    dataDir: aFolder(),
    clock,
    askFree: async () => disk.free,
    // So large that the disk is asked before each commit.
    reserveBytes: 300 * MiB,
    forgetHeldAfterMs: HOUR_MS,
  };
  let engine = await DiskEngine.open(options);
  const heard = new Map(CHANNELS.map((channel) => [channel, new Heard()] as const));
  let [keys, sessions] = [0, 0];

  async function act({ kind, channel, owner }: Op): Promise<unknown> {
    const { logs } = engine;
    const owned = owner ? { owner } : {};
    switch (kind) {
      case "append":
        return await logs.append(channel, draft("x", owned), KEEP_ALL);
      case "key": {
        const idempotency = { key: `k${keys++}`, principal: "p" };
        return await logs.append(channel, draft("x", { ...owned, idempotency }), KEEP_ALL);
      }
      case "state": {
        const base = baseOf(await logs.state(channel));
        return await logs.append(
          channel,
          { change: "value", json: "{}", state: "{}", base, ...owned },
          KEEP_ALL,
        );
      }
      case "listen":
        return await logs.listen(channel, listenerOf(channel));
      case "unlisten":
        return logs.unlisten(channel, listenerOf(channel));
      case "startOver":
        return await logs.startOver(channel);
      case "remove":
        return await logs.remove(channel);
      case "session":
        return await engine.sessions.put(`s${sessions++}`, "s", 10 * HOUR_MS);
    }
  }

  function listenerOf(channel: (typeof CHANNELS)[number]): Heard {
    const found = heard.get(channel);
    if (!found) throw new Error(`no listener for ${channel}`);
    return found;
  }

  return {
    dataDir: options.dataDir,
    disk,
    clock,
    heard,
    get engine() {
      return engine;
    },
    /** All at once, so that they share commits. */
    act: (ops: readonly Op[]) => Promise.allSettled(ops.map(act)),
    leaveAll() {
      for (const channel of CHANNELS) engine.logs.unlisten(channel, listenerOf(channel));
    },
    async pass() {
      clock.advance(HOUR_MS + 2000);
      for (let sweeps = 0; sweeps < 3; sweeps++) await engine.sweep();
    },
    async stands() {
      const { logs } = engine;
      const heads = await logs.heads(CHANNELS);
      const pages = await Promise.all(CHANNELS.map((channel) => logs.read(channel, null, NO_LIMIT)));
      const states = await Promise.all(CHANNELS.map((channel) => logs.state(channel)));
      return { heads, pages, states };
    },
    figures() {
      const { channels, messages, bytes, stubs, owned, idempotencyKeys, sessions } = engine.stats();
      return { channels, messages, bytes, stubs, owned, idempotencyKeys, sessions };
    },
    async reopen() {
      await engine.close();
      engine = await DiskEngine.open(options);
    },
  };
}

test("after a commit that failed, an engine stands and counts as one that is opened anew on the same folder", async () => {
  const ops = fc.array(anOp, { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      ops,
      fc.boolean(),
      ops,
      ops,
      fc.boolean(),
      async (before, isLater, shortly, last, isQuiet) => {
        const scene = await aScene();
        try {
          await scene.act(before);
          if (isLater) await scene.pass();
          await scene.act(shortly);
          await scene.engine.settled();
          // What was thrown away is given back.
          await scene.engine.sweep();
          const [stood, counted] = [await scene.stands(), scene.figures()];
          // A listener that comes between a removal and its failure is told of the epoch after it, and the channel keeps to that.
          const afterRemoval = ({ channel }: Op, index: number) =>
            last.slice(0, index).some((earlier) => earlier.kind === "remove" && earlier.channel === channel);
          const lost = last.filter(
            (op, index) =>
              op.kind !== "unlisten" && !(op.kind === "listen" && (isQuiet || afterRemoval(op, index))),
          );

          scene.disk.free = 0;
          await scene.act(lost);
          await scene.engine.settled();
          scene.disk.free = 1000 * MiB;
          await scene.engine.sweep();
          expect(await scene.stands()).toEqual(stood);

          if (isQuiet) expect(scene.figures()).toEqual(counted);

          // Who listens hears what comes next, and all that is told is on the disk.
          for (const channel of CHANNELS) {
            const listener = new Heard();
            await scene.engine.logs.listen(channel, listener);
            const { offset } = await scene.engine.logs.append(channel, draft("next"), KEEP_ALL);
            await listener.untilOffset(offset);
            scene.engine.logs.unlisten(channel, listener);
          }
          scene.leaveAll();
          await scene.engine.settled();
          expect(scene.figures()).toMatchObject({ channels: CHANNELS.length, stubs: 0 });
          const [stands, figures] = [await scene.stands(), scene.figures()];
          await scene.reopen();
          expect(await scene.stands()).toEqual(stands);
          expect(scene.figures()).toEqual(figures);
        } finally {
          await scene.engine.close();
        }
      },
    ),
    // A stub that is listened to becomes a log again, and stays one.
    { numRuns: 60, examples: [[[one("append")], true, [], [one("listen")], false]] },
  );
});

test("a commit that failed takes nothing back of what a channel told, though its record is damaged", async () => {
  const scene = await aScene();
  try {
    const { logs } = scene.engine;
    const heard = new Heard();
    await logs.listen(BUSY, heard);
    const position = await appendAll(scene.engine, BUSY, [1, 2]);
    const record = Buffer.concat([Buffer.from(BUSY), Buffer.from(position.epoch.slice(-8), "hex")]);
    damage(join(scene.dataDir, "data.mdb"), record);
    scene.disk.free = 0;
    await expect(logs.append(BUSY, draft(3), KEEP_ALL)).rejects.toMatchObject({
      code: "insufficient_storage",
    });
    scene.disk.free = 1000 * MiB;
    await scene.engine.sweep();
    expect(await headOf(scene.engine, BUSY)).toEqual(position);
    expect(await appendAll(scene.engine, BUSY, [3])).toEqual({ ...position, offset: 3 });
    await heard.untilOffset(3);
  } finally {
    await scene.engine.close();
  }
});
