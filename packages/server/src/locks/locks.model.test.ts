/**
 * Locks against what must hold, whatever holders, nodes, the network and time do: a lock passes on only when it is free, and each
 * holder has a greater token than all before. `FAST_CHECK_RUNS=5000 npx vitest run locks.model` looks longer.
 */
import { type ChannelName, type LockHolder, type LockRecord, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Logs } from "../engine/engine.js";
import { HostileEngine, type RestartableEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { aHub, type HubForTests } from "../testing/a-hub.js";
import { changedEngine } from "../testing/changed-engine.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { seeded } from "../testing/seeded.js";
import { isHolder, isLockRefused, recordOf } from "./lock-record.js";
import type { Locks } from "./locks.js";

const NONE = { leases: 0, sessions: 0, most: 0 };
const RUNS = Number(process.env.FAST_CHECK_RUNS ?? 250);
const NAMES = ["order:1", "order:2"].map(parseChannelName);
const HOLDERS: readonly LockHolder[] = [
  { user: "alice", session: "a" },
  { user: "alice", session: "b" },
  { session: "c" },
  { key: "orders" },
  { user: "bob" },
];

const node = fc.nat(1);
const name = fc.nat(NAMES.length - 1);
const holder = fc.nat(HOLDERS.length - 1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("take"),
      node,
      name,
      holder,
      leaseSeconds: fc.constantFrom(1, 3),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("renew"), node, name, holder }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release"), node, name, holder }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("end"), node, holder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash"), node }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(1, 300, 1000, 4000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("set back"), ms: fc.constantFrom(500, 100_000) }) },
);

/** Looks at everything that becomes of a lock, in the order in which it happened. */
class Witness {
  readonly engine: RestartableEngine;
  readonly faults: string[] = [];
  readonly tokens = new Map<ChannelName, number>();
  readonly records = new Map<ChannelName, LockRecord | null>();
  readonly clock: FakeClock;

  constructor(inner: RestartableEngine, clock: FakeClock) {
    this.clock = clock;
    const append: Logs["append"] = async (channel, draft, retention) => {
      const appended = await inner.logs.append(channel, draft, retention);
      if (draft.change) this.#passes(channel, recordOf({ ...appended, json: draft.state }));
      return appended;
    };
    this.engine = changedEngine(inner, { logs: { append } });
  }

  #passes(channel: ChannelName, record: LockRecord | null): void {
    const before = this.records.get(channel);
    this.records.set(channel, record);
    if (!record?.holder) return;
    const { token, holder } = record;
    const greatest = this.tokens.get(channel) ?? 0;
    this.tokens.set(channel, Math.max(greatest, token));
    if (before?.holder && before.token === token) {
      if (!isHolder(before.holder, holder)) this.faults.push(`${channel}: two have the token ${token}`);
      return;
    }
    if (token <= greatest) this.faults.push(`${channel}: ${token} comes after ${greatest}`);
    const isFree = !before?.holder || (before.expires ?? 0) <= this.clock.now();
    if (!isFree) this.faults.push(`${channel}: taken while ${JSON.stringify(before)} held it`);
  }
}

test("a lock passes on only when it is free, and each holder has a greater token than all before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 10, maxLength: 60 }), async (seed, steps) => {
      const clock = new FakeClock();
      const witness = new Witness(new MemoryEngine({ clock, allowIsolated: true }), clock);
      const engine = new HostileEngine(witness.engine, {
        clock,
        random: seeded(seed),
        fail: 0.1,
        delayMs: 50,
        drop: 0.1,
      });
      const all: HubForTests[] = [];
      const start = () => {
        const node = aHub({ engine, clock });
        node.locks.startUpkeep();
        // Once more changes nothing.
        node.locks.startUpkeep();
        all.push(node);
        return node;
      };
      const nodes = [start(), start()];
      const at = (index = 0): Locks => (nodes[index] ?? start()).locks;
      /** The tokens that the holders were told. */
      const told = new Map<string, number>();
      const calls: Promise<unknown>[] = [];
      const seen = { locksTaken: 0, locksRefused: 0 };
      const count = (taking: Promise<{ token: number }>, isNew: boolean) =>
        taking.then(
          (held) => {
            if (isNew) seen.locksTaken++;
            return held;
          },
          (error: unknown) => {
            if (isLockRefused(error)) seen.locksRefused++;
            throw error;
          },
        );
      const call = (made: Promise<unknown>) => {
        calls.push(made.catch((error: unknown) => expect(error).toHaveProperty("code")));
      };

      for (const each of steps) {
        if (each.do === "pass") await clock.forward(each.ms);
        else if (each.do === "set back") clock.setBack(each.ms);
        else if (each.do === "crash") {
          nodes[each.node]?.close();
          nodes[each.node] = start();
        } else if (each.do === "end") at(each.node).sessionEnded(HOLDERS[each.holder]?.session ?? "");
        else {
          const channel = NAMES[each.name] ?? parseChannelName("x");
          const who = HOLDERS[each.holder] ?? {};
          const mine = `${each.name} ${each.holder}`;
          const token = told.get(mine) ?? 0;
          const keep = (held: { token: number }) => told.set(mine, held.token);
          if (each.do === "take")
            call(
              count(at(each.node).take(channel, { holder: who, leaseSeconds: each.leaseSeconds }), true).then(
                keep,
              ),
            );
          if (each.do === "renew") call(count(at(each.node).take(channel, { holder: who, token }), false));
          if (each.do === "release") call(at(each.node).release(channel, { holder: who, token }));
        }
        await turns(1);
      }
      engine.calm();
      await clock.forward(20_000, 100);
      await Promise.all(calls);
      expect(witness.faults).toEqual([]);
      // However it was left: nobody holds anything once all leases have ended and the upkeep has looked.
      await clock.forward(1_300_000, 100_000);
      for (const record of witness.records.values()) expect(record).not.toHaveProperty("holder");
      for (const { locks } of nodes) {
        expect({ leases: locks.size, sessions: locks.sessions, most: locks.mostOfASession }).toEqual(NONE);
      }
      // What was counted is what those who asked were told.
      for (const figure of ["locksTaken", "locksRefused"] as const) {
        expect(all.reduce((sum, { hub }) => sum + hub.counters[figure], 0)).toBe(seen[figure]);
      }
      for (const hub of nodes) hub.close();
      await engine.close();
      expect(clock.timers).toBe(0);
    }),
    { numRuns: RUNS },
  );
}, 120_000);
