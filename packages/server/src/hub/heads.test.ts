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
