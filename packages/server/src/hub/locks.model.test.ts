/**
 * Locks against what must hold, whatever holders, nodes, the network and time do: a lock passes on only when it is free, and each
 * holder has a greater token than all before. `FAST_CHECK_RUNS=5000 npx vitest run locks.model` looks longer.
 */
import { type ChannelName, type LockHolder, type LockRecord, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyDraft, Appended, Retention } from "../engine/engine.js";
import { HostileEngine, type RestartableEngine } from "../engine/hostile-engine.js";
import { MemoryEngine } from "../engine/memory-engine.js";
import { aHub } from "../testing/a-hub.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { ForwardingEngine } from "../testing/forwarding-engine.js";
import { seeded } from "../testing/seeded.js";
import { isHolder, recordOf } from "./lock-record.js";
import type { Locks } from "./locks.js";

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
      leaseMs: fc.constantFrom(1000, 3000),
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
class Witness extends ForwardingEngine<RestartableEngine> implements RestartableEngine {
  readonly faults: string[] = [];
  readonly tokens = new Map<ChannelName, number>();
  readonly records = new Map<ChannelName, LockRecord | null>();
  readonly clock: FakeClock;

  constructor(inner: RestartableEngine, clock: FakeClock) {
    super(inner);
    this.clock = clock;
  }

  override async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    const appended = await super.append(channel, draft, retention);
    if (draft.change) this.#passes(channel, recordOf({ ...appended, json: draft.state }));
    return appended;
  }

  startOver(channel: ChannelName) {
    return this.inner.startOver(channel);
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
      const engine = new HostileEngine(witness, {
        clock,
        random: seeded(seed),
        fail: 0.1,
        delayMs: 50,
        drop: 0.1,
      });
      const start = () => {
        const { hub } = aHub({ engine, clock });
        hub.locks.startUpkeep();
        return hub;
      };
      const nodes = [start(), start()];
      const at = (index = 0): Locks => (nodes[index] ?? start()).locks;
      /** The tokens that the holders were told. */
      const told = new Map<string, number>();
      const calls: Promise<unknown>[] = [];
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
            call(at(each.node).take(channel, { holder: who, leaseMs: each.leaseMs }).then(keep));
          if (each.do === "renew") call(at(each.node).take(channel, { holder: who, token }));
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
      for (const hub of nodes) hub.close();
      await engine.close();
    }),
    { numRuns: RUNS },
  );
}, 120_000);
