import { parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import type { Engine } from "../engine/engine.js";
import { HostileEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { aHub } from "../testing/a-hub.js";
import { changedEngine } from "../testing/changed-engine.js";
import { FakeClock, turns } from "../testing/fake-clock.js";

/** Counts what is asked of an engine. */
function counted(inner: Engine) {
  const { logs } = inner;
  const counts = { comparisons: 0, reads: 0 };
  const engine = changedEngine(inner, {
    logs: {
      heads(channels) {
        counts.comparisons++;
        return logs.heads(channels);
      },
      read(channel, after, limit) {
        counts.reads++;
        return logs.read(channel, after, limit);
      },
    },
  });
  return { engine, counts };
}

test("positions are compared every 5 seconds, and where nothing is missing nothing is read", async () => {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  const { engine, counts } = counted(new HostileEngine(memory, { clock, random: () => 0.5 }));
  const { hub, open, subscribe, publish } = aHub({ clock, engine });
  subscribe(open(), "news");
  await turns(3);
  await publish("news", 1, 2, 3);
  const { reads } = counts;
  await clock.forward(50_000, 1000);
  expect(counts.comparisons).toBe(10);
  expect(counts.reads).toBe(reads);
  expect(await hub.position(parseChannelName("news"))).toMatchObject({ offset: 3 });
});

test("positions of many channels are compared in slices, and others come between", async () => {
  /** Whenever somebody looks at it, more time has passed than a slice takes. */
  class HurriedClock extends FakeClock {
    #ms = 0;
    override monotonic(): number {
      this.#ms += 5;
      return super.monotonic() + this.#ms;
    }
  }
  const clock = new HurriedClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true, maxChannels: 5000 });
  const asked: number[] = [];
  let turn = 0;
  const engine = changedEngine(memory as Engine, {
    lossy: true,
    logs: {
      heads(channels) {
        asked.push(turn);
        return memory.logs.heads(channels);
      },
    },
  });
  const { open, subscribe } = aHub({ clock, engine });
  for (const name of ["a", "b", "c"]) {
    const client = open();
    for (let number = 0; number < 1000; number++) subscribe(client, `${name}:${number}`);
  }
  await turns(3);
  clock.advance(6000);
  for (; turn < 100; turn++) await turns(1);
  expect(asked.length).toBeGreaterThanOrEqual(6);
  // Those of the turn that begins end in the next.
  expect(new Set(asked).size).toBeGreaterThanOrEqual(asked.length - 1);
});
